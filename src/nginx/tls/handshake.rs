//! One handshake: the fake request that its Lua runs for, and what has become of each hook.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr;
use std::rc::Rc;

use ngx::core::Status;
use ngx::ffi::*;

use super::drive::{self, Gate};
use super::hooks::{self, TlsHook, handshake_index, server_of};
use super::session::Session;
use crate::nginx::entry::guarded;
use crate::nginx::event::Posted;
use crate::nginx::log::{Level, Log};
use crate::nginx::request::Request;
use crate::nginx::request::fake::FakeRequest;

/// What OpenSSL is told about a hook.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    GoOn,
    Wait,
    Fail,
}

/// The hooks that run once a handshake, though OpenSSL calls back several times (after a wait, after a second hello).
const HOOKS: usize = 3;

/// What the module keeps of a connection's handshake. The connection's pool owns it; the `SSL` knows where it is.
pub(super) struct Handshake {
    connection: *mut ngx_connection_t,
    ssl: *mut SSL,
    fake: RefCell<Option<Rc<FakeRequest>>>,
    /// What each hook has ended with; none where it has not run.
    verdicts: [Cell<Option<Verdict>>; HOOKS],
    /// The hook whose Lua waits.
    waiting: Cell<Option<TlsHook>>,
    /// The name of the session that is fetched or stored.
    session_id: RefCell<Option<Vec<u8>>>,
    /// The session that is stored.
    session: RefCell<Option<Session>>,
    /// The session that Lua has found.
    found: RefCell<Option<Session>>,
    /// Shut until nginx has begun to wait for the connection.
    gate: RefCell<Option<Gate>>,
    /// It is driven by [`drive`], so that it can wait.
    driven: Cell<bool>,
    wake: Posted,
}

impl Handshake {
    /// Takes over a handshake that starts. None where there is nothing to take over.
    ///
    /// # Safety
    /// `ssl` must be a connection of nginx's.
    pub(super) unsafe fn begin(ssl: *mut SSL) -> Option<()> {
        // SAFETY: by this function's contract; nginx sets `c->ssl` before it shakes hands. QUIC drives its handshakes
        // by datagrams, which nothing here knows of.
        unsafe {
            let connection = SSL_get_ex_data(ssl, ngx_ssl_connection_index).cast::<ngx_connection_t>();
            let tls = (*connection).ssl.as_ref()?;
            let is_stream = (*connection).type_ == libc::SOCK_STREAM;
            if tls.handshaked() != 0 || !is_stream || !SSL_get_ex_data(ssl, handshake_index()).is_null() {
                return None;
            }
            let handshake = Self::of(ssl)?;
            handshake.gate.replace(Some(Gate::shut(ssl)?));
            handshake.wake.post();
        }
        Some(())
    }

    /// The handshake of a connection, made where there is none. None where memory ran out.
    ///
    /// # Safety
    /// `ssl` must be a connection of nginx's; the result must not be used once that is closed.
    pub(super) unsafe fn of<'a>(ssl: *mut SSL) -> Option<&'a Self> {
        // SAFETY: by this function's contract.
        unsafe {
            if let Some(handshake) = Self::known(ssl) {
                return Some(handshake);
            }
            let connection = SSL_get_ex_data(ssl, ngx_ssl_connection_index).cast::<ngx_connection_t>();
            let cleanup = ngx_pool_cleanup_add((*connection).pool, size_of::<Self>()).as_mut()?;
            let at = cleanup.data.cast::<Self>();
            at.write(Self {
                connection,
                ssl,
                fake: RefCell::default(),
                verdicts: Default::default(),
                waiting: Cell::default(),
                session_id: RefCell::default(),
                session: RefCell::default(),
                found: RefCell::default(),
                gate: RefCell::default(),
                driven: Cell::default(),
                wake: Posted::new(move || (*at).woken()),
            });
            cleanup.handler = Some(drop_handshake);
            if SSL_set_ex_data(ssl, handshake_index(), at.cast()) != 1 {
                return None;
            }
            Some(&*at)
        }
    }

