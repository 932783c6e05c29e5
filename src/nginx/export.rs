//! The door by which nginx finds the module: `ngx_module_t`, its callbacks, and the traits that fill them.

use std::any::TypeId;
use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use ngx::ffi::*;

use crate::nginx::conf::Conf;
use crate::nginx::conf::define::Variable;
use crate::nginx::conf::directive::Directive;
use crate::nginx::conf::set_variable::{Compute, register_set};
use crate::nginx::entry::{BodyFilter, HOOKS, Handler, register};
use crate::nginx::log::capture::{attach_cycle, attach_log};
use crate::nginx::log::{Level, Log, log_cycle, while_installing};
use crate::nginx::process::{while_configuring, worker_count_of};
use crate::nginx::shared::memory;
use crate::nginx::tls::{ClientContext, TlsHandler, register_client_context, register_tls};
use crate::nginx::upstream::balancer::{Balance, Balanced, register_balance};

/// The configuration structures of the module and the directives that fill them.
pub trait Configuration: Sized + 'static {
    /// One for the `http` block.
    type Main: Default + 'static;
    /// One for each `http`, `server` and `location`.
    type Loc: Default + 'static;
    /// Every directive of the module.
    const DIRECTIVES: &'static [Directive<Self>];

    /// What the connections that Lua opens shake hands by.
    fn client_context(loc: &Self::Loc) -> Option<&ClientContext>;

    /// Fills what `child` leaves unset from `parent`. An error fails the configuration with that text.
    fn merge(conf: &mut Conf, parent: &Self::Loc, child: &mut Self::Loc) -> Result<(), String>;
}

/// The moments in the life of a cycle and of a process at which nginx calls the module.
pub trait Lifecycle: 'static {
    /// What it is configured by.
    type Conf: Configuration;
    /// What runs at each [`crate::nginx::Hook`], in their order.
    const HANDLERS: [Handler; HOOKS];
    /// What runs for each part of a response's body.
    const BODY_FILTER: BodyFilter;
    /// What computes the values that [`Conf::set_variable`] was called for.
    const SET: Compute;
    /// What chooses the peers of the upstreams that [`Conf::set_balancer`] was called for.
    const BALANCE: Balance;
    /// What runs at each [`crate::nginx::TlsHook`] that [`Conf::hook_tls`] was called for.
    const TLS: TlsHandler;
    /// The nginx variables that it defines.
    const VARIABLES: &'static [Variable];

    /// After the whole configuration was read. An error fails the configuration with that text.
    fn configured(conf: &mut Conf, main: &mut <Self::Conf as Configuration>::Main) -> Result<(), String>;
    /// Once the shared memory that was asked for is mapped; not called where none was. An error fails the configuration
    /// with that text, also under `nginx -t`.
    fn mapped(main: &mut <Self::Conf as Configuration>::Main) -> Result<(), String>;
    /// In the master, once the new configuration is certain to be used; it asks for `workers`.
    fn init_module(main: &mut <Self::Conf as Configuration>::Main, workers: usize) -> Result<(), String>;
    /// In each worker as it starts.
    fn init_process(main: &mut <Self::Conf as Configuration>::Main) -> Result<(), String>;
    /// In each worker as it ends.
    fn exit_process(main: &mut <Self::Conf as Configuration>::Main);
}

static CTX_INDEX: AtomicUsize = AtomicUsize::new(usize::MAX);
static MODULE: AtomicPtr<ngx_module_t> = AtomicPtr::new(ptr::null_mut());
static CONFIGURATION: OnceLock<TypeId> = OnceLock::new();

thread_local! {
    /// The cycle whose configuration was read last, until its shared memory is mapped.
    static READ: Cell<*mut ngx_cycle_t> = const { Cell::new(ptr::null_mut()) };
}

/// The module's place in `r->ctx` and in the arrays of configurations.
pub(super) fn ctx_index() -> usize {
    CTX_INDEX.load(Ordering::Relaxed)
}

/// The module's own structure.
pub(super) fn module() -> *mut ngx_module_t {
    MODULE.load(Ordering::Relaxed)
}

/// Says whether `C` is what [`Glue`] allocated, so that a cast to its types is sound.
pub(super) fn is_installed<C: Configuration>() -> bool {
    CONFIGURATION.get() == Some(&TypeId::of::<C>())
}

/// The C callbacks of a [`Lifecycle`]; `export_module!` puts them into the statics that nginx looks up.
pub struct Glue<L>(PhantomData<L>);

impl<L: Lifecycle> Glue<L> {
    /// `ngx_http_module_t` of the module.
    pub const CONTEXT: ngx_http_module_t = ngx_http_module_t {
        preconfiguration: None,
        postconfiguration: Some(Self::postconfiguration),
        create_main_conf: Some(Self::create::<<L::Conf as Configuration>::Main>),
        init_main_conf: None,
        create_srv_conf: Some(Self::create::<Balanced>),
        merge_srv_conf: None,
        create_loc_conf: Some(Self::create::<<L::Conf as Configuration>::Loc>),
        merge_loc_conf: Some(Self::merge_loc_conf),
    };

