//! The variables that a configuration knows, for names that are checked before any request reads them.

use ngx::ffi::*;

use crate::nginx::conf::Conf;
use crate::nginx::value::bytes;

/// The variables that nginx and its modules define, in lower case.
#[derive(Debug, Default)]
pub struct KnownVariables {
    /// Whole names: `host`.
    pub names: Vec<String>,
    /// What names may begin with: `arg_`.
    pub prefixes: Vec<String>,
}

impl KnownVariables {
    /// Says whether a variable has that name.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name) || self.prefixes.iter().any(|prefix| name.starts_with(prefix))
    }

    /// Says whether a variable's name may begin so.
    pub fn has_any(&self, start: &str) -> bool {
        let mut known = self.names.iter().chain(&self.prefixes);
        known.any(|known| known.starts_with(start)) || self.prefixes.iter().any(|prefix| start.starts_with(prefix))
    }
}

impl Conf {
    /// The variables known so far. All of them, once the whole configuration was read; none, when it is in use.
    pub fn known_variables(&self) -> KnownVariables {
        // SAFETY: inside http `cf->ctx` is an http context with the core module's configuration. nginx keeps the keys
        // until the hash is made of them, behind all postconfigurations, and sets the pointer to null then.
        unsafe {
            let http = (*self.as_ptr()).ctx.cast::<ngx_http_conf_ctx_t>();
            let main = (*(*http).main_conf.add(ngx_http_core_module.ctx_index)).cast::<ngx_http_core_main_conf_t>();
            let Some(keys) = (*main).variables_keys.as_ref() else { return KnownVariables::default() };
            let names = keys.keys.as_slice::<ngx_hash_key_t>().iter().map(|known| lower(&known.key));
            let prefixes =
                (*main).prefix_variables.as_slice::<ngx_http_variable_t>().iter().map(|one| lower(&one.name));
            KnownVariables { names: names.collect(), prefixes: prefixes.collect() }
        }
    }
}

/// # Safety
/// The text must be valid.
unsafe fn lower(name: &ngx_str_t) -> String {
    // SAFETY: by this function's contract.
    String::from_utf8_lossy(unsafe { bytes(name) }).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::KnownVariables;

    #[test]
    fn names_and_beginnings_are_known() {
        let text = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let known = KnownVariables { names: text(&["host", "request_uri"]), prefixes: text(&["arg_"]) };
        for (name, whole, start) in [
            ("host", true, true),
            ("hos", false, true),
            ("hosts", false, false),
            ("request_", false, true),
            ("arg_", true, true),
            ("arg_x", true, true),
            ("ar", false, true),
            ("args", false, false),
            ("x", false, false),
        ] {
            assert_eq!((known.has(name), known.has_any(name)), (whole, start), "{name}");
        }
    }
}
