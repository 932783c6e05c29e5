//! `balancer_by_lua*`: Lua that chooses the peer of an attempt at an upstream.

use std::any::Any;

use ngx::core::Status;

use crate::conf::Code;
use crate::nginx::{Phase, Request};

use super::call::call;

/// Runs the Lua of an `upstream` for a request.
pub fn balance(request: &Request, what: &dyn Any) -> Status {
    let Some(code) = what.downcast_ref::<Code>() else { return Status::NGX_ERROR };
    let Some(()) = call(request, code, Phase::BALANCER, "balancer_by_lua") else { return Status::NGX_ERROR };
    let exit = request.state().and_then(|state| state.exit.take()).map_or(0, |status| status as isize);
    match Status(exit) {
        status @ (Status::NGX_ERROR | Status::NGX_BUSY | Status::NGX_DECLINED) => status,
        // nginx's upstream has no way to answer by another status here.
        Status(1..) => Status::NGX_ERROR,
        _ => Status::NGX_OK,
    }
}