    /// `ngx_command_t` of each directive and the empty one that ends the list; `N` is their number with it.
    pub const fn commands<const N: usize>() -> [ngx_command_t; N] {
        let mut commands = [const { ngx_command_t::empty() }; N];
        let mut i = 0;
        while i < <L::Conf as Configuration>::DIRECTIVES.len() {
            commands[i] = <L::Conf as Configuration>::DIRECTIVES[i].command(i);
            i += 1;
        }
        commands
    }

    /// `ngx_module_t` around a context and commands with static lifetime.
    pub const fn module(context: *mut c_void, commands: *mut ngx_command_t) -> ngx_module_t {
        ngx_module_t {
            ctx: context,
            commands,
            type_: NGX_HTTP_MODULE as _,
            init_module: Some(Self::init_module),
            init_process: Some(Self::init_process),
            exit_process: Some(Self::exit_process),
            ..ngx_module_t::default()
        }
    }

    /// Keeps where nginx has put the module; called by the statics' own `preconfiguration`.
    pub fn installed(module: &ngx_module_t) {
        memory::begin();
        CTX_INDEX.store(module.ctx_index, Ordering::Relaxed);
        let _ = CONFIGURATION.set(TypeId::of::<L::Conf>());
        MODULE.store(std::ptr::from_ref(module).cast_mut(), Ordering::Relaxed);
        register(L::HANDLERS, L::BODY_FILTER);
        register_set(L::SET);
        register_balance(L::BALANCE);
        register_tls(L::TLS);
        register_client_context(|request| L::Conf::client_context(request.loc_conf::<L::Conf>()));
    }

    /// Defines the variables, so that directives may name them; called by the statics' own `preconfiguration`.
    ///
    /// # Safety
    /// `cf` must be what nginx has passed to the caller.
    pub unsafe fn define_variables(cf: *mut ngx_conf_t) -> ngx_int_t {
        // SAFETY: by this function's contract.
        let mut conf = unsafe { Conf::from_raw(cf) };
        match caught(|| L::VARIABLES.iter().try_for_each(|variable| variable.define(&mut conf))) {
            Ok(()) => NGX_OK as _,
            Err(text) => {
                conf.error(&text);
                NGX_ERROR as _
            }
        }
    }

    unsafe extern "C" fn create<T: Default>(cf: *mut ngx_conf_t) -> *mut c_void {
        // SAFETY: nginx passes a valid `cf`.
        unsafe { Conf::from_raw(cf) }.keep(T::default()).map_or(ptr::null_mut(), <*mut T>::cast)
    }

    unsafe extern "C" fn merge_loc_conf(cf: *mut ngx_conf_t, parent: *mut c_void, child: *mut c_void) -> *mut c_char {
        // SAFETY: nginx passes what `create` made for this configuration; parent and child are different boxes.
        let (conf, parent, child) = unsafe {
            (
                &mut Conf::from_raw(cf),
                &*parent.cast::<<L::Conf as Configuration>::Loc>(),
                &mut *child.cast::<<L::Conf as Configuration>::Loc>(),
            )
        };
        match caught(|| L::Conf::merge(conf, parent, child)) {
            Ok(()) => ptr::null_mut(),
            Err(text) => conf.fail(&text),
        }
    }

    unsafe extern "C" fn postconfiguration(cf: *mut ngx_conf_t) -> ngx_int_t {
        // SAFETY: nginx passes a valid `cf` whose ctx is the http block's.
        let (conf, main) = unsafe {
            let http = (*cf).ctx.cast::<ngx_http_conf_ctx_t>();
            let main = *(*http).main_conf.add(ctx_index());
            (&mut Conf::from_raw(cf), &mut *main.cast::<<L::Conf as Configuration>::Main>())
        };
        // SAFETY: nginx makes the core module's configuration before it reads the first directive.
        match unsafe { while_configuring((*cf).cycle, || caught(|| L::configured(conf, main))) } {
            Ok(()) => {
                crate::nginx::response::filter::install();
                // SAFETY: `cf` is valid.
                READ.set(unsafe { (*cf).cycle });
                // SAFETY: the main configuration lives as long as the configuration's pool.
                unsafe { memory::when_mapped(Self::mapped, std::ptr::from_mut(main).cast()) };
                NGX_OK as _
            }
            Err(text) => {
                conf.error(&text);
                NGX_ERROR as _
            }
        }
    }

    /// # Safety
    /// `main` is the module's main configuration, and the log that of the cycle that has it, the one read last.
    unsafe fn mapped(log: *mut ngx_log_t, main: *mut c_void) -> ngx_int_t {
        // SAFETY: by this function's contract; nothing else borrows it while nginx maps shared memory.
        let main = unsafe { &mut *main.cast::<<L::Conf as Configuration>::Main>() };
        let cycle = READ.replace(ptr::null_mut());
        let call = || {
            // As upstream has it, unless nobody would read it.
            let level = if Log::cycle().enabled(Level::Err) { Level::Err } else { Level::Emerg };
            Self::logged(level, || {
                // SAFETY: by this function's contract the log is complete.
                unsafe { attach_log(log, cycle)? };
                L::mapped(main)
            })
        };
        // SAFETY: log and cycle outlive the call, which catches panics.
        unsafe { while_configuring(cycle, || while_installing(log, call)) }
    }

