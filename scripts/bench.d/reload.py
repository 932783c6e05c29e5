"""Deploys side by side: what clients see while the same application is deployed in different ways, under load.

Each way is measured twice. Under wrk on the handler that waits (a load that leaves the processor room) probes write
down each answer and its time. Then wrk alone drives the handler that does not wait as fast as it can, before, during
and after the same number of deploys: that is the dip.
"""

import statistics
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import deploy
import machine
import subjects
from load import Load
from probes import KEPT, Probes
from report import aligned
from subjects import BenchError, Subject

WORKERS = 2
WAITING_CONNECTIONS, QUICK_CONNECTIONS = 16, 32
WARM_UP_SECONDS = 0.5
MEMORY_SECONDS = 0.05  # between two readings


@dataclass(frozen=True)
class Deploy:
    """One deploy as it was done; times are time.monotonic's."""
    version: int
    start: float  # before the first file was written
    done: float  # when the way's call or command had returned


@dataclass(frozen=True)
class Seen:
    """One deploy as the probes saw it; times in ms since its start, None where there is none before the next one."""
    version: int
    call_ms: float
    first_new_ms: float | None  # the first answer that was new in all its parts
    last_old_ms: float | None  # the last answer that was old
    both_ms: float | None  # from the first new answer to the last request that was sent after it and still got old
    old_after_new: int  # requests sent after the first new answer was there, and answered by old code
    old_after_done: int  # requests sent after the call had returned, and answered by old code


@dataclass(frozen=True)
class Result:
    """One way's figures."""
    name: str
    title: str
    done_means: str
    seen: list
    probes: int  # requests of the probes
    failed: int  # of those
    broken: int  # kept connections of the probes that were closed or lost
    mixed: int  # answers of more than one version
    failures: dict  # why requests of the probes failed: how many
    wrk_requests: int
    wrk_failed: int
    wrk_socket_errors: int
    memory_before: int  # bytes, all processes, shared pages counted once
    memory_peak: int
    rates: dict  # requests a second: before, during, after


def make_ways(nginx_v, module, module_version, directory, call):
    """Every way to deploy that there is a row for."""
    def ours(key, *http):
        made = subjects.ours(module, module_version, directory / f"{key}-lua")
        return Subject(key, "ours", module_version, made.load_modules, [*made.http, *http], str, WORKERS)

    def peer(key, *http):
        made = subjects.peer(nginx_v, directory / f"{key}-lua")
        return Subject(key, "peer", made.version, made.load_modules, [*made.http, *http], str, WORKERS)

    def way(name, subject, activate, done_means):
        return deploy.Way(name, subject, directory / f"{name}-lua", activate, done_means)

    def by_call(subject):
        return deploy.publish(subject, call)

    return [
        way("publish", ours("publish"), by_call, f"POST {call} has answered"),
        way("watch", ours("watch", "hotlua_watch on;"), None, "the files are written"),
        way("reload", ours("reload"), deploy.reload, "nginx -s reload has returned"),
        way("peer-reload", peer("peer-reload"), deploy.reload, "nginx -s reload has returned"),
        way("peer-nocache", peer("peer-nocache", "lua_code_cache off;"), None, "the files are written"),
    ]


def set_up(way, nginx, directory):
    """Writes the application; a sentence where this nginx refuses the way's directives, else None."""
    deploy.write_application(way.lua_dir)
    locations = deploy.locations(way.lua_dir)
    if way.subject.title == "ours":
        locations.append("location /hotlua/ {\nhotlua_control;\n}")
    way.subject.set_up(nginx, locations, None, directory)
    complaint = way.subject.complaint()
    if complaint and "unknown directive" in complaint:
        return f"{way.name}: left out: {complaint.splitlines()[0]}"
    return None


def measure(way, deploys, interval, seconds):
    """One way's Result."""
    subject = way.subject
    subject.start()
    with Load(subject.port, deploy.QUICK, QUICK_CONNECTIONS), Load(subject.port, deploy.WAITING, WAITING_CONNECTIONS):
        time.sleep(WARM_UP_SECONDS)
    check_answers(way, 1)

    with Load(subject.port, deploy.WAITING, WAITING_CONNECTIONS) as load, Probes(subject.port) as probes:
        time.sleep(WARM_UP_SECONDS)
        memory_before = memory(subject)
        with peak_memory(subject) as peak:
            done = do_deploys(way, 2, deploys, interval)
    end = time.monotonic()
    version = done[-1].version
    check_answers(way, version)

    rates = {"before": rate_of(subject, lambda: time.sleep(seconds))}
    rates["during"] = rate_of(subject, lambda: do_deploys(way, version + 1, deploys, interval))
    rates["after"] = rate_of(subject, lambda: time.sleep(seconds))
    check_answers(way, version + deploys)
    subject.stop()

    answers = probes.answers
    failures = [a.failure for a in answers if a.failure]
    return Result(
        name=way.name, title=subject.title, done_means=way.done_means, seen=as_seen(done, end, answers),
        probes=len(answers), failed=len(failures), broken=sum(a.broken for a in answers),
        mixed=sum(len(a.versions) > 1 for a in answers),
        failures={text: failures.count(text) for text in sorted(set(failures))},
        wrk_requests=load.figures.requests, wrk_failed=load.figures.failed,
        wrk_socket_errors=load.figures.socket_errors,
        memory_before=memory_before, memory_peak=peak[0], rates=rates)


