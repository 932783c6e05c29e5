//! `log_by_lua*`: Lua after the request has ended.

use ngx::core::Status;

use crate::conf::{Confs, Slot};
use crate::nginx::{Phase, Request};

use super::call::call;

/// Runs `log_by_lua*`.
pub fn log(request: &Request) -> Status {
    if let Some(code) = request.loc_conf::<Confs>().phases.get(Slot::Log) {
        let _: Option<()> = call(request, code, Phase::LOG, "log_by_lua");
    }
    Status::NGX_OK
}
