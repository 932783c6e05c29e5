//! The files of a generation as a worker has them: hashes and blocks in its own memory, the sources in the zone.

use std::collections::HashMap;
use std::sync::Arc;

use rpds::HashTrieMapSync;

use crate::code::{Found, Hash, Root, Seen, Source, Sources, is_in_untrusted, is_scanned, look, strip_root};
use crate::nginx::{Block, Level, log_cycle};

use super::record::{Candidate, Entry, Held, Late, Manifest, Origin};
use super::room::{Room, listed};
use super::shelf::Shelf;
use super::store::{Store, Word};

/// Absolute path → file. The next generation's shares with this one what did not change.
type Files = HashTrieMapSync<Arc<str>, Entry>;

/// A generation's files.
pub(super) struct Snapshot {
    store: Store,
    number: u64,
    roots: Arc<[Root]>,
    files: Files,
    /// File → what the publisher has compiled it to.
    bytecode: HashMap<String, Arc<[u8]>>,
}

impl Snapshot {
    /// Of a manifest.
    pub fn new(store: Store, roots: &Arc<[Root]>, manifest: Manifest) -> Self {
        let files = manifest.entries.into_iter().map(|(file, entry)| (file.into(), entry)).collect();
        Self { store, number: manifest.number, roots: Arc::clone(roots), files, bytecode: HashMap::new() }
    }

    /// The generation's number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Of the candidate that follows this one; none where it follows another.
    pub fn next(&self, candidate: &Candidate) -> Option<Self> {
        if candidate.base != self.number {
            return None;
        }
        let mut files = self.files.clone();
        for changed in &candidate.changes {
            match &changed.after {
                Some(entry) => files.insert_mut(changed.file.as_str().into(), entry.clone()),
                None => {
                    files.remove_mut(changed.file.as_str());
                }
            }
        }
        let bytecode = candidate.bytecode.iter().map(|(file, code)| (file.clone(), code.as_slice().into())).collect();
        let roots = Arc::clone(&self.roots);
        Some(Self { store: self.store, number: candidate.number, roots, files, bytecode })
    }

    fn read(&self, shelf: &Shelf, file: &str, entry: &Entry) -> Found {
        if entry.origin == Origin::Gone {
            return Found::Gone;
        }
        match shelf.zone.get(Block(entry.block)) {
            Some(text) if Hash::of(&text) == entry.hash => Found::Source(Source {
                hash: entry.hash,
                text: text.into(),
                bytecode: self.bytecode.get(file).cloned(),
            }),
            // A candidate that another worker has refused while this one prepares it.
            _ if self.is_withdrawn() => Found::Gone,
            _ => {
                let text = format!("the source of {file} in generation {} is lost from the zone", self.number);
                log_cycle(Level::Alert, text.as_bytes());
                Found::Gone
            }
        }
    }

    fn is_withdrawn(&self) -> bool {
        self.number > self.store.load(Word::Active) && self.number != self.store.load(Word::Candidate)
    }

    fn is_in_root(&self, file: &str) -> bool {
        self.roots.iter().any(|root| strip_root(&root.path, file.as_bytes()).is_some())
    }
}

impl Sources for Snapshot {
    fn find(&self, file: &str) -> Found {
        if let Some(entry) = self.files.get(file) {
            return self.store.locked(|shelf| self.read(shelf, file, entry));
        }
        if !self.is_in_root(file) {
            return Found::Unknown;
        }
        self.store.locked(|shelf| match shelf.late(self.number, file) {
            Some(entry) => self.read(shelf, file, &entry),
            None if self.number >= self.store.load(Word::Active) => Found::Unknown,
            // What came with a later generation does not exist in this one.
            None => {
                let later = shelf.manifest();
                let came_later = later.entries.binary_search_by(|(known, _)| known.as_str().cmp(file)).is_ok()
                    || shelf.late(later.number, file).is_some();
                if came_later { Found::Gone } else { Found::Unknown }
            }
        })
    }

    fn hash(&self, file: &str) -> Option<Hash> {
        let own = self.files.get(file).filter(|entry| entry.origin != Origin::Gone).map(|entry| entry.hash);
        if own.is_some() || self.files.contains_key(file) || !self.is_in_root(file) {
            return own;
        }
        Some(self.store.locked(|shelf| shelf.late(self.number, file))?.hash)
    }

    fn covers(&self, file: &str) -> bool {
        is_scanned(&self.roots, file)
    }

    fn adopt(&self, file: &str, source: Source) -> Source {
        // A module may be a symlink that leads out of the root. It runs, but what is in a generation can be asked for by
        // a request too, and so must lie in the root.
        if !self.is_in_root(file) || !matches!(look(&self.roots, file, None), Some(Seen::Read { .. })) {
            return source;
        }
        let is_untrusted = is_in_untrusted(&self.roots, file);
        let adopted = self.store.locked(|shelf| {
            if let Some(entry) = shelf.late(self.number, file) {
                return Ok(Some(self.read(shelf, file, &entry)));
            }
            // It is read anew for each request then.
            if is_untrusted && !Room::late(&self.store).take(file, source.text.len(), true) {
                return Ok(None);
            }
            let block = shelf.zone.put(&source.text)?.0;
            let entry = Entry {
                hash: source.hash,
                block,
                born: self.number,
                origin: Origin::Disk,
                stamp: None,
                held: Held::No,
            };
            let late = Late { number: self.number, file: file.to_owned(), entry, merged: false };
            shelf.add_late(late).inspect_err(|_| shelf.zone.free(Block(block)))?;
            if is_untrusted {
                self.store.store(Word::Untrusted, self.store.load(Word::Untrusted) + listed(file));
            }
            Ok(None)
        });
        match adopted {
            Ok(Some(Found::Source(earlier))) => earlier,
            Ok(_) => source,
            Err(full) => {
                let full: crate::nginx::ZoneFull = full;
                let text = format!("{file} runs, but other workers will read it from the disk themselves: {full}");
                log_cycle(Level::Err, text.as_bytes());
                source
            }
        }
    }
}
