//! The room that touches nginx: its C structures and calls as safe types. All other rooms see only these.
//!
//! A worker's requests run in one thread, so nothing here but the zone is `Sync`, and a value that nginx owns is only
//! lent for the time of a callback. No raw pointer stands in a `pub` signature that other rooms use.

mod child;
mod codec;
mod conf;
mod current;
mod entry;
mod event;
mod exiting;
mod export;
mod log;
mod malloc;
mod ndk;
mod process;
mod request;
mod response;
mod shared;
mod socket;
mod subrequest;
mod thread;
mod thread_pool;
mod time;
mod tls;
mod upstream;
mod value;
mod wake;

pub use child::{Child, Command, Ended, KillError, StartError, Started, kill_children, watch_children};
pub use codec::*;
pub use conf::define::Variable;
pub use conf::directive::{Apply, Arity, Context, Directive};
pub use conf::inner::Refused;
pub use conf::known_variables::KnownVariables;
pub use conf::set_variable::Compute;
pub use conf::settings::{Settings, SocketSettings};
pub use conf::{Conf, prefix};
pub use current::{Phase, current, current_or_fake, current_phase, enter};
pub use entry::{BodyFilter, HOOKS, Handler, Hook};
pub use event::{Posted, Timer};
pub use exiting::{is_draining, on_exiting};
pub use export::{Configuration, Glue, Lifecycle};
pub use log::capture::{LONGEST_LINE, captures, next_captured, set_capture, set_capture_filter};
pub use log::{Level, Log, log_cycle};
pub use malloc::trim_heap;
pub use ndk::{SetVar, has_ndk};
pub use process::*;
pub use request::Request;
pub use request::body::{Body, ReadBody};
pub use request::body_write::BodyError;
pub use request::client::Watch;
pub use request::client_stream::ClientStream;
pub use request::fake::FakeRequest;
pub use request::method::METHODS;
pub use request::origin::Origin;
pub use request::state::{Ends, Pinnable, State};
pub use request::stream::StreamError;
pub use request::variable::{VariableError, VariableValue};
pub use response::body_chunk::BodyChunk;
pub use response::buffer::Append;
pub use response::error::OutputError;
pub use response::flush::Flush;
pub use response::header_list::HeaderChange;
pub use shared::counters::Counters;
pub use shared::dict::{Dict, DictError, ListEnd, PushError, SharedDict, Value as DictValue, When};
pub use shared::zone::{Block, Locked, SHARED, WORDS, Zone, ZoneFull};
pub use socket::address::{Address, Destination};
pub use socket::channel::{Channel, Io, Side, Woken};
pub use socket::datagram::Datagram;
pub use socket::errno::Errno;
pub use socket::idle::Heard;
pub use socket::local::Local;
pub use socket::option::SocketOption;
pub use socket::resolve::{Resolution, Resolved, Resolving};
pub use socket::stream::{Connecting, Stream};
pub use socket::tls::{Offer, Shake, Unverified};
pub use subrequest::capture::{Capture, CapturedHeader};
pub use subrequest::{Refusal, Subrequest, Variables};
pub use thread::without_signals;
pub use thread_pool::ThreadPool;
pub use time::*;
pub use tls::*;
pub use upstream::attempt::{Attempt, Timeouts};
pub use upstream::balancer::Balance;
pub use value::ComplexValue;
pub use wake::WakeSet;

#[allow(missing_docs, non_camel_case_types, dead_code)]
mod unbound {
    include!(concat!(env!("OUT_DIR"), "/unbound.rs"));
}
