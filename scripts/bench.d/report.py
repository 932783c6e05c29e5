"""Turns samples into medians, ratios, the printed table and JSON."""

import statistics
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Spread:
    median: float
    low: float
    high: float

    def text(self, decimals, unit=1):
        median, low, high = (f"{x / unit:.{decimals}f}" for x in (self.median, self.low, self.high))
        return f"{median} ({low}–{high})"

    @property
    def width(self):
        return self.high - self.low


def spread(values):
    return Spread(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Row:
    """A workload's figures; the ratios are None without our module."""
    name: str
    cpu_us: dict  # subject key -> Spread
    rate: dict
    ratio: Spread | None  # ours / peer
    above: Spread | None  # the same of the parts above `return 200`
    above_is_noise: bool


def row_of(name, samples):
    cpu = {key: [s.cpu_us for s in own] for key, own in samples.items()}
    cpu_us = {key: spread(values) for key, values in cpu.items()}
    rate = {key: spread([s.rate for s in own]) for key, own in samples.items()}
    if "ours" not in cpu:
        return Row(name, cpu_us, rate, None, None, False)
    # Round by round: neighbours in time share the machine's state.
    triples = list(zip(cpu["return"], cpu["peer"], cpu["ours"]))
    ratio = spread([ours / peer for _, peer, ours in triples])
    parts = [(ours - base) / (peer - base) for base, peer, ours in triples if peer > base]
    above = spread(parts) if parts else None
    return Row(name, cpu_us, rate, ratio, above, is_noise(cpu_us))


# Below this, the peer measured against itself gave ratios of the parts above `return 200` of up to 1.16.
NOISE_WIDTHS = 3


def is_noise(cpu_us):
    """Whether the peer's part above `return 200` is too close to what two rounds differ by."""
    part = cpu_us["peer"].median - cpu_us["return"].median
    return part < NOISE_WIDTHS * max(one.width for one in cpu_us.values())


HEADINGS = {
    "return": ("return 200 µs", "return 200 kreq/s"),
    "peer": ("peer µs", "peer kreq/s"),
    "ours": ("ours µs", "ours kreq/s"),
}


def table(rows):
    """A Markdown table that also reads well in a terminal."""
    keys = list(rows[0].cpu_us)
    head = ["row"] + [HEADINGS[k][0] for k in keys]
    head += ["ours/peer", "above return 200"] if "ours" in keys else ["peer above return 200 µs"]
    head += [HEADINGS[k][1] for k in keys]
    return aligned([head] + [cells(row, keys) for row in rows])


def aligned(lines):
    """The lines' cells as a Markdown table; the first line is its head."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    lines = [lines[0], ["-" * w for w in widths], *lines[1:]]
    return "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(line, widths)) + " |" for line in lines)


def cells(row, keys):
    out = [row.name] + [row.cpu_us[k].text(2) for k in keys]
    if "ours" in keys:
        out += [row.ratio.text(3), above_text(row)]
    else:
        out.append(f"{row.cpu_us['peer'].median - row.cpu_us['return'].median:.2f}")
    return out + [row.rate[k].text(1, 1000) for k in keys]


def above_text(row):
    text = row.above.text(2) if row.above else "-"
    return f"{text} ?" if row.above_is_noise else text


def over_limit(rows, limit):
    """Sentences on the ratios above the limit; a ratio that is noise is not judged."""
    found = []
    for row in rows:
        if row.ratio and row.ratio.median > limit:
            found.append(f"{row.name}: ours/peer {row.ratio.median:.3f} is over {limit}")
        if row.above and not row.above_is_noise and row.above.median > limit:
            found.append(f"{row.name}: above return 200: {row.above.median:.2f} is over {limit}")
    return found


def as_json(header, rows, samples, notes):
    return {
        "header": header,
        "rows": [{**asdict(row), "samples": {k: [s.as_dict() for s in own] for k, own in samples[row.name].items()}}
                 for row in rows],
        "notes": notes,
    }
