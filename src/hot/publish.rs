//! The publisher: one worker at a time makes a candidate, waits for every worker's report, and activates it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use crate::code::{Root, Untrusted};
use crate::nginx::{Block, Level, Timer, WakeSet, log_cycle, pid, without_signals};
use crate::vm::Live;

use super::Settings;
use super::history::{log_full, log_left_out, record, rejection, tell_active};
use super::make::{Made, Offer, Order, make};
use super::report::{Change, Published, Refused, State};
use super::store::{RELOADED, SlotWord, Store, Word};
use super::turn::take_turn;

/// How often the publisher looks for workers that died, and a waiting one for its turn, if nothing wakes it before.
const TICK: Duration = Duration::from_millis(20);

/// How many of a rejected candidate's files are told of.
const CHANGED_TOLD: usize = 100;

type Done = Box<dyn FnOnce(Result<Published, Refused>)>;

/// This worker's publisher.
pub(super) struct Publisher {
    store: Store,
    wake: Rc<WakeSet>,
    live: Rc<Live>,
    roots: Vec<Root>,
    tracked: Vec<String>,
    untrusted: Untrusted,
    /// What was left out and told of last.
    told_left_out: RefCell<Vec<String>>,
    keep: usize,
    timeout: Duration,
    waiting: RefCell<VecDeque<Waiting>>,
    under_way: RefCell<Option<UnderWay>>,
    tick: Timer,
}

/// A change that waits for its turn.
struct Waiting {
    change: Change,
    /// Called when it begins: from then on it may not see what changes on the disk.
    begins: Box<dyn FnOnce()>,
    done: Done,
}

/// The change that this worker publishes.
struct UnderWay {
    change: Change,
    done: Done,
    step: Step,
}

/// How far it is.
enum Step {
    /// A thread makes the candidate.
    Making(Receiver<Result<Made, Refused>>),
    /// The workers prepare it.
    Preparing { offer: Offer, deadline: Instant },
    /// It is active; the workers that were idle are about to notice.
    Flipping { published: Published, deadline: Instant },
}

impl Publisher {
    pub fn new(store: Store, wake: Rc<WakeSet>, live: Rc<Live>, settings: &Settings) -> Rc<Self> {
        let Settings { roots, tracked, untrusted, keep, timeout, .. } = settings.clone();
        Rc::new_cyclic(|weak: &Weak<Self>| {
            let weak = weak.clone();
            Self {
                store,
                wake,
                live,
                roots,
                tracked,
                untrusted,
                told_left_out: RefCell::default(),
                keep,
                timeout,
                waiting: RefCell::default(),
                under_way: RefCell::default(),
                tick: Timer::new(move || {
                    if let Some(publisher) = weak.upgrade() {
                        publisher.woken();
                    }
                }),
            }
        })
    }

    /// Publishes a change as soon as it is its turn.
    pub fn publish(&self, change: Change, done: Done) {
        self.publish_noting(change, || {}, done);
    }

    /// The same; `begins` is called before the disk is looked at.
    pub fn publish_noting(&self, change: Change, begins: impl FnOnce() + 'static, done: Done) {
        self.waiting.borrow_mut().push_back(Waiting { change, begins: Box::new(begins), done });
        self.woken();
    }

    /// Goes on with what is under way, then with what waits.
    pub fn woken(&self) {
        loop {
            let under_way = self.under_way.take();
            let waits = match under_way {
                Some(under_way) => self.advance(under_way),
                None if self.waiting.borrow().is_empty() => return,
                None => !self.begin(),
            };
            if waits {
                self.tick.arm(TICK, false);
                return;
            }
        }
    }

    /// Begins with the change that waits first; false where it is another worker's turn.
    fn begin(&self) -> bool {
        if !take_turn(&self.store, self.keep) {
            return false;
        }
        let next = self.waiting.borrow_mut().pop_front();
        let Some(Waiting { change, begins, done }) = next else { return true };
        begins();
        match self.order(&change) {
            Ok(made) => {
                self.under_way.replace(Some(UnderWay { change, done, step: Step::Making(made) }));
            }
            Err(error) => self.refuse(&change, done, Refused::rejected(&error)),
        }
        true
    }

