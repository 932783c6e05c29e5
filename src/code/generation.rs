//! An immutable set of Lua files under a number.

use std::collections::HashMap;
use std::rc::Rc;

/// A generation: absolute path → source.
#[derive(Debug, Default)]
pub struct Generation {
    /// Counts up from 1, one a successful publish.
    pub number: u64,
    files: HashMap<Box<[u8]>, Rc<[u8]>>,
}

impl Generation {
    /// The source of a file, by its absolute path. None where the generation does not have it.
    pub fn source(&self, file: &[u8]) -> Option<Rc<[u8]>> {
        self.files.get(file).cloned()
    }
}
