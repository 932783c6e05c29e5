"""The application that is deployed: five modules that require one another, and a handler that lists their versions."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import client
import subjects
from subjects import BenchError

# Each keeps what it saw of the others while it loaded, so that a stale one shows as well as a stale require.
MODULES = {
    "app.d": "return { version = @V@ }\n",
    "app.c": 'return { version = @V@, d = require("app.d").version }\n',
    "app.b": 'return { version = @V@, d = require("app.d").version }\n',
    "app.a": 'return { version = @V@, b = require("app.b").version, c = require("app.c").version }\n',
    "app.e": 'return { version = @V@, c = require("app.c").version }\n',
}

# app.e is required only after the wait, when a deploy may have come between.
HANDLER = """\
local a = require "app.a"
@WAIT@
local b, c, d, e = require "app.b", require "app.c", require "app.d", require "app.e"
local text = table.concat({
    a.version, b.version, c.version, d.version, e.version, a.b, a.c, b.d, c.d, e.c,
}, " ")
ngx.header.content_length = #text
ngx.print(text)
"""

WAITING, QUICK = "/waiting", "/quick"


@dataclass(frozen=True)
class Way:
    """A way to deploy: a row of the table."""
    name: str  # for --rows
    subject: subjects.Subject
    lua_dir: Path
    activate: Callable  # what is done once the files are written; None: nothing
    done_means: str  # what the moment `done` is

    def deploy(self, version):
        write_version(self.lua_dir, version)
        if self.activate:
            self.activate(self.subject)


def locations(lua_dir):
    """The location blocks of every subject."""
    return [f'location = {path} {{\ncontent_by_lua_file "{lua_dir}/{path[1:]}.lua";\n}}' for path in (WAITING, QUICK)]


def write_application(lua_dir):
    """The handlers and version 1 of the modules."""
    (lua_dir / "app").mkdir(parents=True)
    write_file(lua_dir / "waiting.lua", HANDLER.replace("@WAIT@", "ngx.sleep(0.005)"))
    write_file(lua_dir / "quick.lua", HANDLER.replace("@WAIT@\n", ""))
    write_version(lua_dir, 1)


def write_version(lua_dir, version):
    for name, source in MODULES.items():
        write_file(lua_dir / f"{name.replace('.', '/')}.lua", source.replace("@V@", str(version)))


def write_file(path, text):
    """As a careful deploy does: beside it, then renamed over it."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(text)
    os.replace(beside, path)


def versions(body):
    """The versions of an answer: one where it is of one piece."""
    return tuple(sorted({int(word) for word in body.split()}))


def publish(subject, call, modules=tuple(MODULES)):
    """The control call that activates what is on disk; its reply."""
    query = "publish" if call == "publish" else "invalidate?" + "&".join(f"module={m}" for m in modules)
    status, reply = client.control(subject.port, "POST", query)
    if status == 404 and call == "publish":
        raise BenchError("this module has no `POST publish`: give --call invalidate")
    if status != 200:
        raise BenchError(f"{subject.title}: POST {query} answers {status}: {reply.get('error')}\n{subject.log_tail()}")
    return reply


def reload(subject):
    """`nginx -s reload`: returns when the master has got its signal."""
    done = subprocess.run(subject.command("-s", "reload"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env=subjects.environment())
    if done.returncode:
        raise BenchError(f"{subject.title}: nginx -s reload fails:\n{done.stdout}")
