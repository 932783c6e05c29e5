//! Makes a candidate of a change: looks at the disk, compares, compiles what changed once, and puts it into the zone.
//!
//! It runs in a thread beside the event loop, so nothing here touches nginx but its shared memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::code::{Fence, Hash, Root, ScanError, Seen, Stamp, Untrusted, is_in_untrusted, look, module_names, scan};
use crate::nginx::{Block, ZoneFull};
use crate::vm::Compiler;

use super::record::{Candidate, Changed, Entry, Held, Manifest, Origin};
use super::report::{Change, Module, Refused, What};
use super::resolve;
use super::room::{Room, for_sources, listed};
use super::shelf::Shelf;
use super::store::{RELOADED, Store, Word};

/// What making a candidate needs.
pub(super) struct Order {
    /// The zone.
    pub store: Store,
    /// The code roots.
    pub roots: Vec<Root>,
    /// Lua files outside of the roots that directives name.
    pub tracked: Vec<String>,
    /// What is taken as bytes and never runs as trusted code.
    pub untrusted: Untrusted,
    /// `package.path` of the worker.
    pub package_path: String,
    /// What is asked for.
    pub change: Change,
}

/// What came of it.
pub(super) enum Made {
    /// Everything is as it was.
    Nothing {
        /// The generation that a rollback asked for.
        restored: Option<u64>,
        /// As in [`Offer`].
        left_out: Option<Vec<String>>,
    },
    /// A candidate lies in the zone.
    Offer(Offer),
}

/// A candidate that lies in the zone.
pub(super) struct Offer {
    /// Its number.
    pub number: u64,
    /// The blocks of sources that it has brought.
    pub fresh: Vec<u64>,
    /// The files that differ.
    pub changed: Vec<String>,
    /// The generation that a rollback restores.
    pub restored: Option<u64>,
    /// What of the first generation does not compile.
    pub broken: Vec<Refused>,
    /// The untrusted files that no generation has and why, a clause each; none where that was not looked at.
    pub left_out: Option<Vec<String>>,
    /// For [`Word::Untrusted`].
    pub untrusted: u64,
}

/// A file as the candidate is to have it.
enum Next {
    /// What was read, from the disk or from who publishes.
    Source { hash: Hash, text: Vec<u8>, origin: Origin, stamp: Option<Stamp> },
    /// What an earlier generation had.
    Entry(Entry),
    /// Not at all.
    None,
}

impl Next {
    fn of_disk(text: Vec<u8>, stamp: Option<Stamp>) -> Self {
        Self::Source { hash: Hash::of(&text), text, origin: Origin::Disk, stamp }
    }
}

/// The change as far as it is made.
struct Draft {
    /// What is untrusted.
    fence: Fence,
    left_out: Option<Vec<String>>,
    untrusted: u64,
    base: BTreeMap<String, Entry>,
    late: Vec<(String, Entry)>,
    next: BTreeMap<String, Next>,
    /// Files that the disk has as the base has them, and the state in which they were looked at.
    stamps: BTreeMap<String, Option<Stamp>>,
    modules: BTreeSet<String>,
    dependents: bool,
    restored: Option<u64>,
    /// Named files and modules make a candidate even where no source differs.
    forced: bool,
}

/// Makes the candidate.
pub(super) fn make(order: &Order) -> Result<Made, Refused> {
    let store = order.store;
    // Nobody else activates meanwhile: it is this one's turn.
    let base = store.manifest();
    let number = base.number;
    let late = store.locked(|shelf| shelf.all_late(number));
    let late: Vec<(String, Entry)> = late.into_iter().map(|late| (late.file, late.entry)).collect();
    let mut draft = Draft {
        fence: order.untrusted.fence(),
        left_out: None,
        untrusted: 0,
        base: base.entries.into_iter().chain(late.iter().cloned()).collect(),
        late,
        next: BTreeMap::new(),
        stamps: BTreeMap::new(),
        modules: BTreeSet::new(),
        dependents: true,
        restored: None,
        forced: false,
    };
    match &order.change.what {
        What::First | What::Rescan => draft.rescan(order, false)?,
        What::Settled => draft.rescan(order, true)?,
        What::Overlay(files) => draft.overlay(&order.roots, files)?,
        What::Rollback(to) => draft.rollback(&store, *to)?,
        What::Named(named) => {
            let registry: BTreeMap<String, Module> = store.read(Word::Registry).unwrap_or_default();
            let resolved = resolve::resolve(&order.roots, &draft.fence, &order.package_path, &registry, named)?;
            draft.modules.extend(resolved.modules);
            draft.dependents = named.dependents;
            draft.forced = true;
            if named.all {
                draft.rescan(order, false)?;
            }
            for file in resolved.files {
                draft.reread(&order.roots, &file)?;
            }
        }
    }
    draft.drop_unchanged();
    draft.fit(order);
    let (mut bytecode, mut broken) = draft.compile();
    if order.change.what == What::First {
        draft.forced = true;
        // No worker prepares it, and the zone has better use for the room.
        bytecode.clear();
    } else if !broken.is_empty() {
        return Err(broken.swap_remove(0));
    }
    if draft.next.is_empty() && !draft.forced {
        let (restored, left_out) = (draft.restored, draft.left_out.take());
        draft.remember_stamps(&store);
        return Ok(Made::Nothing { restored, left_out });
    }
    // A file that came may stand before the one that a loaded module was found in.
    let came = draft.next.keys().filter(|file| !draft.base.contains_key(*file));
    let names: Vec<String> = came
        .filter(|file| !draft.is_untrusted(file))
        .flat_map(|file| module_names(&order.package_path, file))
        .collect();
    draft.modules.extend(names);
    let changed = draft.next.keys().cloned().collect();
    let (left_out, untrusted) = (draft.left_out.take(), draft.untrusted);
    let (number, fresh, restored) = draft.offer(&store, number, bytecode)?;
    Ok(Made::Offer(Offer { number, fresh, changed, restored, broken, left_out, untrusted }))
}

