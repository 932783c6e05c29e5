//! `set_by_lua*`: Lua whose first result is a variable's value.

use std::any::Any;

use mlua::Value;

use crate::conf::SetCode;
use crate::nginx::{Phase, Request};
use crate::text::number_text;

use super::call::call;

/// Computes the value of a `set_by_lua*`. None: that has failed and was logged.
pub fn set(request: &Request, what: &dyn Any) -> Option<Vec<u8>> {
    let set: &SetCode = what.downcast_ref()?;
    let arguments = set.arguments.iter().map(|argument| argument.evaluate(request).map(<[u8]>::to_vec));
    let arguments = arguments.collect::<Option<_>>()?;
    let before = request.state_or_new()?.arguments.replace(arguments);
    let result = call::<Value>(request, &set.code, Phase::SET, "set_by_lua");
    request.state_or_new()?.arguments.replace(before);
    match result? {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(number) => Some(number_text(number as f64).as_bytes().to_vec()),
        Value::Number(number) => Some(number_text(number).as_bytes().to_vec()),
        // What is no text is taken for none, as upstream does.
        _ => Some(Vec::new()),
    }
}
