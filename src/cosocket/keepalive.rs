//! Connections that outlive their cosockets: how `connect` takes one out of a pool, and how it comes into one.

use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use crate::nginx::{Heard, Log, Request, Side, Timer, Woken, worker_exiting};

use super::connect::Attempt;
use super::pool::{self, Entry, Grant, Place, Pool, Reused};
use super::{Cosocket, SocketError, Step};

/// What a call of `connect` says of the pool.
#[derive(Clone, Copy, Default)]
pub struct Pooling<'a> {
    /// The pool's name; by default host and port.
    pub name: Option<&'a [u8]>,
    /// How many connections rest in it at most.
    pub size: Option<usize>,
    /// How many callers may wait for one of `size` connections; none: there is no limit to those in use.
    pub backlog: Option<usize>,
}

impl Cosocket {
    /// Begins to connect by the pool. None: by a new connection.
    pub(super) fn from_pool(
        self: &Rc<Self>,
        request: &Request,
        host: &[u8],
        port: u16,
        pooling: &Pooling,
    ) -> Option<Step<()>> {
        self.name_pool(host, port, pooling.name);
        let pool = {
            let name = self.pool_name.borrow();
            if pooling.size.is_some() || pooling.backlog.is_some() {
                self.pool(request, &name, pooling.size, pooling.backlog)
            } else {
                pool::find(&name)?
            }
        };
        match pool.enter() {
            Entry::Reused(slot, reused) => {
                self.slot.replace(Some(slot));
                self.reuse(request, reused);
                Some(Step::Done(()))
            }
            Entry::New(slot) => {
                self.slot.replace(Some(slot));
                None
            }
            Entry::Wait => {
                Log::of(request).debug(|| {
                    let name = self.pool_name.borrow();
                    let name = String::from_utf8_lossy(&name);
                    format!("lua tcp socket queue connect operation for connection pool \"{name}\"")
                });
                Some(self.queue(&pool, host, port))
            }
            Entry::Full => Some(Step::Failed(SocketError::Text(b"too many waiting connect operations".to_vec()))),
        }
    }

    /// Goes on when there can be another connection, or the time is over.
    pub(super) fn admitted(
        self: &Rc<Self>,
        request: &Request,
        place: &Place,
        woken: Woken,
        host: &[u8],
        port: u16,
    ) -> Step<()> {
        if woken == Woken::TimedOut {
            self.log_error(request, || {
                let host = String::from_utf8_lossy(host);
                format!("lua tcp socket queued connect timed out, when trying to connect to {host}:{port}")
            });
            return Step::Failed(SocketError::Timeout);
        }
        let Some(Grant { slot, reused }) = place.take() else { return Step::Failed(SocketError::Closed) };
        self.slot.replace(Some(slot));
        match reused {
            Some(reused) if reused.stream.heard() == Heard::Nothing => {
                self.reuse(request, reused);
                Step::Done(())
            }
            _ => self.connect_anew(request, host, port),
        }
    }

    /// A connection that could not be made leaves its place to others.
    pub(super) fn leave_pool_unless_done(&self, step: Step<()>) -> Step<()> {
        if matches!(step, Step::Failed(_)) {
            drop(self.slot.take());
        }
        step
    }

    /// Puts its connection to rest, to be used again by others; the cosocket is closed then. `timeout`: for so many
    /// milliseconds, 0 for ever; `size`: of the pool, where that is not there yet.
    ///
    /// # Errors
    /// It is not connected, another request's, something waits for it, or the peer has said what nobody has asked for.
    pub fn set_keepalive(
        &self,
        request: &Request,
        timeout: Option<u32>,
        size: Option<usize>,
    ) -> Result<(), SocketError> {
        self.check_idle(request)?;
        if self.ended[Side::Read as usize].get() || self.ended[Side::Write as usize].get() {
            return Err(SocketError::Closed);
        }
        if !self.reader.borrow().is_empty() {
            return Err(SocketError::Text(b"unread data in buffer".to_vec()));
        }
        let stream = self.stream.borrow().clone().ok_or(SocketError::Closed)?;
        match stream.heard() {
            Heard::Nothing => {}
            Heard::End => return Err(SocketError::Closed),
            Heard::Bytes => {
                self.drop_connection();
                return Err(SocketError::Text(b"connection in dubious state".to_vec()));
            }
        }
        let (times, slot) = (self.reused.get(), self.slot.take());
        self.drop_connection();
        let log = Log::of(request);
        if worker_exiting() {
            log.debug(|| "lua tcp socket set keepalive while process exiting, closing connection".into());
            drop((stream, slot));
            return Ok(());
        }
        let pool = match &slot {
            Some(slot) => Rc::clone(slot.pool()),
            None => self.pool(request, &self.pool_name.borrow(), size, None),
        };
        let timeout = match timeout.unwrap_or(self.settings.get().keepalive_timeout) {
            0 => None,
            milliseconds => Some(Duration::from_millis(milliseconds.into())),
        };
        log.debug(|| match timeout {
            Some(timeout) => format!("lua tcp socket keepalive timeout: {} ms", timeout.as_millis()),
            None => "lua tcp socket keepalive timeout: unlimited".into(),
        });
        pool.put(stream, times, timeout, slot);
        Ok(())
    }

    /// Says whether its connection would rest in a pool that is there already.
    pub fn has_pool(&self) -> bool {
        self.slot.borrow().is_some() || pool::find(&self.pool_name.borrow()).is_some()
    }

    /// The pool of a name, made where there is none.
    fn pool(&self, request: &Request, name: &[u8], size: Option<usize>, backlog: Option<usize>) -> Rc<Pool> {
        pool::find(name).unwrap_or_else(|| {
            let size = size.unwrap_or(self.settings.get().pool_size as usize);
            let log = Log::of(request);
            log.debug(|| {
                let name = String::from_utf8_lossy(name);
                format!("lua tcp socket keepalive create connection pool for key \"{name}\"")
            });
            log.debug(|| format!("lua tcp socket connection pool size: {size}"));
            pool::make(name, size, backlog)
        })
    }

    fn name_pool(&self, host: &[u8], port: u16, name: Option<&[u8]>) {
        let mut into = self.pool_name.borrow_mut();
        into.clear();
        into.extend_from_slice(name.unwrap_or(host));
        if name.is_none() && !host.starts_with(b"unix:") {
            // Memory takes all that is written.
            let _ = write!(into, ":{port}");
        }
    }

    fn reuse(&self, request: &Request, reused: Reused) {
        Log::of(request).debug(|| "lua tcp socket get keepalive peer: using connection".into());
        let Reused { stream, times } = reused;
        stream.attach(request);
        self.open(Rc::clone(&stream) as _, Some(stream));
        self.reused.set(times);
    }

    fn queue(self: &Rc<Self>, pool: &Rc<Pool>, host: &[u8], port: u16) -> Step<()> {
        let timeout = Duration::from_millis(self.connect_timeout().into());
        Step::Wait(self.wait_for(Side::Write, |socket, number, completion| {
            let (late, told) = (socket.clone(), completion.clone());
            let timer = Timer::new(move || Self::wake(&late, Side::Write, number, Woken::TimedOut, &told));
            timer.arm(timeout, false);
            let place = pool.queue(move || Self::wake(&socket, Side::Write, number, Woken::Ready, &completion));
            self.attempt.replace(Some(Attempt::Queued { place, host: host.to_vec(), port, _timer: timer }));
        }))
    }
}
