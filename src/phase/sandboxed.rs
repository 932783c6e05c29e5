//! `content_by_sandbox_file`: an untrusted script that makes the response.

use std::rc::Rc;

use ngx::core::Status;

use crate::conf::{Confs, Sandboxed, Source, evaluate};
use crate::nginx::{self, Level, Log, Posted, Request, enter};
use crate::sandbox::{Made, Profile, Progress, Run, Script, Verdict, deliver};
use crate::vm::{Environment, LoadError, Operation, ScriptFile, script_file, script_fresh, script_source};

use super::content::{exited, returned};
use super::pin::pin;
use super::runtime::Runtime;

const INTERNAL_SERVER_ERROR: Status = Status(500);

/// A script of the generation that its request is pinned to.
struct Pinned(Rc<Environment>, Rc<ScriptFile>);

impl Script for Pinned {
    fn name(&self) -> &str {
        &self.1.name
    }

    fn file(&self) -> &str {
        &self.1.file
    }

    fn key(&self) -> &[u8; 32] {
        &self.1.key
    }

    fn source(&self) -> Result<Vec<u8>, String> {
        let source = script_source(&self.0, &self.1).map_err(|error| error.to_string())?;
        if source.hash != self.1.hash {
            // Only one that no generation has: what is compiled must be what its key says.
            return Err(format!("the script \"{}\" was changed while it was read", self.1.file));
        }
        Ok(source.text.to_vec())
    }
}

/// A script as the disk had it when its request began.
struct Fresh(ScriptFile, Vec<u8>);

impl Script for Fresh {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn file(&self) -> &str {
        &self.0.file
    }

    fn key(&self) -> &[u8; 32] {
        &self.0.key
    }

    fn source(&self) -> Result<Vec<u8>, String> {
        Ok(self.1.clone())
    }
}

/// A run that waits for its turn.
struct Waiting {
    run: Rc<Run>,
    operation: Operation,
    wake: Rc<Posted>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.operation.cancel();
    }
}

/// Runs the script of the request's location.
pub fn sandboxed(request: &Request) -> Status {
    let location = request.loc_conf::<Confs>();
    let Some(sandboxed) = &location.sandboxed else { return Status::NGX_DECLINED };
    let Some(profile) = sandboxed.profile.get() else { return INTERNAL_SERVER_ERROR };
    let Some(runtime) = Runtime::of(request) else { return INTERNAL_SERVER_ERROR };
    let script = match script(request, runtime, sandboxed, location.caches_code()) {
        Ok(script) => script,
        Err(status) => return status,
    };
    let run = Run::responding(profile, &script, profile.tenant(request));
    let status = go_on(request, run, None);
    if status == Status::NGX_DONE {
        request.hold();
    }
    status
}

/// The script that the location names; the status that answers where there is none.
fn script(
    request: &Request,
    runtime: &Runtime,
    sandboxed: &Sandboxed,
    caches_code: bool,
) -> Result<Rc<dyn Script>, Status> {
    let refuse = |error: LoadError| {
        Log::of(request).write(Level::Err, error.to_string().as_bytes());
        Status(error.status() as isize)
    };
    let evaluated;
    let (path, from_request) = match &sandboxed.source {
        Source::Variable(value) => {
            evaluated = evaluate(value, request).ok_or(INTERNAL_SERVER_ERROR)?;
            (evaluated.as_slice(), true)
        }
        Source::File(path) => (path.as_os_str().as_encoded_bytes(), false),
        Source::Inline { .. } => return Err(INTERNAL_SERVER_ERROR),
    };
    let directory = &sandboxed.directory;
    if !caches_code {
        let (script, source) = script_fresh(directory, path, from_request).map_err(refuse)?;
        return Ok(Rc::new(Fresh(script, source.text.to_vec())));
    }
    let pinned = pin(request, runtime, true).map_err(|failure| {
        Log::of(request).write(Level::Err, failure.to_string().as_bytes());
        INTERNAL_SERVER_ERROR
    })?;
    let script = script_file(&pinned.environment, directory, path, from_request).map_err(refuse)?;
    Ok(Rc::new(Pinned(pinned.environment, script)))
}

/// Runs a slice, and waits where it was not the last.
fn go_on(request: &Request, run: Rc<Run>, wake: Option<Rc<Posted>>) -> Status {
    let scope = enter(Some(request), nginx::Phase::CONTENT);
    let progress = run.advance();
    drop(scope);
    let operation = match progress {
        Progress::Over(Ok(made)) => return respond(request, &run, &made),
        Progress::Over(Err(verdict)) => return refused(request, &run, &verdict),
        Progress::Turn(operation) => operation,
    };
    let Some(state) = request.state_or_new() else { return INTERNAL_SERVER_ERROR };
    let wake = wake.unwrap_or_else(|| Rc::new(request.posted(woken)));
    let post = Rc::clone(&wake);
    operation.wake_by(Box::new(move || post.post()));
    request.block_events_until_closed();
    state.put_driver(Box::new(Waiting { run, operation, wake }));
    Status::NGX_DONE
}

fn woken(request: &Request) {
    let Some(waiting) = request.state().and_then(|state| state.take_driver::<Waiting>()) else { return };
    let (run, wake) = (Rc::clone(&waiting.run), Rc::clone(&waiting.wake));
    let status = go_on(request, run, Some(wake));
    drop(waiting);
    if status != Status::NGX_DONE {
        request.finalize(status);
    }
}

/// The end of a script that ended well.
fn respond(request: &Request, run: &Run, made: &Made) -> Status {
    if let Err(why) = deliver(request, made) {
        log(request, run.profile(), run.file(), &format!("error: {why}"));
        return if request.output_begun() { Status::NGX_ERROR } else { Status(run.profile().status as isize) };
    }
    match made.exit {
        Some(status) => exited(request, i64::from(status)),
        None => returned(request),
    }
}

/// The end of a script that a limit has ended, or that has raised.
fn refused(request: &Request, run: &Run, verdict: &Verdict) -> Status {
    log(request, run.profile(), run.file(), &verdict.sentence());
    Status(run.profile().status as isize)
}

fn log(request: &Request, profile: &Profile, file: &str, what: &str) {
    let text = format!("sandboxed script ended by {what}, profile: {}, file: {file}", profile.name);
    Log::of(request).write(Level::Err, text.as_bytes());
}
