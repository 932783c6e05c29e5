//! The sessions of our own connections, which later ones resume.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use ngx::ffi::*;

use super::session::Session;

/// The session of a connection, the one that came last. Clones are the same one.
#[derive(Clone, Default)]
pub struct TlsSession(Rc<RefCell<Option<Session>>>);

/// A session that is held by its address.
struct Held {
    holders: usize,
    /// The one that has that address, so that no other one gets it.
    _named: Session,
    session: TlsSession,
}

thread_local! {
    static HELD: RefCell<HashMap<usize, Held>> = RefCell::default();
}

impl TlsSession {
    /// The address of the session; 0 where there is none.
    pub fn address(&self) -> usize {
        self.get().map_or(0, |session| session.as_ptr().addr())
    }

    /// Holds it for somebody who has only an address, until [`TlsSession::release`]. None where there is no session.
    pub fn hold(&self) -> Option<usize> {
        let named = self.get()?;
        let address = named.as_ptr().addr();
        HELD.with_borrow_mut(|held| {
            let new = || Held { holders: 0, _named: named, session: self.clone() };
            held.entry(address).or_insert_with(new).holders += 1;
        });
        Some(address)
    }

    /// The session that is held by an address.
    pub fn held(address: usize) -> Option<Self> {
        HELD.with_borrow(|held| held.get(&address).map(|held| held.session.clone()))
    }

    /// One who held the session of an address has gone. Says whether it was held.
    pub fn release(address: usize) -> bool {
        let released = HELD.with_borrow_mut(|held| {
            let one = held.get_mut(&address)?;
            one.holders -= 1;
            Some(if one.holders == 0 { held.remove(&address) } else { None })
        });
        // The session is dropped outside of the borrow.
        released.is_some()
    }

    /// The session; none where there was none yet.
    pub(in crate::nginx) fn get(&self) -> Option<Session> {
        self.0.borrow().clone()
    }

    /// Keeps a session in place of the one before.
    ///
    /// # Safety
    /// It must be live, or null.
    pub(in crate::nginx) unsafe fn keep(&self, session: *mut SSL_SESSION) {
        // SAFETY: by this function's contract.
        let session = (!session.is_null()).then(|| unsafe { Session::share(session) });
        self.0.replace(session);
    }
}
