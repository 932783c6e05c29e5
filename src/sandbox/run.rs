//! One run of a script: takes a VM, goes on slice by slice, and ends with what the script made or a verdict.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::ffi::{Advance, Contained, Ended, Kind, Limits, Uncrossable, Value};
use crate::vm::Operation;

use super::counters::{count, paused, sliced, spent, waiting};
use super::pool::{Lease, Taken, Tenant};
use super::profile::Profile;
use super::queue;
use super::response::Header;
use super::script::Script;

/// The first slice runs at once: most scripts are done in it.
const FIRST: Duration = Duration::from_micros(250);
/// How much of what a script has raised is logged, bytes: nginx cuts its lines at 2048.
const LOGGED: usize = 512;
/// What each turn allows.
const SLICE: Duration = Duration::from_millis(1);

/// The largest buffer that is kept for the next run, bytes.
const KEPT: usize = 64 << 10;

thread_local! {
    /// An empty buffer that the last output was in.
    static SPARE: RefCell<Vec<u8>> = RefCell::default();
}

/// A run. Dropping it gives it up.
pub struct Run {
    profile: Rc<Profile>,
    script: Rc<dyn Script>,
    tenant: Tenant,
    /// What the script gets; taken when it begins.
    args: RefCell<Vec<Value>>,
    /// What it returns is wanted.
    returns: bool,
    lease: RefCell<Option<Lease>>,
    ran: Cell<Duration>,
    /// How often it was advanced.
    advanced: Cell<u64>,
}

/// What a script made.
#[derive(Debug, Default)]
pub struct Made {
    /// What it put out.
    pub output: Vec<u8>,
    /// What it left in `ngx.status`.
    pub status: Option<u16>,
    /// What it left in `ngx.header`.
    pub header: Header,
    /// The status of `ngx.exit`.
    pub exit: Option<u16>,
    /// What it returned, where that is wanted.
    pub results: Vec<Value>,
}

impl Drop for Made {
    fn drop(&mut self) {
        let mut output = std::mem::take(&mut self.output);
        if (1..=KEPT).contains(&output.capacity()) {
            output.clear();
            SPARE.set(output);
        }
    }
}

/// Why a run did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The limit that was hit, or that it raised.
    pub kind: Kind,
    /// What was raised, or the limit and its figure.
    pub message: String,
    /// `name:line`, where it is known and not in the message.
    pub place: Option<String>,
}

impl Verdict {
    /// What ended the run, as one line of a log: what a script has raised cannot begin another.
    pub fn sentence(&self) -> String {
        let mut text = match (self.kind, &self.place) {
            (Kind::Error, Some(place)) => format!("error: {place}: {}", self.message),
            (Kind::Error, None) => format!("error: {}", self.message),
            (_, Some(place)) => format!("{} at {place}", self.message),
            (_, None) => self.message.clone(),
        };
        if text.contains(char::is_control) {
            text =
                text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.into() }).collect();
        }
        if text.len() > LOGGED {
            text.truncate(text.floor_char_boundary(LOGGED));
            text.push_str("...");
        }
        text
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// How far a run came.
pub enum Progress {
    /// It has ended.
    Over(Result<Made, Verdict>),
    /// It goes on when the operation is done. Dropping that gives the run up.
    Turn(Operation),
}

impl Run {
    /// A run of `script` for `tenant` that only makes a response; [`Run::advance`] begins it.
    pub fn responding(profile: &Rc<Profile>, script: &Rc<dyn Script>, tenant: Tenant) -> Rc<Self> {
        Self::make(profile, script, tenant, Vec::new(), false)
    }

    /// A run of `script` for `tenant`, as a call that returns something.
    pub fn new(profile: &Rc<Profile>, script: &Rc<dyn Script>, tenant: Tenant, args: Vec<Value>) -> Rc<Self> {
        Self::make(profile, script, tenant, args, true)
    }

    fn make(
        profile: &Rc<Profile>,
        script: &Rc<dyn Script>,
        tenant: Tenant,
        args: Vec<Value>,
        returns: bool,
    ) -> Rc<Self> {
        Rc::new(Self {
            profile: Rc::clone(profile),
            script: Rc::clone(script),
            tenant,
            args: RefCell::new(args),
            returns,
            lease: RefCell::default(),
            ran: Cell::default(),
            advanced: Cell::default(),
        })
    }

    /// Compiles the script, so that what is wrong with it is known before it runs.
    pub fn compiles(&self) -> Result<(), Verdict> {
        let mut lease = match self.profile.pool.take(&self.tenant, &self.profile).map_err(error)? {
            // A first run will tell.
            Taken::Busy => return Ok(()),
            Taken::Vm(lease) => lease,
        };
        let loaded = match lease.vm.as_mut() {
            Some(kept) => self.load(&mut kept.vm),
            None => Ok(()),
        };
        if loaded.as_ref().is_err_and(|verdict| verdict.kind != Kind::Error) {
            lease.vm = None;
        }
        self.profile.pool.give_back(lease, &self.profile);
        loaded
    }

    fn load(&self, vm: &mut Contained) -> Result<(), Verdict> {
        if vm.has(self.script.key()) {
            return Ok(());
        }
        let source = self.script.source().map_err(error)?;
        vm.load(*self.script.key(), self.script.name(), &source).map_err(|ended| verdict(ended, &self.profile.limits))
    }

    /// Runs a slice. What the script asks of a request is the current one's.
    pub fn advance(self: &Rc<Self>) -> Progress {
        self.advanced.set(self.advanced.get() + 1);
        let slice = if self.lease.borrow().is_some() { SLICE } else { FIRST };
        match self.begun() {
            Ok(true) => {}
            Ok(false) => {
                return Progress::Turn(self.profile.pool.wait(&self.tenant, (self.gives_up(), waiting(&self.profile))));
            }
            Err(verdict) => return self.over(Err(verdict)),
        }
        match self.step(slice) {
            Some(result) => self.over(result),
            None => Progress::Turn(queue::turn(self.ran.get(), (self.gives_up(), paused(&self.profile)))),
        }
    }

