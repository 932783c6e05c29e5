//! The names that scripts may be offered, and those that they are refused, with the reason.

/// Names that belong together.
pub struct Group {
    /// The library that stands for all of them; empty where none does.
    pub library: &'static str,
    /// As scripts spell them.
    pub names: &'static [&'static str],
}

/// All that may be offered.
#[rustfmt::skip]
pub const OFFERED: &[Group] = &[
    Group { library: "", names: &[
        "_G", "_VERSION", "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget",
        "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "unpack", "xpcall",
    ] },
    Group { library: "bit", names: &[
        "bit.arshift", "bit.band", "bit.bnot", "bit.bor", "bit.bswap", "bit.bxor", "bit.lshift", "bit.rol", "bit.ror",
        "bit.rshift", "bit.tobit", "bit.tohex",
    ] },
    Group { library: "coroutine", names: &[
        "coroutine.create", "coroutine.isyieldable", "coroutine.resume", "coroutine.running", "coroutine.status",
        "coroutine.wrap", "coroutine.yield",
    ] },
    Group { library: "math", names: &[
        "math.abs", "math.acos", "math.asin", "math.atan", "math.atan2", "math.ceil", "math.cos", "math.cosh",
        "math.deg", "math.exp", "math.floor", "math.fmod", "math.frexp", "math.huge", "math.ldexp", "math.log",
        "math.log10", "math.max", "math.min", "math.modf", "math.pi", "math.pow", "math.rad",
        "math.random", "math.randomseed", "math.sin", "math.sinh", "math.sqrt", "math.tan", "math.tanh",
    ] },
    Group { library: "os", names: &["os.clock", "os.date", "os.time"] },
    Group { library: "string", names: &[
        "string.byte", "string.char", "string.find", "string.format", "string.gmatch", "string.gsub", "string.len",
        "string.lower", "string.match", "string.rep", "string.reverse", "string.sub", "string.upper",
    ] },
    Group { library: "table", names: &["table.concat", "table.insert", "table.maxn", "table.remove", "table.sort"] },
    Group { library: "", names: &[
        "ngx.cookie_time", "ngx.crc32_long", "ngx.crc32_short", "ngx.decode_args", "ngx.decode_base64",
        "ngx.encode_args", "ngx.encode_base64", "ngx.escape_uri", "ngx.exit", "ngx.header", "ngx.http_time",
        "ngx.localtime", "ngx.md5", "ngx.md5_bin", "ngx.now", "ngx.print", "ngx.req.get_headers",
        "ngx.req.get_method", "ngx.req.get_uri_args", "ngx.say", "ngx.sha1_bin", "ngx.status", "ngx.time",
        "ngx.today", "ngx.unescape_uri", "ngx.utctime",
    ] },
];

/// What no script is offered: names, and beginnings of names that end in `*` (`io.*` is `io`, too); and what is said
/// of them, behind the name.
const REFUSED: &[(&[&str], &str)] = &[
    (&["load", "loadstring"], "makes code of text and of bytecode, which no limit holds"),
    (&["loadfile", "dofile", "require", "module", "package.*"], "loads other files: a script is one file"),
    (&["string.dump"], "makes bytecode, which no limit holds"),
    (&["getfenv", "setfenv"], "reaches the globals of other functions"),
    (&["debug.*"], "reaches into other functions and turns limits off"),
    (&["jit.*"], "steers the compiler, which runs code that no limit sees"),
    (&["ffi.*"], "reaches all of nginx's memory"),
    (&["io.*"], "reads and writes files"),
    (
        &["os.execute", "os.exit", "os.getenv", "os.remove", "os.rename", "os.tmpname", "os.setlocale"],
        "acts on nginx's process and on its files: of os there are clock, date and time",
    ),
    (&["newproxy"], "makes finalizers, which run outside of every limit"),
    (&["collectgarbage", "gcinfo"], "steers the collector, which the memory limit needs"),
    (&["print"], "writes into the error log, use ngx.say"),
    (&["string.buffer.*"], "has memory of its own, which no limit counts: use table.concat"),
    (
        &["table.new", "table.clear", "table.clone", "table.move", "table.nkeys", "table.isarray", "table.isempty"],
        "is an extension of LuaJIT that scripts do without",
    ),
    (&["table.foreach", "table.foreachi", "table.getn"], "is of Lua 5.0, use pairs, ipairs and #"),
    (
        &["ngx.var", "ngx.var.", "ngx.var.*"],
        "would offer every variable: name those that scripts need, for instance ngx.var.host or ngx.var.arg_*",
    ),
    (&["ngx", "ngx.*"], "is not offered as a whole: name what scripts need, for instance ngx.say"),
    (&["ngx.req", "ngx.req.*"], "is not offered as a whole: name what scripts need, for instance ngx.req.get_method"),
    (&["ngx.location.*", "ngx.exec"], "runs other locations, with all that they may do"),
    (&["ngx.redirect"], "ends the request at once: set ngx.status and ngx.header.location"),
    (&["ngx.socket.*", "ngx.req.socket"], "reaches the network"),
    (&["ngx.timer.*", "ngx.thread.*", "ngx.on_abort"], "outlives the run and its limits"),
    (&["ngx.shared.*", "ngx.ctx.*"], "belongs to the Lua of the host"),
    (&["ngx.log"], "writes into the error log of all"),
    (&["ngx.sleep"], "keeps a VM while nothing runs in it"),
    (
        &["ngx.req.set_*", "ngx.req.clear_*", "ngx.req.append_*", "ngx.req.init_*", "ngx.req.finish_*"],
        "changes the request that the rest of nginx goes by",
    ),
    (
        &["ngx.req.read_*", "ngx.req.discard_*", "ngx.req.get_body_*", "ngx.req.get_post_*"],
        "reads the body, for which the run would wait",
    ),
    (&["ngx.re.*"], "tracks back in C, where no limit counts: use string.find and string.match"),
    (&["ngx.eof", "ngx.flush", "ngx.send_headers"], "sends at once: output goes out when the script has ended well"),
    (&["ngx.worker.*", "ngx.process.*", "ngx.config.*", "ngx.run_worker_thread"], "belongs to nginx's processes"),
    (&["hotlua.*"], "changes the code of the host"),
];