    /// Starts the thread that makes a change's candidate.
    fn order(&self, change: &Change) -> Result<Receiver<Result<Made, Refused>>, String> {
        let package_path = self.live.vm.package_path().map_err(|failure| failure.to_string())?;
        let (roots, tracked, untrusted) = (self.roots.clone(), self.tracked.clone(), self.untrusted.clone());
        let order = Order { store: self.store, roots, tracked, untrusted, package_path, change: change.clone() };
        let (sender, receiver) = channel();
        let waker = self.wake.as_ref().clone();
        let run = move || {
            // Nobody listens any more where the worker ends.
            let _ = sender.send(make(&order));
            waker.wake_all();
        };
        let thread = std::thread::Builder::new().name("hotlua publish".into());
        without_signals(|| thread.spawn(run)).map_err(|error| format!("a thread cannot be started: {error}"))?;
        Ok(receiver)
    }

    /// Takes what is under way a step further. True: it has to wait.
    fn advance(&self, under_way: UnderWay) -> bool {
        let UnderWay { change, done, step } = under_way;
        let step = match step {
            Step::Making(receiver) => match receiver.try_recv() {
                Ok(made) => return self.made(change, done, made),
                Err(TryRecvError::Empty) => Step::Making(receiver),
                Err(TryRecvError::Disconnected) => {
                    self.refuse(&change, done, Refused::rejected("internal error: making the candidate panicked"));
                    return false;
                }
            },
            Step::Preparing { offer, deadline } => match self.reports(&offer, deadline) {
                Some(outcome) => {
                    self.decide(change, done, offer, outcome);
                    return false;
                }
                None => Step::Preparing { offer, deadline },
            },
            Step::Flipping { published, deadline } => {
                let behind = |&slot: &usize| self.store.slot(slot, SlotWord::Generation) < published.generation;
                if Instant::now() >= deadline || !self.store.workers().iter().any(behind) {
                    self.end_turn();
                    done(Ok(published));
                    return false;
                }
                Step::Flipping { published, deadline }
            }
        };
        self.under_way.replace(Some(UnderWay { change, done, step }));
        true
    }

    /// A thread has made the candidate: asks the workers to prepare it.
    fn made(&self, change: Change, done: Done, made: Result<Made, Refused>) -> bool {
        let offer = match made {
            Ok(Made::Offer(offer)) => {
                self.tell_left_out(&offer.left_out);
                offer
            }
            Ok(Made::Nothing { restored, left_out }) => {
                self.tell_left_out(&left_out);
                let generation = self.store.load(Word::Active);
                self.end_turn();
                done(Ok(Published { generation, restored, ..Published::default() }));
                return false;
            }
            Err(refused) => {
                self.refuse(&change, done, refused);
                return false;
            }
        };
        let told = self.store.change_history(|history| {
            history.push(record(offer.number, State::Candidate, &change, offer.changed.clone()));
        });
        let offered = told.map_err(|full| full.to_string()).and_then(|()| {
            self.store.locked(|_| {
                // Under the lock, as it is by which a reload of nginx takes the turn away.
                if !self.store.has_turn() {
                    return Err(RELOADED.to_owned());
                }
                self.store.store(Word::Candidate, offer.number);
                Ok(())
            })
        });
        if let Err(error) = offered {
            self.reject(&change, &offer, &Refused::rejected(&error));
            self.end_turn();
            done(Err(Refused::rejected(&error)));
            return false;
        }
        let deadline = Instant::now() + self.timeout;
        self.under_way.replace(Some(UnderWay { change, done, step: Step::Preparing { offer, deadline } }));
        self.wake.wake_all();
        true
    }

    /// Logs which untrusted files are in no generation, unless that is no news: tenants must not fill the log.
    fn tell_left_out(&self, left_out: &Option<Vec<String>>) {
        if let Some(left_out) = left_out
            && self.told_left_out.replace(left_out.clone()) != *left_out
        {
            log_left_out(left_out);
        }
    }

    /// What the workers say of the candidate; none as long as one has not said it.
    fn reports(&self, offer: &Offer, deadline: Instant) -> Option<Result<Vec<String>, Refused>> {
        if !self.store.has_turn() {
            return Some(Err(Refused::rejected(RELOADED)));
        }
        let workers = self.store.workers();
        if workers.is_empty() {
            // nginx was reloaded and the new workers are about to start: what nobody has prepared is not activated.
            let none =
                || Err(Refused::rejected("no worker of the running configuration is there to prepare the candidate"));
            return (Instant::now() >= deadline).then(none);
        }
        let has_reported = |slot: usize| self.store.slot(slot, SlotWord::Reported) == offer.number;
        if let Some(&slot) = workers.iter().find(|&&slot| !has_reported(slot)) {
            // One refusal is enough, whatever the others would say.
            let refusal = workers.iter().filter(|&&slot| has_reported(slot)).find_map(|&slot| self.store.refusal(slot));
            if let Some(refused) = refusal {
                return Some(Err(refused));
            }
            if Instant::now() < deadline {
                return None;
            }
            let worker = self.store.slot(slot, SlotWord::Pid);
            let text = format!("worker {worker} did not prepare the candidate within {} ms", self.timeout.as_millis());
            return Some(Err(Refused::rejected(&text).by_worker(worker as i32)));
        }
        let mut reloaded: Vec<String> = Vec::new();
        let mut refusal = None;
        for slot in workers {
            match self.store.take_report(slot) {
                Some(Ok(modules)) => {
                    let new: Vec<String> = modules.into_iter().filter(|module| !reloaded.contains(module)).collect();
                    reloaded.extend(new);
                }
                Some(Err(refused)) => refusal = refusal.or(Some(refused)),
                None => {}
            }
        }
        Some(refusal.map_or(Ok(reloaded), Err))
    }

