//! The directives of cosockets: `lua_socket_*`.

use crate::nginx::{Conf, SocketSettings};

use super::LocConf;
use super::number::number;
use super::once::once;

/// What a block says; none: what the one around it says.
#[derive(Clone, Copy, Default)]
pub struct Socket {
    /// `lua_socket_connect_timeout`, milliseconds.
    pub connect_timeout: Option<u32>,
    /// `lua_socket_send_timeout`, milliseconds.
    pub send_timeout: Option<u32>,
    /// `lua_socket_read_timeout`, milliseconds.
    pub read_timeout: Option<u32>,
    /// `lua_socket_send_lowat`, bytes. Linux has no such limit.
    pub send_lowat: Option<usize>,
    /// `lua_socket_buffer_size`, bytes.
    pub buffer_size: Option<u32>,
    /// `lua_socket_pool_size`, connections.
    pub pool_size: Option<u32>,
    /// `lua_socket_keepalive_timeout`, milliseconds.
    pub keepalive_timeout: Option<u32>,
    /// `lua_socket_log_errors`
    pub log_errors: Option<bool>,
}

impl Socket {
    pub(super) fn inherit(&mut self, outer: &Self) {
        *self = Self {
            connect_timeout: self.connect_timeout.or(outer.connect_timeout),
            send_timeout: self.send_timeout.or(outer.send_timeout),
            read_timeout: self.read_timeout.or(outer.read_timeout),
            send_lowat: self.send_lowat.or(outer.send_lowat),
            buffer_size: self.buffer_size.or(outer.buffer_size),
            pool_size: self.pool_size.or(outer.pool_size),
            keepalive_timeout: self.keepalive_timeout.or(outer.keepalive_timeout),
            log_errors: self.log_errors.or(outer.log_errors),
        };
    }

    pub(super) fn settings(&self) -> SocketSettings {
        let usual = SocketSettings::default();
        SocketSettings {
            connect_timeout: self.connect_timeout.unwrap_or(usual.connect_timeout),
            send_timeout: self.send_timeout.unwrap_or(usual.send_timeout),
            read_timeout: self.read_timeout.unwrap_or(usual.read_timeout),
            buffer_size: self.buffer_size.unwrap_or(usual.buffer_size),
            pool_size: self.pool_size.unwrap_or(usual.pool_size),
            keepalive_timeout: self.keepalive_timeout.unwrap_or(usual.keepalive_timeout),
            logs_errors: self.log_errors.unwrap_or(usual.logs_errors),
        }
    }
}

/// A time; one that is longer than nginx's timers can be is as long as they can.
pub(super) fn time(conf: &mut Conf, slot: &mut Option<u32>) -> Result<(), String> {
    const LONGEST: u32 = i32::MAX as u32;
    let time = conf.time().ok_or_else(|| invalid(conf, "value"))?;
    once(conf, slot, u32::try_from(time.as_millis()).unwrap_or(LONGEST).min(LONGEST))
}

pub(super) fn buffer_size(conf: &mut Conf, loc: &mut LocConf) -> Result<(), String> {
    let size = conf.size().and_then(|size| u32::try_from(size).ok()).ok_or_else(|| invalid(conf, "value"))?;
    once(conf, &mut loc.socket.buffer_size, size)
}

pub(super) fn send_lowat(conf: &mut Conf, loc: &mut LocConf) -> Result<(), String> {
    let size = conf.size().ok_or_else(|| invalid(conf, "value"))?;
    once(conf, &mut loc.socket.send_lowat, size)?;
    conf.warn("\"lua_socket_send_lowat\" is not supported, ignored");
    Ok(())
}

pub(super) fn pool_size(conf: &mut Conf, loc: &mut LocConf) -> Result<(), String> {
    let size = number(conf.arg()).and_then(|size| u32::try_from(size).ok()).ok_or_else(|| invalid(conf, "number"))?;
    once(conf, &mut loc.socket.pool_size, size)
}

/// What is wrong with an argument, in nginx's words.
fn invalid(conf: &Conf, what: &str) -> String {
    format!("\"{}\" directive invalid {what}", conf.name())
}