    /// The handshake of a connection; none where no Lua had a part in it.
    ///
    /// # Safety
    /// As of [`Handshake::of`].
    pub(super) unsafe fn known<'a>(ssl: *const SSL) -> Option<&'a Self> {
        // SAFETY: what stands there was written by `of` and lasts as long as the connection's pool.
        unsafe { SSL_get_ex_data(ssl, handshake_index()).cast::<Self>().as_ref() }
    }

    /// Says whether a hook has not run yet.
    pub(super) fn is_due(&self, hook: TlsHook) -> bool {
        self.verdicts[hook as usize].get().is_none()
    }

    /// Says whether Lua is waited for.
    pub(super) fn waits(&self) -> bool {
        self.waiting.get().is_some()
    }

    /// Runs a hook, or says what it has ended with.
    pub(super) fn run(&self, hook: TlsHook) -> Verdict {
        self.verdicts[hook as usize].get().unwrap_or_else(|| self.start(hook, self.driven.get()))
    }

    fn start(&self, hook: TlsHook, may_wait: bool) -> Verdict {
        let verdict = match self.fake_request() {
            Some(fake) => {
                fake.set_context(hook.directive());
                let request = fake.request();
                self.debug_start(request, hook);
                let status = guarded(request, || hooks::run(request, hook));
                if status != Status::NGX_DONE {
                    debug_end(request, hook, &status, true);
                }
                match status {
                    Status::NGX_OK => Verdict::GoOn,
                    Status::NGX_DONE if may_wait => Verdict::Wait,
                    Status::NGX_DONE => {
                        if let Some(state) = request.state() {
                            state.drop_driver();
                        }
                        Log::of(request).write(Level::Err, b"the Lua waits where the handshake cannot wait for it");
                        Verdict::Fail
                    }
                    _ => Verdict::Fail,
                }
            }
            None => Verdict::Fail,
        };
        if verdict == Verdict::Wait {
            self.waiting.set(Some(hook));
        }
        if let Some(cell) = self.verdicts.get(hook as usize) {
            cell.set(Some(verdict));
        }
        verdict
    }

    fn debug_start(&self, request: &Request, hook: TlsHook) {
        Log::of(request).debug(|| {
            // SAFETY: the connection is alive while OpenSSL calls back.
            let reusable = unsafe { (*self.connection).reusable() };
            format!("{}: connection reusable: {reusable}", hook.debug_names()[0])
        });
    }

    /// The request that Lua runs for, with the configuration of the server that the connection uses now.
    fn fake_request(&self) -> Option<Rc<FakeRequest>> {
        // SAFETY: the connection and its `SSL` are alive while OpenSSL calls back; the configuration lives as long as
        // the cycle, which the connection keeps.
        unsafe {
            let server = server_of(self.ssl);
            let mut slot = self.fake.borrow_mut();
            match &*slot {
                Some(fake) => fake.configure(server),
                None => *slot = Some(Rc::new(FakeRequest::on_connection(self.connection, server)?)),
            }
            slot.clone()
        }
    }

    /// A hook's Lua that was waited for has ended.
    fn ended(&self, status: Status) {
        let Some(hook) = self.waiting.take() else { return };
        if let Some(fake) = &*self.fake.borrow() {
            debug_end(fake.request(), hook, &status, false);
        }
        let verdict = if status == Status::NGX_OK { Verdict::GoOn } else { Verdict::Fail };
        self.verdicts[hook as usize].set(Some(verdict));
        self.wake.post();
    }

    /// Goes on from the event loop.
    fn woken(&self) {
        // SAFETY: nginx waits for the connection by now, and it is alive as long as this; the gate was shut on it.
        unsafe {
            if let Some(gate) = self.gate.take() {
                gate.open(self.ssl);
                self.driven.set(true);
            }
            drive::go_on(self.connection);
        }
    }

    /// Begins to look for the session that a client names, where it names one.
    pub(super) fn begin_fetch(&self, wanted: impl FnOnce() -> Option<Vec<u8>>) -> Verdict {
        // What cannot be waited for runs when OpenSSL asks.
        if !self.driven.get() {
            return Verdict::GoOn;
        }
        if self.is_due(TlsHook::SessionFetch) {
            let Some(id) = wanted() else { return Verdict::GoOn };
            self.session_id.replace(Some(id));
        }
        self.run(TlsHook::SessionFetch)
    }

