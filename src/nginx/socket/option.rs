//! The options of a stream's socket, as Lua may set them.

use std::mem::size_of;

use ngx::ffi::*;

use crate::nginx::log::Log;
use crate::nginx::request::Request;

use super::errno::Errno;
use super::stream::Stream;

/// One of the options.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SocketOption {
    /// `keepalive`: probes of an idle connection.
    KeepAlive,
    /// `reuseaddr`: its local address may be used again at once.
    ReuseAddr,
    /// `tcp-nodelay`: small pieces are sent at once.
    NoDelay,
    /// `sndbuf`: bytes of the system's buffer of what goes out.
    SendBuffer,
    /// `rcvbuf`: bytes of the system's buffer of what comes in.
    ReceiveBuffer,
}

impl SocketOption {
    /// Each, by the name that Lua gives it.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("keepalive", Self::KeepAlive),
        ("reuseaddr", Self::ReuseAddr),
        ("tcp-nodelay", Self::NoDelay),
        ("sndbuf", Self::SendBuffer),
        ("rcvbuf", Self::ReceiveBuffer),
    ];

    fn number(self) -> (i32, i32) {
        match self {
            Self::KeepAlive => (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
            Self::ReuseAddr => (libc::SOL_SOCKET, libc::SO_REUSEADDR),
            Self::NoDelay => (libc::IPPROTO_TCP, libc::TCP_NODELAY),
            Self::SendBuffer => (libc::SOL_SOCKET, libc::SO_SNDBUF),
            Self::ReceiveBuffer => (libc::SOL_SOCKET, libc::SO_RCVBUF),
        }
    }
}

impl Stream {
    /// Sets an option; 0 and 1 for those that are off or on.
    pub fn set_option(&self, option: SocketOption, value: i32) -> Result<(), Errno> {
        let (level, name) = option.number();
        // SAFETY: the socket is open; the value is as long as is said.
        let rc = unsafe {
            libc::setsockopt((*self.as_ptr()).fd, level, name, (&raw const value).cast(), size_of::<i32>() as u32)
        };
        if rc == 0 { Ok(()) } else { Err(Errno::last()) }
    }

    /// What an option is.
    pub fn option(&self, option: SocketOption) -> Result<i32, Errno> {
        let (level, name) = option.number();
        self.read_option(level, name)
    }

    /// What has become of a connection, as the system keeps it until it is asked once.
    pub(super) fn pending_error(&self) -> Result<(), Errno> {
        match self.read_option(libc::SOL_SOCKET, libc::SO_ERROR) {
            Ok(0) => Ok(()),
            Ok(number) => Err(Errno::of(number)),
            Err(errno) => Err(errno),
        }
    }

    /// Has small pieces sent at once where nginx's `tcp_nodelay` of the request's location says so, unless that was done
    /// before. nginx logs what fails.
    pub fn set_no_delay(&self, request: &Request) {
        // SAFETY: the connection is open, and the location's configuration outlives the request.
        unsafe {
            let c = self.as_ptr();
            if (*c).tcp_nodelay() == ngx_connection_tcp_nodelay_e_NGX_TCP_NODELAY_UNSET
                && (*request.core_conf()).tcp_nodelay != 0
            {
                Log::of(request).debug(|| "lua socket tcp_nodelay".into());
                ngx_tcp_nodelay(c);
            }
        }
    }

    fn read_option(&self, level: i32, name: i32) -> Result<i32, Errno> {
        let (mut value, mut length) = (0i32, size_of::<i32>() as libc::socklen_t);
        // SAFETY: as above.
        let rc =
            unsafe { libc::getsockopt((*self.as_ptr()).fd, level, name, (&raw mut value).cast(), &raw mut length) };
        if rc == 0 { Ok(value) } else { Err(Errno::last()) }
    }
}
