//! What a call returns by LuaJIT, interpreted.

use crate::case::{Call, Case};
use crate::ours::{Results, Value};
use mlua::{Function, Lua, MultiValue, Table};

pub struct Oracle {
    lua: Lua,
    call: Function,
}

impl Oracle {
    pub fn new() -> Self {
        let lua = Lua::new();
        let call = lua.load(include_str!("oracle.lua")).set_name("=oracle").eval().expect("the oracle loads");
        Self { lua, call }
    }

    pub fn results(&self, case: &Case) -> Results {
        let text = |bytes: &[u8]| self.lua.create_string(bytes).expect("memory for a string");
        let (subject, pattern) = (text(&case.subject), text(&case.pattern));
        let answer = match &case.call {
            Call::Find { init, plain } => self.call.call(("find", subject, pattern, *init, *plain)),
            Call::Match { init } => self.call.call(("match", subject, pattern, *init)),
            Call::Gmatch => self.call.call(("gmatch", subject, pattern)),
            Call::Gsub { with, limit } => self.call.call(("gsub", subject, pattern, text(with), *limit)),
            Call::GsubFunction => self.call.call(("gsub_function", subject, pattern)),
        };
        let answer: MultiValue = answer.expect("the oracle catches errors");
        match answer.front() {
            Some(mlua::Value::Table(notes)) => Ok(notes.sequence_values().map(|note| values(note.unwrap())).collect()),
            Some(mlua::Value::String(message)) => Err(message.to_string_lossy()),
            other => panic!("the oracle answers {other:?}"),
        }
    }
}

fn values(note: Table) -> Vec<Value> {
    let count: usize = note.get("n").unwrap();
    let value = |index| match note.get(index).unwrap() {
        mlua::Value::Nil => Value::Nil,
        mlua::Value::Integer(number) => Value::Number(number),
        mlua::Value::Number(number) => Value::Number(number as i64),
        mlua::Value::String(text) => Value::Text(text.as_bytes().to_vec()),
        other => panic!("LuaJIT returns {other:?}"),
    };
    (1..=count).map(value).collect()
}
