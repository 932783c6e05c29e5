//! The control location: tells what runs and asks for changes of it, as JSON, metrics as text. `docs/control-api.md` is the contract.

mod access;
mod arguments;
mod change;
mod invalidate;
mod metrics;
mod origin;
mod publish;
mod reply;
mod rollback;
mod routes;
mod told;

use ngx::core::Status;

use crate::conf::Confs;
use crate::nginx::Request;

use reply::Refusal;

/// Answers a request to a location that has `hotlua_control`.
pub fn handle(request: &Request) -> Status {
    // The body that a client may send means nothing here, but what follows it on the connection does.
    let discarded = request.discard_body();
    if discarded != Status::NGX_OK {
        return discarded;
    }
    dispatch(request).unwrap_or_else(|refusal| refusal.send(request))
}

fn dispatch(request: &Request) -> Result<Status, Refusal> {
    // First, so that a stranger does not learn what calls there are.
    access::check(request, request.loc_conf::<Confs>().control_token.as_deref())?;
    let name = routes::call_name(request.uri(), request.location_name());
    let route = routes::find(routes::ROUTES, request.method_name(), name)?;
    if route.method.changes() {
        access::check_change(request)?;
    }
    (route.answer)(request)
}