def check_answers(way, version):
    """The answer is right, and of this version in the end: what is measured is a deploy that works."""
    end = time.monotonic() + subjects.START_SECONDS
    for path in (deploy.WAITING, deploy.QUICK):
        while True:
            status, _, body = way.subject.get(path)
            if status == 200 and deploy.versions(body) == (version,) and len(body.split()) == 10:
                break
            if status != 200 or time.monotonic() > end:
                raise BenchError(f"{way.name}: {path} answers {status} {body[:200]!r} instead of version {version}\n"
                                 f"{way.subject.log_tail()}")
            time.sleep(0.02)


def do_deploys(way, first, count, interval):
    """[Deploy]; each starts an interval after the one before, or when that one is done if it takes longer."""
    done, due = [], time.monotonic()
    for version in range(first, first + count):
        time.sleep(max(0, due - time.monotonic()))
        start = time.monotonic()
        way.deploy(version)
        done.append(Deploy(version, start, time.monotonic()))
        due = start + interval
    time.sleep(max(0, due - time.monotonic()))
    return done


def rate_of(subject, action):
    with Load(subject.port, deploy.QUICK, QUICK_CONNECTIONS) as load:
        action()
    return load.figures.rate


def memory(subject):
    return sum(machine.memory(pid) for pid in subject.pids())


@contextmanager
def peak_memory(subject):
    """A list whose only item is the highest reading in the block."""
    peak, stop = [0], threading.Event()

    def read():
        while not stop.wait(MEMORY_SECONDS):
            peak[0] = max(peak[0], memory(subject))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield peak
    finally:
        stop.set()
        reader.join()


def as_seen(done, end, answers):
    """[Seen]: each deploy with the answers until the next one."""
    ends = [d.start for d in done[1:]] + [end]
    return [see(one, [a for a in answers if one.start <= a.received < until]) for one, until in zip(done, ends)]


def see(one, answers):
    whole = [a for a in answers if len(a.versions) == 1]
    new = [a for a in whole if a.versions[0] >= one.version]
    old = [a for a in whole if a.versions[0] < one.version]
    first_new = min((a.received for a in new), default=None)
    late = [a for a in old if first_new is not None and a.sent > first_new]

    def ms(moment):
        return None if moment is None else (moment - one.start) * 1000

    return Seen(
        version=one.version, call_ms=ms(one.done), first_new_ms=ms(first_new),
        last_old_ms=ms(max((a.received for a in old), default=None)),
        both_ms=None if first_new is None else max((a.sent - first_new for a in late), default=0) * 1000,
        old_after_new=len(late), old_after_done=sum(a.sent > one.done for a in old))


def table(results):
    """A Markdown table: a figure a line, a way a column."""
    lines = [["", *(r.name for r in results)], ["subject", *(r.title for r in results)]]
    lines += [[name, *(cell(r) for r in results)] for name, cell in LINES]
    return aligned(lines)


def span(values):
    """`median (lowest–highest)` of what there is, with how many there are not."""
    found = [v for v in values if v is not None]
    if not found:
        return "none"
    missing = len(values) - len(found)
    return (f"{statistics.median(found):.1f} ({min(found):.1f}–{max(found):.1f})"
            + (f", {missing} × none" if missing else ""))


def dip(result):
    """Requests a second during the deploys, relative to the mean of before and after."""
    return result.rates["during"] / statistics.mean([result.rates["before"], result.rates["after"]])


MIB = 1024 * 1024
LINES = [
    ("deploys", lambda r: str(len(r.seen))),
    ("requests of the probes", lambda r: str(r.probes)),
    ("failed requests", lambda r: str(r.failed)),
    ("broken kept connections", lambda r: f"{r.broken} of {KEPT * len(r.seen)}"),
    ("mixed answers", lambda r: str(r.mixed)),
    ("call, ms", lambda r: span([s.call_ms for s in r.seen])),
    ("first new answer, ms", lambda r: span([s.first_new_ms for s in r.seen])),
    ("last old answer, ms", lambda r: span([s.last_old_ms for s in r.seen])),
    ("both versions, ms", lambda r: span([s.both_ms for s in r.seen])),
    ("old, sent after a new answer", lambda r: str(sum(s.old_after_new for s in r.seen))),
    ("old, sent after the call", lambda r: str(sum(s.old_after_done for s in r.seen))),
    ("wrk: requests", lambda r: str(r.wrk_requests)),
    ("wrk: failed answers", lambda r: str(r.wrk_failed)),
    ("wrk: socket errors", lambda r: str(r.wrk_socket_errors)),
    ("memory before, MiB", lambda r: f"{r.memory_before / MIB:.1f}"),
    ("memory peak, MiB", lambda r: f"{r.memory_peak / MIB:.1f}"),
    ("memory peak / before", lambda r: f"{r.memory_peak / r.memory_before:.2f}"),
    ("req/s without deploys", lambda r: f"{statistics.mean([r.rates['before'], r.rates['after']]):.0f}"),
    ("req/s during deploys", lambda r: f"{r.rates['during']:.0f}"),
    ("during / without", lambda r: f"{dip(r):.3f}"),
]


def as_json(header, results, notes):
    return {"header": header, "ways": [{**asdict(r), "dip": dip(r)} for r in results], "notes": notes}
