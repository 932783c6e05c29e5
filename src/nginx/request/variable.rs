//! nginx variables by name.

use std::fmt;

use ngx::ffi::*;

use crate::nginx::request::Request;
use crate::nginx::value::bytes;

/// Why a variable was not changed, in upstream's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VariableError {
    /// No configuration defines it.
    Undefined,
    /// nginx keeps it from being changed.
    ReadOnly,
    /// Memory ran out.
    Memory,
}

impl fmt::Display for VariableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Undefined => "not found",
            Self::ReadOnly => "not changeable",
            Self::Memory => "no memory",
        })
    }
}

/// A variable's text, in memory of the request.
pub type VariableValue<'r> = Option<&'r [u8]>;

impl Request {
    /// The value of a variable, its name in any case. None where it is not found or not valid.
    pub fn variable(&self, name: &[u8]) -> VariableValue<'_> {
        let mut buffer = Lowered::default();
        let (lowered, hash) = buffer.lower(name);
        // SAFETY: nginx keeps no reference to the name.
        unsafe {
            let mut key = ngx_str_t { len: lowered.len(), data: lowered.as_mut_ptr() };
            let value = ngx_http_get_variable(self.as_ptr(), &raw mut key, hash).as_ref()?;
            if value.not_found() != 0 || value.valid() == 0 {
                return None;
            }
            Some(if value.len() == 0 { &[] } else { std::slice::from_raw_parts(value.data, value.len() as usize) })
        }
    }

    /// A capture of the last regular expression; 0 is the whole match.
    pub fn capture(&self, number: usize) -> VariableValue<'_> {
        // SAFETY: nginx sets `captures` and `captures_data` together, `ncaptures` long.
        unsafe {
            let r = self.as_ptr();
            if (*r).captures.is_null() || number * 2 >= (*r).ncaptures {
                return None;
            }
            let captures = std::slice::from_raw_parts((*r).captures, (*r).ncaptures);
            let (start, end) = (captures[number * 2], captures[number * 2 + 1]);
            if start < 0 || end < start {
                return None;
            }
            let text = std::slice::from_raw_parts((*r).captures_data, end as usize);
            Some(&text[start as usize..])
        }
    }

    /// Changes a variable that the configuration defines; None makes it not found.
    pub fn set_variable(&self, name: &[u8], text: Option<&[u8]>) -> Result<(), VariableError> {
        let variable = self.changeable(name)?;
        // SAFETY: values that nginx keeps lie in the request's pool; an indexed variable has its place.
        unsafe {
            let r = self.as_ptr();
            let mut value: ngx_http_variable_value_t = std::mem::zeroed();
            match text {
                Some(text) => {
                    let copy = self.copy(text).ok_or(VariableError::Memory)?;
                    value.data = copy.as_ptr().cast_mut();
                    value.set_len(copy.len() as _);
                    value.set_valid(1);
                }
                None => value.set_not_found(1),
            }
            if let Some(set) = variable.set_handler {
                set(r, &raw mut value, variable.data);
            } else {
                *(*r).variables.add(variable.index) = value;
            }
            Ok(())
        }
    }

    /// Says whether [`Request::set_variable`] can change a variable.
    pub fn check_variable(&self, name: &[u8]) -> Result<(), VariableError> {
        self.changeable(name).map(|_| ())
    }

    fn changeable(&self, name: &[u8]) -> Result<&ngx_http_variable_t, VariableError> {
        let mut buffer = Lowered::default();
        let (lowered, hash) = buffer.lower(name);
        // SAFETY: the hash lives as long as the cycle.
        let variable = unsafe {
            let r = self.as_ptr();
            let main = (*(*r).main_conf.add(ngx_http_core_module.ctx_index)).cast::<ngx_http_core_main_conf_t>();
            let found = ngx_hash_find(&raw mut (*main).variables_hash, hash, lowered.as_mut_ptr(), lowered.len());
            found.cast::<ngx_http_variable_t>().as_ref().ok_or(VariableError::Undefined)?
        };
        let has = |flag: u32| variable.flags & flag as ngx_uint_t != 0;
        let stored = variable.set_handler.is_some() || has(NGX_HTTP_VAR_INDEXED);
        if has(NGX_HTTP_VAR_CHANGEABLE) && stored { Ok(variable) } else { Err(VariableError::ReadOnly) }
    }

    /// Copies text into the request's pool. None where memory ran out.
    pub fn copy(&self, text: &[u8]) -> Option<&[u8]> {
        // SAFETY: the allocation is checked and lives as long as the request.
        unsafe {
            let data: *mut u_char = ngx_pnalloc((*self.as_ptr()).pool, text.len().max(1)).cast();
            if data.is_null() {
                return None;
            }
            std::ptr::copy_nonoverlapping(text.as_ptr(), data, text.len());
            Some(bytes(&ngx_str_t { len: text.len(), data }))
        }
    }
}

/// Room for a name in lower case: on the stack for all but very long ones.
struct Lowered {
    short: [u8; SHORT],
    long: Vec<u8>,
}

/// The longest name that needs no allocation.
const SHORT: usize = 64;

impl Default for Lowered {
    fn default() -> Self {
        Self { short: [0; SHORT], long: Vec::new() }
    }
}

impl Lowered {
    /// The name in lower case, and the hash by which nginx finds it.
    fn lower(&mut self, name: &[u8]) -> (&mut [u8], ngx_uint_t) {
        let to = if name.len() <= SHORT {
            &mut self.short[..name.len()]
        } else {
            self.long.resize(name.len(), 0);
            &mut self.long[..]
        };
        // SAFETY: the destination is as long as the name.
        let hash = unsafe { ngx_hash_strlow(to.as_mut_ptr(), name.as_ptr().cast_mut(), name.len()) };
        (to, hash)
    }
}
