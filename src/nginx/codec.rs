//! nginx's own digests and base64.

use std::mem::MaybeUninit;

use ngx::ffi::*;

use crate::nginx::unbound;

/// The length of an MD5 digest.
pub const MD5_LENGTH: usize = 16;

/// The MD5 digest of `text`.
pub fn md5(text: &[u8]) -> [u8; MD5_LENGTH] {
    let mut context = MaybeUninit::uninit();
    let mut digest = [0; MD5_LENGTH];
    // SAFETY: init fills the context; nginx reads `text` only and writes the digest's 16 bytes.
    unsafe {
        unbound::ngx_md5_init(context.as_mut_ptr());
        unbound::ngx_md5_update(context.as_mut_ptr(), text.as_ptr().cast(), text.len());
        unbound::ngx_md5_final(digest.as_mut_ptr(), context.as_mut_ptr());
    }
    digest
}

/// Writes two lower-case digits a byte. `into` is twice as long as `bytes`.
pub fn hex(bytes: &[u8], into: &mut [u8]) {
    assert!(into.len() >= 2 * bytes.len());
    // SAFETY: nginx reads `bytes` only and writes two digits for each.
    unsafe { ngx_hex_dump(into.as_mut_ptr(), bytes.as_ptr().cast_mut(), bytes.len()) };
}

/// How long [`encode_base64`] will be.
pub const fn base64_length(length: usize) -> usize {
    length.div_ceil(3) * 4
}

/// Encodes `text` into `into`, padded, and returns the length.
pub fn encode_base64(text: &[u8], into: &mut [u8]) -> usize {
    encode(text, into, ngx_encode_base64)
}

/// Encodes `text` into `into` with the alphabet of URLs, without padding, and returns the length.
pub fn encode_base64url(text: &[u8], into: &mut [u8]) -> usize {
    encode(text, into, ngx_encode_base64url)
}

fn encode(text: &[u8], into: &mut [u8], encode: unsafe extern "C" fn(*mut ngx_str_t, *mut ngx_str_t)) -> usize {
    assert!(into.len() >= base64_length(text.len()));
    let mut from = ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() };
    let mut to = ngx_str_t { len: 0, data: into.as_mut_ptr() };
    // SAFETY: nginx reads `text` only, and there is room for what it writes.
    unsafe { encode(&raw mut to, &raw mut from) };
    to.len
}

/// How much room [`decode_base64`] needs.
pub const fn decoded_length(length: usize) -> usize {
    length.div_ceil(4) * 3
}

/// Decodes `text` into `into` and returns the length; None where it is not base64. Padding may be left out.
pub fn decode_base64(text: &[u8], into: &mut [u8]) -> Option<usize> {
    decode(text, into, ngx_decode_base64)
}

/// [`decode_base64`] with the alphabet of URLs.
pub fn decode_base64url(text: &[u8], into: &mut [u8]) -> Option<usize> {
    decode(text, into, ngx_decode_base64url)
}

type Decode = unsafe extern "C" fn(*mut ngx_str_t, *mut ngx_str_t) -> ngx_int_t;

fn decode(text: &[u8], into: &mut [u8], decode: Decode) -> Option<usize> {
    assert!(into.len() >= decoded_length(text.len()));
    let mut from = ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() };
    let mut to = ngx_str_t { len: 0, data: into.as_mut_ptr() };
    // SAFETY: nginx reads `text` only, and there is room for what it writes.
    let rc = unsafe { decode(&raw mut to, &raw mut from) };
    (rc == NGX_OK as ngx_int_t).then_some(to.len)
}
