//! What nginx calls in the life of a configuration and of a process.

use ngx::core::Status;

use crate::conf::{Confs, MainConf};
use crate::nginx::{Balance, BodyFilter, Compute, Conf, HOOKS, Handler, Lifecycle, Request, TlsHandler, Variable};
use crate::{control, phase, worker};

/// The module.
pub struct HotLua;

impl Lifecycle for HotLua {
    type Conf = Confs;
    const HANDLERS: [Handler; HOOKS] = [
        phase::server_rewrite,
        phase::rewrite,
        phase::access,
        phase::precontent,
        content,
        phase::header_filter,
        phase::log,
    ];
    const BODY_FILTER: BodyFilter = phase::body_filter;
    const BALANCE: Balance = phase::balance;
    const SET: Compute = phase::set;
    const TLS: TlsHandler = phase::tls;
    const VARIABLES: &'static [Variable] = phase::VARIABLES;

    fn configured(conf: &mut Conf, main: &mut MainConf) -> Result<(), String> {
        worker::configured(conf, main)
    }

    fn mapped(main: &mut MainConf) -> Result<(), String> {
        worker::mapped(main)
    }

    fn init_module(main: &mut MainConf, workers: usize) -> Result<(), String> {
        worker::installed(main, workers)
    }

    fn init_process(main: &mut MainConf) -> Result<(), String> {
        worker::started(main)
    }

    fn exit_process(main: &mut MainConf) {
        worker::ended(main);
    }
}

fn content(request: &Request) -> Status {
    let location = request.loc_conf::<Confs>();
    match (location.control, &location.sandboxed) {
        (true, _) => control::handle(request),
        (false, Some(_)) => phase::sandboxed(request),
        (false, None) => phase::content(request),
    }
}
