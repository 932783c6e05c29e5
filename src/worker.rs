//! The composition root: builds what runs Lua out of a configuration, and starts it in each worker.

use std::cell::{OnceCell, RefCell};
use std::path::Path;
use std::rc::Rc;

use crate::conf::{Code, Confs, MainConf, Prepare, Slot, Source};
use crate::nginx::{
    Conf, Hook, Level, Phase, TlsHooks, WakeSet, Zone, is_test, kill_children, log_cycle, restart_system_calls,
    set_capture, watch_children, worker_id,
};
use crate::phase::{Furnish, Runtime, run_init, run_timer};
use crate::{api, hot, sandbox, vm};

/// `hotlua_zone`, where it is not given.
const ZONE_SIZE: usize = 32 << 20;

/// What every VM is given, in order.
const FAMILIES: &[&[vm::Family]] = &[api::FAMILIES, hot::FAMILIES, sandbox::FAMILIES];

/// What every VM apart is given, in order.
const FAMILIES_APART: &[&[vm::Family]] = &[api::FAMILIES_APART];

thread_local! {
    /// What the master wakes the workers of every cycle by.
    static WAKE: RefCell<WakeSet> = RefCell::default();
}

/// How the code of a configuration changes.
struct Changes {
    settings: hot::Settings,
    /// Its number and what wakes its workers, once it is certain to be used.
    installed: OnceCell<(u64, Rc<WakeSet>)>,
}

impl Changes {
    fn of(main: &MainConf) -> Option<&Self> {
        main.changes.get()?.downcast_ref()
    }
}

/// Opens the VM of a new configuration, compiles its inline Lua and asks for shared memory.
pub fn configured(conf: &mut Conf, main: &mut MainConf) -> Result<(), String> {
    set_capture(main.capture_error_log)?;
    add_handlers(conf, main)?;
    hook_tls(conf, main)?;
    main.complete_client_tls(conf)?;
    main.check_profile_variables(&conf.known_variables())?;
    main.bind_profiles()?;
    if !main.used {
        return Ok(());
    }
    let zone_size = main.zone_size.unwrap_or(ZONE_SIZE);
    main.zone = Some(Zone::request(conf, "hotlua", zone_size)?);
    main.check_untrusted()?;
    let plan = hot::plan_roots(main.code_roots(), main.roots_given(), main.untrusted_directories(), zone_size)?;
    sandbox::configured(conf, &main.profiles)?;
    plan.warnings.iter().for_each(|warning| conf.warn(warning));
    let runtime = Runtime::new(main, FAMILIES, furnish(main)).map_err(|failure| failure.to_string())?;
    for code in &main.codes {
        if let Source::Inline { text, name, chunk } = &code.source {
            let compiled = runtime
                .live
                .vm
                .compile_handler(text, text, name)
                .map_err(|failure: vm::Failure| failure.to_string())?;
            let _ = chunk.set(runtime.live.vm.keep(compiled));
        }
    }
    sandbox::set_profiles(&main.profiles);
    let settings = hot::Settings {
        roots: plan.roots,
        tracked: main.files_outside_roots(),
        untrusted: main.untrusted(),
        keep: main.keep(),
        eager: main.prepare() == Prepare::Eager,
        timeout: main.prepare_timeout(),
        check: main.check().map(Path::to_owned),
        watch: main.watches().then(|| main.settle()),
    };
    let changes = Changes { settings, installed: OnceCell::new() };
    if main.runtime.set(Box::new(runtime)).is_err() || main.changes.set(Box::new(changes)).is_err() {
        return Err("the configuration was completed twice".into());
    }
    Ok(())
}

/// What every VM gets of a configuration.
fn furnish(main: &MainConf) -> Furnish {
    let (own, apart) = (furnish_any(main), furnish_any(main));
    let apart: vm::FurnishApart = Box::new(move |vm| {
        apart(vm)?;
        api::seal_apart(vm)
    });
    let apart = vm::VmsApart::new(FAMILIES_APART, apart, main.untrusted(), main.thread_vms());
    let limits = api::TimerLimits { pending: main.max_pending_timers(), running: main.max_running_timers() };
    let timers = api::Timers::new(limits, run_timer);
    Box::new(move |vm| {
        apart.serve(vm);
        timers.share(vm)?;
        own(vm)
    })
}

