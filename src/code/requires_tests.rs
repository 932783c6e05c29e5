//! Tests of finding requires: what is one, what is none, and hostile sources.

use super::*;
use std::time::{Duration, Instant};

#[test]
fn literal_requires_are_found() {
    let cases: &[(&str, &[&str])] = &[
        ("", &[]),
        (r#"require "x""#, &["x"]),
        ("require 'x'", &["x"]),
        (r#"require"x""#, &["x"]),
        (r#"local x = require("a.b")"#, &["a.b"]),
        ("require[[x]]", &["x"]),
        ("require [=[a]]b]=]", &["a]]b"]),
        ("require ( [==[x]==] )", &["x"]),
        ("require [[\r\nx]]", &["x"]),
        ("require\n--c\n\"x\"", &["x"]),
        ("require--[=[ \"y\" ]] ]=](--\n'x')", &["x"]),
        ("require((('x')))", &["x"]),
        ("require('x', 1)", &["x"]),
        ("pcall(require, \"x\")", &["x"]),
        ("pcall(require,('x'))", &["x"]),
        ("pcall(require, 'x', 1)", &["x"]),
        ("return require('x').new(require 'y')", &["x", "y"]),
        ("require'b' require'a' require'b'", &["b", "a"]),
        ("require 'x' .. 'y'", &["x"]),
        ("'a' .. require 'x'", &["x"]),
        ("f(...)require 'x'", &["x"]),
        ("::l::require 'x'", &["x"]),
        ("a = 1 require 'x'", &["x"]),
        ("a[ [[k]] ] = require 'x'", &["x"]),
        ("t[1]=[[ ]=] ]]require'x'", &["x"]),
        ("#! require 'y'\nrequire 'x'", &["x"]),
        ("# require 'y'\r\nrequire 'x'", &["x"]),
        ("\u{feff}require 'x'", &["x"]),
        ("\u{feff}#!y\nrequire 'x'", &["x"]),
        (r"require 'a\\b\'\46c\x2Ed'", &[r"a\b'.c.d"]),
        (r"require '\0651'", &["A1"]),
        ("require 'ä'", &["ä"]),
        // none of ours
        ("local r = require; r 'x'", &[]),
        ("xrequire 'x' require_ 'x' require2 'x'", &[]),
        ("ärequire 'x' requireä 'x'", &[]),
        ("a.require 'x' a . require('x')", &[]),
        ("a:require 'x' a--\n:require('x')", &[]),
        ("pcall(a.require, 'x')", &[]),
        ("1..require 'x' 0xrequire 'x' .5require'x'", &[]),
        ("require(name) require{'x'} require('x' .. y)", &[]),
        ("pcall(require, 'x' .. y)", &[]),
        ("require(('x'):lower())", &[]),
        ("require('x'", &[]),
        ("local t = {require, 'x'}", &[]),
        ("t = {require = 'x'}", &[]),
        ("require ''", &[]),
        (r"require '\q' require '\u{41}' require '\999' require '\x4'", &[]),
        (r"require '\x+4'", &[]),
        // comments and strings
        ("-- require 'x'\rrequire 'y'", &["y"]),
        ("--[==[ require 'x' ]=] ]] ]==]require 'y'", &["y"]),
        ("--[=x require 'x'\nrequire 'y'", &["y"]),
        ("--[[ ]=]]require 'y'", &["y"]),
        ("s = \"require 'x'\" .. 'require \"x\"'", &[]),
        ("s = [[require 'x']] .. [=[ ]] require 'x']=]", &[]),
        (r"s = 'a\'require \'x\'' require 'y'", &["y"]),
        (r"s = 'a\\'require 'y'", &["y"]),
        ("s = 'a\\\r\nrequire \"x\"' require 'y'", &["y"]),
        ("s = 'a\\z \n require \"x\"' require 'y'", &["y"]),
        ("s = 'broken\nrequire 'y'", &["y"]),
        ("--[[ require 'x'", &[]),
        ("s = [==[ require 'x' ]=]", &[]),
        ("require '", &[]),
        ("require 'x\\", &[]),
        ("require", &[]),
    ];
    for (source, want) in cases {
        assert_eq!(literal_requires(source.as_bytes()), *want, "{source:?}");
    }
}

#[test]
fn names_that_are_no_text_and_bytecode_yield_nothing() {
    let cases: &[&[u8]] = &[
        b"require '\xff'",
        br"require '\255'",
        b"\x1bLJ\x02\x0arequire 'x'",
        b"#!/bin/luajit\n\x1bLJ\x02 require 'x'",
    ];
    for source in cases {
        assert!(literal_requires(source).is_empty(), "{}", source.escape_ascii());
    }
}

#[test]
fn ffi_is_seen_only_as_a_required_name() {
    for (source, want) in [
        ("local ffi = require 'ffi'", true),
        ("local ok, ffi = pcall(require, \"ffi\")", true),
        ("local ffi = 1 -- require 'ffi'", false),
        ("require 'ffi.reflect'", false),
    ] {
        assert_eq!(uses_ffi(source.as_bytes()), want, "{source}");
    }
}

#[test]
fn no_bytes_make_it_panic() {
    const PIECES: &[&[u8]] = &[
        b"require", b"pcall(", b"(", b")", b",", b"[", b"]", b"=", b"[[", b"]]", b"[=[", b"]=]", b"--", b"\"", b"'",
        b"\\", b"\\x", b"\\z", b"\n", b"\r", b" ", b".", b"..", b":", b"1", b"x", b"\xff", b"\0", b"\x1b", b"#",
    ];
    // xorshift64: the same run every time.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for round in 0..60_000 {
        let mut source = Vec::new();
        for _ in 0..random(40) {
            if round % 3 == 0 {
                source.push(random(256) as u8);
            } else {
                source.extend_from_slice(PIECES[random(PIECES.len())]);
            }
        }
        for name in literal_requires(&source) {
            assert!(!name.is_empty());
        }
    }
}

#[test]
fn time_is_linear_in_hostile_sources() {
    const BYTES: usize = 1 << 20;
    for piece in [
        "require(",
        "require,",
        "require--[[",
        "require[=[",
        "[=",
        "[",
        "]=",
        "--[==[ ]=",
        "require\"",
        "\\",
        "(",
        "require --\n",
        "pcall(require,\"a",
        "require'a'",
        "..",
        "1",
    ] {
        let source = piece.repeat(BYTES / piece.len());
        let start = Instant::now();
        literal_requires(source.as_bytes());
        literal_requires(format!("require [=[{source}").as_bytes());
        // Quadratic work on 1 MB is minutes.
        assert!(start.elapsed() < Duration::from_secs(10), "{piece:?}");
    }
}
