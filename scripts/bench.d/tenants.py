"""Many tenants' scripts: the first hit of each, the second, and the worker's memory."""

import time
from dataclasses import dataclass

import attacks
import client
import machine
from neighbours import at
from subjects import BenchError

MIB = 1024 * 1024
SOURCE = """\
-- Tenant @N@
local name = "tenant @N@"
local function greeting(of)
    return "hello " .. of .. ", " .. string.rep("x", @N@ % 7)
end
ngx.say(greeting(name))
"""


@dataclass(frozen=True)
class Hits:
    """All scripts, one after the other; times in µs."""
    way: str
    count: int
    first: list
    second: list
    cpu_first: float  # of the worker for one first hit
    cpu_second: float
    empty: int  # bytes that a worker is resident with before there are scripts
    resident: list  # bytes: with them before the first hit, after the first hits, after the second


def ours_http(count):
    return [attacks.profile("shared"), attacks.profile("each", per="$arg_t", vms=str(count))]


def ours_locations(tenants):
    return [f'location ~ ^/{profile}/(\\w+)$ {{\ncontent_by_sandbox_file {profile} "{tenants}/$1.lua";\n}}'
            for profile in ("shared", "each")]


def peer_locations(tenants):
    return [f'location ~ ^/plain/(\\w+)$ {{\ncontent_by_lua_file "{tenants}/$1.lua";\n}}']


def write_scripts(directory, count):
    for number in range(count):
        (directory / f"t{number}.lua").write_text(SOURCE.replace("@N@", str(number)))


def empty(subject):
    """Bytes that a worker is resident with, in a launch of its own."""
    subject.start()
    resident = machine.resident(subject.worker)
    subject.stop()
    return resident


def measure(subject, way, prefix, count, empty):
    """The Hits of a launch of its own."""
    subject.start()
    connection = client.Connection(subject.port)
    resident = [machine.resident(subject.worker)]
    times, cpu = [], []
    for _ in range(2):
        own, spent = [], subject.cpu_time()
        for number in range(count):
            began = time.perf_counter()
            status, body = connection.request(f"/{prefix}/t{number}?t=t{number}")
            own.append(1e6 * (time.perf_counter() - began))
            if status != 200 or not body.startswith(f"hello tenant {number},"):
                raise BenchError(f"{way}: script {number} answers {status} {body[:200]!r}\n{subject.log_tail()}")
        times.append(sorted(own))
        cpu.append(1e6 * (subject.cpu_time() - spent).run / count)
        resident.append(machine.resident(subject.worker))
    connection.close()
    return Hits(way, count, *times, *cpu, empty, resident)


def rows(found):
    table = [["way", "first hit, µs: p50", "p99", "CPU", "second, µs: p50", "p99", "CPU",
              "RSS without scripts, MiB", "not yet hit", "hit", "a script, KiB"]]
    for one in found:
        before, after, _ = one.resident
        table.append([
            one.way,
            *(f"{value:.0f}" for value in (at(one.first, 0.5), at(one.first, 0.99), one.cpu_first,
                                           at(one.second, 0.5), at(one.second, 0.99), one.cpu_second)),
            *(f"{value / MIB:.1f}" for value in (one.empty, before, after)),
            f"{(after - one.empty) / one.count / 1024:.2f}"])
    return table