    /// Runs to the end without a pause: where the caller cannot wait.
    pub fn finish(self: &Rc<Self>) -> Result<Made, Verdict> {
        let result = match self.begun() {
            Ok(true) => loop {
                if let Some(result) = self.step(self.profile.limits.time) {
                    break result;
                }
            },
            Ok(false) => Err(error("all VMs of the sandbox are running, and this call cannot wait".into())),
            Err(verdict) => Err(verdict),
        };
        self.ended(&result);
        result
    }

    /// Says whether it has a VM and has begun; takes one and begins where it has not.
    fn begun(&self) -> Result<bool, Verdict> {
        if self.lease.borrow().is_some() {
            return Ok(true);
        }
        let lease = match self.profile.pool.take(&self.tenant, &self.profile).map_err(error)? {
            Taken::Busy => return Ok(false),
            Taken::Vm(lease) => lease,
        };
        let mut slot = self.lease.borrow_mut();
        let Some(kept) = slot.insert(lease).vm.as_mut() else { return Ok(false) };
        self.begin(&mut kept.vm)?;
        Ok(true)
    }

    fn begin(&self, vm: &mut Contained) -> Result<(), Verdict> {
        self.load(vm)?;
        vm.begin(self.script.key(), self.profile.limits, self.args.take(), SPARE.take());
        Ok(())
    }

    /// Runs for about `slice`. None: it is not over.
    fn step(&self, slice: Duration) -> Option<Result<Made, Verdict>> {
        let mut lease = self.lease.borrow_mut();
        let vm = &mut lease.as_mut()?.vm.as_mut()?.vm;
        sliced(&self.profile);
        let advance = vm.step(slice);
        self.ran.set(vm.ran());
        match advance {
            Advance::Paused => None,
            Advance::Done(exit) => Some(made(vm, exit, self.returns).map_err(|why| error(why.to_string()))),
            Advance::Ended(ended) => Some(Err(verdict(ended, &self.profile.limits))),
        }
    }

    fn over(&self, result: Result<Made, Verdict>) -> Progress {
        self.ended(&result);
        Progress::Over(result)
    }

    fn ended(&self, result: &Result<Made, Verdict>) {
        let kind = result.as_ref().err().map(|verdict| verdict.kind);
        count(&self.profile, kind);
        if let Some(kept) = self.lease.borrow().as_ref().and_then(|lease| lease.vm.as_ref()) {
            spent(&self.profile, kept.vm.spent());
        }
        self.let_go(matches!(kind, None | Some(Kind::Error)));
    }

    fn gives_up(self: &Rc<Self>) -> GivesUp {
        GivesUp { run: Rc::clone(self), advanced: self.advanced.get() }
    }

    /// Gives the VM back; one that a limit has ended, or that was given up, is not used again.
    fn let_go(&self, reusable: bool) {
        let Some(mut lease) = self.lease.take() else {
            // It may have been woken for a VM that it does not take now.
            self.profile.pool.wake_next(&self.profile);
            return;
        };
        lease.vm = lease.vm.take().filter(|_| reusable).and_then(|mut kept| kept.vm.end().then_some(kept));
        self.profile.pool.give_back(lease, &self.profile);
    }

    /// The file or name that logs show.
    pub fn file(&self) -> &str {
        self.script.file()
    }

    /// The profile.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.let_go(false);
    }
}

/// What waits for a turn of the run. When it is dropped and the run was not advanced since, nobody wants it any more;
/// what else holds the run may be Lua's garbage.
struct GivesUp {
    run: Rc<Run>,
    advanced: u64,
}

impl Drop for GivesUp {
    fn drop(&mut self) {
        if self.run.advanced.get() == self.advanced {
            self.run.let_go(false);
        }
    }
}

fn error(message: String) -> Verdict {
    Verdict { kind: Kind::Error, message, place: None }
}

fn verdict(ended: Ended, limits: &Limits) -> Verdict {
    let message = match ended.kind {
        Kind::Error => {
            // Lua has put the place in front of most messages itself.
            let place = ended.place.filter(|place| !ended.message.starts_with(place.as_str()));
            return Verdict { kind: Kind::Error, message: ended.message, place };
        }
        Kind::Cpu => format!("cpu limit of {} instructions", limits.instructions),
        Kind::Time => format!("time limit of {} ms", limits.time.as_millis()),
        Kind::Memory => format!("memory limit of {} bytes", limits.memory),
        Kind::Output => format!("output limit of {} bytes", limits.output),
    };
    Verdict { kind: ended.kind, message, place: ended.place }
}

fn made(vm: &Contained, exit: Option<i32>, returns: bool) -> Result<Made, Unusable> {
    Ok(Made {
        output: vm.take_output(),
        status: super::response::status(vm.status())?,
        header: super::response::header(vm.header().map_err(Unusable::Uncrossable)?)?,
        exit: exit.and_then(|status| u16::try_from(status).ok()).filter(|&status| status != 0),
        results: if returns { vm.results().map_err(Unusable::Uncrossable)? } else { Vec::new() },
    })
}

/// Why what a script made is of no use.
#[derive(Debug, PartialEq, Eq)]
pub enum Unusable {
    /// A value that cannot leave the sandbox.
    Uncrossable(Uncrossable),
    /// Something in `ngx.status` or `ngx.header`.
    Response(String),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uncrossable(why) => why.fmt(f),
            Self::Response(why) => f.write_str(why),
        }
    }
}
