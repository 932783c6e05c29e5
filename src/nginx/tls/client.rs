//! What our own connections shake hands by: an `SSL_CTX` made of the `lua_ssl_*` directives, by nginx's own functions.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;

use ngx::ffi::*;

use super::key_log::KeyLog;
use crate::nginx::conf::Conf;
use crate::nginx::log::kept::keeping_text;
use crate::nginx::request::Request;

/// Versions of TLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Protocols(u32);

impl Protocols {
    /// What upstream offers where nothing is said: up to TLS 1.2.
    const DEFAULT: Self = Self(NGX_SSL_TLSv1 | NGX_SSL_TLSv1_1 | NGX_SSL_TLSv1_2);

    /// No version.
    pub const NONE: Self = Self(0);

    /// The version of a name as nginx has it: `TLSv1.2`. None where there is none of that name.
    pub fn named(name: &[u8]) -> Option<Self> {
        let known = KNOWN.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
        known.map(|&(_, bit)| Self(bit))
    }

    /// Both.
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Says whether `other` is among these.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

const KNOWN: [(&str, u32); 6] = [
    ("SSLv2", NGX_SSL_SSLv2),
    ("SSLv3", NGX_SSL_SSLv3),
    ("TLSv1", NGX_SSL_TLSv1),
    ("TLSv1.1", NGX_SSL_TLSv1_1),
    ("TLSv1.2", NGX_SSL_TLSv1_2),
    ("TLSv1.3", NGX_SSL_TLSv1_3),
];

/// What the directives of a block say of outgoing TLS connections; none or empty where they say nothing.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct ClientSettings {
    /// `lua_ssl_protocols`
    pub protocols: Option<Protocols>,
    /// `lua_ssl_ciphers`
    pub ciphers: Option<Vec<u8>>,
    /// `lua_ssl_certificate`
    pub certificates: Vec<Vec<u8>>,
    /// `lua_ssl_certificate_key`
    pub certificate_keys: Vec<Vec<u8>>,
    /// `lua_ssl_trusted_certificate`
    pub trusted: Option<Vec<u8>>,
    /// `lua_ssl_crl`
    pub crl: Option<Vec<u8>>,
    /// `lua_ssl_verify_depth`
    pub verify_depth: Option<u32>,
    /// `lua_ssl_conf_command`: names and values.
    pub commands: Vec<[Vec<u8>; 2]>,
    /// `lua_ssl_key_log`
    pub key_log: Option<Vec<u8>>,
}

impl ClientSettings {
    /// Fills what is unset from an outer block's.
    pub fn inherit(&mut self, outer: &Self) {
        fn list<T: Clone>(inner: &mut Vec<T>, outer: &Vec<T>) {
            if inner.is_empty() {
                inner.clone_from(outer);
            }
        }
        self.protocols = self.protocols.or(outer.protocols);
        self.verify_depth = self.verify_depth.or(outer.verify_depth);
        for (inner, outer) in [
            (&mut self.ciphers, &outer.ciphers),
            (&mut self.trusted, &outer.trusted),
            (&mut self.crl, &outer.crl),
            (&mut self.key_log, &outer.key_log),
        ] {
            if inner.is_none() {
                inner.clone_from(outer);
            }
        }
        list(&mut self.certificates, &outer.certificates);
        list(&mut self.certificate_keys, &outer.certificate_keys);
        list(&mut self.commands, &outer.commands);
    }
}

/// An `SSL_CTX` for our own connections. It lives as long as the configuration.
pub struct ClientContext {
    /// Where nginx has made it: later versions keep addresses of its parts.
    ssl: Box<UnsafeCell<ngx_ssl_t>>,
    /// OpenSSL knows where it is.
    key_log: Option<Box<KeyLog>>,
}

/// What cannot be followed of the settings.
pub struct BadSetting {
    /// The directive.
    pub directive: &'static str,
    /// What is wrong with it, in nginx's words.
    pub reason: String,
}

impl ClientContext {
    /// Makes one.
    ///
    /// # Errors
    /// The directive that OpenSSL does not take: a file that is missing or of another kind, ciphers that there are not.
    pub fn create(conf: &Conf, settings: &ClientSettings) -> Result<Self, BadSetting> {
        // SAFETY: all-zero is what nginx's ngx_pcalloc leaves in such a structure before `ngx_ssl_create`.
        let ssl: ngx_ssl_t = unsafe { MaybeUninit::zeroed().assume_init() };
        let mut context = Self { ssl: Box::new(UnsafeCell::new(ssl)), key_log: None };
        let (filled, reason) = keeping_text(|log| {
            // SAFETY: the log is valid for the time of the call.
            unsafe { (*context.as_ptr()).log = log };
            context.fill(conf, settings)
        });
        // SAFETY: the configuration's log lives as long as the cycle.
        unsafe { (*context.as_ptr()).log = (*conf.as_ptr()).log };
        match filled {
            Ok(()) => Ok(context),
            Err(mut bad) => {
                if bad.reason.is_empty() {
                    bad.reason = if reason.is_empty() { "out of memory".into() } else { reason };
                }
                Err(bad)
            }
        }
    }

