//! The hot calls by the number of a cosocket, for Lua that calls without values of its own.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use crate::ffi::{FAILED, SocketCalls, WAITS, serve_sockets};
use crate::nginx::{Request, current_or_fake};
use crate::text::receive::Receive;

use super::{Cosocket, Read, SocketError, Step, Timeouts};

/// What Lua says instead of a number of bytes.
pub const LINE: i64 = -1;
/// All until the stream ends.
pub const ALL: i64 = -2;

/// A place in the table of a process's cosockets; it is free again when this is dropped.
#[derive(Default)]
pub(super) struct Number(Option<u32>);

/// The cosockets of a process by number, and what the last call of one has come to.
#[derive(Default)]
struct Table {
    sockets: Vec<Weak<Cosocket>>,
    free: Vec<u32>,
    /// What was received last, and whose memory it is.
    text: Vec<u8>,
    owner: Weak<Cosocket>,
    failure: Option<(SocketError, Option<Vec<u8>>)>,
}

thread_local! {
    static TABLE: RefCell<Table> = RefCell::default();
}

impl Drop for Number {
    fn drop(&mut self) {
        if let Some(number) = self.0 {
            // At the end of a process the table may be gone first.
            let _ = TABLE.try_with(|table| table.borrow_mut().free.push(number));
        }
    }
}

/// Makes the calls reach the cosockets.
pub fn serve() {
    serve_sockets(SocketCalls {
        send: |number, data| call(number, |socket, request| sent(socket.send(request, data))),
        sent: |number| call(number, |socket, request| sent(socket.sent(request))),
        receive: |number, what| call(number, |socket, request| received(socket, socket.receive(request, wanted(what)))),
        received: |number| call(number, |socket, request| received(socket, socket.received(request))),
        set_timeouts: |number, milliseconds| {
            if let Some(socket) = find(number) {
                let [connect, send, read] = milliseconds.map(|own| (own >= 0.0).then_some(own as u32));
                socket.set_timeouts(|before| Timeouts {
                    connect: connect.unwrap_or(before.connect),
                    send: send.unwrap_or(before.send),
                    read: read.unwrap_or(before.read),
                });
            }
        },
        reused: |number| {
            call(number, |socket, _| match socket.reused_times() {
                Ok(times) => times.into(),
                Err(error) => failed(error, None),
            })
        },
        text: || TABLE.with_borrow(|table| table.text.as_ptr()),
    });
}

/// What was wrong with the last call that failed, and what it had received until then.
pub fn failure() -> (SocketError, Option<Vec<u8>>) {
    TABLE.with_borrow_mut(|table| table.failure.take()).unwrap_or((SocketError::Closed, None))
}

/// What a number that Lua gives stands for.
pub fn wanted(what: f64) -> Receive {
    match what as i64 {
        LINE => Receive::Line,
        ALL => Receive::All,
        size => Receive::Exactly(usize::try_from(size).unwrap_or(0)),
    }
}

impl Cosocket {
    /// One that is not connected, and its number.
    pub fn numbered() -> (Rc<Self>, u32) {
        TABLE.with_borrow_mut(|table| {
            let number = table.free.pop().unwrap_or_else(|| {
                table.sockets.push(Weak::new());
                u32::try_from(table.sockets.len() - 1).unwrap_or(u32::MAX)
            });
            let socket = Rc::new(Self { _number: Number(Some(number)), ..Self::default() });
            table.sockets[number as usize] = Rc::downgrade(&socket);
            (socket, number)
        })
    }
}

fn find(number: u32) -> Option<Rc<Cosocket>> {
    TABLE.with_borrow(|table| table.sockets.get(number as usize).and_then(Weak::upgrade))
}

fn call(number: u32, call: impl FnOnce(&Rc<Cosocket>, &Request) -> f64) -> f64 {
    let answer = find(number).and_then(|socket| current_or_fake(|request| call(&socket, request)));
    answer.unwrap_or_else(|| failed(SocketError::Closed, None))
}

fn sent(step: Step<usize>) -> f64 {
    match step {
        Step::Done(count) => count as f64,
        Step::Wait(operation) => {
            operation.leave();
            WAITS
        }
        Step::Failed(error) => failed(error, None),
    }
}

fn received(socket: &Rc<Cosocket>, read: Read) -> f64 {
    match read {
        Read::Done(text) => {
            let length = text.len() as f64;
            let (before, owner) = TABLE.with_borrow_mut(|table| {
                let owner = std::mem::replace(&mut table.owner, Rc::downgrade(socket));
                (std::mem::replace(&mut table.text, text), owner)
            });
            if let Some(owner) = owner.upgrade() {
                owner.give_back(before);
            }
            length
        }
        Read::Wait(operation) => {
            operation.leave();
            WAITS
        }
        Read::Failed(error, partial) => failed(error, partial),
    }
}

fn failed(error: SocketError, partial: Option<Vec<u8>>) -> f64 {
    TABLE.with_borrow_mut(|table| table.failure = Some((error, partial)));
    FAILED
}
