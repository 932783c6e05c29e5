//! An immutable set of Lua files under a number.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

/// The hash of a source: 32 bytes of BLAKE3.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Hashes a source.
    pub fn of(source: &[u8]) -> Self {
        Self(*blake3::hash(source).as_bytes())
    }

    /// Hexadecimal, lower case.
    pub fn to_hex(self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

/// A file of a generation.
#[derive(Clone, Debug)]
pub struct File {
    /// The hash of its source.
    pub hash: Hash,
    /// Its source.
    pub source: Rc<[u8]>,
}

/// A generation: absolute path → file. What it does not have is read from the disk when it is first asked for.
#[derive(Clone, Debug, Default)]
pub struct Generation {
    /// Counts up from 1, one a candidate.
    pub number: u64,
    /// Its files by absolute path.
    pub files: BTreeMap<String, File>,
}

impl Generation {
    /// The source of a file, by its absolute path. None where the generation does not have it.
    pub fn source(&self, file: &[u8]) -> Option<Rc<[u8]>> {
        if self.files.is_empty() {
            return None;
        }
        self.files.get(std::str::from_utf8(file).ok()?).map(|file| Rc::clone(&file.source))
    }
}
