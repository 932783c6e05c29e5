//! A process that Lua has started.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::nginx::{Child, Command, Ended, Ends, KillError, Request, StartError, Started, Timer};
use crate::text::receive::Receive;
use crate::vm::Operation;

use super::error::Error;
use super::input::{Input, Written};
use super::output::{Output, Read};
use super::turn::Turn;

/// One of a process's standard streams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Its input.
    Stdin,
    /// Its output.
    Stdout,
    /// Its error output.
    Stderr,
}

/// How long calls wait, in milliseconds; 0 is without a limit.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the input to take more.
    pub write: u32,
    /// For more output.
    pub stdout: u32,
    /// For more error output.
    pub stderr: u32,
    /// For the end.
    pub wait: u32,
}

/// How a process is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The most bytes that are read at once.
    pub buffer_size: usize,
    /// How long calls wait at first.
    pub timeouts: Timeouts,
}

/// What waiting for the end has come to.
pub enum Waited {
    /// The process has ended, and its streams are closed.
    Ended(Ended),
    /// It has to be waited for; [`Process::wait_on`] then goes on.
    Waits(Operation),
    /// It has failed.
    Failed(Error),
}

/// A process that was started. It is killed when nobody holds it.
pub struct Process {
    pid: i32,
    /// None once it is known to have ended.
    child: RefCell<Option<Child>>,
    turn: Rc<Turn>,
    stdin: Input,
    stdout: Output,
    stderr: Option<Output>,
    timeouts: Cell<Timeouts>,
}

impl Ends for Process {
    fn end(&self) {
        self.finish();
    }
}

impl Process {
    /// Starts one, which ends with a request. It is there too where the program could not be run, and has then ended with
    /// status 1; the second value says why.
    ///
    /// # Errors
    /// What [`Child::start`] says.
    pub fn start(
        request: &Request,
        command: &Command,
        options: Options,
    ) -> Result<(Rc<Self>, Option<String>), StartError> {
        let Started { child, streams, refused } = Child::start(command)?;
        let process = Rc::new(Self {
            pid: child.pid(),
            child: RefCell::new(Some(child)),
            turn: Rc::default(),
            stdin: Input::new(streams.stdin),
            stdout: Output::new(streams.stdout, options.buffer_size),
            stderr: streams.stderr.map(|end| Output::new(end, options.buffer_size)),
            timeouts: Cell::new(options.timeouts),
        });
        if let Some(state) = request.state_or_new() {
            let this: Weak<dyn Ends> = Rc::downgrade(&process) as _;
            state.on_end(this);
        }
        Ok((process, refused))
    }

    /// Its id.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// How long its calls wait.
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts.get()
    }

    /// Sets how long its calls wait from now on.
    pub fn set_timeouts(&self, timeouts: Timeouts) {
        self.timeouts.set(timeouts);
    }

    /// Sends it a signal.
    pub fn kill(&self, signal: i32) -> Result<(), Error> {
        let sent = self.child.borrow().as_ref().map_or(Err(KillError::Ended), |child| child.kill(signal));
        sent.map_err(|error| match error {
            KillError::Ended => Error::Exited,
            KillError::NoSuchSignal => Error::InvalidSignal,
            KillError::System(errno) => Error::System(errno),
        })
    }

    /// Waits for its end.
    pub fn wait(&self) -> Waited {
        if self.turn.is_taken() {
            return Waited::Failed(Error::BusyWaiting);
        }
        if self.is_finished() {
            return Waited::Failed(Error::Exited);
        }
        if let Some(ended) = self.take_end() {
            return Waited::Ended(ended);
        }
        let turn = Rc::downgrade(&self.turn);
        let operation = self.turn.take(|| {
            let told = turn.clone();
            let end = move |failed| {
                if let Some(turn) = told.upgrade() {
                    turn.end(failed);
                }
            };
            let timer = limit(self.timeouts.get().wait).map(|after| {
                let end = end.clone();
                let timer = Timer::new(move || end(Some(Error::Timeout)));
                timer.arm(after, false);
                timer
            });
            if let Some(child) = &*self.child.borrow() {
                child.on_end(move || end(None));
            }
            timer
        });
        Waited::Waits(operation)
    }

    /// Goes on with the wait for its end.
    pub fn wait_on(&self) -> Waited {
        let failed = self.turn.go_on();
        match self.take_end() {
            Some(ended) => Waited::Ended(ended),
            None => Waited::Failed(failed.unwrap_or(Error::Exited)),
        }
    }

    /// How it has ended, once: from then on it has no streams.
    fn take_end(&self) -> Option<Ended> {
        let ended = self.child.borrow().as_ref()?.ended()?;
        self.finish();
        Some(ended)
    }

    fn is_finished(&self) -> bool {
        self.child.borrow().is_none()
    }

    /// Ends it: what still runs is killed, its streams are closed, and who waits for them goes on.
    fn finish(&self) {
        drop(self.child.take());
        self.stdin.close(Error::Closed);
        self.stdout.close(Error::Closed);
        if let Some(stderr) = &self.stderr {
            stderr.close(Error::Closed);
        }
        self.turn.end(Some(Error::Exited));
    }

    /// Closes one of its streams; who waits for that goes on.
    pub fn shutdown(&self, direction: Direction) -> Result<(), Error> {
        if self.is_finished() {
            return Err(Error::Closed);
        }
        match direction {
            Direction::Stdin => self.stdin.close(Error::Aborted),
            output => self.output(output)?.close(Error::Aborted),
        }
        Ok(())
    }

    /// Writes all of the data to its input.
    pub fn write(&self, data: &[u8]) -> Written {
        self.stdin.write(data, limit(self.timeouts.get().write))
    }

    /// Goes on with writing.
    pub fn write_on(&self) -> Written {
        self.stdin.write_on(limit(self.timeouts.get().write))
    }

    /// Reads from one of its outputs.
    pub fn read(&self, direction: Direction, receive: Receive) -> Read {
        if self.is_finished() {
            return Read::Failed(Error::Closed, None);
        }
        match self.output(direction) {
            Ok(output) => output.read(receive, self.read_limit(direction)),
            Err(error) => Read::Failed(error, None),
        }
    }

    /// Goes on with reading.
    pub fn read_on(&self, direction: Direction) -> Read {
        match self.output(direction) {
            Ok(output) => output.read_on(self.read_limit(direction)),
            Err(error) => Read::Failed(error, None),
        }
    }

    fn output(&self, direction: Direction) -> Result<&Output, Error> {
        if direction == Direction::Stderr { self.stderr.as_ref().ok_or(Error::Merged) } else { Ok(&self.stdout) }
    }

    fn read_limit(&self, direction: Direction) -> Option<Duration> {
        let timeouts = self.timeouts.get();
        limit(if direction == Direction::Stderr { timeouts.stderr } else { timeouts.stdout })
    }
}

fn limit(milliseconds: u32) -> Option<Duration> {
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds.into()))
}
