//! What a cosocket is: a connection that reads and writes as its Lua waits, by whom it may be used, and what it answers.

mod client;
mod connect;
mod error;
mod keepalive;
mod options;
mod pool;
mod quick;
mod reader;
mod tls;
mod udp;
mod wait;
mod writer;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use crate::nginx::{Channel, Ends, Level, Local, Log, Request, Side, SocketSettings, Stream};
use crate::vm::Operation;

use connect::Attempt;
use pool::Slot;
use quick::Number;
use reader::Reader;
use wait::Wait;
use writer::Writer;

pub use error::SocketError;
pub use keepalive::Pooling;
pub use quick::{ALL, LINE, failure, serve, wanted};
pub use reader::Read;
pub use tls::{Greeting, Identity};
pub use udp::{LARGEST_DATAGRAM, Udp};

/// The request that may use a cosocket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Owner {
    /// None: it was never connected.
    #[default]
    Nobody,
    /// The one at that address.
    Request(usize),
    /// One that has ended: nobody may use it any more.
    Ended,
}

impl Owner {
    fn of(request: &Request) -> Self {
        Self::Request(request.address())
    }
}

/// What a call of a cosocket comes to.
pub enum Step<T> {
    /// It is done.
    Done(T),
    /// It goes on when the operation is done: then the call that continues it is to be made.
    Wait(Operation),
    /// It has failed.
    Failed(SocketError),
}

impl<T> Step<T> {
    /// The same with another result.
    pub fn map<R>(self, map: impl FnOnce(T) -> R) -> Step<R> {
        match self {
            Self::Done(value) => Step::Done(map(value)),
            Self::Wait(operation) => Step::Wait(operation),
            Self::Failed(error) => Step::Failed(error),
        }
    }
}

/// A cosocket, connected or not. It belongs to the request that has connected it, and is closed when that ends.
pub struct Cosocket {
    owner: Cell<Owner>,
    /// None while it is not connected.
    channel: RefCell<Option<Rc<dyn Channel>>>,
    /// The channel again, where it is a connection of the module's own.
    stream: RefCell<Option<Rc<Stream>>>,
    /// What is between a call of `connect` and its end.
    attempt: RefCell<Option<Attempt>>,
    reader: RefCell<Reader>,
    writer: RefCell<Writer>,
    /// By [`Side`]. While it connects, that of writing.
    waits: [Cell<Wait>; 2],
    /// How many waits there were.
    waits_begun: Cell<u64>,
    /// Nothing more will be read, or written: by [`Side`].
    ended: [Cell<bool>; 2],
    timeouts: Cell<Timeouts>,
    /// What the directives of its owner's location say.
    settings: Cell<SocketSettings>,
    /// Where it connects from.
    local: Cell<Option<Local>>,
    /// How often its connection has come out of a pool.
    reused: Cell<u32>,
    /// By which Lua's hot calls tell it from others.
    _number: Number,
    /// The name of the pool that its connection would rest in.
    pool_name: RefCell<Vec<u8>>,
    /// What its connection has of a pool that counts it.
    slot: RefCell<Option<Slot>>,
    /// What it shows servers that ask for a certificate.
    identity: RefCell<Option<Identity>>,
}

/// The cosocket's own timeouts, milliseconds; 0: what the directives say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: u32,
    /// Between two writes.
    pub send: u32,
    /// Between two reads.
    pub read: u32,
}

impl Default for Cosocket {
    /// One that is not connected.
    fn default() -> Self {
        Self {
            owner: Cell::default(),
            channel: RefCell::default(),
            stream: RefCell::default(),
            attempt: RefCell::default(),
            reader: RefCell::default(),
            writer: RefCell::default(),
            waits: Default::default(),
            waits_begun: Cell::default(),
            ended: Default::default(),
            timeouts: Cell::default(),
            settings: Cell::default(),
            local: Cell::default(),
            reused: Cell::default(),
            _number: Number::default(),
            pool_name: RefCell::default(),
            slot: RefCell::default(),
            identity: RefCell::default(),
        }
    }
}

impl Ends for Cosocket {
    fn end(&self) {
        self.drop_connection();
        self.owner.set(Owner::Ended);
    }
}

impl Cosocket {
    /// Sets how long it waits from now on.
    pub fn set_timeouts(&self, change: impl FnOnce(Timeouts) -> Timeouts) {
        self.timeouts.set(change(self.timeouts.get()));
    }

    /// Closes it.
    ///
    /// # Errors
    /// It is not connected, another request's, or something waits for it.
    pub fn close(&self, request: &Request) -> Result<(), SocketError> {
        self.check_idle(request)?;
        self.drop_connection();
        Ok(())
    }

    /// How often its connection has been used before.
    ///
    /// # Errors
    /// It is not connected, nor about to be.
    pub fn reused_times(&self) -> Result<u32, SocketError> {
        self.connection().map(|_| self.reused.get())
    }

