"""What the bench reads from the machine: CPU accounting of a process, cores, versions."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class CpuTime:
    """A process's CPU time so far, in seconds."""
    run: float  # schedstat: time on a core
    wait: float  # schedstat: time runnable, but waiting for a core
    stat: float  # stat: utime + stime, for the cross-check

    def __sub__(self, other):
        return CpuTime(self.run - other.run, self.wait - other.wait, self.stat - other.stat)


def cpu_time(pid):
    """Sums over the threads: /proc/PID/schedstat alone is the main thread's, and a module may start others."""
    run = wait = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        on_core, waiting, _ = (thread / "schedstat").read_text().split()
        run, wait = run + int(on_core), wait + int(waiting)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return CpuTime(run / 1e9, wait / 1e9, (int(fields[11]) + int(fields[12])) / TICKS)


def memory(pid):
    """Its resident memory in bytes, shared pages divided among those who share them; 0 once it has ended."""
    return _kib(f"/proc/{pid}/smaps_rollup", "Pss")


def resident(pid):
    """Its resident memory in bytes, shared pages counted whole; 0 once it has ended."""
    return _kib(f"/proc/{pid}/status", "VmRSS")


def peak_resident(pid):
    """The most of `resident` since the process began, or since /proc/PID/clear_refs was told to forget it."""
    return _kib(f"/proc/{pid}/status", "VmHWM")


def _kib(path, name):
    try:
        match = re.search(rf"^{name}:\s*(\d+) kB", Path(path).read_text(), re.M)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(match.group(1)) * 1024 if match else 0


def session(leader):
    """The pids of a session with their command lines: what a process started, also after it has died."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, _, _, sid = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(sid) == leader and state != "Z":
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ").strip()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return found


def steal_ticks(core):
    """Ticks that the hypervisor took from a core."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            return int(ticks[7])
    return 0


def siblings(core):
    """The hardware threads that share a physical core with this one, itself included."""
    path = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    if not path.exists():
        return {core}
    found = set()
    for part in path.read_text().strip().split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def pick_cores():
    """(worker's core, wrk's core, warning): the worker gets the last one, away from core 0's interrupts."""
    allowed = sorted(os.sched_getaffinity(0))
    worker = allowed[-1]
    others = [c for c in allowed if c != worker]
    if not others:
        return worker, worker, "only one core: wrk shares it with the worker"
    apart = [c for c in others if c not in siblings(worker)]
    if not apart:
        return worker, others[0], "wrk and the worker are hardware threads of one physical core"
    return worker, apart[0], None


def cpu_model():
    match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    return match.group(1) if match else os.uname().machine


def output_of(*command):
    """stdout and stderr of a command; empty where it is missing or fails."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def package_version(name):
    return output_of("dpkg-query", "-W", "-f", "${Version}", name).strip()


def package_file(package, suffix):
    """The file of a Debian package whose path ends with suffix, or None."""
    for line in output_of("dpkg", "-L", package).splitlines():
        if line.endswith(suffix):
            return Path(line)
    return None
