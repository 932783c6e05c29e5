"""What innocent requests notice of attackers in the same worker: their latency, with attackers and without.

A client asks at a fixed mean rate on a kept connection, from a process of its own. A request that could not be sent in
time, because the answer before it was late, counts from when it was due.
"""

import multiprocessing
import random
import re
import signal
import time
from collections import Counter
from dataclasses import dataclass

import attacks
import client
import subjects
from subjects import BenchError

ATTACKERS = 20
PAUSE_SECONDS = 0.008  # the mean from one request to the next
ROUNDS = 2
PROFILE = {"instructions": "100m", "time": "100ms", "memory": "8m", "per": "$arg_t"}

# What is asked for: title -> path.
PLAIN, SANDBOXED = "content_by_lua", "sandboxed, another tenant"
INNOCENTS = {PLAIN: "/innocent", SANDBOXED: "/innocent-script?t=good"}


@dataclass(frozen=True)
class Latency:
    """What one innocent saw; times in ms."""
    subject: str
    innocent: str
    state: str  # "none", or what attacks
    count: int
    p50: float
    p99: float
    worst: float
    failed: int
    waited: float  # the part of the time in which the worker was kept from its core by others


@dataclass(frozen=True)
class Attacked:
    """What became of the attacks."""
    subject: str
    answers: dict  # status -> how many
    ended_by: dict  # kind -> how many, by the error log


class Asker:
    """`with Asker(port, path) as asker:` asks until the block ends; then `asker.times` and `asker.failed` are there."""

    def __init__(self, port, path, core):
        self.arguments = (port, path, core)
        self.times, self.failed = [], 0

    def __enter__(self):
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=ask, args=(*self.arguments, theirs), daemon=True)
        self.process.start()
        theirs.close()
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.pipe.send("stop")
            self.times, self.failed = self.pipe.recv()
        else:
            self.process.kill()
        self.process.join()


def ask(port, path, core, pipe):
    """The process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    subjects.child_of_bench(core)
    chance, times, failed = random.Random(path), [], 0
    connection = client.Connection(port, attacks.ANSWER_SECONDS)
    due = time.monotonic()
    while not pipe.poll():
        due += chance.expovariate(1 / PAUSE_SECONDS)
        now = time.monotonic()
        if due > now:
            time.sleep(due - now)
            sent = time.monotonic()  # waking up late is this client's own delay
        else:
            sent = due
        try:
            status, body = connection.request(path)
            times.append(time.monotonic() - sent)
            failed += status != 200 or body != "hello\n"
        except client.Broken:
            failed += 1
            connection = client.Connection(port, attacks.ANSWER_SECONDS)
    pipe.send((times, failed))


def ours_http():
    return [attacks.profile("neighbours", **PROFILE)]


def ours_locations(lua_dir, untrusted):
    return [
        f'location = /innocent {{\ncontent_by_lua_file "{lua_dir}/hello.lua";\n}}',
        f'location = /innocent-script {{\ncontent_by_sandbox_file neighbours "{untrusted}/hello.lua";\n}}',
        f'location ~ ^/attack/(\\w+)$ {{\ncontent_by_sandbox_file neighbours "{untrusted}/attacks/$1.lua";\n}}',
    ]


def peer_locations(lua_dir):
    return [
        f'location = /innocent {{\ncontent_by_lua_file "{lua_dir}/hello.lua";\n}}',
        f'location = /innocent-script {{\ncontent_by_lua_file "{lua_dir}/sandbox_hello.lua";\n}}',
        f'location ~ ^/attack/(\\w+)$ {{\ncontent_by_lua_file "{lua_dir}/attacked.lua";\n}}',
    ]


def measure(subject, scripts, seconds, core):
    """([Latency], Attacked) of one subject: without and with attackers in turn, in one launch."""
    subject.start()
    name = f"{len(scripts)} scripts"
    times = {(state, title): [] for state in ("none", name) for title in INNOCENTS}
    failed, waited, answers = Counter(), Counter(), Counter()
    for _ in range(ROUNDS):
        waited["none"] += phase(subject, "none", seconds, core, times, failed)
        with attacks.Attackers(subject.port, "/attack/{name}?t={tenant}", scripts, ATTACKERS, core) as attackers:
            time.sleep(0.5)
            waited[name] += phase(subject, name, seconds, core, times, failed)
        answers += attackers.answers
        check_alive(subject)
        wait_until_quiet(subject)
    latencies = [latency(subject, title, state, own, failed[state, title], waited[state] / ROUNDS)
                 for (state, title), own in times.items()]
    kinds = re.findall(r"ended by (\w+)|(instruction limit)", subject.log())
    return latencies, Attacked(subject.key, dict(answers), dict(Counter(a or b for a, b in kinds)))


def phase(subject, state, seconds, core, times, failed):
    """Asks for so many seconds; returns the part of them in which the worker waited for its core."""
    spent, began = subject.cpu_time(), time.monotonic()
    askers = {title: Asker(subject.port, path, core) for title, path in INNOCENTS.items()}
    with askers[PLAIN], askers[SANDBOXED]:
        time.sleep(seconds)
    for title, asker in askers.items():
        times[state, title] += asker.times
        failed[state, title] += asker.failed
    return (subject.cpu_time() - spent).wait / (time.monotonic() - began)


def wait_until_quiet(subject):
    """Until the attacks that were under way have ended."""
    deadline = time.monotonic() + attacks.ANSWER_SECONDS
    while time.monotonic() < deadline:
        before = subject.cpu_time().run
        time.sleep(0.5)
        if subject.cpu_time().run - before < 0.005:
            return
    raise BenchError(f"{subject.title}: attacks still run after {attacks.ANSWER_SECONDS} s\n{subject.log_tail()}")


def check_alive(subject):
    if subject.worker_pids() != [subject.worker]:
        raise BenchError(f"{subject.title}: its worker died under attack:\n{subject.log_tail()}")


def latency(subject, title, state, times, failed, waited):
    if not times:
        raise BenchError(f"{subject.title}: {title}: no answer with {state}")
    times = sorted(1000 * one for one in times)
    return Latency(subject.key, title, state, len(times), at(times, 0.5), at(times, 0.99), times[-1],
                   failed, waited)


def at(values, part):
    """The value below which that part of the sorted values lies."""
    return values[min(len(values) - 1, int(len(values) * part))]


def rows(latencies):
    """The cells of the table."""
    before = {(one.subject, one.innocent): one for one in latencies if one.state == "none"}
    found = [["subject", "innocent request", "attackers run", "requests", "p50 ms", "p99 ms", "max ms", "p99 to none",
              "worker waited for its core"]]
    for one in latencies:
        ratio = one.p99 / before[one.subject, one.innocent].p99
        found.append([one.subject, one.innocent, one.state, str(one.count), f"{one.p50:.2f}", f"{one.p99:.2f}",
                      f"{one.worst:.1f}", f"{ratio:.1f}" if one.state != "none" else "", f"{one.waited:.0%}"])
    return found