    fn fill(&mut self, conf: &Conf, settings: &ClientSettings) -> Result<(), BadSetting> {
        let (cf, ssl, none) = (conf.as_ptr(), self.as_ptr(), ptr::null_mut());
        let text = |text: &[u8], directive| conf.copy(text).map_err(|_| unsaid(directive));
        let protocols = settings.protocols.unwrap_or(Protocols::DEFAULT);
        let depth = settings.verify_depth.unwrap_or(DEPTH) as ngx_int_t;
        // SAFETY: nginx lends `cf` for the time of a merge, with a pool that lives as long as the cycle; the structure
        // is dropped with it and does not move before. The strings are in that pool, with a NUL behind each.
        unsafe {
            done(ngx_ssl_create(ssl, protocols.0 as ngx_uint_t, none), "lua_ssl_protocols")?;
            let mut ciphers = text(settings.ciphers.as_deref().unwrap_or(b"DEFAULT"), CIPHERS)?;
            done(ngx_ssl_ciphers(cf, ssl, &raw mut ciphers, 0), CIPHERS)?;
            if let Some(certificate) = settings.certificates.get(settings.certificate_keys.len()) {
                return Err(without_key(certificate));
            }
            for (certificate, key) in settings.certificates.iter().zip(&settings.certificate_keys) {
                let mut key = text(key, CERTIFICATE)?;
                let mut certificate = text(certificate, CERTIFICATE)?;
                done(ngx_ssl_certificate(cf, ssl, &raw mut certificate, &raw mut key, none.cast()), CERTIFICATE)?;
            }
            let mut trusted = text(settings.trusted.as_deref().unwrap_or_default(), TRUSTED)?;
            done(ngx_ssl_trusted_certificate(cf, ssl, &raw mut trusted, depth), TRUSTED)?;
            let mut crl = text(settings.crl.as_deref().unwrap_or_default(), CRL)?;
            done(ngx_ssl_crl(cf, ssl, &raw mut crl), CRL)?;
            done(ngx_ssl_client_session_cache(cf, ssl, 1), CIPHERS)?;
            let commands = commands(conf, &settings.commands).ok_or_else(|| unsaid(COMMAND))?;
            done(ngx_ssl_conf_commands(cf, ssl, commands), COMMAND)?;
            if let Some(path) = settings.key_log.as_deref().filter(|path| !path.is_empty()) {
                let opened = KeyLog::open(&conf.absolute(path), (*ssl).ctx);
                self.key_log = Some(opened.map_err(|reason| BadSetting { directive: "lua_ssl_key_log", reason })?);
            }
        }
        Ok(())
    }

    /// nginx's structure, for a connection that is made by it.
    pub(in crate::nginx) fn as_ptr(&self) -> *mut ngx_ssl_t {
        self.ssl.get()
    }
}

impl Drop for ClientContext {
    fn drop(&mut self) {
        // SAFETY: nginx's own cleanup of such a structure, which runs once; connections hold references of their own
        // to the `SSL_CTX`. Freeing null, where none was made, does nothing.
        unsafe { ngx_ssl_cleanup_ctx(self.as_ptr().cast()) }
    }
}

const CIPHERS: &str = "lua_ssl_ciphers";
const CERTIFICATE: &str = "lua_ssl_certificate";
const TRUSTED: &str = "lua_ssl_trusted_certificate";
const CRL: &str = "lua_ssl_crl";
const COMMAND: &str = "lua_ssl_conf_command";
/// `lua_ssl_verify_depth`, where it is not given.
const DEPTH: u32 = 1;

fn done(status: ngx_int_t, directive: &'static str) -> Result<(), BadSetting> {
    if status == NGX_OK as ngx_int_t { Ok(()) } else { Err(unsaid(directive)) }
}

/// What nginx has said the reason of.
fn unsaid(directive: &'static str) -> BadSetting {
    BadSetting { directive, reason: String::new() }
}

fn without_key(certificate: &[u8]) -> BadSetting {
    let certificate = String::from_utf8_lossy(certificate);
    let reason = format!("no \"lua_ssl_certificate_key\" is defined for certificate \"{certificate}\"");
    BadSetting { directive: CERTIFICATE, reason }
}

/// Commands as nginx takes them; null where there are none. None: no memory.
fn commands(conf: &Conf, commands: &[[Vec<u8>; 2]]) -> Option<*mut ngx_array_t> {
    if commands.is_empty() {
        return Some(ptr::null_mut());
    }
    // SAFETY: the pool lives as long as the cycle; each allocation is checked before it is written to.
    unsafe {
        let array = ngx_array_create((*conf.as_ptr()).pool, commands.len(), size_of::<ngx_keyval_t>()).as_mut()?;
        for [name, value] in commands {
            let pair = ngx_keyval_t { key: conf.copy(name).ok()?, value: conf.copy(value).ok()? };
            let place = ngx_array_push(array).cast::<ngx_keyval_t>();
            if place.is_null() {
                return None;
            }
            place.write(pair);
        }
        Some(array)
    }
}

/// What a request's location says of outgoing TLS connections.
pub(in crate::nginx) type FindContext = fn(&Request) -> Option<&ClientContext>;

static FIND: OnceLock<FindContext> = OnceLock::new();

/// Registers what finds it, once.
pub(in crate::nginx) fn register_client_context(find: FindContext) {
    let _ = FIND.set(find);
}

impl Request {
    /// What the connections that its Lua opens shake hands by.
    pub(in crate::nginx) fn client_context(&self) -> Option<&ClientContext> {
        FIND.get().and_then(|find| find(self))
    }
}
