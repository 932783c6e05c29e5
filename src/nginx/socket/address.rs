//! Where a socket leads to: an address, or a name that is to be resolved first.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::{fmt, ptr};

use ngx::ffi::*;

use crate::nginx::value::bytes;

/// What the parts of a URL are allocated from while it is parsed: an address and its text.
const POOL_SIZE: usize = 512;

/// The address of a socket: IPv4 or IPv6 with a port, or the path of a UNIX socket.
#[derive(Clone, Copy)]
pub struct Address {
    raw: ngx_sockaddr_t,
    length: socklen_t,
}

impl Address {
    /// Copies one; none where it is longer than any address that nginx knows.
    ///
    /// # Safety
    /// `at` must point to an address of `length` bytes.
    pub(in crate::nginx) unsafe fn from_raw(at: *const sockaddr, length: socklen_t) -> Option<Self> {
        if length as usize > size_of::<ngx_sockaddr_t>() {
            return None;
        }
        // SAFETY: by this function's contract; all-zero is a valid union of addresses.
        unsafe {
            let mut address = Self { raw: MaybeUninit::zeroed().assume_init(), length };
            ptr::copy_nonoverlapping(at.cast::<u8>(), (&raw mut address.raw).cast(), length as usize);
            Some(address)
        }
    }

    /// The same with that port; a UNIX socket has none.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        // SAFETY: nginx's function goes by the family, and the union has room for each.
        unsafe { ngx_inet_set_port(self.as_ptr(), port) }
        self
    }

    /// Says whether it is that of a UNIX socket.
    pub fn is_unix(&self) -> bool {
        self.family() == libc::AF_UNIX
    }

    /// Its family, `AF_INET` and so on.
    pub(in crate::nginx) fn family(&self) -> i32 {
        // SAFETY: every member of the union begins with the family.
        unsafe { i32::from(self.raw.sockaddr.sa_family) }
    }

    /// One of the same family without anything else.
    pub(in crate::nginx) fn family_only(&self) -> Self {
        // SAFETY: all-zero is a valid union of addresses.
        let mut only = Self { raw: unsafe { MaybeUninit::zeroed().assume_init() }, length: 0 };
        only.raw.sockaddr = sockaddr { sa_family: self.family() as sa_family_t, sa_data: [0; 14] };
        only.length = size_of::<sa_family_t>() as socklen_t;
        only
    }

    /// For the system's functions.
    pub(in crate::nginx) fn as_libc(&self) -> *const libc::sockaddr {
        (&raw const self.raw).cast()
    }

    /// For nginx's functions, which take it as mutable and leave it as it is.
    pub(in crate::nginx) fn as_ptr(&mut self) -> *mut sockaddr {
        (&raw mut self.raw).cast()
    }

    /// How many bytes of it are in use.
    pub(in crate::nginx) fn length(&self) -> socklen_t {
        self.length
    }
}

impl fmt::Display for Address {
    /// `127.0.0.1:80`, `[::1]:80` or `unix:/path`.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut text = [0u8; 128];
        let mut copy = *self;
        // SAFETY: nginx writes at most as many bytes as it is told; a UNIX path has at most 108.
        let length = unsafe { ngx_sock_ntop(copy.as_ptr(), self.length, text.as_mut_ptr(), text.len(), 1) };
        f.write_str(&String::from_utf8_lossy(&text[..length]))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a host names.
#[derive(Debug)]
pub enum Destination {
    /// An address that needs no resolving.
    Address(Address),
    /// A host name and a port.
    Name(Vec<u8>, u16),
}

impl Destination {
    /// Reads `127.0.0.1`, `[::1]`, `unix:/path` or a host name as nginx does, so that `host:port` has its own port. The
    /// error is upstream's text.
    pub fn parse(host: &[u8], port: u16) -> Result<Self, Vec<u8>> {
        // SAFETY: all-zero is what nginx itself begins with; the pool and the text outlive the call, and what is taken
        // from the result is copied before the pool is destroyed.
        unsafe {
            let pool = ngx_create_pool(POOL_SIZE, (*ngx_cycle).log);
            if pool.is_null() {
                return Err(b"no memory".to_vec());
            }
            let mut url: ngx_url_t = MaybeUninit::zeroed().assume_init();
            url.url = ngx_str_t { len: host.len(), data: host.as_ptr().cast_mut() };
            url.default_port = port;
            url.set_no_resolve(1);
            let parsed = match ngx_parse_url(pool, &raw mut url) as isize {
                0 => Self::of_url(&url),
                _ => Err(failed(host, url.err)),
            };
            ngx_destroy_pool(pool);
            parsed
        }
    }

    /// # Safety
    /// nginx must have parsed it; its memory must be there.
    unsafe fn of_url(url: &ngx_url_t) -> Result<Self, Vec<u8>> {
        // SAFETY: by this function's contract; the addresses are as many as it says.
        unsafe {
            match url.addrs.as_ref().filter(|_| url.naddrs > 0) {
                Some(first) => Address::from_raw(first.sockaddr, first.socklen)
                    .map(Self::Address)
                    .ok_or_else(|| failed(bytes(&url.url), ptr::null())),
                None => Ok(Self::Name(bytes(&url.host).to_vec(), url.port)),
            }
        }
    }
}

/// What nginx finds wrong in a host; `why` is null or a text of nginx's.
unsafe fn failed(host: &[u8], why: *const std::ffi::c_char) -> Vec<u8> {
    let mut text = [b"failed to parse host name \"", host, b"\""].concat();
    if !why.is_null() {
        // SAFETY: nginx's reasons are literals.
        let why = unsafe { CStr::from_ptr(why) };
        text.extend([b": ", why.to_bytes()].concat());
    }
    text
}
