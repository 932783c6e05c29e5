"""The attack scripts, and attackers: connections that run one after the other, in a process of their own."""

import multiprocessing
import signal
import threading
from collections import Counter
from dataclasses import dataclass

import client
import subjects

ANSWER_SECONDS = 60
FOR_EVER = "hangs it: no hook runs in C"
ALL_MEMORY = "takes gigabytes: nothing limits its memory"


@dataclass(frozen=True)
class Attack:
    """untrusted/attacks/NAME.lua"""
    name: str
    not_for_peer: str = ""  # why the hand-rolled pattern is spared it


ATTACKS = [
    Attack("endless"),
    Attack("pcall", "is not offered pcall, which would catch the hook's error for ever"),
    Attack("pattern", FOR_EVER),
    Attack("tables"),
    Attack("doubling", ALL_MEMORY),
    Attack("rep", ALL_MEMORY),
    Attack("gsub"),
    Attack("sort"),
    Attack("coroutines", "is not offered coroutines and pcall"),
    Attack("compare", "hangs it: one instruction looks at megabytes"),
    Attack("nested", "is not offered ngx.print"),
    Attack("concat", "takes seconds of it: one instruction joins half a megabyte"),
]
PEERS = [attack for attack in ATTACKS if not attack.not_for_peer]

# All that scripts may be allowed.
ALLOW = ("allow _G assert error getmetatable ipairs next pairs pcall rawequal rawget rawset select setmetatable tonumber "
         "tostring type unpack xpcall bit coroutine math os string table ngx.say ngx.print ngx.var.arg_n;")


def profile(name, **limits):
    """A `hotlua_sandbox` block."""
    lines = "\n".join(f"    {limit} {value};" for limit, value in limits.items())
    return f"hotlua_sandbox {name} {{\n    {ALLOW}\n{lines}\n}}"


class Attackers:
    """`with Attackers(port, ...) as attackers:` attacks until the block ends; then `attackers.answers` counts by status."""

    def __init__(self, port, path, attacks, count, core):
        self.answers = Counter()
        self.arguments = (port, path, [attack.name for attack in attacks], count, core)

    def __enter__(self):
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=run, args=(*self.arguments, theirs), daemon=True)
        self.process.start()
        theirs.close()
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.pipe.send("stop")
            self.answers = self.pipe.recv()
        else:
            self.process.kill()
        self.process.join()


def run(port, path, names, count, core, pipe):
    """The process: attacks until it is told to stop, then sends what it was answered."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    subjects.child_of_bench(core)
    stop, answers = threading.Event(), Counter()
    threads = [threading.Thread(target=attack, args=(port, path, names, number, stop, answers), daemon=True)
               for number in range(count)]
    for one in threads:
        one.start()
    pipe.recv()
    stop.set()
    counted = Counter(answers)  # those under way are not waited for
    pipe.send(counted)


def attack(port, path, names, number, stop, answers):
    """One attacker, a tenant of its own; each begins with another script."""
    connection, at = None, number
    while not stop.is_set():
        try:
            connection = connection or client.Connection(port, ANSWER_SECONDS)
            status, _ = connection.request(path.format(name=names[at % len(names)], tenant=f"a{number}"))
            answers[status] += 1
        except (OSError, client.Broken):
            answers["broken"] += 1
            connection = None
        at += 1
        if connection and not connection.kept:
            connection.close()
            connection = None
