"""The workloads: each is a row of the table, with the Lua it runs and the answer it must give."""

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

SOURCES = Path(__file__).resolve().parent / "lua"
UNTRUSTED = Path(__file__).resolve().parent / "untrusted"


@dataclass(frozen=True)
class Workload:
    name: str
    path: str  # what wrk asks for
    directive: str  # of the Lua subjects; @DIR@ is the directory of the Lua files, @UNTRUSTED@ that of the scripts
    body: str  # what every subject must answer
    lua_http: str = ""  # what the Lua subjects need in http
    ours: str = ""  # our subject's own directive, where that is another one
    ours_http: str = ""  # what that needs in http
    location: str = ""  # default: `= path`, which keeps the regex locations out of the other rows
    request_headers: dict = field(default_factory=dict)
    response_headers: dict = field(default_factory=dict)  # of the Lua subjects
    server: str = ""  # of servers.py; @PORT@ in the directive is its port

    def location_block(self, directive):
        return f"location {self.location or '= ' + self.path} {{\n{directive}\n}}"

    def lua_block(self, lua_dir):
        return self.location_block(placed(self.directive, lua_dir))

    def ours_block(self, lua_dir):
        return self.location_block(placed(self.ours or self.directive, lua_dir))

    def return_block(self):
        """The same location and body without Lua: what is above it is Lua's cost alone, not that of more bytes."""
        text = self.body
        if "$" in text:
            raise ValueError(f"row {self.name}: `return` would take the $ in the body for a variable")
        for char, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n")):
            text = text.replace(char, escaped)
        return self.location_block(f'return 200 "{text}";')


def placed(text, lua_dir):
    return text.replace("@DIR@", str(lua_dir)).replace("@UNTRUSTED@", str(untrusted_dir(lua_dir)))


def untrusted_dir(lua_dir):
    """The directory of the untrusted scripts: beside the code root, as it must not be in it."""
    return lua_dir.parent / "untrusted"


# The names that lua/hand_rolled.lua offers, and its limit.
PROFILE = """\
hotlua_sandbox bench {
    allow ipairs pairs select tonumber tostring type math string table ngx.say;
    instructions 1m;
}"""

VARS_HEADERS_ARGS = "a=1&b=two&c=3"
VARS_HEADERS_PATH = "/var-20-header-5"

