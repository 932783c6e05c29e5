-- expect: ok
-- says: nothing
-- What no script gets, whatever its profile says.
local found = {}
for _, name in ipairs {
    "load", "loadstring", "loadfile", "dofile", "require", "module", "package", "debug", "io", "jit", "ffi", "getfenv", "setfenv",
    "newproxy", "collectgarbage", "gcinfo", "print", "_ENV", "_LOADED", "_PRELOAD", "arg", "thread", "hotlua", "ndk",
} do
    if _G[name] ~= nil then found[#found + 1] = name end
end
for library, names in pairs {
    string = { "dump", "gfind" }, table = { "clear", "new", "foreach", "foreachi", "getn" },
    os = { "execute", "exit", "getenv", "remove", "rename", "tmpname", "setlocale" },
    math = {}, coroutine = {}, bit = {},
    ngx = { "shared", "socket", "timer", "location", "exec", "redirect", "thread", "worker", "config", "ctx", "log", "pipe", "process", "sleep",
        "eof", "flush", "on_abort", "run_worker_thread", "balancer", "ssl", "re", "get_phase", "headers_sent" },
} do
    for _, name in ipairs(names) do
        if _G[library][name] ~= nil then found[#found + 1] = library .. "." .. name end
    end
end
ngx.say(#found == 0 and "nothing" or table.concat(found, " "))
