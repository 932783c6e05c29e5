//! The nginx variables that tell of a request's Lua.

use crate::nginx::Variable;

/// All of them.
pub const VARIABLES: &[Variable] = &[
    // What the request, or the main request of a subrequest, is pinned to; not found before its first Lua.
    Variable { name: "hotlua_generation", get: |request| request.pinned_number().map(|number| number.to_string()) },
];
