//! Pure text functions behind `ngx.escape_uri`, `ngx.decode_args`, `ngx.quote_sql_str` and their like. They touch
//! neither nginx nor Lua, so they unit-test alone.

mod args;
mod escape;
mod number;
pub mod pattern;
mod quote;
pub mod receive;
mod template;

pub use args::{Arg, Args, Limit};
pub use escape::{Escape, escape_control, escape_uri, escaped_length, unescape_uri};
pub use number::{NumberText, number_text};
pub use quote::quote_sql;
pub use template::{Part, Template};
