//! TLS: the handshake of a cosocket's connection, as its Lua waits for it.

use std::cell::Cell;
use std::rc::Rc;

use crate::nginx::{
    Certificates, Level, Log, Offer, PrivateKey, Request, Shake, Side, Stream, TlsSession, Unverified, Woken, monotonic,
};

use super::connect::Attempt;
use super::{Cosocket, SocketError, Step};

/// What a handshake is asked to do.
#[derive(Default)]
pub struct Greeting {
    /// The name of the server that is asked for.
    pub server_name: Option<Vec<u8>>,
    /// A session to be resumed.
    pub session: Option<TlsSession>,
    /// The server's certificate must be trusted, and that of `server_name` where it is given.
    pub verifies: bool,
    /// The server is asked for what its certificate's OCSP responder says.
    pub wants_status: bool,
}

/// What a cosocket shows a server that asks for a certificate.
pub type Identity = (Rc<Certificates>, Rc<PrivateKey>);

/// A handshake under way.
pub(super) struct Shaking {
    stream: Rc<Stream>,
    /// Whether the server is verified, and as which host.
    verifies: bool,
    server_name: Option<Vec<u8>>,
    /// When it must be over, by nginx's monotonic clock.
    deadline: usize,
}

impl Cosocket {
    /// Begins a handshake. One that is over already is left as it is.
    pub fn shake(self: &Rc<Self>, request: &Request, greeting: Greeting) -> Step<()> {
        if let Err(error) = self.check_idle(request) {
            return Step::Failed(error);
        }
        let stream = self.stream.borrow().clone().filter(|_| !self.ended.iter().any(Cell::get));
        let Some(stream) = stream else { return Step::Failed(SocketError::Closed) };
        if stream.has_tls() {
            return Step::Done(());
        }
        debug_greeting(request, &greeting);
        let identity = self.identity.borrow();
        let offer = Offer {
            server_name: greeting.server_name.as_deref(),
            session: greeting.session.as_ref(),
            identity: identity.as_ref().map(|(certificates, key)| (&**certificates, &**key)),
            wants_status: greeting.wants_status,
        };
        if let Err(text) = stream.begin_tls(request, &offer) {
            return Step::Failed(SocketError::Text(text.into()));
        }
        // What was sent before the handshake must not be taken for something that came through it.
        self.reader.borrow_mut().reset();
        let deadline = monotonic().saturating_add(self.connect_timeout() as usize);
        let (verifies, server_name) = (greeting.verifies, greeting.server_name);
        self.go_on(request, Shaking { stream, verifies, server_name, deadline })
    }

    /// Goes on with a handshake that has waited.
    pub fn shaken(self: &Rc<Self>, request: &Request) -> Step<()> {
        match (self.attempt.take(), self.woken(Side::Write)) {
            (Some(Attempt::Shaking(shaking)), Some(Woken::Ready)) => self.go_on(request, shaking),
            (Some(Attempt::Shaking(_)), Some(Woken::TimedOut)) => self.shaken_off(SocketError::Timeout),
            (_, _) => Step::Failed(SocketError::Closed),
        }
    }

    fn go_on(self: &Rc<Self>, request: &Request, shaking: Shaking) -> Step<()> {
        match shaking.stream.shake() {
            Shake::Done => self.check_server(request, &shaking),
            Shake::Failed => self.shaken_off(SocketError::Text(b"handshake failed".into())),
            Shake::Waits(side) => {
                let left = shaking.deadline.saturating_sub(monotonic());
                if left == 0 {
                    return self.shaken_off(SocketError::Timeout);
                }
                let stream = Rc::clone(&shaking.stream);
                self.attempt.replace(Some(Attempt::Shaking(shaking)));
                // The side of writing is that of who waits for the whole cosocket, whatever the handshake waits for.
                let left = u32::try_from(left).unwrap_or(u32::MAX);
                Step::Wait(self.wait_as(Side::Write, &*stream, side, left))
            }
        }
    }

    fn check_server(&self, request: &Request, shaking: &Shaking) -> Step<()> {
        let stream = &shaking.stream;
        if !shaking.verifies {
            return Step::Done(());
        }
        let host = shaking.server_name.as_deref();
        match stream.verify(host) {
            Ok(()) => Step::Done(()),
            Err(Unverified::Certificate(number, text)) => {
                let text = format!("{number}: {text}");
                self.log_error(request, || format!("lua ssl certificate verify error: ({text})"));
                self.shaken_off(SocketError::Text(text.into()))
            }
            Err(Unverified::Host) => {
                self.log_error(request, || {
                    let host = String::from_utf8_lossy(host.unwrap_or_default());
                    format!("lua ssl certificate does not match host \"{host}\"")
                });
                self.shaken_off(SocketError::Text(b"certificate host mismatch".into()))
            }
        }
    }

    /// What its handshake has agreed on; none where it has had none.
    pub fn tls_session(&self) -> Option<TlsSession> {
        self.stream.borrow().as_ref().filter(|stream| stream.has_tls()).map(|stream| stream.session())
    }

    fn shaken_off<T>(&self, error: SocketError) -> Step<T> {
        self.drop_connection();
        Step::Failed(error)
    }

    /// Shows that to servers that ask for a certificate from the next handshake on; nothing with none.
    pub fn set_identity(&self, identity: Option<Identity>) {
        self.identity.replace(identity);
    }
}

fn debug_greeting(request: &Request, greeting: &Greeting) {
    let log = Log::of(request);
    if !log.enabled(Level::Debug) {
        return;
    }
    if let Some(session) = &greeting.session {
        log.write(Level::Debug, format!("lua ssl set session: {:016X}", session.address()).as_bytes());
    }
    if let Some(name) = &greeting.server_name {
        log.write(Level::Debug, &[b"lua ssl server name: \"", name.as_slice(), b"\""].concat());
    }
}
