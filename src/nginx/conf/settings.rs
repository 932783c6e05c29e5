//! What a location's directives say of how its requests are treated.

use crate::nginx::request::Request;

/// By default as nginx.conf has it where it says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// An underscore in the name of a response header stands for a dash
    /// (`lua_transform_underscores_in_response_headers`).
    pub transforms_underscores: bool,
    /// The body of an HTTP/1.0 response without a length gathers until its length is known (`lua_http10_buffering`).
    pub gathers_http10: bool,
    /// A response has the location's content type where Lua sets none (`lua_use_default_type`).
    pub default_type: bool,
    /// Whether the client is still there is watched while Lua waits (`lua_check_client_abort`).
    pub watches_client: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { transforms_underscores: true, gathers_http10: true, default_type: true, watches_client: false }
    }
}

impl Request {
    /// What its location's directives say, as far as any of its Lua has run.
    pub(in crate::nginx) fn settings(&self) -> Settings {
        self.state().map(|state| state.settings.get()).unwrap_or_default()
    }
}
