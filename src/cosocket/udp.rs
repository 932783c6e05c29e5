//! A datagram cosocket: a peer, and at most one light thread that waits for it.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::nginx::{
    Address, Datagram, Destination, Ends, Errno, Level, Local, Log, Request, Resolution, Resolved, Resolving,
    SocketSettings, Woken,
};
use crate::vm::{Completion, Operation};

use super::{SocketError, Step};

/// The largest datagram that is received, bytes.
pub const LARGEST_DATAGRAM: usize = 65_536;

/// What Lua holds: a socket that belongs to the request that has set its peer, and is closed when that one ends.
#[derive(Clone, Default)]
pub struct Udp(Rc<Socket>);

#[derive(Default)]
struct Socket {
    /// The address of the request that it belongs to; 0: of none.
    owner: Cell<usize>,
    datagram: RefCell<Option<Datagram>>,
    /// Where its datagrams come from.
    local: Cell<Option<Local>>,
    /// What a light thread waits for.
    waiting: RefCell<Option<Rc<Waiting>>>,
    /// None: what `lua_socket_read_timeout` says.
    timeout: Cell<Option<Duration>>,
}

/// What has become of a wait.
#[derive(Default)]
struct Waiting(Cell<Option<Outcome>>);

enum Outcome {
    Woken(Woken),
    Resolved(Resolved),
}

/// What an operation holds. Where it goes before its outcome was taken, the light thread was killed: the socket is closed,
/// for what it would receive next answers what nobody asks any more.
struct Guard {
    socket: Weak<Socket>,
    waiting: Rc<Waiting>,
    _resolution: Option<Resolution>,
}

impl Udp {
    /// Sets how long the socket waits for a datagram, milliseconds; 0 or less: as its location says.
    pub fn set_timeout(&self, milliseconds: i64) {
        let milliseconds = u64::try_from(milliseconds).ok().filter(|&milliseconds| milliseconds > 0);
        self.0.timeout.set(milliseconds.map(Duration::from_millis));
    }

    /// Sets where its datagrams come from, once a peer is set anew.
    pub fn bind(&self, address: &[u8]) -> Step<()> {
        match Local::parse(address) {
            Some(local) => {
                self.0.local.set(Some(local));
                Step::Done(())
            }
            None => Step::Failed(SocketError::Text(b"bad address".to_vec())),
        }
    }

    /// Sets the peer: an address, or a name that is resolved. The peer before is forgotten.
    pub fn connect(&self, request: &Request, host: &[u8], port: u16) -> Step<()> {
        let socket = &self.0;
        if socket.owner.get() != 0 && socket.owner.get() != request.address() {
            return Step::Failed(SocketError::BadRequest);
        }
        if socket.is_busy() {
            return busy();
        }
        if socket.datagram.borrow().is_some() {
            Log::of(request).debug(|| "lua udp socket reconnect without shutting down".into());
        }
        socket.close();
        socket.belong_to(request);
        match Destination::parse(host, port) {
            Ok(Destination::Address(address)) => socket.open(request, &address),
            Ok(Destination::Name(name, port)) => {
                let waiting = Rc::new(Waiting::default());
                let mut now = None;
                let operation = Operation::start(|completion| {
                    let done = waiting.notes(completion, Outcome::Resolved);
                    let resolution = match Resolution::start(request, &name, port, done) {
                        Resolving::Later(resolution) => Some(resolution),
                        Resolving::Now(resolved) => {
                            now = Some(resolved);
                            None
                        }
                    };
                    socket.guard(&waiting, resolution)
                });
                match now {
                    Some(resolved) => socket.resolved(request, resolved),
                    None => {
                        socket.waiting.replace(Some(waiting));
                        Step::Wait(operation)
                    }
                }
            }
            Err(text) => Step::Failed(SocketError::Text(text)),
        }
    }

    /// Goes on when the name of the peer was resolved.
    pub fn connected(&self, request: &Request) -> Step<()> {
        match self.0.take_outcome() {
            Some(Outcome::Resolved(resolved)) => self.0.resolved(request, resolved),
            _ => closed(),
        }
    }

    /// Sends a datagram.
    pub fn send(&self, request: &Request, datagram: &[u8]) -> Step<()> {
        if let Some(refused) = self.0.refused(request, "send") {
            return refused;
        }
        let opened = self.0.datagram.borrow();
        match opened.as_ref().map(|opened| opened.send(datagram)) {
            Some(Ok(Some(count))) if count == datagram.len() => Step::Done(()),
            Some(Ok(Some(_))) => Step::Failed(SocketError::Text(b"partial write".to_vec())),
            Some(Ok(None)) => failed(Errno::WOULD_BLOCK),
            Some(Err(errno)) => failed(errno),
            None => closed(),
        }
    }