    /// The session that Lua has found for a name; none where it has failed. Lua that has not looked for it does now, and cannot wait.
    pub(super) fn fetch(&self, id: &[u8]) -> Option<Session> {
        if self.session_id.borrow().as_deref() != Some(id) || self.is_due(TlsHook::SessionFetch) {
            self.session_id.replace(Some(id.to_vec()));
            self.found.take();
            self.start(TlsHook::SessionFetch, false);
        }
        // After a second hello OpenSSL asks once more.
        let found = self.found.borrow().clone();
        found.filter(|_| self.run(TlsHook::SessionFetch) == Verdict::GoOn)
    }

    /// Has Lua store a session.
    pub(super) fn store(&self, session: Session) {
        self.session_id.replace(Some(session.id().to_vec()));
        self.session.replace(Some(session));
        self.start(TlsHook::SessionStore, false);
        self.session.take();
        // SAFETY: OpenSSL calls back for a live connection.
        if unsafe { SSL_is_init_finished(self.ssl) } != 0 && self.waiting.get().is_none() {
            self.finish();
        }
    }

    /// The handshake is over: of what Lua has left only `ngx.ctx` stays, for the requests to come.
    pub(super) fn finish(&self) {
        self.session_id.take();
        self.found.take();
        let keeps = self
            .fake
            .borrow()
            .as_ref()
            .is_some_and(|fake| fake.request().state().is_some_and(|state| state.keep_context()));
        if !keeps {
            self.fake.take();
        }
    }

    /// The name of the session that is fetched or stored.
    pub(super) fn session_id(&self) -> Option<Vec<u8>> {
        self.session_id.borrow().clone()
    }

    /// Calls `look` with the session that is stored.
    pub(super) fn with_session<T>(&self, look: impl FnOnce(&Session) -> T) -> Option<T> {
        self.session.borrow().as_ref().map(look)
    }

    /// Has the handshake resume a session.
    pub(super) fn resume(&self, session: Session) {
        self.found.replace(Some(session));
    }

    /// The slot of `ngx.ctx`; none where no Lua asked for one.
    fn context(&self) -> Option<u32> {
        let fake = self.fake.borrow();
        let slot = fake.as_ref()?.request().state()?.lua_context.get();
        (slot != 0).then_some(slot)
    }
}

/// Tells those who debug what a hook has come to, at once or after it has waited.
fn debug_end(request: &Request, hook: TlsHook, status: &Status, at_once: bool) {
    Log::of(request).debug(|| {
        let returned = if at_once { format!("handler return value: {}, ", status.0) } else { String::new() };
        // A new session is never refused.
        let code = u8::from(*status == Status::NGX_OK && hook != TlsHook::SessionStore);
        format!("{}: {returned}{} exit code: {code}", hook.debug_names()[1], hook.callback_name())
    });
}

unsafe extern "C" fn drop_handshake(data: *mut c_void) {
    // SAFETY: `data` is the handshake that `of` wrote into this cleanup's memory, which runs once.
    unsafe { data.cast::<Handshake>().drop_in_place() }
}

impl Request {
    /// Tells the handshake that the Lua of its hook, which had waited, has ended with that status.
    pub fn tls_hook_ended(&self, status: Status) {
        if let Some(handshake) = self.handshake() {
            handshake.ended(status);
        }
    }

    /// The slot of the `ngx.ctx` that the connection's handshake has left; none for the handshake's own Lua.
    pub fn inherited_context(&self) -> Option<u32> {
        // Lua without the code cache has a VM of its own, in which there is no such table.
        if self.is_fake() || self.pinned_number().is_none() {
            return None;
        }
        self.handshake()?.context()
    }

    /// The handshake of the request's connection; none where no Lua had a part in it.
    pub(super) fn handshake(&self) -> Option<&Handshake> {
        // SAFETY: a request's connection outlives it.
        unsafe {
            let tls = (*(*self.as_ptr()).connection).ssl.as_ref()?;
            Handshake::known(ptr::from_ref(&*tls.connection))
        }
    }
}