    /// The main configuration of a cycle; none where it has no `http` block.
    fn main_conf<'a>(cycle: *mut ngx_cycle_t) -> Option<&'a mut <L::Conf as Configuration>::Main> {
        // SAFETY: nginx passes a valid cycle; the http module's slot is null where there is no http block, and
        // ours was filled by `create`. Nothing else borrows it in these single-threaded callbacks.
        unsafe {
            let slot = *(*cycle).conf_ctx.add(ngx_http_module.index);
            let http = slot.cast::<ngx_http_conf_ctx_t>().as_ref()?;
            let main = *http.main_conf.add(ctx_index());
            main.cast::<<L::Conf as Configuration>::Main>().as_mut()
        }
    }

    unsafe extern "C" fn init_module(cycle: *mut ngx_cycle_t) -> ngx_int_t {
        // SAFETY: nginx passes the new cycle with its configuration; `ngx_cycle` is still the one before.
        let workers = unsafe { worker_count_of(cycle) };
        // SAFETY: the new cycle is complete and its log open by now, and the calls catch panics.
        unsafe {
            while_installing((*cycle).log, || {
                Self::process_call(cycle, |main| {
                    attach_cycle(cycle)?;
                    L::init_module(main, workers)
                })
            })
        }
    }

    unsafe extern "C" fn init_process(cycle: *mut ngx_cycle_t) -> ngx_int_t {
        Self::process_call(cycle, L::init_process)
    }

    unsafe extern "C" fn exit_process(cycle: *mut ngx_cycle_t) {
        Self::process_call(cycle, |main| {
            L::exit_process(main);
            Ok(())
        });
    }

    fn process_call(
        cycle: *mut ngx_cycle_t,
        call: impl FnOnce(&mut <L::Conf as Configuration>::Main) -> Result<(), String>,
    ) -> ngx_int_t {
        match Self::main_conf(cycle) {
            Some(main) => Self::logged(Level::Emerg, || call(main)),
            None => NGX_OK as _,
        }
    }

    /// What nginx is told of a call whose error goes to the log.
    fn logged(level: Level, call: impl FnOnce() -> Result<(), String>) -> ngx_int_t {
        match caught(call) {
            Ok(()) => NGX_OK as _,
            Err(text) => {
                log_cycle(level, text.as_bytes());
                NGX_ERROR as _
            }
        }
    }
}

/// Runs `call`; a panic becomes an error text instead of leaving an `extern "C"` function.
pub(super) fn caught<T, E: From<String>>(call: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|_| Err("internal error: the module panicked".to_owned().into()))
}

/// Defines the symbols by which nginx loads a dynamic module, for one [`Lifecycle`].
#[macro_export]
macro_rules! export_module {
    ($name:ident, $lifecycle:ty) => {
        #[allow(missing_docs, non_upper_case_globals, unsafe_code)]
        mod exported {
            use super::*;
            use ngx::ffi::{ngx_command_t, ngx_conf_t, ngx_http_module_t, ngx_int_t, ngx_module_t};
            use std::ffi::{c_char, c_void};
            use $crate::nginx::{Configuration, Glue, Lifecycle};

            type G = Glue<$lifecycle>;
            const N: usize = <<$lifecycle as Lifecycle>::Conf as Configuration>::DIRECTIVES.len() + 1;

            unsafe extern "C" fn preconfiguration(cf: *mut ngx_conf_t) -> ngx_int_t {
                // SAFETY: nginx runs configuration in one thread and passes a valid `cf`.
                unsafe {
                    G::installed(&*(&raw const $name));
                    G::define_variables(cf)
                }
            }

            static mut CONTEXT: ngx_http_module_t =
                ngx_http_module_t { preconfiguration: Some(preconfiguration), ..G::CONTEXT };
            static mut COMMANDS: [ngx_command_t; N] = G::commands::<N>();

            #[unsafe(no_mangle)]
            pub static mut $name: ngx_module_t =
                G::module((&raw mut CONTEXT).cast::<c_void>(), (&raw mut COMMANDS).cast::<ngx_command_t>());
            #[unsafe(no_mangle)]
            pub static mut ngx_modules: [*const ngx_module_t; 2] = [&raw const $name, std::ptr::null()];
            #[unsafe(no_mangle)]
            pub static mut ngx_module_names: [*const c_char; 2] =
                [concat!(stringify!($name), "\0").as_ptr().cast(), std::ptr::null()];
            // Before the copy filter, as third-party filters stand: what they put out is then copied or sent as it is.
            #[unsafe(no_mangle)]
            pub static mut ngx_module_order: [*const c_char; 3] = [
                concat!(stringify!($name), "\0").as_ptr().cast(),
                c"ngx_http_copy_filter_module".as_ptr(),
                std::ptr::null(),
            ];
        }
    };
}