/// Why a name is refused, as what follows it in a sentence. None where it is not.
pub fn refused(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(names, _)| names.iter().any(|one| covers(one, name))).map(|(_, reason)| *reason)
}

/// Every name that may be offered.
pub fn offered() -> impl Iterator<Item = &'static str> {
    OFFERED.iter().flat_map(|group| group.names).copied()
}

/// Says whether an entry of [`REFUSED`] means a name.
fn covers(entry: &str, name: &str) -> bool {
    // These three are refused as a whole only.
    if matches!(entry, "ngx.*" | "ngx.req.*" | "ngx.var.*") {
        return entry == name;
    }
    match entry.strip_suffix('*') {
        Some(start) => name.starts_with(start) || start.strip_suffix('.') == Some(name),
        None => entry == name,
    }
}

#[cfg(test)]
mod tests {
    use mlua::{Lua, StdLib, Table};

    use super::{OFFERED, offered, refused};

    /// Names of LuaJIT that are simply unknown: harmless, and of no use to a script.
    const UNKNOWN: &[&str] = &["os.difftime"];

    #[test]
    fn each_name_of_luajit_is_offered_or_refused() {
        // SAFE only; the other libraries are refused as a whole.
        let lua = Lua::new_with(StdLib::ALL_SAFE, mlua::LuaOptions::default()).unwrap();
        let mut found = Vec::new();
        for pair in lua.globals().pairs::<String, mlua::Value>() {
            let (name, value) = pair.unwrap();
            match value {
                mlua::Value::Table(library) if name != "_G" => {
                    found.extend(keys(&library).into_iter().map(|key| format!("{name}.{key}")));
                }
                _ => found.push(name),
            }
        }
        for name in &found {
            let (offered, refused) = (offered().any(|one| one == name), refused(name).is_some());
            assert!(offered != refused || UNKNOWN.contains(&name.as_str()), "{name}: {offered} {refused}");
        }
        let missing: Vec<_> =
            offered().filter(|name| !name.starts_with("ngx.") && !found.iter().any(|one| one == name)).collect();
        assert_eq!(missing, [""; 0], "LuaJIT has none of these");
    }

    fn keys(table: &Table) -> Vec<String> {
        table.pairs::<String, mlua::Value>().map(|pair| pair.unwrap().0).collect()
    }

    #[test]
    fn nothing_is_both_offered_and_refused() {
        for name in offered() {
            assert_eq!(refused(name), None, "{name}");
        }
        for group in OFFERED {
            assert!(group.names.is_sorted(), "{}", group.library);
            assert!(group.library.is_empty() || group.names.iter().all(|name| name.starts_with(group.library)));
        }
    }

    #[test]
    fn what_is_dangerous_is_refused() {
        for name in [
            "load",
            "loadstring",
            "loadfile",
            "dofile",
            "require",
            "module",
            "package",
            "package.loaded",
            "getfenv",
            "setfenv",
            "debug",
            "debug.sethook",
            "jit",
            "jit.off",
            "ffi",
            "ffi.cast",
            "io",
            "io.*",
            "io.open",
            "os.execute",
            "os.exit",
            "os.getenv",
            "os.remove",
            "os.rename",
            "os.tmpname",
            "os.setlocale",
            "newproxy",
            "collectgarbage",
            "gcinfo",
            "string.dump",
            "print",
            "ngx",
            "ngx.*",
            "ngx.req",
            "ngx.req.*",
            "ngx.var",
            "ngx.var.*",
            "ngx.var.",
            "ngx.location",
            "ngx.location.capture",
            "ngx.exec",
            "ngx.redirect",
            "ngx.socket.tcp",
            "ngx.timer.at",
            "ngx.thread.spawn",
            "ngx.shared",
            "ngx.shared.cache",
            "ngx.ctx",
            "ngx.ctx.x",
            "ngx.log",
            "ngx.sleep",
            "ngx.req.set_header",
            "ngx.req.set_uri",
            "ngx.req.read_body",
            "ngx.req.get_body_data",
            "ngx.re",
            "ngx.re.match",
            "ngx.eof",
            "ngx.flush",
            "ngx.worker.pid",
            "hotlua",
            "hotlua.publish",
            "string.buffer",
            "string.buffer.new",
            "table.new",
            "table.clear",
            "table.clone",
        ] {
            assert!(refused(name).is_some(), "{name}");
        }
        for name in ["ngx.say", "ngx.vary", "loads", "iota", "", "ngx.var.host", "ngx.req.get_method", "os"] {
            assert_eq!(refused(name), None, "{name}");
        }
    }
}
