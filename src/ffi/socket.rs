//! The hot calls of cosockets: sending, receiving a line or a number of bytes, and what libraries call around them.

use std::sync::OnceLock;

use super::lua_bytes;

/// What stands behind the calls. Cosockets are told by their numbers. Each answers a length, [`FAILED`] or [`WAITS`].
pub struct SocketCalls {
    /// Sends data.
    pub send: fn(u32, &[u8]) -> f64,
    /// Goes on with sending.
    pub sent: fn(u32) -> f64,
    /// Receives that many bytes, or what a negative number stands for.
    pub receive: fn(u32, f64) -> f64,
    /// Goes on with receiving.
    pub received: fn(u32) -> f64,
    /// Sets how long it waits to connect, to send and to receive, in milliseconds; what is below zero stays.
    pub set_timeouts: fn(u32, [f64; 3]),
    /// How often its connection was used before.
    pub reused: fn(u32) -> f64,
    /// Where the data is that was received last; it stays until the next call.
    pub text: fn() -> *const u8,
}

/// It has failed; what is wrong is told by a primitive.
pub const FAILED: f64 = -1.0;
/// An operation was left to wait for.
pub const WAITS: f64 = -2.0;

static CALLS: OnceLock<SocketCalls> = OnceLock::new();

/// Says what stands behind the calls; the first time counts.
pub fn serve_sockets(calls: SocketCalls) {
    let _ = CALLS.set(calls);
}

fn call(make: impl FnOnce(&SocketCalls) -> f64) -> f64 {
    CALLS.get().map_or(FAILED, make)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_socket_send(socket: u32, data: *const u8, length: usize) -> f64 {
    // SAFETY: Lua passes a string of its own, which lives until the call returns.
    let data = unsafe { lua_bytes(data, length) };
    call(|calls| (calls.send)(socket, data))
}

#[unsafe(no_mangle)]
extern "C" fn hotlua_socket_sent(socket: u32) -> f64 {
    call(|calls| (calls.sent)(socket))
}

#[unsafe(no_mangle)]
extern "C" fn hotlua_socket_receive(socket: u32, what: f64) -> f64 {
    call(|calls| (calls.receive)(socket, what))
}

#[unsafe(no_mangle)]
extern "C" fn hotlua_socket_received(socket: u32) -> f64 {
    call(|calls| (calls.received)(socket))
}

#[unsafe(no_mangle)]
extern "C" fn hotlua_socket_text() -> *const u8 {
    CALLS.get().map_or(std::ptr::null(), |calls| (calls.text)())
}

#[unsafe(no_mangle)]
extern "C" fn hotlua_socket_set_timeouts(socket: u32, connect: f64, send: f64, receive: f64) {
    if let Some(calls) = CALLS.get() {
        (calls.set_timeouts)(socket, [connect, send, receive]);
    }
}

#[unsafe(no_mangle)]
extern "C" fn hotlua_socket_reused(socket: u32) -> f64 {
    call(|calls| (calls.reused)(socket))
}