    /// Its connection, also while that is being made; none where it is no connection of the module's own.
    fn connection(&self) -> Result<Option<Rc<Stream>>, SocketError> {
        match &*self.attempt.borrow() {
            Some(Attempt::Connecting { stream, .. }) => return Ok(Some(Rc::clone(stream))),
            Some(Attempt::Queued { .. } | Attempt::Resolving { .. }) => return Err(SocketError::Closed),
            Some(Attempt::Shaking(_)) | None => {}
        }
        match &*self.channel.borrow() {
            Some(_) => Ok(self.stream.borrow().clone()),
            None => Err(SocketError::Closed),
        }
    }

    /// Makes it a request's, by whose location's directives it goes from now on.
    fn own(self: &Rc<Self>, request: &Request) {
        let Some(state) = request.state() else { return };
        self.settings.set(state.settings.get().socket);
        if self.owner.replace(Owner::of(request)) != Owner::of(request) {
            let this: Weak<dyn Ends> = Rc::downgrade(self) as _;
            state.on_end(this);
        }
    }

    /// Gives it what it reads from and writes to.
    fn open(&self, channel: Rc<dyn Channel>, stream: Option<Rc<Stream>>) {
        self.channel.replace(Some(channel));
        self.stream.replace(stream);
        self.ended.iter().for_each(|ended| ended.set(false));
    }

    /// Closes what it has, whoever waits for it. Nothing of it is held while Lua may run.
    fn drop_connection(&self) {
        self.attempt.take();
        self.reader.borrow_mut().reset();
        self.writer.borrow_mut().reset();
        let channel = self.channel.take();
        for side in [Side::Read, Side::Write] {
            if self.waits[side as usize].take() != Wait::Idle
                && let Some(channel) = &channel
            {
                channel.stop_waiting(side);
            }
        }
        drop((channel, self.stream.take()));
        drop(self.slot.take());
        self.reused.set(0);
    }

    /// What it reads from and writes to, where it is open and the request's.
    fn check_open(&self, request: &Request) -> Result<Rc<dyn Channel>, SocketError> {
        if matches!(&*self.attempt.borrow(), Some(Attempt::Connecting { .. } | Attempt::Shaking(_))) {
            return Err(SocketError::Busy("connecting"));
        }
        let channel = self.channel.borrow().clone().ok_or(SocketError::Closed)?;
        if self.owner.get() == Owner::of(request) { Ok(channel) } else { Err(SocketError::BadRequest) }
    }

    /// As [`Cosocket::check_open`], for what no other light thread may disturb.
    fn check_idle(&self, request: &Request) -> Result<(), SocketError> {
        self.check_open(request)?;
        self.check_free()
    }

    fn check_free(&self) -> Result<(), SocketError> {
        match () {
            () if self.attempt.borrow().is_some() => Err(SocketError::Busy("connecting")),
            () if self.is_busy(Side::Read) => Err(SocketError::Busy("reading")),
            () if self.is_busy(Side::Write) => Err(SocketError::Busy("writing")),
            () => Ok(()),
        }
    }

    fn is_busy(&self, side: Side) -> bool {
        self.waits[side as usize].get() != Wait::Idle
    }

    /// What is read or written on a side of it that has not ended and that nobody waits for.
    fn side(&self, request: &Request, side: Side) -> Result<Rc<dyn Channel>, SocketError> {
        let checked = match self.check_open(request) {
            Ok(_) if self.ended[side as usize].get() => Err(SocketError::Closed),
            Ok(_) if self.is_busy(side) => {
                Err(SocketError::Busy(if side == Side::Read { "reading" } else { "writing" }))
            }
            checked => checked,
        };
        if matches!(checked, Err(SocketError::Closed)) {
            self.log_closed(request, side);
        }
        checked
    }

    /// Notes that nothing more comes on a side. Where that is so of both nothing is left of the connection.
    fn end_side(&self, side: Side) {
        self.ended[side as usize].set(true);
        if self.ended.iter().all(Cell::get) {
            self.drop_connection();
        }
    }

    fn log_error(&self, request: &Request, text: impl FnOnce() -> String) {
        let logs = request.state().is_none_or(|state| state.settings.get().socket.logs_errors);
        if logs {
            Log::of(request).write(Level::Err, text().as_bytes());
        }
    }

    fn log_closed(&self, request: &Request, side: Side) {
        self.log_error(request, || {
            let what = if side == Side::Read { "receive" } else { "send" };
            let connection = self.channel.borrow().as_ref().map_or(0, |channel| Rc::as_ptr(channel).addr());
            let eof = u8::from(self.ended[Side::Read as usize].get());
            let this = std::ptr::from_ref(self).addr();
            format!("attempt to {what} data on a closed socket: u:{this:016X}, c:{connection:016X}, ft:0 eof:{eof}")
        });
    }
}
