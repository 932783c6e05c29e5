"""Publishes in a row: what each costs, and whether anything of them stays in the workers or in the zone.

The application has a module that uses the FFI and requires the module that changes, so every publish runs its
`ffi.cdef`, `ffi.metatype` and `ffi.C` again.
"""

import statistics
import time
from dataclasses import asdict, dataclass

import client
import deploy
import machine
import subjects
from subjects import BenchError, Subject

WORKERS = 2
REQUESTS_BETWEEN = 2  # to each worker, after each publish
PARTS = (0.01, 0.1, 0.25, 0.5, 1)  # of the run: where memory is read
CONNECTIONS_TRIED = 64  # to find one to each worker
PATH = "/app"

CHANGING = "return { version = @V@ }\n"
FFI = """\
local ffi = require "ffi"
local changing = require "app.changing"
ffi.cdef [[
    struct bench_point { int32_t x, y; };
    typedef struct { struct bench_point at; int32_t colour; } bench_pixel;
    int getpid(void);
]]
local point = ffi.metatype("struct bench_point", { __index = { sum = function(self) return self.x + self.y end } })
local pixel = ffi.metatype("bench_pixel", {
    __index = { sum = function(self) return point(self.at):sum() + self.colour end },
})
return { version = changing.version, pid = function() return pixel({ ffi.C.getpid(), 0 }, 0):sum() end }
"""
PLAIN = """\
local changing = require "app.changing"
return { version = changing.version, pid = function() return tonumber(ngx.var.pid) end }
"""
HANDLER = """\
local app = require "app.uses"
local text = app.pid() .. " " .. require("app.changing").version .. " " .. app.version
ngx.header.content_length = #text
ngx.print(text)
"""


@dataclass(frozen=True)
class Reading:
    """Memory at a point of the run, in bytes."""
    publishes: int
    resident: dict  # pid -> bytes
    zone_used: int


@dataclass(frozen=True)
class Result:
    readings: list
    calls: list  # seconds of each call
    seconds: float  # the whole run, requests and file writes included


def make_subject(module, module_version, lua_dir):
    made = subjects.ours(module, module_version, lua_dir)
    return Subject("publishes", "ours", module_version, made.load_modules, made.http, str, WORKERS)


def set_up(subject, nginx, lua_dir, directory, with_ffi):
    (lua_dir / "app").mkdir(parents=True)
    deploy.write_file(lua_dir / "app/uses.lua", FFI if with_ffi else PLAIN)
    deploy.write_file(lua_dir / "handler.lua", HANDLER)
    write_version(lua_dir, 0)
    locations = [f'location = {PATH} {{\ncontent_by_lua_file "{lua_dir}/handler.lua";\n}}',
                 "location /hotlua/ {\nhotlua_control;\n}"]
    subject.set_up(nginx, locations, None, directory)


def write_version(lua_dir, version):
    deploy.write_file(lua_dir / "app/changing.lua", CHANGING.replace("@V@", str(version)))


def measure(subject, lua_dir, count, call, show):
    """The Result of `count` publishes; `show` is given each line of the table as soon as it is known."""
    subject.start()
    connections = connect_to_each(subject)
    points = {max(1, round(count * part)) for part in PARTS}
    calls, readings = [], [read(subject, connections, 0)]
    show(heading(readings[0]))
    show(line(readings[0]))
    started = time.monotonic()
    for number in range(1, count + 1):
        write_version(lua_dir, number)
        before = time.monotonic()
        deploy.publish(subject, call, ["app.changing"])
        calls.append(time.monotonic() - before)
        for pid, connection in connections.items():
            for _ in range(REQUESTS_BETWEEN):
                check_answer(subject, connection, pid, number)
        if number in points:
            readings.append(read(subject, connections, number))
            show(line(readings[-1]))
    seconds = time.monotonic() - started
    for connection in connections.values():
        connection.close()
    return Result(readings, calls, seconds)


def connect_to_each(subject):
    """{pid: connection}, one to each worker."""
    found = {}
    for _ in range(CONNECTIONS_TRIED):
        connection = client.Connection(subject.port)
        status, body = connection.request(PATH)
        if status != 200:
            raise BenchError(f"{PATH} answers {status}: {body[:200]!r}\n{subject.log_tail()}")
        pid = int(body.split()[0])
        if pid in found:
            connection.close()
        else:
            found[pid] = connection
    if len(found) != WORKERS:
        raise BenchError(f"{CONNECTIONS_TRIED} connections reached {len(found)} of {WORKERS} workers")
    return found


def check_answer(subject, connection, pid, version):
    try:
        status, body = connection.request(PATH)
    except client.Broken as error:
        raise BenchError(f"worker {pid}: after publish {version}: {error}\n{subject.log_tail()}") from None
    if status != 200 or body != f"{pid} {version} {version}":
        raise BenchError(f"worker {pid} answers {status} {body[:200]!r} after publish {version}\n{subject.log_tail()}")


def read(subject, connections, publishes):
    _, status = client.control(subject.port, "GET", "status")
    return Reading(publishes, {pid: machine.resident(pid) for pid in connections}, status["zone"]["used"])


MIB = 1024 * 1024


def heading(reading):
    workers = [f"RSS of worker {number}, MiB" for number in range(len(reading.resident))]
    cells = ["publishes", *workers, "zone used, KiB"]
    return "\n".join("| " + " | ".join(row) + " |" for row in (cells, ["-" * len(cell) for cell in cells]))


def line(reading):
    memory = [f"{one / MIB:.2f}".ljust(len("RSS of worker 0, MiB")) for one in reading.resident.values()]
    cells = [f"{reading.publishes:<9}", *memory, f"{reading.zone_used / 1024:<14.0f}"]
    return "| " + " | ".join(cells) + " |"


def summary(result):
    calls = sorted(result.calls)
    p99 = calls[min(len(calls) - 1, int(len(calls) * 0.99))]
    return (f"publishes a second: {len(calls) / result.seconds:.0f} with {REQUESTS_BETWEEN} requests to each worker "
            f"between, {len(calls) / sum(calls):.0f} of the calls alone\n"
            f"call, ms: p50 {statistics.median(calls) * 1000:.2f}, p99 {p99 * 1000:.2f}, max {calls[-1] * 1000:.2f}")


def as_json(header, result):
    return {"header": header, **asdict(result)}
