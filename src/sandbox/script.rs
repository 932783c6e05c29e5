//! An untrusted script: its source, and how logs and its own errors name it.

use crate::ffi::ScriptKey;
use crate::vm::script_key;

/// A script. Each VM compiles it once.
pub trait Script {
    /// What its errors name it by: scripts must not see the host's paths.
    fn name(&self) -> &str;
    /// What logs name it by.
    fn file(&self) -> &str;
    /// What tells it from others: name and source.
    fn key(&self) -> &ScriptKey;
    /// Its source.
    ///
    /// # Errors
    /// Text: why it cannot be read.
    fn source(&self) -> Result<Vec<u8>, String>;
}

/// A script whose source is at hand.
pub struct Given {
    name: String,
    source: Vec<u8>,
    key: ScriptKey,
}

impl Given {
    /// A script that calls itself `name`.
    pub fn new(name: &str, source: Vec<u8>) -> Self {
        let key = script_key(name, blake3::hash(&source).as_bytes());
        Self { name: name.to_owned(), source, key }
    }
}

impl Script for Given {
    fn name(&self) -> &str {
        &self.name
    }

    fn file(&self) -> &str {
        &self.name
    }

    fn key(&self) -> &ScriptKey {
        &self.key
    }

    fn source(&self) -> Result<Vec<u8>, String> {
        Ok(self.source.clone())
    }
}
