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
    /// How its cosockets work.
    pub socket: SocketSettings,
}

/// How cosockets work: the directives `lua_socket_*`. Times are milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SocketSettings {
    /// Until a connection stands (`lua_socket_connect_timeout`).
    pub connect_timeout: u32,
    /// Between two writes (`lua_socket_send_timeout`).
    pub send_timeout: u32,
    /// Between two reads (`lua_socket_read_timeout`).
    pub read_timeout: u32,
    /// How much is read at once, bytes (`lua_socket_buffer_size`).
    pub buffer_size: u32,
    /// How many connections a pool keeps (`lua_socket_pool_size`).
    pub pool_size: u32,
    /// How long a pool keeps a connection; 0: for ever (`lua_socket_keepalive_timeout`).
    pub keepalive_timeout: u32,
    /// Failures are written to the error log (`lua_socket_log_errors`).
    pub logs_errors: bool,
}

impl Default for SocketSettings {
    fn default() -> Self {
        Self {
            connect_timeout: 60_000,
            send_timeout: 60_000,
            read_timeout: 60_000,
            buffer_size: 4096,
            pool_size: 30,
            keepalive_timeout: 60_000,
            logs_errors: true,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            transforms_underscores: true,
            gathers_http10: true,
            default_type: true,
            watches_client: false,
            socket: SocketSettings::default(),
        }
    }
}

impl Request {
    /// What its location's directives say, as far as any of its Lua has run.
    pub(in crate::nginx) fn settings(&self) -> Settings {
        self.state().map(|state| state.settings.get()).unwrap_or_default()
    }
}
