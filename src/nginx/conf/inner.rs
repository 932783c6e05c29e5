//! A block of directives of our own, read by nginx's tokeniser as that of `map { }` and `types { }` is.

use std::ffi::{c_char, c_void};
use std::ptr;

use ngx::core::NGX_CONF_ERROR;
use ngx::ffi::*;

use crate::nginx::conf::Conf;
use crate::nginx::export::caught;

/// Why a directive is refused.
#[derive(Debug)]
pub enum Refused {
    /// The text that the user reads; file and line are where nginx stands.
    Because(String),
    /// It was logged where it happened, in a line of the directive's block.
    Said,
}

impl From<String> for Refused {
    fn from(text: String) -> Self {
        Self::Because(text)
    }
}

impl Conf {
    /// Reads the block that the directive has just opened, up to its `}`. Each directive in it is given to `apply`,
    /// which finds it by `name` and `args`; `include` is followed. The arguments of the outer directive are gone
    /// afterwards.
    ///
    /// # Errors
    /// [`Refused::Said`]: `apply` has refused a line, or nginx cannot read the block.
    pub fn read_block<F>(&mut self, mut apply: F) -> Result<(), Refused>
    where
        F: FnMut(&mut Conf) -> Result<(), String>,
    {
        let cf = self.as_ptr();
        // SAFETY: nginx lends `cf` for the time of the directive. `apply` outlives the parsing, which alone calls the
        // handler, and what nginx had there is put back.
        let parsed = unsafe {
            let outer = ((*cf).handler, (*cf).handler_conf);
            (*cf).handler = Some(line::<F>);
            (*cf).handler_conf = (&raw mut apply).cast();
            let parsed = ngx_conf_parse(cf, ptr::null_mut());
            ((*cf).handler, (*cf).handler_conf) = outer;
            parsed
        };
        if parsed.is_null() { Ok(()) } else { Err(Refused::Said) }
    }

    /// What a directive's C handler returns, after it has logged what was not logged yet.
    pub(in crate::nginx) fn answer(&self, applied: Result<(), Refused>) -> *mut c_char {
        match applied {
            Ok(()) => ptr::null_mut(),
            Err(Refused::Because(text)) => self.fail(&text),
            Err(Refused::Said) => NGX_CONF_ERROR as *mut c_char,
        }
    }
}

/// Handles one line of a block.
unsafe extern "C" fn line<F>(cf: *mut ngx_conf_t, command: *mut ngx_command_t, apply: *mut c_void) -> *mut c_char
where
    F: FnMut(&mut Conf) -> Result<(), String>,
{
    // SAFETY: nginx passes its own `cf`.
    let mut conf = unsafe { Conf::from_raw(cf) };
    // nginx's `include` reads its argument without having counted.
    if conf.name() == "include" && conf.args().len() == 1 {
        // SAFETY: it parses the file with this handler, so `apply` must not be borrowed here.
        return unsafe { ngx_conf_include(cf, command, apply) };
    }
    // SAFETY: `read_block` has put its `apply` there; nginx handles one line at a time.
    let applied = caught(|| unsafe { &mut *apply.cast::<F>() }(&mut conf));
    conf.answer(applied.map_err(Refused::Because))
}