impl Draft {
    /// Takes what the disk has, all of it or only what has changed there since it was looked at last (`heeding`: what
    /// a rollback has put before the disk's stays).
    fn rescan(&mut self, order: &Order, heeding: bool) -> Result<(), Refused> {
        let tracked: BTreeSet<String> = self.base.keys().chain(&order.tracked).cloned().collect();
        let base = &self.base;
        let known = |file: &str| {
            let entry = base.get(file)?;
            let as_disk = entry.origin == Origin::Disk && entry.held == Held::No;
            if as_disk || heeding { entry.stamp } else { None }
        };
        // What untrusted files are read may not take more memory than the zone would have for them.
        let room = for_sources(order.store.zone().size());
        let seen = scan(&order.roots, tracked, known, room).map_err(unreadable)?;
        self.left_out.get_or_insert_default();
        for file in self.base.keys().filter(|file| !seen.contains_key(*file)) {
            let entry = &self.base[file];
            if entry.origin == Origin::Disk && !(heeding && entry.held == Held::Deleted) {
                self.next.insert(file.clone(), Next::None);
            }
        }
        for (file, seen) in seen {
            self.take(file, seen, heeding)?;
        }
        Ok(())
    }

    fn take(&mut self, file: String, seen: Seen, heeding: bool) -> Result<(), Refused> {
        match seen {
            Seen::Same => {}
            Seen::Read { source, stamp } => {
                let hash = Hash::of(&source);
                let stays = self.base.get(&file).is_some_and(|entry| {
                    // What was published over the disk's stays over it.
                    entry.origin == Origin::Overlay || heeding && entry.held == Held::Over(hash)
                });
                if !stays {
                    self.next.insert(file, Next::Source { hash, text: source, origin: Origin::Disk, stamp });
                }
            }
            Seen::LeftOut(why) => self.leave_out(file, &why),
            Seen::Refused(error) if self.is_untrusted(&file) => {
                let stays =
                    self.base.get(&file).is_some_and(|entry| error.is_passing() || heeding && entry.held != Held::No);
                if !stays {
                    self.leave_out(file, &error.to_string());
                }
            }
            // What never ran may be anything; what runs must not be lost.
            Seen::Refused(error) if self.base.get(&file).is_some_and(|entry| entry.origin == Origin::Disk) => {
                return Err(refused(format!("{file}: {error}"), Some(&file)));
            }
            Seen::Refused(_) => {}
        }
        Ok(())
    }

    fn is_untrusted(&self, file: &str) -> bool {
        self.fence.holds(Path::new(file))
    }

    /// Leaves an untrusted file out of the generation: the request that asks for it gets its own error.
    fn leave_out(&mut self, file: String, why: &str) {
        self.left_out.get_or_insert_default().push(format!("{file} {why}"));
        if self.base.get(&file).is_some_and(|entry| entry.origin == Origin::Disk) {
            self.next.insert(file, Next::None);
        } else {
            self.next.remove(&file);
        }
    }