    /// Receives a datagram into a buffer: how long it is, cut to the buffer's length. `again`: it has waited for it.
    pub fn receive(&self, request: &Request, into: &mut [u8], again: bool) -> Step<usize> {
        let socket = &self.0;
        if again {
            match socket.take_outcome() {
                Some(Outcome::Woken(Woken::TimedOut)) => return timed_out(request),
                Some(_) => {}
                None => return closed(),
            }
        } else if let Some(refused) = socket.refused(request, "receive") {
            return refused;
        }
        let opened = socket.datagram.borrow();
        let Some(opened) = opened.as_ref() else { return closed() };
        Log::of(request).debug(|| format!("lua udp socket receive buffer size: {}", into.len()));
        match opened.receive(into) {
            Ok(Some(count)) => return Step::Done(count),
            Ok(None) => {}
            Err(errno) => return failed(errno),
        }
        let timeout = socket.timeout.get().unwrap_or(Duration::from_millis(settings(request).read_timeout.into()));
        let waiting = Rc::new(Waiting::default());
        let mut waits = false;
        let operation = Operation::start(|completion| {
            waits = opened.wait(timeout, Box::new(waiting.notes(completion, Outcome::Woken)));
            socket.guard(&waiting, None)
        });
        if !waits {
            return failed(Errno::NO_MEMORY);
        }
        socket.waiting.replace(Some(waiting));
        Step::Wait(operation)
    }

    /// Closes it.
    pub fn close(&self, request: &Request) -> Step<()> {
        if let Some(refused) = self.0.refused(request, "") {
            return refused;
        }
        self.0.close();
        Step::Done(())
    }
}

impl Socket {
    fn is_busy(&self) -> bool {
        self.waiting.borrow().is_some()
    }

    /// Why a call may not use the socket; `what` it does is logged where that is closed.
    fn refused<T>(&self, request: &Request, what: &str) -> Option<Step<T>> {
        let owner = self.owner.get();
        if owner != 0 && owner != request.address() {
            return Some(Step::Failed(SocketError::BadRequest));
        }
        if self.is_busy() {
            return Some(busy());
        }
        if self.datagram.borrow().is_some() {
            return None;
        }
        if !what.is_empty() && settings(request).logs_errors {
            let at = std::ptr::from_ref(self).addr();
            let line = format!("attempt to {what} data on a closed socket: u:{at:016X}, c:{:016X}", 0);
            Log::of(request).write(Level::Err, line.as_bytes());
        }
        Some(closed())
    }

    fn resolved(self: &Rc<Self>, request: &Request, resolved: Resolved) -> Step<()> {
        match resolved {
            Ok(address) => self.open(request, &address),
            Err(text) => Step::Failed(SocketError::Text(text)),
        }
    }

    fn open(self: &Rc<Self>, request: &Request, peer: &Address) -> Step<()> {
        match Datagram::connect(request, peer, self.local.get().as_ref()) {
            Ok(datagram) => {
                self.datagram.replace(Some(datagram));
                Step::Done(())
            }
            Err((call, errno)) => {
                if settings(request).logs_errors {
                    Log::of(request).write(Level::Err, errno.line(call).as_bytes());
                }
                failed(errno)
            }
        }
    }

    /// Has the request close it when it ends.
    fn belong_to(self: &Rc<Self>, request: &Request) {
        let address = request.address();
        if self.owner.replace(address) != address
            && let Some(state) = request.state_or_new()
        {
            let this: Weak<dyn Ends> = Rc::downgrade(self) as _;
            state.on_end(this);
        }
    }

    fn guard(self: &Rc<Self>, waiting: &Rc<Waiting>, resolution: Option<Resolution>) -> Guard {
        Guard { socket: Rc::downgrade(self), waiting: Rc::clone(waiting), _resolution: resolution }
    }

    /// What the light thread has waited for; none where the socket was closed meanwhile.
    fn take_outcome(&self) -> Option<Outcome> {
        self.waiting.take()?.0.take()
    }

    fn close(&self) {
        self.waiting.take();
        self.datagram.take();
    }
}

impl Waiting {
    /// What notes the outcome and completes an operation.
    fn notes<T>(self: &Rc<Self>, completion: Completion, outcome: fn(T) -> Outcome) -> impl FnOnce(T) + use<T> {
        let waiting = Rc::downgrade(self);
        move |value| {
            if let Some(waiting) = waiting.upgrade() {
                waiting.0.set(Some(outcome(value)));
                completion.done();
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(socket) = self.socket.upgrade() else { return };
        let untaken = socket.waiting.borrow().as_ref().is_some_and(|waiting| Rc::ptr_eq(waiting, &self.waiting));
        if untaken {
            socket.close();
        }
    }
}

impl Ends for Socket {
    fn end(&self) {
        self.close();
        self.owner.set(0);
    }
}

fn settings(request: &Request) -> SocketSettings {
    request.state().map(|state| state.settings.get().socket).unwrap_or_default()
}

fn busy<T>() -> Step<T> {
    Step::Failed(SocketError::Text(b"socket busy".to_vec()))
}

fn closed<T>() -> Step<T> {
    Step::Failed(SocketError::Closed)
}

fn timed_out<T>(request: &Request) -> Step<T> {
    if settings(request).logs_errors {
        Log::of(request).write(Level::Err, b"lua udp socket read timed out");
    }
    Step::Failed(SocketError::Timeout)
}

fn failed<T>(errno: Errno) -> Step<T> {
    Step::Failed(SocketError::System(errno))
}
