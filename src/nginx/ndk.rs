//! Functions that other modules have put behind directives of ndk_http_module (`set_escape_uri $var value`).

use std::ffi::{CStr, c_void};

use ngx::ffi::*;

use crate::nginx::request::Request;
use crate::nginx::value::bytes;

/// Computes a variable's value of a text.
type Compute =
    unsafe extern "C" fn(*mut ngx_http_request_t, *mut ngx_str_t, *mut ngx_http_variable_value_t) -> ngx_int_t;

/// ndk_set_var_t: what a directive of `ndk_set_var_value` has in its `post`.
#[repr(C)]
struct Filter {
    kind: u32,
    function: Option<Compute>,
    size: usize,
    data: *mut c_void,
}

/// A directive's function of one argument.
#[derive(Clone, Copy)]
pub struct SetVar(Compute);

/// The function that handles such directives, null where ndk_http_module is not loaded.
fn handler() -> *mut c_void {
    // SAFETY: looks a symbol up. nginx opens modules so that each finds the others' symbols.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"ndk_set_var_value".as_ptr()) }
}

/// Says whether ndk_http_module is loaded.
pub fn has_ndk() -> bool {
    !handler().is_null()
}

impl SetVar {
    /// The function behind a directive; none where there is no such directive, or it is of another kind.
    pub fn find(name: &[u8]) -> Option<Self> {
        let ours = handler();
        if ours.is_null() {
            return None;
        }
        // SAFETY: the cycle's modules end with a null; those of type NGX_HTTP_MODULE have commands that end with an
        // empty name, or none; a command that `ours` handles has a `Filter`.
        unsafe {
            let mut module = (*ngx_cycle).modules;
            while let Some(entry) = (*module).as_ref() {
                module = module.add(1);
                if entry.type_ != NGX_HTTP_MODULE as ngx_uint_t || entry.commands.is_null() {
                    continue;
                }
                let mut command = entry.commands;
                while (*command).name.len > 0 {
                    let handles = (*command).set.is_some_and(|set| set as *mut c_void == ours);
                    if handles && CStr::from_ptr((*command).name.data.cast()).to_bytes() == name {
                        return (*command).post.cast::<Filter>().as_ref()?.function.map(Self);
                    }
                    command = command.add(1);
                }
            }
        }
        None
    }

    /// What the directive makes of `text`.
    ///
    /// # Errors
    /// The function's code, where that is not `NGX_OK`.
    pub fn call<'r>(self, request: &'r Request, text: &[u8]) -> Result<&'r [u8], isize> {
        let copy = request.copy(text).ok_or(NGX_ERROR as isize)?;
        let mut result = ngx_str_t::empty();
        // SAFETY: a live request; the function reads the value and fills the result, whose text lies in the request's
        // pool, in the value or in static memory.
        unsafe {
            let mut value: ngx_http_variable_value_t = std::mem::zeroed();
            value.set_valid(1);
            value.set_len(u32::try_from(copy.len()).map_err(|_| NGX_ERROR as isize)?);
            value.data = copy.as_ptr().cast_mut();
            let rc = (self.0)(request.as_ptr(), &raw mut result, &raw mut value);
            if rc != NGX_OK as ngx_int_t {
                return Err(rc);
            }
            Ok(bytes(&result))
        }
    }
}
