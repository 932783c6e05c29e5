//! The room that touches nginx: its C structures and calls as safe types. All other rooms see only these.
//!
//! A worker's requests run in one thread, so nothing here but the zone is `Sync`, and a value that nginx owns is only
//! lent for the time of a callback. No raw pointer stands in a `pub` signature that other rooms use.

mod arena;
mod attempt;
mod balancer;
mod body;
mod body_chunk;
mod body_write;
mod capture;
mod captured_log;
mod client;
mod codec;
mod conf;
mod counters;
mod current;
mod define;
mod directive;
mod entry;
mod event;
mod export;
mod fake_request;
mod filter;
mod flush;
mod header_list;
mod header_text;
mod inner;
mod known_variables;
mod later;
mod log;
mod log_capture;
mod malloc;
mod method;
mod ndk;
mod output;
mod output_buffer;
mod output_error;
mod process;
mod redirect;
mod request;
mod request_header;
mod respond;
mod response_header;
mod running;
mod set_variable;
mod settings;
mod shared_dict;
mod shared_memory;
mod shmtx;
mod state;
mod subrequest;
mod thread;
mod time;
mod tls;
mod value;
mod variable;
mod wake;
mod zone;

pub use attempt::{Attempt, Timeouts};
pub use balancer::Balance;
pub use body::{Body, ReadBody};
pub use body_chunk::BodyChunk;
pub use body_write::BodyError;
pub use capture::{Capture, CapturedHeader};
pub use client::Watch;
pub use codec::*;
pub use conf::{Conf, prefix};
pub use counters::Counters;
pub use current::{Phase, current, current_or_fake, current_phase, enter};
pub use define::Variable;
pub use directive::{Apply, Arity, Context, Directive};
pub use entry::{BodyFilter, HOOKS, Handler, Hook};
pub use event::{Posted, Timer};
pub use export::{Configuration, Glue, Lifecycle};
pub use flush::Flush;
pub use header_list::HeaderChange;
pub use inner::Refused;
pub use known_variables::KnownVariables;
pub use log::{Level, Log, log_cycle};
pub use log_capture::{LONGEST_LINE, captures, next_captured, set_capture, set_capture_filter};
pub use malloc::trim_heap;
pub use method::METHODS;
pub use ndk::{SetVar, has_ndk};
pub use output_buffer::Append;
pub use output_error::OutputError;
pub use process::*;
pub use request::Request;
pub use set_variable::Compute;
pub use settings::Settings;
pub use shared_dict::{Dict, DictError, ListEnd, PushError, SharedDict, Value as DictValue, When};
pub use state::{Pinnable, State};
pub use subrequest::{Refusal, Subrequest, Variables};
pub use thread::without_signals;
pub use time::*;
pub use tls::*;
pub use value::ComplexValue;
pub use variable::{VariableError, VariableValue};
pub use wake::WakeSet;
pub use zone::{Block, Locked, SHARED, WORDS, Zone, ZoneFull};

#[allow(missing_docs, non_camel_case_types, dead_code)]
mod unbound {
    include!(concat!(env!("OUT_DIR"), "/unbound.rs"));
}
