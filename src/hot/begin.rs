//! A new configuration in nginx's master: the snapshot of the code roots that its workers begin with.

use std::path::{Path, PathBuf};

use crate::code::{Root, Weight, weigh};
use crate::nginx::{Level, log_cycle};

use super::Settings;
use super::history::{log_full, log_left_out, record, tell_active};
use super::make::{Made, Offer, Order, make};
use super::report::{Change, Generation, State, What};
use super::room::{OVERHEAD, for_sources};
use super::store::{Store, Word};
use super::turn::seize_turn;

/// A derived root that holds more is not scanned whole.
const MOST: Weight = Weight { files: 100_000, bytes: 1 << 30 };

/// The code roots and what is to be said of them.
#[derive(Debug, Default)]
pub struct Roots {
    /// The roots.
    pub roots: Vec<Root>,
    /// Warnings, a sentence each.
    pub warnings: Vec<String>,
}

/// Decides which roots are scanned whole. Roots that were `given` are, and must fit the zone; derived ones, and those of
/// `untrusted` files, only where that is no surprise.
///
/// # Errors
/// The given roots do not fit the zone.
pub fn plan_roots(
    trusted: Vec<PathBuf>,
    given: bool,
    untrusted: Vec<PathBuf>,
    zone_size: usize,
) -> Result<Roots, String> {
    let mut plan = Roots::default();
    let root = |path, untrusted| Root { path, whole: true, untrusted };
    plan.roots.extend(trusted.into_iter().map(|path| root(path, false)));
    plan.roots.extend(untrusted.into_iter().map(|path| root(path, true)));
    let mut used = 0;
    for at in 0..plan.roots.len() {
        let root = &plan.roots[at];
        let (path, given) = (&root.path, given && !root.untrusted);
        let room = if root.untrusted { for_sources(zone_size) } else { zone_size as u64 / 4 * 3 };
        let limit = if given { Weight { files: u64::MAX, bytes: u64::MAX } } else { MOST };
        // Search paths often name directories that are not there.
        let is_there = given || root.untrusted || path.exists();
        let is_whole = given || path != Path::new("/") && is_there;
        let weight = if is_whole { weigh(root, &plan.roots, &limit) } else { Weight { files: 0, bytes: 0 } };
        let needed = weight.bytes + weight.files * OVERHEAD;
        let shown = path.display();
        let why = if !is_there {
            None
        } else if !is_whole {
            Some("is the whole file system".to_owned())
        } else if weight.files > limit.files || weight.bytes > limit.bytes {
            Some(format!("holds more than {} files or {} MB of Lua", MOST.files, MOST.bytes >> 20))
        } else if used + needed > room {
            let enough = ((used + needed) / 3 * 4).next_multiple_of(1 << 20) >> 20;
            if given {
                return Err(format!(
                    "the {} Lua files of hotlua_root \"{shown}\" ({} KB) do not fit hotlua_zone, write for instance \
                     \"hotlua_zone {}m\"",
                    weight.files,
                    weight.bytes >> 10,
                    enough * 2
                ));
            }
            Some(format!("does not fit hotlua_zone (which would take {}m)", enough * 2))
        } else {
            used += needed;
            None
        };
        match &why {
            Some(why) if root.untrusted => plan.warnings.push(format!(
                "the directory \"{shown}\" of content_by_sandbox_file {why}: it is not scanned whole, so a script becomes \
                 part of a generation when it is first run, and changes of it are taken by a publish, not by hotlua_watch"
            )),
            Some(why) => plan.warnings.push(format!(
                "the code root \"{shown}\", derived from the paths of Lua files, {why}: it is not scanned whole, so \
                 only files that have run are watched and published; name the code's directories by hotlua_root"
            )),
            None => {}
        }
        plan.roots[at].whole = is_there && why.is_none();
    }
    Ok(plan)
}

/// Publishes the snapshot of a new configuration. One that is rejected leaves the last good generation active for the
/// new workers; the first one starts in any case.
pub(super) fn begin(store: Store, settings: &Settings, package_path: String) {
    let keep = settings.keep;
    seize_turn(&store, keep);
    store.count(Word::Cycle);
    let is_first = store.load(Word::Active) == 0;
    if is_first {
        store.store(Word::Next, 1);
    }
    store.locked(|shelf| shelf.clear(Word::Registry));
    let reason = if is_first { "start" } else { "nginx reload" };
    let what = if is_first { What::First } else { What::Rescan };
    let change = Change { what, actor: "nginx".into(), reason: reason.into() };
    let Settings { roots, tracked, untrusted, .. } = settings.clone();
    let order = Order { store, roots, tracked, untrusted, package_path, change };
    match make(&order) {
        Ok(Made::Offer(offer)) => activate(&store, &order.change, offer, keep),
        Ok(Made::Nothing { left_out, .. }) => log_left_out(&left_out.unwrap_or_default()),
        Err(refused) => {
            let number = store.count(Word::Next);
            if is_first {
                // nginx exits where this fails, which at a reload would end a server that runs.
                store.count_activated(&order.change.what);
                store.store(Word::Active, number);
                let text =
                    format!("the code roots cannot be taken whole, files are read when they are needed: {refused}");
                log_cycle(Level::Alert, text.as_bytes());
            } else {
                store.count(Word::Rejected);
                let active = store.load(Word::Active);
                let text = format!(
                    "nginx was reloaded, but its code is rejected: {refused}; generation {active} stays active"
                );
                log_cycle(Level::Alert, text.as_bytes());
            }
            let state = if is_first { State::Active } else { State::Rejected };
            log_full(store.change_history(|history| {
                let mut refusal = record(number, state, &order.change, Vec::new());
                refusal.blame(&refused);
                history.push(refusal);
            }));
        }
    }
    store.store(Word::Publisher, 0);
}

fn activate(store: &Store, change: &Change, offer: Offer, keep: usize) {
    log_left_out(offer.left_out.as_deref().unwrap_or_default());
    store.locked(|shelf| {
        store.count_activated(&change.what);
        store.store(Word::Active, offer.number);
        store.store(Word::Untrusted, offer.untrusted);
        log_full(shelf.settle(keep));
    });
    for refused in &offer.broken {
        let text = format!("a Lua file does not compile, what needs it answers 500: {refused}");
        log_cycle(Level::Err, text.as_bytes());
    }
    log_full(store.change_history(|history: &mut Vec<Generation>| {
        let mut active = record(offer.number, State::Active, change, offer.changed.clone());
        if let Some(refused) = offer.broken.first() {
            active.blame(refused);
        }
        history.push(active);
        tell_active(history, offer.number);
    }));
}
