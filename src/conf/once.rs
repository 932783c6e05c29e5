//! Directives that may stand once, and how their argument is shown.

use crate::nginx::Conf;

/// Keeps the value of a directive that may stand once.
pub(super) fn once<T>(conf: &Conf, slot: &mut Option<T>, value: T) -> Result<(), String> {
    if slot.is_some() {
        return Err(duplicate(conf));
    }
    *slot = Some(value);
    Ok(())
}

/// What a directive that stands a second time is refused by, in nginx's words.
pub(super) fn duplicate(conf: &Conf) -> String {
    format!("\"{}\" directive is duplicate", conf.name())
}

/// The one argument, to be shown.
pub(super) fn argument(conf: &Conf) -> String {
    String::from_utf8_lossy(conf.arg()).into_owned()
}
