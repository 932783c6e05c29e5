"""Untrusted scripts: what a neighbour notices of attackers, how far each limit is exceeded, and many tenants' scripts."""

from dataclasses import asdict, dataclass, field

import attacks
import neighbours
import overshoot
import subjects
import tenants
import workloads
from subjects import Subject

PARTS = ("neighbours", "overshoot", "tenants")


@dataclass
class Results:
    """What the parts found; empty where one was not asked for."""
    latencies: list = field(default_factory=list)
    attacked: list = field(default_factory=list)
    overshoots: list = field(default_factory=list)
    hits: list = field(default_factory=list)
    notes: list = field(default_factory=list)


def make_subjects(nginx_v, module, version, lua_dir, count):
    """(ours, peer), with the locations of all parts."""
    untrusted, scripts = workloads.untrusted_dir(lua_dir), lua_dir.parent / "tenants"
    plain = subjects.peer(nginx_v, lua_dir)
    http = neighbours.ours_http() + overshoot.ours_http() + tenants.ours_http(count)
    own = subjects.ours(module, version, lua_dir, http)
    ours_locations = (neighbours.ours_locations(lua_dir, untrusted) + overshoot.ours_locations(untrusted)
                      + tenants.ours_locations(scripts))
    peer_locations = neighbours.peer_locations(lua_dir) + tenants.peer_locations(scripts)
    return (Subject("ours", "ours", version, own.load_modules, own.http, str), ours_locations), \
        (Subject("peer", "peer", plain.version, plain.load_modules, plain.http, str), peer_locations)


def set_up(pairs, nginx, core, directory):
    (directory / "tenants").mkdir()
    for subject, locations in pairs:
        subject.set_up(nginx, locations, core, directory)


def measure(ours, peer, parts, seconds, count, core, directory, show):
    """The Results of the parts; `show` is given each table as soon as it is known."""
    found = Results()
    if "neighbours" in parts:
        measure_neighbours(found, ours, peer, seconds, core)
        show("latency of an innocent request", neighbours.rows(found.latencies))
    if "overshoot" in parts:
        found.overshoots, sentence = overshoot.measure(ours)
        found.notes.append(sentence)
        show(f"beyond a time of {overshoot.TIME_MS} ms", overshoot.rows_of_time(found.overshoots))
        show(f"{overshoot.INSTRUCTIONS} instructions", overshoot.rows_of_cpu(found.overshoots))
        show(f"a memory of {overshoot.MEMORY // overshoot.MIB} MiB", overshoot.rows_of_memory(found.overshoots))
    if "tenants" in parts:
        empty = {subject: tenants.empty(subject) for subject in (ours, peer)}
        tenants.write_scripts(directory / "tenants", count)
        for subject, way, prefix in (
            (peer, "peer: content_by_lua_file", "plain"),
            (ours, "ours: one profile", "shared"),
            (ours, "ours: a VM each", "each"),
        ):
            found.hits.append(tenants.measure(subject, way, prefix, count, empty[subject]))
            subject.stop()
        show(f"{count} tenants' scripts", tenants.rows(found.hits))
    return found


def measure_neighbours(found, ours, peer, seconds, core):
    for subject, scripts in ((ours, attacks.ATTACKS), (peer, attacks.PEERS)):
        latencies, attacked = neighbours.measure(subject, scripts, seconds, core)
        subject.stop()
        found.latencies += latencies
        found.attacked.append(attacked)
        found.notes.append(f"{subject.key}: attacks answered: {counts(attacked.answers)}; ended by: {counts(attacked.ended_by)}")
        found.notes += [f"{one.subject}: {one.innocent}: {one.failed} requests failed with attackers: {one.state}"
                        for one in latencies if one.failed]
    found.notes += [f"peer: not attacked by {one.name}: {one.not_for_peer}" for one in attacks.ATTACKS if one.not_for_peer]


def counts(by_name):
    return ", ".join(f"{n} × {name}" for name, n in sorted(by_name.items(), key=str)) or "nothing"


def as_json(header, found):
    return {"header": header, **asdict(found)}
