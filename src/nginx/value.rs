//! A directive's argument that may hold variables, compiled at configuration time.

use std::mem::MaybeUninit;

use ngx::ffi::*;

use crate::nginx::conf::Conf;
use crate::nginx::request::Request;

/// An nginx complex value: text with variables.
pub struct ComplexValue(ngx_http_complex_value_t);

impl ComplexValue {
    /// Compiles `text`. The error says what is wrong; nginx has logged it too.
    pub fn compile(conf: &mut Conf, text: &[u8]) -> Result<Self, String> {
        let mut source = conf.copy(text)?;
        let mut value = MaybeUninit::<ngx_http_complex_value_t>::zeroed();
        // SAFETY: all pointers are valid for the call; the pool of `cf` keeps what is compiled for the cycle's life.
        let rc = unsafe {
            let mut ccv: ngx_http_compile_complex_value_t = std::mem::zeroed();
            ccv.cf = conf.as_ptr();
            ccv.value = &raw mut source;
            ccv.complex_value = value.as_mut_ptr();
            ngx_http_compile_complex_value(&raw mut ccv)
        };
        if rc != NGX_OK as ngx_int_t {
            return Err(format!("invalid variable in \"{}\"", String::from_utf8_lossy(text)));
        }
        // SAFETY: zero is valid for every field, and the compiler has filled them.
        Ok(Self(unsafe { value.assume_init() }))
    }

    /// Says whether it holds no variable.
    pub fn is_constant(&self) -> bool {
        self.0.lengths.is_null()
    }

    /// The text before the first variable; all of it where there is none.
    pub fn source(&self) -> &[u8] {
        // SAFETY: the configuration pool holds the text as long as the cycle.
        unsafe { bytes(&self.0.value) }
    }

    /// Its value for a request, in memory that the request's pool keeps. None where memory ran out.
    pub fn evaluate<'r>(&self, request: &'r Request) -> Option<&'r [u8]> {
        let mut text = ngx_str_t::default();
        // SAFETY: the value was compiled by nginx; the result lies in the request's or the cycle's pool.
        unsafe {
            let value = (&raw const self.0).cast_mut();
            if ngx_http_complex_value(request.as_ptr(), value, &raw mut text) != NGX_OK as ngx_int_t {
                return None;
            }
            Some(bytes(&text))
        }
    }
}

/// The bytes of an nginx string; empty where its data is null.
///
/// # Safety
/// The data must live and stay unchanged for `'a`.
pub(super) unsafe fn bytes<'a>(text: &ngx_str_t) -> &'a [u8] {
    if text.len == 0 || text.data.is_null() {
        return &[];
    }
    // SAFETY: by this function's contract.
    unsafe { std::slice::from_raw_parts(text.data, text.len) }
}
