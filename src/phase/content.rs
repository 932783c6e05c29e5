//! `content_by_lua*`: Lua that makes the response.

use ngx::core::Status;

use crate::conf::Confs;
use crate::nginx::{Phase, Request};

use super::driver;

/// Runs the content handler of the request's location.
pub fn content(request: &Request) -> Status {
    let location = request.loc_conf::<Confs>();
    match &location.content {
        Some(code) => driver::start(request, code, Phase::CONTENT, location.caches_code()),
        None => Status::NGX_DECLINED,
    }
}
