"""How far a script gets beyond each limit of its profile, one script at a time."""

import re
import statistics
import time
from dataclasses import dataclass

import attacks
import client
import machine
from subjects import BenchError

RUNS = 10
SECONDS = 3  # no further run of a script after that
MIB = 1024 * 1024
TIME_MS = 100
INSTRUCTIONS = "1m"
MEMORY = 8 * MIB
OUTPUT = 65536
FAR = {"instructions": "100000m", "time": "2s", "memory": "64m", "output": "64m"}

# Profile -> its limits: one is near, the others are far.
PROFILES = {
    "time": FAR | {"time": f"{TIME_MS}ms"},
    "cpu": FAR | {"instructions": INSTRUCTIONS},
    "memory": FAR | {"memory": "8m"},
    "output": FAR | {"output": str(OUTPUT)},
}
BOMBS = ("tables", "doubling", "rep", "coroutines", "concat")


@dataclass(frozen=True)
class Overshoot:
    """A script under a profile."""
    profile: str
    script: str
    ended_by: str
    wall_ms: list  # of the requests
    cpu_ms: list  # of the worker for them
    memory: int  # bytes that the worker's resident memory grew by at the most


def ours_http():
    return [attacks.profile(name, **limits) for name, limits in PROFILES.items()]


def ours_locations(untrusted):
    return [f'location ~ ^/{name}/(.+)$ {{\ncontent_by_sandbox_file {name} "{untrusted}/$1.lua";\n}}'
            for name in PROFILES]


def measure(subject):
    """([Overshoot], sentence on output)."""
    subject.start()
    found = []
    for attack in attacks.ATTACKS:
        for name in ("time", "cpu"):
            found.append(runs(subject, name, attack.name))
    for name in BOMBS:
        found.append(runs(subject, "memory", name))
    return found, output(subject)


def runs(subject, profile, script):
    subject.get(f"/{profile}/hello")
    wall, cpu, memory, kinds = [], [], 0, set()
    started = time.monotonic()
    while len(wall) < RUNS and time.monotonic() - started < SECONDS:
        reset_peak(subject.worker)
        resident = machine.resident(subject.worker)
        logged = len(subject.log())
        connection = client.Connection(subject.port, attacks.ANSWER_SECONDS)  # nginx closes it after a 500
        spent, began = subject.cpu_time(), time.monotonic()
        status, _ = connection.request(f"/{profile}/attacks/{script}")
        wall.append(1000 * (time.monotonic() - began))
        connection.close()
        time.sleep(0.002)  # what a worker has used is booked when it sleeps
        cpu.append(1000 * (subject.cpu_time() - spent).run)
        memory = max(memory, machine.peak_resident(subject.worker) - resident)
        match = re.search(r"ended by (\w+)", subject.log()[logged:])
        kinds.add(match.group(1) if match else f"status {status}")
    if subject.worker_pids() != [subject.worker]:
        raise BenchError(f"{subject.title}: its worker died of {script}:\n{subject.log_tail()}")
    return Overshoot(profile, script, ", ".join(sorted(kinds)), wall, cpu, memory)


def reset_peak(pid):
    """Makes the peak of resident memory begin anew."""
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")


def output(subject):
    """The most that a script could say."""
    for size in (OUTPUT, OUTPUT + 1):
        status, _, body = subject.get(f"/output/say?n={size}")
        if (status, len(body)) != ((200, size) if size == OUTPUT else (500, len(body))):
            raise BenchError(f"of a limit of {OUTPUT} bytes of output, {size} answer {status} and {len(body)} bytes")
    return f"output: of a limit of {OUTPUT} bytes, {OUTPUT} went out whole and of {OUTPUT + 1} none"


def rows_of_time(found):
    table = [["script", "ended by", "over by wall, ms: p50", "max", "over by CPU, ms: p50", "max"]]
    for one in found:
        if one.profile == "time":
            values = [f"{value - TIME_MS:.1f}" if one.ended_by == "time" else "-" for value in
                      (statistics.median(one.wall_ms), max(one.wall_ms), statistics.median(one.cpu_ms), max(one.cpu_ms))]
            table.append([one.script, one.ended_by, *values])
    return table


def rows_of_cpu(found):
    plain = next(statistics.median(one.cpu_ms) for one in found if one.profile == "cpu" and one.script == "endless")
    table = [["script", "ended by", "CPU, ms: p50", "max", "to endless"]]
    for one in found:
        if one.profile == "cpu":
            middle = statistics.median(one.cpu_ms)
            table.append([one.script, one.ended_by, f"{middle:.2f}", f"{max(one.cpu_ms):.2f}", f"{middle / plain:.2f}"])
    return table


def rows_of_memory(found):
    table = [["script", "ended by", "worker grew by, MiB", "over the limit, MiB"]]
    for one in found:
        if one.profile == "memory":
            table.append([one.script, one.ended_by, f"{one.memory / MIB:.2f}", f"{(one.memory - MEMORY) / MIB:.2f}"])
    return table
