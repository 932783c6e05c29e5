//! The addresses of a connection, as bytes.

use ngx::ffi::*;

use super::connection::Tls;

/// An address without its port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RawAddress {
    /// IPv4, 4 bytes.
    Inet([u8; 4]),
    /// IPv6, 16 bytes.
    Inet6([u8; 16]),
    /// The path of a UNIX socket; empty where it has none.
    Unix(Vec<u8>),
}

impl Tls<'_> {
    /// The address that the client has connected to. None where the system does not tell.
    pub fn server_address(&self) -> Option<RawAddress> {
        let connection = self.connection();
        // SAFETY: a live connection; nginx fills in what it has not asked the system for yet.
        unsafe {
            self.look_up_server_address()?;
            address((*connection).local_sockaddr, (*connection).local_socklen)
        }
    }

    /// The client's address. None where it is of a family that nginx does not know.
    pub fn client_address(&self) -> Option<RawAddress> {
        let connection = self.connection();
        // SAFETY: nginx fills the address in when it accepts a connection.
        unsafe { address((*connection).sockaddr, (*connection).socklen) }
    }

    /// The port that the client has connected to; 0 for a UNIX socket. None where the system does not tell.
    pub fn server_port(&self) -> Option<u16> {
        // SAFETY: as in `server_address`; nginx's function knows the families.
        unsafe {
            self.look_up_server_address()?;
            Some(ngx_inet_get_port((*self.connection()).local_sockaddr))
        }
    }

    /// A request's connection may be a copy without a descriptor, of which the system cannot be asked.
    fn look_up_server_address(&self) -> Option<()> {
        // SAFETY: a live connection, and the one that its `SSL` knows as its own.
        unsafe {
            let real = SSL_get_ex_data(self.ssl(), ngx_ssl_connection_index).cast::<ngx_connection_t>();
            if ngx_connection_local_sockaddr(real, std::ptr::null_mut(), 0) != NGX_OK as ngx_int_t {
                return None;
            }
            (*self.connection()).local_sockaddr = (*real).local_sockaddr;
            (*self.connection()).local_socklen = (*real).local_socklen;
        }
        Some(())
    }
}

/// # Safety
/// `at` must point to an address of `length` bytes.
unsafe fn address(at: *const sockaddr, length: socklen_t) -> Option<RawAddress> {
    // SAFETY: by this function's contract; the family tells the structure.
    unsafe {
        match i32::from((*at).sa_family) {
            libc::AF_INET => Some(RawAddress::Inet((*at.cast::<libc::sockaddr_in>()).sin_addr.s_addr.to_ne_bytes())),
            libc::AF_INET6 => Some(RawAddress::Inet6((*at.cast::<libc::sockaddr_in6>()).sin6_addr.s6_addr)),
            libc::AF_UNIX => {
                let path = std::mem::offset_of!(libc::sockaddr_un, sun_path);
                let length = (length as usize).saturating_sub(path);
                let bytes = std::slice::from_raw_parts(at.cast::<u8>().add(path), length);
                Some(RawAddress::Unix(bytes.iter().copied().take_while(|&byte| byte != 0).collect()))
            }
            _ => None,
        }
    }
}
