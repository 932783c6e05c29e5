//! A directive as a row of a table, and the one C function that nginx calls for all of them.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use ngx::ffi::*;

use crate::nginx::conf::Conf;
use crate::nginx::conf::inner::Refused;
use crate::nginx::export::{Configuration, caught};

/// Where a directive may stand; values are or-ed.
#[derive(Clone, Copy)]
pub struct Context(ngx_uint_t);

impl Context {
    /// `http { }`
    pub const HTTP: Self = Self(NGX_HTTP_MAIN_CONF as _);
    /// `server { }`
    pub const SERVER: Self = Self(NGX_HTTP_SRV_CONF as _);
    /// `location { }`
    pub const LOCATION: Self = Self(NGX_HTTP_LOC_CONF as _);
    /// `upstream { }`
    pub const UPSTREAM: Self = Self(NGX_HTTP_UPS_CONF as _);
    /// `if` in a server
    pub const IF_IN_SERVER: Self = Self(NGX_HTTP_SIF_CONF as _);
    /// `if` in a location
    pub const IF_IN_LOCATION: Self = Self(NGX_HTTP_LIF_CONF as _);

    /// Both.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What follows the directive's name.
#[derive(Clone, Copy)]
pub enum Arity {
    /// Exactly one argument.
    One,
    /// Exactly two.
    Two,
    /// None.
    None,
    /// One or more.
    Some,
    /// Two or more.
    TwoOrMore,
    /// `on` or `off`
    Flag,
    /// A `{ }` block whose text is not nginx configuration and is read by [`Conf::take_block`].
    Block,
    /// One argument and a `{ }` block, of directives that [`Conf::read_block`] reads or of other text.
    NamedBlock,
}

/// What a directive does with the configuration that it stands in.
pub enum Apply<C: Configuration> {
    /// Changes the configuration of the http block.
    Main(fn(&mut Conf, &mut C::Main) -> Result<(), String>),
    /// The same, for a directive whose block holds directives of its own.
    MainBlock(fn(&mut Conf, &mut C::Main) -> Result<(), Refused>),
    /// Changes the configuration of the enclosing http, server or location block.
    Loc(fn(&mut Conf, &mut C::Loc) -> Result<(), String>),
}

/// One directive of the module.
pub struct Directive<C: Configuration> {
    /// As it is written in nginx.conf; nginx compares it up to its NUL.
    pub name: &'static CStr,
    /// The blocks that may hold it.
    pub context: Context,
    /// Its arguments.
    pub arity: Arity,
    /// Parses, checks and stores it. The error text is what the user reads after `nginx -t`.
    pub apply: Apply<C>,
}

impl<C: Configuration> Directive<C> {
    /// The `ngx_command_t` of the directive at `index` of the table.
    pub(in crate::nginx) const fn command(&self, index: usize) -> ngx_command_t {
        let arguments = match self.arity {
            Arity::None => NGX_CONF_NOARGS,
            Arity::One => NGX_CONF_TAKE1,
            Arity::Two => NGX_CONF_TAKE2,
            Arity::Some => NGX_CONF_1MORE,
            Arity::TwoOrMore => NGX_CONF_2MORE,
            Arity::Flag => NGX_CONF_FLAG,
            Arity::Block => NGX_CONF_BLOCK | NGX_CONF_NOARGS,
            Arity::NamedBlock => NGX_CONF_BLOCK | NGX_CONF_TAKE1,
        };
        ngx_command_t {
            name: ngx_str_t { len: self.name.count_bytes(), data: self.name.as_ptr().cast_mut().cast() },
            type_: self.context.0 | arguments as ngx_uint_t,
            set: Some(set::<C>),
            conf: match self.apply {
                Apply::Main(_) | Apply::MainBlock(_) => std::mem::offset_of!(ngx_http_conf_ctx_t, main_conf),
                Apply::Loc(_) => std::mem::offset_of!(ngx_http_conf_ctx_t, loc_conf),
            },
            offset: index,
            post: ptr::null_mut(),
        }
    }
}

unsafe extern "C" fn set<C: Configuration>(
    cf: *mut ngx_conf_t,
    command: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    // SAFETY: nginx passes its own `cf`, the command that `Directive::command` made and the structure of that
    // command's level, which `Glue::create` allocated.
    let (mut cf, directive) = unsafe { (Conf::from_raw(cf), &C::DIRECTIVES[(*command).offset]) };
    let applied = caught(|| match directive.apply {
        // SAFETY: as above; nothing else borrows the structure while nginx reads the configuration.
        Apply::Main(apply) => apply(&mut cf, unsafe { &mut *conf.cast() }).map_err(Refused::Because),
        // SAFETY: as above; directives inside of the block are handed the configuration of the block only.
        Apply::MainBlock(apply) => apply(&mut cf, unsafe { &mut *conf.cast() }),
        // SAFETY: as above.
        Apply::Loc(apply) => apply(&mut cf, unsafe { &mut *conf.cast() }).map_err(Refused::Because),
    });
    cf.answer(applied)
}
