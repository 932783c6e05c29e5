"""Clients that ask on and on and write down what they got, in a process of its own so that nothing delays its clock."""

import multiprocessing
import signal
import sys
import threading
import time
from dataclasses import dataclass

import client
import deploy
import subjects

KEPT, SHORT = 4, 4  # clients that keep their connection, and that take a new one for each request
PAUSE_SECONDS = 0.004  # between two requests of a client: long enough that kept connections are idle at times


@dataclass(frozen=True)
class Answer:
    """One request; times are time.monotonic's."""
    sent: float
    received: float
    versions: tuple  # empty where it failed
    failure: str | None
    broken: bool  # it found its kept connection closed, or lost it


class Probes:
    """`with Probes(port) as probes:` asks until the block ends; then `probes.answers` are there."""

    def __init__(self, port, path=deploy.WAITING):
        self.answers = []
        self.port, self.path = port, path

    def __enter__(self):
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=run, args=(self.port, self.path, theirs), daemon=True)
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


def run(port, path, pipe):
    """The process: asks until it is told to stop, then sends what it has."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    subjects.child_of_bench(None)
    sys.setswitchinterval(0.0005)  # a thread that has an answer must not wait 5 ms to write down the time
    stop, answers = threading.Event(), []
    clients = [threading.Thread(target=ask, args=(port, path, number < KEPT, stop, answers), daemon=True)
               for number in range(KEPT + SHORT)]
    for one in clients:
        one.start()
    pipe.recv()
    stop.set()
    for one in clients:
        one.join()
    pipe.send(answers)


def ask(port, path, keep, stop, answers):
    """One client."""
    connection = None
    while not stop.is_set():
        broken = bool(connection and connection.ended_while_idle())
        if broken:
            connection.close()
            connection = None
        sent, versions, failure = time.monotonic(), (), None
        try:
            connection = connection or client.Connection(port)
            sent = time.monotonic()
            status, body = connection.request(path, keep=keep)
            if status == 200:
                versions = deploy.versions(body)
            else:
                failure = f"status {status}"
            broken = broken or keep and not connection.kept
        except (OSError, client.Broken) as error:
            failure, broken = str(error), broken or keep
        answers.append(Answer(sent, time.monotonic(), versions, failure, broken))
        if connection and (failure or not keep or not connection.kept):
            connection.close()
            connection = None
        time.sleep(PAUSE_SECONDS)
