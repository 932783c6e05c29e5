//! `set_by_lua*`: a step of the rewrite module's script that stores into a variable what a call returns.

use std::any::Any;
use std::ptr;
use std::rc::Rc;
use std::sync::OnceLock;

use ngx::ffi::*;

use crate::nginx::conf::Conf;
use crate::nginx::entry::unless_panics;
use crate::nginx::log::{Level, Log};
use crate::nginx::request::Request;
use crate::nginx::value::bytes;

/// Computes a value. None: the error has been logged, and the request ends by 500.
pub type Compute = fn(&Request, &dyn Any) -> Option<Vec<u8>>;

static COMPUTE: OnceLock<Compute> = OnceLock::new();

/// Registers what computes the values, once.
pub(in crate::nginx) fn register_set(compute: Compute) {
    let _ = COMPUTE.set(compute);
}

/// What the step knows; it lives as long as the configuration.
struct Step(Rc<dyn Any>);

/// The rewrite module's configuration of a location (ngx_http_rewrite_loc_conf_t), which no header declares.
#[repr(C)]
struct RewriteLocConf {
    codes: *mut ngx_array_t,
    stack_size: ngx_uint_t,
    log: ngx_flag_t,
    uninitialized_variable_warn: ngx_flag_t,
}

unsafe extern "C" {
    static ngx_http_rewrite_module: ngx_module_t;
}

/// The step as it lies among the script's codes.
#[repr(C)]
struct Code {
    code: ngx_http_script_code_pt,
    step: *const Step,
}

impl Conf {
    /// Adds `set $variable` with a value that what was registered computes of `what`, in the order of the rewrite
    /// module's directives.
    ///
    /// # Errors
    /// No variable's name, a variable that cannot be changed, or memory ran out.
    pub fn set_variable(&mut self, variable: &[u8], what: Rc<dyn Any>) -> Result<(), String> {
        let no_memory = || "out of memory".to_owned();
        let Some(name) = variable.strip_prefix(b"$").filter(|name| !name.is_empty()) else {
            return Err(format!("invalid variable name \"{}\"", String::from_utf8_lossy(variable)));
        };
        let mut name = self.copy(name)?;
        // SAFETY: while a directive is handled `cf` and its pool are valid; a rewrite module's configuration begins with
        // its codes (ngx_http_rewrite_loc_conf_t); allocations are checked.
        unsafe {
            let cf = self.as_ptr();
            let flags = (NGX_HTTP_VAR_CHANGEABLE | NGX_HTTP_VAR_WEAK) as ngx_uint_t;
            let defined = ngx_http_add_variable(cf, &raw mut name, flags).as_mut();
            let defined = defined
                .ok_or_else(|| format!("the variable \"{}\" cannot be set", String::from_utf8_lossy(variable)))?;
            let index = ngx_http_get_variable_index(cf, &raw mut name);
            if index == NGX_ERROR as ngx_int_t {
                return Err(no_memory());
            }
            if defined.get_handler.is_none() {
                defined.get_handler = Some(unset);
                defined.data = index as usize;
            }

            let http = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
            let rewrite = *(*http).loc_conf.add(ngx_http_rewrite_module.ctx_index);
            let codes = &raw mut (*rewrite.cast::<RewriteLocConf>()).codes;
            let code = ngx_http_script_start_code((*cf).pool, codes, size_of::<Code>()).cast::<Code>();
            if code.is_null() {
                return Err(no_memory());
            }
            let step = self.keep(Step(what))?;
            code.write(Code { code: Some(compute_value), step });

            if defined.set_handler.is_some() {
                let store =
                    ngx_http_script_start_code((*cf).pool, codes, size_of::<ngx_http_script_var_handler_code_t>());
                let store = store.cast::<ngx_http_script_var_handler_code_t>().as_mut().ok_or_else(no_memory)?;
                store.code = Some(ngx_http_script_var_set_handler_code);
                store.handler = defined.set_handler;
                store.data = defined.data;
            } else {
                let store = ngx_http_script_start_code((*cf).pool, codes, size_of::<ngx_http_script_var_code_t>());
                let store = store.cast::<ngx_http_script_var_code_t>().as_mut().ok_or_else(no_memory)?;
                store.code = Some(ngx_http_script_set_var_code);
                store.index = index as usize;
            }
        }
        Ok(())
    }
}

/// The value of a variable before anything has set it: empty, and warned of, as the rewrite module does.
unsafe extern "C" fn unset(
    r: *mut ngx_http_request_t,
    value: *mut ngx_http_variable_value_t,
    index: usize,
) -> ngx_int_t {
    // SAFETY: nginx passes a live request, the value to fill and the variable's index; every location has a
    // configuration of the rewrite module.
    unsafe {
        let conf = *(*r).loc_conf.add(ngx_http_rewrite_module.ctx_index);
        if (*conf.cast::<RewriteLocConf>()).uninitialized_variable_warn != 0 {
            let core = *(*r).main_conf.add(ngx_http_core_module.ctx_index);
            let variables = (*core.cast::<ngx_http_core_main_conf_t>()).variables.elts.cast::<ngx_http_variable_t>();
            let text = [b"using uninitialized \"", bytes(&(*variables.add(index)).name), b"\" variable"].concat();
            Log::of(Request::from_ptr(r)).write(Level::Warn, &text);
        }
        *value = ngx_http_variable_null_value;
    }
    NGX_OK as _
}

/// Runs one step: its value goes onto the script's stack, from which the next code takes it.
unsafe extern "C" fn compute_value(engine: *mut ngx_http_script_engine_t) {
    // SAFETY: the script's engine points at this code and at a live request.
    let (engine, request, step) = unsafe {
        let engine = &mut *engine;
        let code = &*engine.ip.cast::<Code>();
        let request = Request::from_ptr(engine.request);
        (engine, request, &*code.step)
    };
    // SAFETY: the code's length is that of `Code`.
    engine.ip = unsafe { engine.ip.add(size_of::<Code>()) };
    let computed = unless_panics(request, || COMPUTE.get()?(request, &*step.0));
    let Some(text) = computed.flatten().and_then(|text| request.copy(&text)) else {
        // A code of zero ends the script.
        static END: usize = 0;
        engine.ip = (&raw const END).cast_mut().cast();
        engine.status = NGX_HTTP_INTERNAL_SERVER_ERROR as _;
        return;
    };
    // SAFETY: the rewrite module's stack has room for a value more (`stack_size`); each code that pushes is followed by
    // one that takes.
    unsafe {
        let value = &mut *engine.sp;
        *value = ngx_http_variable_null_value;
        value.data = if text.is_empty() { ptr::null_mut() } else { text.as_ptr().cast_mut() };
        value.set_len(text.len() as _);
        engine.sp = engine.sp.add(1);
    }
}
