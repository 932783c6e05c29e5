"""Measures: the same answer from every subject, then alternating rounds of wrk and the worker's CPU time.

Each round starts the subjects afresh. Which traces LuaJIT compiles, and so a handler's speed, differs from launch to
launch (with or without address randomisation; with jit.off() launches agree within a few percent): one launch of
the peer took 0.66 of another's CPU time for the same Lua, and went on so. A figure from one launch says nothing;
the median of several does, and the spread shows the luck.
"""

import re
import signal
import subprocess
import time
from dataclasses import asdict, dataclass

import machine
from subjects import BenchError, child_of_bench

CONNECTIONS = 16
QUIET_SECONDS = 0.01
QUIET_TRIES = 50
# Longer than any round: wrk takes whole seconds only, so a round ends by SIGINT, on which wrk reports as usual.
WRK_SECONDS = 3600
WARM_UP_SECONDS = 0.5


@dataclass(frozen=True)
class Sample:
    """One subject in one round."""
    cpu_us: float  # worker CPU time a request
    rate: float  # requests a second, by wrk
    requests: int  # by stub_status
    wrk_requests: int
    cpu: float  # seconds, by schedstat
    cpu_stat: float  # seconds, by stat
    wait: float  # seconds the worker waited for its core
    seconds: float  # wall time, by wrk

    def as_dict(self):
        return asdict(self)


def check_answers(subjects, workloads):
    """Every subject gives every row's answer; more than once, as the first request loads and later ones do not."""
    for workload in workloads:
        for subject in subjects:
            for _ in range(3):
                check_answer(subject, workload)


def check_answer(subject, workload):
    status, headers, body = subject.get(workload.path, workload.request_headers)
    where = f"row {workload.name}: {subject.title}"
    if status != 200:
        raise BenchError(f"{where} answers {status}, not 200\n{subject.log_tail()}")
    if body != workload.body:
        raise BenchError(f"{where} answers another body\n"
                         f"  expected {len(workload.body)} bytes: {workload.body[:200]!r}\n"
                         f"  got      {len(body)} bytes: {body[:200]!r}")
    if not subject.runs_lua:
        return
    for name, want in workload.response_headers.items():
        got = headers.get(name)
        if got != want:
            raise BenchError(f"{where} answers header {name}: {got!r}, not {want!r}")


def header_difference(subjects, workload):
    """A note where the Lua subjects' headers differ in names: framing is work that a body does not show."""
    names = {}
    for subject in subjects:
        if subject.runs_lua:
            _, headers, _ = subject.get(workload.path, workload.request_headers)
            names[subject.title] = {name.lower() for name in headers.keys()}
    if len(set(map(frozenset, names.values()))) < 2:
        return None
    common = set.intersection(*names.values())
    parts = [f"{title} {', '.join(sorted(own - common)) or 'nothing'}" for title, own in names.items()]
    return f"{workload.name}: headers that only one has: {'; '.join(parts)}"


def run_rounds(subjects, workload, rounds, seconds, cores):
    """{subject key: [Sample]}; each round begins with another subject, so that drift cancels."""
    samples = {subject.key: [] for subject in subjects}
    for number in range(rounds):
        for subject in subjects:
            subject.start()
        for subject in turned(subjects, number):
            run_wrk(subject, workload, WARM_UP_SECONDS, cores.wrk)
            samples[subject.key].append(sample(subject, workload, seconds, cores.wrk))
            # Lua that ran hot is compiled by now and may answer something else.
            check_answer(subject, workload)
    return samples


def turned(items, number):
    """A B C, C A B, B C A, and again."""
    turn = number % len(items)
    return items[len(items) - turn:] + items[:len(items) - turn]


def sample(subject, workload, seconds, wrk_core):
    """CPU time is read inside the two counts, so the counting requests cost the sample nothing."""
    requests_before = subject.requests_so_far()
    before = quiet_cpu_time(subject)
    wrk = run_wrk(subject, workload, seconds, wrk_core)
    spent = quiet_cpu_time(subject) - before
    requests = subject.requests_so_far() - requests_before - 1  # the second count counts itself
    return Sample(
        cpu_us=spent.run * 1e6 / requests, rate=wrk["rate"], requests=requests,
        wrk_requests=wrk["requests"], cpu=spent.run, cpu_stat=spent.stat, wait=spent.wait,
        seconds=wrk["seconds"])