WORKLOADS = [
    Workload(
        name="say-inline",
        path="/say-inline",
        directive='content_by_lua_block { ngx.say("hello") }',
        body="hello\n",
    ),
    Workload(
        name="file-static",
        path="/file-static",
        directive='content_by_lua_file "@DIR@/hello.lua";',
        body="hello\n",
    ),
    Workload(
        name="phases",
        path="/phases",
        directive="""\
set_by_lua_block $x { return 1 }
rewrite_by_lua_block { ngx.ctx.a = ngx.var.x + 1 }
access_by_lua_block { if ngx.ctx.a ~= 2 then ngx.exit(403) end }
content_by_lua_block { ngx.say("hello") }
header_filter_by_lua_block { ngx.header.content_length = 6 }
log_by_lua_block { ngx.ctx.a = nil }""",
        body="hello\n",
    ),
    Workload(
        name="body-filter",
        path="/body-filter",
        directive="""\
content_by_lua_block { ngx.say("hello") }
body_filter_by_lua_block { ngx.arg[1] = ngx.arg[1]:upper() }""",
        body="HELLO\n",
    ),
    Workload(
        name="file-$1",
        path="/lua/hello",
        location=r"~ ^/lua/(\w+)$",
        directive='content_by_lua_file "@DIR@/$1.lua";',
        body="hello\n",
    ),
    Workload(
        name="require-20",
        path="/require-20",
        directive='content_by_lua_file "@DIR@/require_20.lua";',
        body=f"{sum(range(1, 21))}\n",
    ),
    Workload(
        name="say-200",
        path="/say-200",
        directive='content_by_lua_file "@DIR@/say_200.lua";',
        body="".join(f"line {i}\n" for i in range(1, 201)),
    ),
    Workload(
        name="print-200",
        path="/print-200",
        directive='content_by_lua_file "@DIR@/print_200.lua";',
        body="".join(f"line {i}" for i in range(1, 201)),
    ),
    Workload(
        name="var-20-header-5",
        path=f"{VARS_HEADERS_PATH}?{VARS_HEADERS_ARGS}",
        location=f"= {VARS_HEADERS_PATH}",
        directive='content_by_lua_file "@DIR@/vars_headers.lua";',
        body=" ".join([
            "1", "two", "3", "-",
            VARS_HEADERS_ARGS, VARS_HEADERS_ARGS, "?",
            VARS_HEADERS_PATH, VARS_HEADERS_PATH, f"{VARS_HEADERS_PATH}?{VARS_HEADERS_ARGS}",
            "127.0.0.1", "bench", "127.0.0.1",
            "GET", "http", "HTTP/1.1",
            "bench/1", "*/*", "t-1", "s-1",
        ]) + "\n",
        request_headers={
            "User-Agent": "bench/1", "Accept": "*/*", "X-Trace": "t-1", "Cookie": "session=s-1",
        },
        response_headers={
            "Content-Type": "text/plain", "Cache-Control": "no-store", "X-Trace": "trace",
            "X-Count": "20", "X-Underscore": "dash",
        },
    ),
    Workload(
        name="dict-20",
        path="/dict-20",
        directive='content_by_lua_file "@DIR@/dict_20.lua";',
        lua_http="lua_shared_dict bench 10m;",
        body="20\n",
    ),
    Workload(
        name="redis-get",
        path="/redis-get",
        directive="""\
content_by_lua_block {
    local red = require("nginx.redis"):new()
    red:set_timeout(1000)
    assert(red:connect("127.0.0.1", @PORT@))
    if red:get_reused_times() == 0 then red:set("dog", "an animal") end
    ngx.say(red:get("dog"))
    red:set_keepalive(60000, 100)
}""",
        body="an animal\n",
        server="redis",
    ),
    Workload(
        name="memcached-get",
        path="/memcached-get",
        directive="""\
content_by_lua_block {
    local memc = require("nginx.memcached"):new()
    memc:set_timeout(1000)
    assert(memc:connect("127.0.0.1", @PORT@))
    if memc:get_reused_times() == 0 then memc:set("dog", "an animal") end
    ngx.say((memc:get("dog")))
    memc:set_keepalive(60000, 100)
}""",
        body="an animal\n",
        server="memcached",
    ),
    Workload(
        name="threads-1000",
        path="/threads-1000",
        directive='content_by_lua_file "@DIR@/threads_1000.lua";',
        body="500500\n",
    ),
    Workload(
        name="sleep-100",
        path="/sleep-100",
        directive='content_by_lua_file "@DIR@/sleep_100.lua";',
        body="100\n",
    ),
    Workload(
        name="timers-1000",
        path="/timers-1000",
        directive='content_by_lua_file "@DIR@/timers_1000.lua";',
        lua_http="lua_max_pending_timers 200000;\nlua_max_running_timers 200000;",
        body="1000\n",
    ),
    Workload(
        name="sandbox-hello",
        path="/sandbox-hello",
        directive='content_by_lua_file "@DIR@/sandbox_hello.lua";',
        ours='content_by_sandbox_file bench "@UNTRUSTED@/hello.lua";',
        ours_http=PROFILE,
        body="hello\n",
    ),
    Workload(
        name="sandbox-200",
        path="/sandbox-200",
        directive='content_by_lua_file "@DIR@/sandbox_200.lua";',
        ours='content_by_sandbox_file bench "@UNTRUSTED@/random_200.lua";',
        ours_http=PROFILE,
        body="done\n",
    ),
]


def select(names):
    """The rows named, in the table's order; all without names."""
    known = [w.name for w in WORKLOADS]
    unknown = [n for n in names if n not in known]
    if unknown:
        raise ValueError(f"no such row: {', '.join(unknown)} (rows: {', '.join(known)})")
    return [w for w in WORKLOADS if not names or w.name in names]


def connected(rows, ports):
    """The rows with the ports of the servers in them."""
    return [replace(row, directive=row.directive.replace("@PORT@", str(ports[row.server]))) if row.server else row
            for row in rows]


def lua_http(rows):
    """What the Lua subjects need in http for these rows, each once."""
    return list(dict.fromkeys(row.lua_http for row in rows if row.lua_http))


def ours_http(rows):
    """What our subject needs in http for these rows besides, each once."""
    return list(dict.fromkeys(row.ours_http for row in rows if row.ours_http))


def write_lua(directory):
    """Puts the Lua files where the subjects read them."""
    shutil.copytree(SOURCES, directory)
    shutil.copytree(UNTRUSTED, untrusted_dir(directory))
    lib = directory / "lib"
    lib.mkdir()
    for n in range(1, 21):
        (lib / f"m{n}.lua").write_text(
            f"local M = {{}}\n\nfunction M.add(sum)\n    return sum + {n}\nend\n\nreturn M\n")
