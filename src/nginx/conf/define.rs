//! nginx variables that the module defines.

use ngx::core::Status;
use ngx::ffi::*;

use crate::nginx::conf::Conf;
use crate::nginx::entry::guarded;
use crate::nginx::request::Request;

/// A variable of the module, evaluated anew each time that it is asked for.
pub struct Variable {
    /// Without its `$`, in lower case.
    pub name: &'static str,
    /// Its text for a request; none where it is not found, which a log shows as `-`.
    pub get: fn(&Request) -> Option<String>,
}

impl Variable {
    /// Makes nginx know it, before any directive is read.
    ///
    /// # Errors
    /// Memory ran out, or another module has defined it. nginx has logged the latter.
    pub(in crate::nginx) fn define(&'static self, conf: &mut Conf) -> Result<(), String> {
        let mut name = conf.copy(self.name.as_bytes())?;
        // SAFETY: nginx copies the name; the handler reads from `data` what it was given here, a static.
        unsafe {
            let flags = NGX_HTTP_VAR_NOCACHEABLE as ngx_uint_t;
            let variable = ngx_http_add_variable(conf.as_ptr(), &raw mut name, flags).as_mut();
            let variable = variable.ok_or_else(|| format!("the variable \"${}\" cannot be defined", self.name))?;
            variable.get_handler = Some(get);
            variable.data = std::ptr::from_ref(self) as usize;
        }
        Ok(())
    }
}

unsafe extern "C" fn get(r: *mut ngx_http_request_t, value: *mut ngx_http_variable_value_t, data: usize) -> ngx_int_t {
    // SAFETY: nginx passes a live request, the value to fill and the `data` that `define` has set.
    let (request, value, variable) = unsafe { (Request::from_ptr(r), &mut *value, &*(data as *const Variable)) };
    let status = guarded(request, || {
        match (variable.get)(request) {
            Some(text) => {
                let Some(text) = request.copy(text.as_bytes()) else { return Status::NGX_ERROR };
                value.data = text.as_ptr().cast_mut();
                value.set_len(text.len() as _);
                value.set_valid(1);
                value.set_no_cacheable(0);
                value.set_not_found(0);
            }
            None => value.set_not_found(1),
        }
        Status::NGX_OK
    });
    if status == Status::NGX_OK { NGX_OK as _ } else { NGX_ERROR as _ }
}
