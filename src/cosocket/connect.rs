//! Connecting: from a host, whose name may have to be resolved, to a connection that stands.

use std::cell::RefCell;
use std::rc::Rc;

use crate::nginx::{
    Address, Connecting, Destination, Local, Log, Request, Resolution, Resolved, Resolving, Side, Stream, Timer, Woken,
};

use super::keepalive::Pooling;
use super::pool::Place;
use super::tls::Shaking;
use super::{Cosocket, Owner, SocketError, Step};

/// A call of `connect` under way.
pub(super) enum Attempt {
    /// It waits until its pool may have another connection.
    Queued { place: Place, host: Vec<u8>, port: u16, _timer: Timer },
    /// The name is being resolved.
    Resolving { answer: Rc<RefCell<Option<Resolved>>>, _resolution: Resolution },
    /// The connection is being made.
    Connecting { stream: Rc<Stream>, to: Address },
    /// TLS is being agreed on.
    Shaking(Shaking),
}

impl Cosocket {
    /// Begins to connect to a host, which may be an IP address, a name or `unix:` and a path. A connection that there is
    /// goes first. One that rests in the pool is taken instead of a new one.
    pub fn connect(self: &Rc<Self>, request: &Request, host: &[u8], port: u16, pooling: &Pooling) -> Step<()> {
        if ![Owner::Nobody, Owner::of(request)].contains(&self.owner.get()) {
            return Step::Failed(SocketError::BadRequest);
        }
        if let Err(error) = self.check_free() {
            return Step::Failed(error);
        }
        let log = Log::of(request);
        if self.owner.get() != Owner::Nobody {
            log.debug(|| "lua reuse socket upstream ctx".into());
        }
        if self.channel.borrow().is_some() {
            log.debug(|| "lua tcp socket reconnect without shutting down".into());
        }
        self.drop_connection();
        self.own(request);
        let step = match self.from_pool(request, host, port, pooling) {
            Some(step) => step,
            None => self.connect_anew(request, host, port),
        };
        self.leave_pool_unless_done(step)
    }

    pub(super) fn connect_anew(self: &Rc<Self>, request: &Request, host: &[u8], port: u16) -> Step<()> {
        match Destination::parse(host, port) {
            Ok(Destination::Address(address)) => self.connect_to(request, address),
            Ok(Destination::Name(name, port)) => self.resolve(request, &name, port),
            Err(text) => Step::Failed(SocketError::Text(text)),
        }
    }

    /// Goes on with a call that has waited.
    pub fn connected(self: &Rc<Self>, request: &Request) -> Step<()> {
        let woken = self.woken(Side::Write);
        let step = match (self.attempt.take(), woken) {
            (Some(Attempt::Queued { place, host, port, .. }), Some(woken)) => {
                self.admitted(request, &place, woken, &host, port)
            }
            (Some(Attempt::Resolving { answer, .. }), Some(_)) => match answer.take() {
                Some(resolved) => self.resolved(request, resolved),
                None => Step::Failed(SocketError::Closed),
            },
            (Some(Attempt::Connecting { stream, .. }), Some(Woken::Ready)) => {
                match stream.outcome(self.settings.get().logs_errors) {
                    Ok(()) => self.stands(stream),
                    Err(errno) => Step::Failed(SocketError::System(errno)),
                }
            }
            (Some(Attempt::Connecting { to, .. }), Some(Woken::TimedOut)) => {
                self.log_error(request, || format!("lua tcp socket connect timed out, when connecting to {to}"));
                Step::Failed(SocketError::Timeout)
            }
            (_, _) => Step::Failed(SocketError::Closed),
        };
        self.leave_pool_unless_done(step)
    }

    fn resolve(self: &Rc<Self>, request: &Request, name: &[u8], port: u16) -> Step<()> {
        let answer: Rc<RefCell<Option<Resolved>>> = Rc::default();
        let mut at_once = None;
        let operation = self.wait_for(Side::Write, |socket, number, completion| {
            let told = Rc::clone(&answer);
            let done = move |resolved| {
                told.replace(Some(resolved));
                Self::wake(&socket, Side::Write, number, Woken::Ready, &completion);
            };
            match Resolution::start(request, name, port, done) {
                Resolving::Now(resolved) => at_once = Some(resolved),
                Resolving::Later(resolution) => {
                    self.attempt.replace(Some(Attempt::Resolving { answer, _resolution: resolution }));
                }
            }
        });
        match at_once {
            Some(resolved) => {
                self.woken(Side::Write);
                self.resolved(request, resolved)
            }
            None => Step::Wait(operation),
        }
    }

    fn resolved(self: &Rc<Self>, request: &Request, resolved: Resolved) -> Step<()> {
        match resolved {
            Ok(address) => self.connect_to(request, address),
            Err(text) => Step::Failed(SocketError::Text(text)),
        }
    }

    fn connect_to(self: &Rc<Self>, request: &Request, to: Address) -> Step<()> {
        let timeout = self.connect_timeout();
        Log::of(request).debug(|| format!("lua tcp socket connect timeout: {timeout}"));
        match Stream::connect(request, &to, self.local.get().as_ref()) {
            Ok(Connecting::Connected(stream)) => self.stands(stream),
            Ok(Connecting::Pending(stream)) => {
                self.attempt.replace(Some(Attempt::Connecting { stream: Rc::clone(&stream), to }));
                Step::Wait(self.wait(&*stream, Side::Write, timeout))
            }
            Err(errno) => Step::Failed(SocketError::system(errno)),
        }
    }

    pub(super) fn connect_timeout(&self) -> u32 {
        match self.timeouts.get().connect {
            0 => self.settings.get().connect_timeout,
            own => own,
        }
    }

    fn stands(&self, stream: Rc<Stream>) -> Step<()> {
        self.open(Rc::clone(&stream) as _, Some(stream));
        Step::Done(())
    }

    /// Makes it connect from an address from now on.
    pub fn bind(&self, request: &Request, local: Local) {
        Log::of(request).debug(|| format!("lua tcp socket bind ip: {local}"));
        self.local.set(Some(local));
    }
}