def quiet_cpu_time(subject):
    """CPU time once the worker sleeps: only then has the kernel booked all of it."""
    last = subject.cpu_time()
    for _ in range(QUIET_TRIES):
        time.sleep(QUIET_SECONDS)
        now = subject.cpu_time()
        if now.run == last.run:
            break
        last = now
    return now


def run_wrk(subject, workload, seconds, core):
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{WRK_SECONDS}s"]
    for name, value in workload.request_headers.items():
        command += ["-H", f"{name}: {value}"]
    command.append(f"http://127.0.0.1:{subject.port}{workload.path}")
    wrk = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           start_new_session=True, preexec_fn=lambda: child_of_bench(core))
    try:
        try:
            text, _ = wrk.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            wrk.send_signal(signal.SIGINT)
            text, _ = wrk.communicate(timeout=10)
    finally:
        if wrk.poll() is None:
            wrk.kill()
            wrk.wait()
    return parse_wrk(text, f"row {workload.name}: {subject.title}", subject)


def parse_wrk(text, where, subject):
    total = re.search(r"(\d+) requests in ", text)
    rate = re.search(r"Requests/sec:\s*([\d.]+)", text)
    wrong = re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", text)
    if not total or not rate or not int(total.group(1)) or wrong:
        reason = wrong.group(0) if wrong else text.strip() or "no output"
        raise BenchError(f"{where}: wrk reports: {reason}\n{subject.log_tail()}")
    requests, per_second = int(total.group(1)), float(rate.group(1))
    return {"requests": requests, "rate": per_second, "seconds": requests / per_second}


@dataclass(frozen=True)
class Cores:
    worker: int
    wrk: int


def measure_row(subjects, workload, rounds, seconds, cores):
    """(samples by subject, notes) of one row."""
    notes = [header_difference(subjects, workload)]
    started, stolen = time.monotonic(), machine.steal_ticks(cores.worker)
    samples = run_rounds(subjects, workload, rounds, seconds, cores)
    stolen = (machine.steal_ticks(cores.worker) - stolen) / machine.TICKS / (time.monotonic() - started)
    notes += [doubt(workload, s, samples[s.key]) for s in subjects]
    if stolen > 0.01:
        notes.append(f"{workload.name}: the hypervisor took {stolen:.1%} of the worker's core")
    return samples, [n for n in notes if n]


def doubt(workload, subject, samples):
    """What speaks against a subject's samples, or None: the cross-checks."""
    cpu, stat = sum(s.cpu for s in samples), sum(s.cpu_stat for s in samples)
    counted, by_wrk = sum(s.requests for s in samples), sum(s.wrk_requests for s in samples)
    waited, wall = sum(s.wait for s in samples), sum(s.seconds for s in samples)
    doubts = []
    if abs(stat - cpu) > 0.02 * cpu + 2 / machine.TICKS:
        doubts.append(f"stat says {stat:.2f} s of CPU, schedstat {cpu:.2f} s")
    if abs(counted - by_wrk) > 0.001 * counted + 2 * CONNECTIONS * len(samples):
        doubts.append(f"stub_status counts {counted} requests, wrk {by_wrk}")
    if waited > 0.02 * wall:
        doubts.append(f"the worker waited {waited / wall:.1%} of the time for its core")
    if (luck := max(s.cpu_us for s in samples) / min(s.cpu_us for s in samples)) > 1.1:
        doubts.append(f"its launches differ by a factor of {luck:.2f}")
    if cpu < 0.9 * wall:
        doubts.append(f"the worker was busy {cpu / wall:.0%} of the time: wrk sets its req/s")
    return f"{workload.name}: {subject.title}: {'; '.join(doubts)}" if doubts else None
