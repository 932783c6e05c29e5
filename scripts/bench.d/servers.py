"""What the Lua of some rows talks to: Redis and memcached, on loopback, on the core of wrk."""

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager

from subjects import BenchError, child_of_bench, free_port

START_SECONDS = 10
# name -> (the command, what to send, how a server that is ready begins its answer)
SERVERS = {
    "redis": (
        lambda port: ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"],
        b"PING\r\n", b"+PONG"),
    "memcached": (
        lambda port: ["memcached", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-u", "root"],
        b"version\r\n", b"VERSION"),
}


@contextmanager
def running(names, core, directory):
    """name -> port, of servers that end with the block."""
    started, ports = [], {}
    try:
        for name in names:
            command, question, answer = SERVERS[name]
            port = free_port()
            if not shutil.which(command(port)[0]):
                raise BenchError(f"{name} is missing: scripts/setup --test installs it")
            started.append(subprocess.Popen(
                command(port), cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, preexec_fn=lambda: child_of_bench(core)))
            wait_for(name, port, question, answer)
            ports[name] = port
        yield ports
    finally:
        for process in started:
            process.kill()
            process.wait()


def wait_for(name, port, question, answer):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.sendall(question)
                if connection.recv(100).startswith(answer):
                    return
        except OSError:
            pass
        time.sleep(0.02)
    raise BenchError(f"{name} does not answer at port {port}")