    /// Leaves out the untrusted files that do not fit.
    fn fit(&mut self, order: &Order) {
        let is_listed = |file: &&String| is_in_untrusted(&order.roots, file);
        let mut room = Room::beside(&order.store, self.base.keys().filter(is_listed).map(|file| listed(file)).sum());
        let untrusted = self.next.iter().filter_map(|(file, next)| match next {
            Next::Source { text, .. } if self.is_untrusted(file) => Some((file.clone(), text.len())),
            _ => None,
        });
        for (file, length) in untrusted.collect::<Vec<_>>() {
            if !room.take(&file, length, !self.base.contains_key(&file)) {
                self.leave_out(file, "does not fit with the others into the part of hotlua_zone that is for them");
            }
        }
        let stays = |file: &&String| !matches!(self.next.get(*file), Some(Next::None));
        let comes =
            self.next.iter().filter(|(file, next)| !matches!(next, Next::None) && !self.base.contains_key(*file));
        let files = self.base.keys().filter(stays).chain(comes.map(|(file, _)| file));
        self.untrusted = files.filter(is_listed).map(|file| listed(file)).sum();
    }

    /// Takes what the disk has for one file, whatever was known of it; what was published over the disk's stays.
    fn reread(&mut self, roots: &[Root], file: &str) -> Result<(), Refused> {
        if self.base.get(file).is_some_and(|entry| entry.origin == Origin::Overlay) {
            return Ok(());
        }
        match look(roots, file, None) {
            Some(Seen::Read { source, stamp }) => {
                self.next.insert(file.to_owned(), Next::of_disk(source, stamp));
                Ok(())
            }
            Some(Seen::Refused(error)) => Err(refused(format!("{file}: {error}"), Some(file))),
            Some(Seen::Same | Seen::LeftOut(_)) => Ok(()),
            None => Err(refused(format!("{file}: does not exist"), Some(file))),
        }
    }

    fn overlay(&mut self, roots: &[Root], files: &BTreeMap<String, Option<Vec<u8>>>) -> Result<(), Refused> {
        for (name, source) in files {
            let file = resolve::inside(roots, name)
                .ok_or_else(|| refused(format!("\"{name}\" lies in no code root"), Some(name)))?;
            if self.is_untrusted(&file) {
                return Err(refused(format!("\"{name}\" is refused: the file is a sandboxed script"), Some(&file)));
            }
            let overlaid = self.base.get(&file).is_some_and(|entry| entry.origin == Origin::Overlay);
            match source {
                Some(source) => {
                    let (hash, text) = (Hash::of(source), source.clone());
                    let next = Next::Source { hash, text, origin: Origin::Overlay, stamp: None };
                    self.next.insert(file, next);
                }
                None if overlaid => match look(roots, &file, None) {
                    Some(Seen::Read { source, stamp }) => {
                        self.next.insert(file, Next::of_disk(source, stamp));
                    }
                    Some(Seen::Refused(error)) => return Err(refused(format!("{file}: {error}"), Some(&file))),
                    Some(Seen::Same | Seen::LeftOut(_)) | None => {
                        self.next.insert(file, Next::None);
                    }
                },
                None => {}
            }
        }
        Ok(())
    }