/// What a VM gets of a configuration, be it one apart.
fn furnish_any(main: &MainConf) -> impl Fn(&vm::Vm) -> Result<(), vm::Failure> + Send + Sync + use<> {
    let dicts = main.shared_dicts.clone();
    let (cache_max_entries, match_limit) = (main.regex_cache_max_entries, main.regex_match_limit);
    move |vm| {
        api::limit_regex(vm, cache_max_entries, match_limit)?;
        api::share(vm, &dicts)
    }
}

/// Runs `init_by_lua*`, which may use what is in shared memory.
pub fn mapped(main: &mut MainConf) -> Result<(), String> {
    match main.init.clone() {
        Some(code) => run_init(main, &code, Phase::INIT),
        None => Ok(()),
    }
}

/// Makes nginx call the phases that have Lua.
fn add_handlers(conf: &mut Conf, main: &MainConf) -> Result<(), String> {
    let phases = [
        // Before the rewrite module, which may change the path.
        (Slot::ServerRewrite, Hook::ServerRewrite, Some(true)),
        (Slot::Rewrite, Hook::Rewrite, main.rewrite_no_postpone),
        (Slot::Access, Hook::Access, main.access_no_postpone),
        (Slot::Precontent, Hook::Precontent, main.precontent_no_postpone),
        (Slot::Log, Hook::Log, None),
    ];
    // Where requests are counted the log phase counts them.
    let counts = main.trims_every() > 0 && (main.used || main.malloc_trim.is_some());
    let used = phases.into_iter().filter(|(slot, ..)| main.phases.has(*slot) || counts && *slot == Slot::Log);
    used.into_iter().try_for_each(|(_, hook, no_postpone)| conf.add_handler(hook, no_postpone.unwrap_or(false)))
}

/// Makes the TLS handshakes run the Lua that their servers have for them.
fn hook_tls(conf: &mut Conf, main: &MainConf) -> Result<(), String> {
    let (session_fetch, session_store) = (main.session_fetch.is_some(), main.session_store.is_some());
    conf.hook_tls::<Confs>(|server| TlsHooks {
        client_hello: server.phases.get(Slot::ClientHello).is_some(),
        certificate: server.phases.get(Slot::Certificate).is_some(),
        session_fetch,
        session_store,
    })
}

/// Prepares in the master what the workers inherit.
pub fn installed(main: &mut MainConf, workers: usize) -> Result<(), String> {
    let (Some(zone), Some(runtime), Some(changes)) = (main.zone, Runtime::of_conf(main), Changes::of(main)) else {
        return Ok(());
    };
    if is_test() {
        return Ok(());
    }
    if workers > hot::MOST_WORKERS {
        return Err(format!("{workers} workers are more than the {} that can follow a change", hot::MOST_WORKERS));
    }
    let package_path = runtime.live.vm.package_path().map_err(|failure| failure.to_string())?;
    let cycle = hot::configured(zone, &changes.settings, package_path);
    sandbox::installed(&main.profiles);
    let wake = WAKE.with_borrow(|wake| wake.extended(workers))?;
    WAKE.set(wake.clone());
    changes.installed.set((cycle, Rc::new(wake))).map_err(|_| "the configuration was installed twice".to_owned())
}

/// Makes a worker take part in changes and runs `init_worker_by_lua*`. What that raises is logged; the worker goes on.
pub fn started(main: &mut MainConf) -> Result<(), String> {
    if main.restarts_system_calls() {
        restart_system_calls();
    }
    let (Some(zone), Some(runtime), Some(worker)) = (main.zone, Runtime::of_conf(main), worker_id()) else {
        return Ok(());
    };
    watch_children()?;
    sandbox::set_profiles(&main.profiles);
    sandbox::started(worker);
    if let Some(changes) = Changes::of(main)
        && let Some((cycle, wake)) = changes.installed.get().cloned()
    {
        let (live, settings) = (Rc::clone(&runtime.live), changes.settings.clone());
        hot::start(hot::Setup { zone, wake, live, settings, worker, cycle })?;
    }
    run_logged(main, main.init_worker.as_ref(), Phase::INIT_WORKER);
    Ok(())
}

/// Runs `exit_worker_by_lua*`, then kills the processes that Lua has started. What it raises is logged.
pub fn ended(main: &mut MainConf) {
    if worker_id().is_some() {
        run_logged(main, main.exit_worker.as_ref(), Phase::EXIT_WORKER);
    }
    kill_children();
}

/// Runs the Lua of a directive that has it, and logs what it raises.
fn run_logged(main: &MainConf, code: Option<&Rc<Code>>, phase: Phase) {
    if let Some(code) = code
        && let Err(error) = run_init(main, code, phase)
    {
        log_cycle(Level::Err, error.as_bytes());
    }
}
