"""wrk in the background."""

import re
import signal
import subprocess
from dataclasses import dataclass

from subjects import BenchError, child_of_bench

WRK_SECONDS = 3600  # wrk takes whole seconds only, so it ends by SIGINT, on which it reports as usual


@dataclass(frozen=True)
class Figures:
    rate: float  # requests a second
    requests: int
    failed: int  # answers that are not 2xx or 3xx
    socket_errors: int  # connections that could not be made, read or written, and time-outs


class Load:
    """`with Load(port, path, connections) as load:` loads until the block ends; then `load.figures` are there."""

    def __init__(self, port, path, connections):
        self.command = ["wrk", "-t1", f"-c{connections}", f"-d{WRK_SECONDS}s", f"http://127.0.0.1:{port}{path}"]

    def __enter__(self):
        self.wrk = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                    start_new_session=True, preexec_fn=lambda: child_of_bench(None))
        return self

    def __exit__(self, kind, *_):
        try:
            if self.wrk.poll() is None:
                self.wrk.send_signal(signal.SIGINT)
            text, _ = self.wrk.communicate(timeout=10)
        except BaseException:
            self.wrk.kill()
            self.wrk.wait()
            raise
        if kind is None:
            self.figures = parse(text)


def parse(text):
    total = re.search(r"(\d+) requests in ", text)
    rate = re.search(r"Requests/sec:\s*([\d.]+)", text)
    if not total or not rate:
        raise BenchError(f"wrk reports no figures: {text.strip() or 'no output'}")
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = re.search(r"Socket errors: (.*)", text)
    return Figures(
        rate=float(rate.group(1)), requests=int(total.group(1)), failed=int(failed.group(1)) if failed else 0,
        socket_errors=sum(int(n) for n in re.findall(r"\d+", errors.group(1))) if errors else 0)
