//! Compiles the Lua of a directive so that LuaJIT begins traces at it: it does not at functions of variable arguments,
//! which all chunks are.

use mlua::Function;

use super::error::Failure;
use super::state::{Vm, chunk};

/// What bytecode begins with, up to the version whose layout is known here.
const HEADER: [u8; 4] = *b"\x1bLJ\x02";
/// A flag of the header: no name of the chunk follows.
const STRIPPED: u32 = 0x02;
/// A flag of a function: it takes variable arguments.
const VARARG: u8 = 0x02;

impl Vm {
    /// Compiles a directive's Lua: `text`, of which `loadable` may be the bytecode. `name` is a Lua chunk name.
    ///
    /// A chunk that does not say `...` does not miss it: it is made a function of no arguments.
    pub fn compile_handler(&self, text: &[u8], loadable: &[u8], name: &str) -> Result<Function, Failure> {
        let function = self.compile(loadable, name)?;
        if text.starts_with(&HEADER[..1]) || text.windows(3).any(|bytes| bytes == b"...") {
            return Ok(function);
        }
        let mut bytecode = function.dump(false);
        if !fix_arguments(&mut bytecode) {
            return Ok(function);
        }
        Ok(chunk(self.lua(), &bytecode, name).into_function()?)
    }
}

/// Makes the main function of bytecode one of no arguments. False: the layout is another one, and nothing was changed.
fn fix_arguments(bytecode: &mut [u8]) -> bool {
    flags_of_main(bytecode).and_then(|at| bytecode.get_mut(at)).is_some_and(|flags| {
        *flags &= !VARARG;
        true
    })
}

/// Where the flags of the main function are. The functions follow one another, each after its length, inner ones first;
/// a zero ends them.
fn flags_of_main(bytecode: &[u8]) -> Option<usize> {
    let mut rest = bytecode.strip_prefix(&HEADER)?;
    if take_number(&mut rest)? & STRIPPED == 0 {
        let name = take_number(&mut rest)?;
        rest = rest.get(name as usize..)?;
    }
    let mut last = None;
    loop {
        match take_number(&mut rest)? {
            0 => return last,
            length => {
                last = Some(bytecode.len() - rest.len());
                rest = rest.get(length as usize..)?;
            }
        }
    }
}

/// Takes a number off: seven bits a byte, the lowest first, all but the last byte marked.
fn take_number(rest: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    for shift in (0..u32::BITS).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes_variable_arguments(vm: &Vm, handler: Function) -> bool {
        let ask = vm.lua().load("return require('jit.util').funcinfo(...).isvararg or false");
        ask.call(handler).unwrap()
    }

    #[test]
    fn a_chunk_without_dots_takes_no_arguments_and_does_the_same() {
        let vm = Vm::new(&[]).unwrap();
        let long = format!("local t = {{ {} }} return #t", "'x', ".repeat(30_000));
        for (source, want) in [
            ("return 7", 7),
            ("local function f(a) return a + 1 end return f(6)", 7),
            ("#!/usr/bin/lua\nreturn 7", 7),
            ("local up = 3 return (function() return up + 4 end)()", 7),
            (&long, 30_000),
        ] {
            let handler = vm.compile_handler(source.as_bytes(), source.as_bytes(), "=handler").unwrap();
            assert_eq!(handler.call::<i32>(()).unwrap(), want, "{}", &source[..source.len().min(60)]);
            assert!(!takes_variable_arguments(&vm, handler));
        }
    }

    #[test]
    fn one_with_dots_and_bytecode_keep_them() {
        let vm = Vm::new(&[]).unwrap();
        let bytecode = vm.compile(b"return select('#', ...)", "=x").unwrap().dump(false);
        for source in [&b"return select('#', ...)"[..], &bytecode] {
            let handler = vm.compile_handler(source, source, "=handler").unwrap();
            assert_eq!(handler.call::<i32>((1, 2)).unwrap(), 2);
            assert!(takes_variable_arguments(&vm, handler));
        }
    }

    #[test]
    fn the_bytecode_of_a_text_is_what_is_loaded() {
        let vm = Vm::new(&[]).unwrap();
        let text = b"local a = 1\nerror(a)";
        let bytecode = vm.compile(text, "@file.lua").unwrap().dump(false);
        let handler = vm.compile_handler(text, &bytecode, "@file.lua").unwrap();
        assert!(!takes_variable_arguments(&vm, handler.clone()));
        assert!(handler.call::<()>(()).unwrap_err().to_string().contains("file.lua:2: 1"));
    }

    #[test]
    fn what_is_no_bytecode_stays_as_it_is() {
        for bytes in [
            &b""[..],
            b"\x1bLJ\x01\x02\x05abcde\x00",
            b"\x1bLJ\x02\x02\x7fa",
            b"\x1bLJ\x02\x00\xff\xff\xff\xff\xff\xff",
        ] {
            let mut copy = bytes.to_vec();
            assert!(!fix_arguments(&mut copy), "{bytes:?}");
            assert_eq!(copy, bytes);
        }
    }
}
