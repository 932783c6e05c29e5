"""The subjects: one nginx each, with its configuration, its start, its answers and its end."""

import ctypes
import http.client
import os
import re
import shutil
import signal
import socket
import string
import subprocess
import time
from pathlib import Path

import machine

TEMPLATE = Path(__file__).resolve().parent / "nginx.conf"
START_SECONDS = 30
STOP_SECONDS = 5
PORT_TRIES = 5
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class BenchError(Exception):
    """Ends the bench; the message says what to do."""


class ConfTemplate(string.Template):
    delimiter = "@"  # `$` is nginx's


class Subject:
    """An nginx with a loopback port of its own; one worker on one core, unless told otherwise."""

    def __init__(self, key, title, version, load_modules, http, location_of, workers=1):
        self.key = key
        self.title = title
        self.version = version
        self.load_modules = load_modules
        self.http = http
        self.location_of = location_of  # Workload -> location block
        self.runs_lua = bool(load_modules)
        self.workers = workers
        self.master = self.worker = self.port = self.dir = None

    def set_up(self, nginx, workloads, core, parent_dir):
        """The core may be None: all that the bench may use."""
        self.nginx, self.workloads, self.core = nginx, workloads, core
        self.dir = parent_dir / self.key

    def start(self):
        """Starts a fresh nginx; stops the one before."""
        for _ in range(PORT_TRIES):
            self.stop()
            shutil.rmtree(self.dir, ignore_errors=True)
            self.dir.mkdir()
            self.port = free_port()
            self._launch()
            if self._wait_until_serving():
                return
            # The port was free a moment ago; another process was faster.
        raise BenchError(f"{self.title}: no free port after {PORT_TRIES} tries")

    def _launch(self):
        self._write_conf()
        with open(self.dir / "stderr", "w") as stderr:
            self.master = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, env=environment(),
                start_new_session=True, preexec_fn=lambda: child_of_bench(self.core))

    def command(self, *arguments):
        """The nginx command with this subject's prefix and configuration."""
        return [self.nginx, "-p", self.dir, "-e", self.dir / "error.log", "-c", self.dir / "nginx.conf", *arguments]

    def complaint(self):
        """What `nginx -t` says against the configuration, or None."""
        self.dir.mkdir(exist_ok=True)
        self.port = self.port or free_port()
        self._write_conf()
        done = subprocess.run(self.command("-t"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env=environment())
        return done.stdout.strip() if done.returncode else None

    def _write_conf(self):
        (self.dir / "nginx.conf").write_text(ConfTemplate(TEMPLATE.read_text()).substitute(
            load_modules="\n".join(f'load_module "{m}";' for m in self.load_modules),
            dir=self.dir,
            workers=self.workers,
            http="\n".join(self.http),
            # One queue of connections a worker: else a worker that wakes faster takes nearly all.
            listen=f"127.0.0.1:{self.port}{' reuseport' if self.workers > 1 else ''}",
            locations="\n\n".join(self.location_of(w) for w in self.workloads),
        ))

    def _wait_until_serving(self):
        """True when the worker answers, False when the port was taken."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.master.poll() is not None:
                if "Address already in use" in self.log():
                    return False
                raise BenchError(f"{self.title}: nginx does not start:\n{self.log_tail()}")
            self.worker = self._find_worker()
            if self.worker and self._accepts():
                return True
            time.sleep(0.02)
        if "Address already in use" in self.log():
            return False
        raise BenchError(f"{self.title}: no answer in {START_SECONDS} s:\n{self.log_tail()}")

    def _accepts(self):
        try:
            return self.get("/stub_status")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def _find_worker(self):
        found = self.worker_pids()
        return found[0] if len(found) == self.workers else None

    def worker_pids(self):
        """The workers that take new connections."""
        return [pid for pid, command in machine.session(self.master.pid).items()
                if "worker process" in command and "shutting down" not in command]

    def pids(self):
        """All of its processes: the master, its workers, and those that shut down."""
        return list(machine.session(self.master.pid))

    def get(self, path, headers=None):
        """(status, headers, body) of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.putrequest("GET", path, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def requests_so_far(self):
        """stub_status's count of requests, this one included."""
        _, _, body = self.get("/stub_status")
        return int(re.search(r"^\s*\d+ \d+ (\d+)\s*$", body, re.M).group(1))

    def cpu_time(self):
        try:
            return machine.cpu_time(self.worker)
        except (FileNotFoundError, ProcessLookupError):
            raise BenchError(f"{self.title}: its worker died:\n{self.log_tail()}") from None

    def log(self):
        files = [self.dir / "stderr", self.dir / "error.log"] if self.dir else []
        return "".join(f.read_text(errors="replace") for f in files if f.exists())

    def log_tail(self, lines=15):
        return "\n".join("  " + line for line in self.log().splitlines()[-lines:])

    def stop(self):
        """Stops what this subject started, by pid; what hangs, or outlived its master, is killed."""
        if self.master is None:
            return
        if self.master.poll() is None:
            self.master.send_signal(signal.SIGTERM)
            try:
                self.master.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.master.kill()
                self.master.wait()
        # The master led a session of its own, so these can only be its children.
        for pid in machine.session(self.master.pid):
            os.kill(pid, signal.SIGKILL)
        self.master = self.worker = None


def environment():
    """Without what would add to the configuration's paths: both Lua subjects see those only."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("LUA_", "NGINX"))}


def child_of_bench(core):
    """In the child, before exec: pin it, and let it end with the bench even when the bench is killed."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def nginx_version(nginx):
    text = machine.output_of(nginx, "-V")
    match = re.search(r"nginx version: (\S+)", text)
    if not match:
        raise BenchError(f"{nginx} is not an nginx that runs")
    return match.group(1), text


def peer_modules(nginx_v):
    """The peer's modules in load order: lua needs ndk's symbols, where it was built with them."""
    match = re.search(r"--modules-path=(\S+)", nginx_v)
    folder = Path(match.group(1)) if match else None
    if not folder or not (folder / "ngx_http_lua_module.so").exists():
        found = machine.package_file("libnginx-mod-http-lua", "/ngx_http_lua_module.so")
        if not found:
            raise BenchError("the peer is missing: install libnginx-mod-http-lua and lua-resty-core")
        folder = found.parent
    return [m for m in (folder / "ndk_http_module.so", folder / "ngx_http_lua_module.so") if m.exists()]


def package_path(lua_dir):
    """lua_package_path of both Lua subjects: the bench's files, lua-resty-core, the default."""
    resty = machine.package_file("lua-resty-core", "/resty/core.lua")
    folders = [lua_dir] + ([resty.parent.parent] if resty else [])
    return f'lua_package_path "{";".join(f"{d}/?.lua" for d in folders)};;";'


def return_200():
    return Subject("return", "return 200", "no Lua module", [], [], lambda w: w.return_block())


def peer(nginx_v, lua_dir, http=()):
    version = "lua-nginx-module {} with lua-resty-core {}".format(
        machine.package_version("libnginx-mod-http-lua") or "of unknown version",
        machine.package_version("lua-resty-core") or "of unknown version")
    return Subject("peer", "peer", version, peer_modules(nginx_v), [package_path(lua_dir), *http],
                   lambda w: w.lua_block(lua_dir))


def ours(module, version, lua_dir, http=()):
    return Subject("ours", "ours", version, [module],
                   [package_path(lua_dir), f'hotlua_root "{lua_dir}";', *http],
                   lambda w: w.ours_block(lua_dir))
