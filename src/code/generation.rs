//! An immutable set of Lua files under a number.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The hash of a source: 32 bytes of BLAKE3.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Hashes a source.
    pub fn of(source: &[u8]) -> Self {
        Self(*blake3::hash(source).as_bytes())
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Hexadecimal, lower case.
    pub fn to_hex(self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

/// A Lua file as a generation has it.
#[derive(Clone, Debug)]
pub struct Source {
    /// The hash of its text.
    pub hash: Hash,
    /// Its text, or bytecode where that is what the file holds.
    pub text: Arc<[u8]>,
    /// What the text compiles to, where the publisher has left it.
    pub bytecode: Option<Arc<[u8]>>,
}

impl Source {
    /// A source that was read just now.
    pub fn new(text: Vec<u8>) -> Self {
        Self { hash: Hash::of(&text), text: text.into(), bytecode: None }
    }

    /// What is to be loaded: the bytecode where there is some.
    pub fn loadable(&self) -> &[u8] {
        self.bytecode.as_deref().unwrap_or(&self.text)
    }
}

/// What a generation knows of a file.
#[derive(Clone, Debug)]
pub enum Found {
    /// It has the file.
    Source(Source),
    /// The file does not exist in this generation, whatever the disk has.
    Gone,
    /// It says nothing: the disk decides.
    Unknown,
}

/// Where the files of a generation are kept. Files go by their absolute path. Lua in threads of its own asks too.
pub trait Sources: Send + Sync {
    /// The file.
    fn find(&self, file: &str) -> Found;
    /// The hash of the file; none where `find` would not return a source.
    fn hash(&self, file: &str) -> Option<Hash>;
    /// Says whether a file that was there when the generation was made is one of its files.
    fn covers(&self, file: &str) -> bool;
    /// Makes a file that was [`Found::Unknown`] and read from the disk part of the generation, where it is of a code
    /// root. Returns what the generation has from now on, which another worker may have read before.
    fn adopt(&self, file: &str, source: Source) -> Source;
}

/// A generation. The default is number 0, before the first one: everything is read from the disk.
pub struct Generation {
    /// Counts up from 1, one a candidate.
    pub number: u64,
    /// Its files.
    pub sources: Arc<dyn Sources>,
}

impl Default for Generation {
    fn default() -> Self {
        Self { number: 0, sources: Arc::new(Disk) }
    }
}

/// No files at all: the disk decides.
struct Disk;

impl Sources for Disk {
    fn find(&self, _: &str) -> Found {
        Found::Unknown
    }

    fn hash(&self, _: &str) -> Option<Hash> {
        None
    }

    fn covers(&self, _: &str) -> bool {
        false
    }

    fn adopt(&self, _: &str, source: Source) -> Source {
        source
    }
}
