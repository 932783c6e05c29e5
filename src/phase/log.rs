//! What runs when a request has ended: `log_by_lua*`.

use ngx::core::Status;

use crate::conf::{Confs, Slot};
use crate::nginx::{Phase, Request};

use super::call::call;
use super::tell_begins;
use super::trim;

/// Runs `log_by_lua*` and counts the request.
pub fn log(request: &Request) -> Status {
    if let Some(code) = request.loc_conf::<Confs>().phases.get(Slot::Log) {
        tell_begins(request, "log handler");
        let _: Option<()> = call(request, code, Phase::LOG, "log_by_lua");
    }
    trim::count(request)
}
