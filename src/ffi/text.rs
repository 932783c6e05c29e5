//! Escaping, base64 and digests: from a Lua string into a buffer of Lua's.

use crate::nginx::{MD5_LENGTH, decode_base64, decode_base64url, encode_base64, encode_base64url, hex, md5};
use crate::text::{Escape, escape_uri, escaped_length, unescape_uri};

use super::{lua_buffer, lua_bytes};

/// The escaped length of `text` by the kind `kind`; -1 where there is no such kind.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_escaped_length(text: *const u8, length: usize, kind: i32) -> isize {
    // SAFETY: Lua passes a string of its own with its length.
    let text = unsafe { lua_bytes(text, length) };
    Escape::from_number(kind).map_or(-1, |kind| escaped_length(text, kind) as isize)
}

/// Escapes into `into`, which has room for `room` bytes: the escaped length.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_escape(text: *const u8, length: usize, kind: i32, into: *mut u8, room: usize) {
    // SAFETY: Lua passes a string and a buffer of its own with their lengths.
    let (text, into) = unsafe { (lua_bytes(text, length), lua_buffer(into, room)) };
    if let Some(kind) = Escape::from_number(kind) {
        escape_uri(text, kind, into);
    }
}

/// Unescapes into `into`, which has room for `length` bytes, and returns the length.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_unescape(text: *const u8, length: usize, into: *mut u8) -> usize {
    // SAFETY: Lua passes a string and a buffer of its own with their lengths.
    unescape_uri(unsafe { lua_bytes(text, length) }, unsafe { lua_buffer(into, length) })
}

/// Encodes into `into`, which has room for `room` bytes, and returns the length without padding; with it, it is the
/// next multiple of 4.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_encode_base64(text: *const u8, length: usize, into: *mut u8, room: usize) -> usize {
    // SAFETY: Lua passes a string and a buffer of its own with their lengths.
    let (text, into) = unsafe { (lua_bytes(text, length), lua_buffer(into, room)) };
    let encoded = encode_base64(text, into);
    encoded - (3 - length % 3) % 3
}

/// Decodes into `into`, which has room for `room` bytes, and returns the length; -1 where it is not base64.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_decode_base64(text: *const u8, length: usize, into: *mut u8, room: usize) -> isize {
    // SAFETY: Lua passes a string and a buffer of its own with their lengths.
    let (text, into) = unsafe { (lua_bytes(text, length), lua_buffer(into, room)) };
    decode_base64(text, into).map_or(-1, |length| length as isize)
}

/// Encodes with the alphabet of URLs into `into`, which has room for `room` bytes, and returns the length.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_encode_base64url(text: *const u8, length: usize, into: *mut u8, room: usize) -> usize {
    // SAFETY: Lua passes a string and a buffer of its own with their lengths.
    encode_base64url(unsafe { lua_bytes(text, length) }, unsafe { lua_buffer(into, room) })
}

/// Decodes the alphabet of URLs into `into`, which has room for `room` bytes, and returns the length; -1 where it is
/// not base64.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_decode_base64url(text: *const u8, length: usize, into: *mut u8, room: usize) -> isize {
    // SAFETY: Lua passes a string and a buffer of its own with their lengths.
    let (text, into) = unsafe { (lua_bytes(text, length), lua_buffer(into, room)) };
    decode_base64url(text, into).map_or(-1, |length| length as isize)
}

/// Writes the 16 bytes of the MD5 digest.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_md5_bin(text: *const u8, length: usize, into: *mut u8) {
    // SAFETY: Lua passes a string of its own with its length, and a buffer of at least 32 bytes.
    let (text, into) = unsafe { (lua_bytes(text, length), lua_buffer(into, MD5_LENGTH)) };
    into.copy_from_slice(&md5(text));
}

/// Writes the 32 hexadecimal digits of the MD5 digest.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_md5(text: *const u8, length: usize, into: *mut u8) {
    // SAFETY: as in `hotlua_md5_bin`.
    let (text, into) = unsafe { (lua_bytes(text, length), lua_buffer(into, 2 * MD5_LENGTH)) };
    hex(&md5(text), into);
}

/// The CRC-32 checksum.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_crc32(text: *const u8, length: usize) -> u32 {
    // SAFETY: Lua passes a string of its own with its length.
    crc32fast::hash(unsafe { lua_bytes(text, length) })
}