    /// Activates or rejects the candidate.
    fn decide(&self, change: Change, done: Done, offer: Offer, outcome: Result<Vec<String>, Refused>) {
        let number = offer.number;
        let activated = outcome.and_then(|reloaded| match self.activate(&offer, &change) {
            Ok(()) => Ok(reloaded),
            Err(error) => Err(Refused::rejected(&error)),
        });
        match activated {
            Ok(reloaded) => {
                let told = self.store.change_history(|history| {
                    tell_active(history, number);
                    if let Some(active) = history.iter_mut().find(|generation| generation.generation == number) {
                        active.affected.clone_from(&reloaded);
                    }
                });
                log_full(told);
                log_full(self.store.locked(|shelf| shelf.collect()));
                log_cycle(Level::Notice, format!("generation {number} is active").as_bytes());
                let published =
                    Published { generation: number, changed: offer.changed, reloaded, restored: offer.restored };
                let deadline = Instant::now() + self.timeout;
                self.under_way.replace(Some(UnderWay { change, done, step: Step::Flipping { published, deadline } }));
                self.wake.wake_all();
            }
            Err(refused) => {
                self.reject(&change, &offer, &refused);
                self.end_turn();
                done(Err(refused));
            }
        }
    }

    /// The store that flips every worker.
    fn activate(&self, offer: &Offer, change: &Change) -> Result<(), String> {
        self.store.locked(|shelf| {
            if !self.store.has_turn() {
                return Err(RELOADED.to_owned());
            }
            self.store.count_activated(&change.what);
            self.store.store(Word::Active, offer.number);
            self.store.store(Word::Untrusted, offer.untrusted);
            // Each worker tells anew what it has loaded.
            shelf.clear(Word::Registry);
            log_full(shelf.settle(self.keep));
            Ok(())
        })
    }

    /// Takes a candidate back.
    fn reject(&self, change: &Change, offer: &Offer, refused: &Refused) {
        let number = offer.number;
        self.store.locked(|shelf| {
            // Who took the turn away has cleaned up.
            if self.store.has_turn() {
                self.store.store(Word::Candidate, 0);
                shelf.clear(Word::NextManifest);
                offer.fresh.iter().for_each(|&block| shelf.zone.free(Block(block)));
            }
        });
        log_cycle(Level::Err, format!("candidate {number} was rejected: {refused}").as_bytes());
        let told = self.store.change_history(|history| {
            // Those that are rejected are told of long after; their lists must not fill the zone.
            let changed = offer.changed.iter().take(CHANGED_TOLD).cloned().collect();
            let rejected = rejection(number, change, changed, refused);
            // In its place: a reload of nginx may have told of a later one, and of this one's rejection.
            let told = history.iter_mut().find(|generation| generation.generation == number);
            if told.as_ref().is_none_or(|told| told.state != State::Rejected) {
                self.store.count(Word::Rejected);
            }
            match told {
                Some(told) => *told = rejected,
                None => history.push(rejected),
            }
        });
        log_full(told);
    }

    /// Answers a change that was refused before it became a candidate. Names that nobody knows are no news.
    fn refuse(&self, change: &Change, done: Done, refused: Refused) {
        if matches!(refused, Refused::Rejected { .. }) {
            let number = self.store.count(Word::Next);
            self.store.count(Word::Rejected);
            log_cycle(Level::Err, format!("candidate {number} was rejected: {refused}").as_bytes());
            let told = self.store.change_history(|history| {
                history.push(rejection(number, change, Vec::new(), &refused));
            });
            log_full(told);
        }
        self.end_turn();
        done(Err(refused));
    }

    fn end_turn(&self) {
        self.store.exchange(Word::Publisher, pid() as u64, 0);
        self.wake.wake_all();
    }
}