    fn rollback(&mut self, store: &Store, to: Option<u64>) -> Result<(), Refused> {
        let (kept, active) = store.locked(|shelf| (shelf.kept(), store.load(Word::Active)));
        let unknown = |what| Refused::Unknown { what };
        let last = kept.last().map(|kept| kept.number);
        let to = to.or(last).ok_or_else(|| unknown("there is no generation before the active one".into()))?;
        self.restored = Some(to);
        if to == active {
            return Ok(());
        }
        if !kept.iter().any(|kept| kept.number == to) {
            let numbers: Vec<String> = kept.iter().map(|kept| kept.number.to_string()).collect();
            let those = if numbers.is_empty() { "none".into() } else { numbers.join(", ") };
            return Err(unknown(format!("generation {to} is not kept; those that can be restored: {those}")));
        }
        self.forced = true;
        let back = kept.into_iter().rev().take_while(|kept| kept.number >= to);
        for (file, entry) in back.flat_map(|kept| kept.back) {
            // Of several steps back the last one counts.
            self.next.insert(file, entry.map_or(Next::None, Next::Entry));
        }
        for (file, next) in &mut self.next {
            let now = self.base.get(file);
            let disk = now.map_or(Held::Deleted, Entry::disk);
            match next {
                Next::Entry(entry) if entry.origin != Origin::Overlay => {
                    let as_disk = entry.origin == Origin::Disk && disk == Held::Over(entry.hash);
                    entry.held = if as_disk { Held::No } else { disk };
                    entry.stamp = now.and_then(|now| now.stamp);
                }
                // The disk has it still: a watched change must not bring it back.
                Next::None if matches!(disk, Held::Over(_)) => {
                    let gone = |now: &Entry| Entry { origin: Origin::Gone, block: 0, held: disk, ..now.clone() };
                    *next = now.map_or(Next::None, |now| Next::Entry(gone(now)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Leaves out what is as the base has it.
    fn drop_unchanged(&mut self) {
        let (base, stamps) = (&self.base, &mut self.stamps);
        self.next.retain(|file, next| {
            let Some(before) = base.get(file) else { return !matches!(next, Next::None) };
            match next {
                Next::None => true,
                Next::Entry(entry) => entry != before,
                Next::Source { hash, origin, stamp, .. } => {
                    let differs = before.hash != *hash || before.origin != *origin;
                    if !differs && (before.stamp != *stamp || before.held != Held::No) {
                        stamps.insert(file.clone(), *stamp);
                    }
                    differs
                }
            }
        });
    }

    /// What the changed files compile to, and why others don't.
    fn compile(&self) -> (Vec<(String, Vec<u8>)>, Vec<Refused>) {
        let compiler = Compiler::new();
        let (mut compiled, mut broken) = (Vec::new(), Vec::new());
        for (file, next) in &self.next {
            let Next::Source { text, .. } = next else { continue };
            // Bytecode that a tenant has crafted is not even to be loaded, and no tenant may reject a candidate.
            if self.is_untrusted(file) {
                continue;
            }
            match compiler.bytecode(text, &format!("@{file}")) {
                Ok(bytecode) => compiled.push((file.clone(), bytecode)),
                Err(failure) => {
                    let line = failure.place().map(|(_, line)| line);
                    let file = Some(file.clone());
                    broken.push(Refused::Rejected { error: failure.message, file, line, worker: None });
                }
            }
        }
        (compiled, broken)
    }

    /// Notes in the active manifest that files were looked at again and found to be the same.
    fn remember_stamps(self, store: &Store) {
        if self.stamps.is_empty() {
            return;
        }
        let noted = store.locked(|shelf| {
            // What runs may be another generation's by now.
            if !store.has_turn() {
                return Ok(());
            }
            let mut manifest = shelf.manifest();
            for (file, entry) in &mut manifest.entries {
                if let Some(stamp) = self.stamps.get(file) {
                    (entry.stamp, entry.held) = (*stamp, Held::No);
                }
            }
            shelf.write(Word::Manifest, &manifest)
        });
        // Without the note they are merely read again next time.
        let _: Result<(), ZoneFull> = noted;
    }

    /// Puts the candidate into the zone. Returns its number, its sources' blocks and the generation it restores.
    fn offer(
        mut self,
        store: &Store,
        base: u64,
        bytecode: Vec<(String, Vec<u8>)>,
    ) -> Result<(u64, Vec<u64>, Option<u64>), Refused> {
        let restored = self.restored;
        let number = store.count(Word::Next);
        for (file, stamp) in &self.stamps {
            if let Some(entry) = self.base.get_mut(file) {
                (entry.stamp, entry.held) = (*stamp, Held::No);
            }
        }
        let mut changes: Vec<Changed> = std::mem::take(&mut self.late)
            .into_iter()
            .filter(|(file, _)| !self.next.contains_key(file))
            .map(|(file, entry)| Changed { file, before: Some(entry.clone()), after: Some(entry) })
            .collect();
        let mut fresh = Vec::new();
        let write = |shelf: &Shelf, fresh: &mut Vec<u64>| -> Result<(), ZoneFull> {
            for (file, next) in self.next {
                let before = self.base.get(&file).cloned();
                let after = match next {
                    Next::None => None,
                    Next::Entry(entry) => Some(entry),
                    Next::Source { hash, text, origin, stamp } => {
                        let block = shelf.zone.put(&text)?.0;
                        fresh.push(block);
                        Some(Entry { hash, block, born: number, origin, stamp, held: Held::No })
                    }
                };
                match &after {
                    Some(entry) => self.base.insert(file.clone(), entry.clone()),
                    None => self.base.remove(&file),
                };
                changes.push(Changed { file, before, after });
            }
            let manifest = Manifest { number, entries: self.base.into_iter().collect() };
            let modules = self.modules.into_iter().collect();
            let candidate = Candidate { number, base, changes, bytecode, modules, dependents: self.dependents };
            shelf.write(Word::NextManifest, &manifest)?;
            shelf.write(Word::Change, &candidate).inspect_err(|_| shelf.clear(Word::NextManifest))
        };
        // One hold of the lock: what is in the zone is reachable when it is let go.
        store.locked(|shelf| {
            // Whoever took the turn away may have a candidate there.
            if !store.has_turn() {
                return Err(Refused::rejected(RELOADED));
            }
            write(shelf, &mut fresh).map_err(|full| {
                fresh.iter().for_each(|&block| shelf.zone.free(Block(block)));
                Refused::rejected(&full.to_string())
            })
        })?;
        Ok((number, fresh, restored))
    }
}

fn refused(error: String, file: Option<&str>) -> Refused {
    Refused::Rejected { error, file: file.map(str::to_owned), line: None, worker: None }
}

fn unreadable(error: ScanError) -> Refused {
    refused(error.to_string(), None)
}
