# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix bench --arch hosted: the kernel's own paths in cycles, natively, beside references that run in
the same process, in turns (bench/hosted)."""

import os
import re
import subprocess
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch

from helix import build, hosted, packages, ui

NAME = "helix-bench"
_LINE = re.compile(r"bench: (\w+) (\w+) (\d+) (\d+) (\d+) (\d+)$")
_TCMALLOC = "libtcmalloc-minimal4"
_LIMIT_S = 300
# What a row may cost, in cycles of the core or as a ratio to one of its references.
_LIMITS: dict[str, tuple[str, float]] = {
    "alloc_free_64": ("tcmalloc", 1.5), "switch": ("", 60), "pick_10": ("", 60), "pick_1000": ("", 60),
    "handle_lookup": ("", 12), "ring": ("minimal_ring", 1.15), "ring_batch_16": ("minimal_ring", 1.15),
    "ring_across": ("minimal_ring", 1.15), "ring_across_16": ("minimal_ring", 1.15),
}


@dataclass(frozen=True)
class Figure:
    """Ticks per operation."""

    minimum: float
    median: float
    p90: float
    rounds: int

    @property
    def cells(self) -> list[str]:
        spread = 100 * (self.p90 - self.minimum) / max(self.minimum, 0.01)
        return [f"{self.minimum:,.1f}", f"{self.median:,.1f}", f"{spread:.0f} %"]


Rows = dict[str, dict[str, Figure]]  # by row and side


def parse(text: str) -> Rows:
    rows: Rows = {}
    for line in text.splitlines():
        if found := _LINE.search(line):
            name, side, *numbers, rounds = found.groups()
            least, median, p90 = (int(number) / 100 for number in numbers)
            rows.setdefault(name, {})[side] = Figure(least, median, p90, int(rounds))
    return rows


def run(profile: str, yes: bool) -> tuple[Rows, int]:
    """All rows, and the processor that they were measured on."""
    packages.need(packages.BUILD, packages.HOSTED, yes=yes)
    library = next(packages.unpacked(_TCMALLOC).rglob("libtcmalloc_minimal.so.4"))
    with build.hosted_lock:
        program = build.configure_and_build("hosted", profile, targets=[NAME]) / NAME
    processor = max(os.sched_getaffinity(0))
    done = subprocess.run([str(program), "--smp", "1", "--mem", "256"], text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=_LIMIT_S,
                          stderr=subprocess.STDOUT, env={**os.environ, "HELIX_TCMALLOC": str(library)},
                          preexec_fn=lambda: os.sched_setaffinity(0, {processor}))
    rows = parse(done.stdout)
    if not done.stdout.rstrip().endswith("bench: end") or not rows:
        raise ui.Failure("the benchmark did not come to its end", done.stdout[-8000:])
    return rows, processor


def _verdict(name: str, sides: dict[str, Figure], cycle: float) -> tuple[str, bool]:
    if name not in _LIMITS:
        return "", True
    reference, limit = _LIMITS[name]
    value = sides["helix"].minimum / (sides[reference].minimum if reference else cycle)
    words = f"{limit:g} x {reference}" if reference else f"{limit:g} cycles"
    return f"{'<=' if value <= limit else 'MISSED:'} {words}", value <= limit


def _row(name: str, sides: dict[str, Figure], cycle: float) -> list[list[str]]:
    """A line for the kernel and each of its references."""
    ours = sides["helix"]
    begin, end = [name, *ours.cells], _verdict(name, sides, cycle)[0]
    lines = []
    for side, figure in sides.items():
        if side != "helix":
            lines.append([*begin, side, *figure.cells, f"{ours.minimum / figure.minimum:.2f}", end])
            begin, end = [""] * 4, ""
    return lines


def _print_method(rows: Rows, processor: int, model: str) -> None:
    cycle = rows["cycle"]["helix"].minimum
    rounds = rows["cycle"]["helix"].rounds
    ui.result("method: rdtsc between two lfence around a round of operations; the rounds of a row take"
              f" turns with those of its references,\n{rounds} of each after one that does not count; the"
              " loop around the work is part of both; each round checks that its work was\ndone. One"
              f" process, one processor of the kernel, pinned to processor {processor}; preset hosted"
              " (-O2, the kernel's assertions on,\nlock-order checks and sanitizers off, no stack"
              " protector). spread: from minimum to 90th percentile.")
    ui.result("rows: alloc_free: heap_alloc(64) and heap_free(), tcmalloc's and glibc's malloc and free."
              " switch: hal_switch() alone. pick: the next\nthread of N out of the run queue and back to its"
              " end, by core and policy; list: the same with a bare list. yield: a whole\nthread_yield()"
              " among N. wait_wake: there and back between two threads; futex: the same by the host."
              "\nepoch: enter and leave. gate: a call of an empty method through the gate of its slot; bare_call: the same without."
              "\nhandle_lookup: from a number to its object, its kind and rights checked, within an epoch; handle: the same, used and left;"
              "\nhandle_derived: of a derived capability. trace_event: one event, its count\nand the read of the counter included. ring: one message of 64 bytes in, shown, out and given back on one"
              " processor, alone or 16 at a time; minimal_ring: the same between two who\ntrust each other"
              " and never sleep. ring_across: the same from this processor to another one, where the consumer spins.")
    ui.result(f"machine: {model}; a tick is {1 / cycle:.2f} cycles of its core (a chain of additions"
              f" takes {cycle:.2f} ticks each)")


def command(options: Namespace, print_table: Callable[[list[list[str]]], None], model: str) -> int:
    rows, processor = run(options.profile, options.yes)
    chosen = {name: sides for name, sides in rows.items() if name != "cycle"
              and any(fnmatch(name, pattern) for pattern in options.names or ["*"])}
    if not chosen:
        raise ui.Failure(f"there is no such row; there are {', '.join(rows)}")
    table = [["ticks", "helix min", "median", "spread", "reference", "min", "median", "spread", "ratio",
              "limit"]]
    cycle = rows["cycle"]["helix"].minimum
    for name, sides in chosen.items():
        table += _row(name, sides, cycle)
    print_table(table)
    _print_method(rows, processor, model)
    missed = [name for name, sides in chosen.items() if not _verdict(name, sides, cycle)[1]]
    if options.check and missed:
        raise ui.Failure(f"over the limit: {', '.join(missed)}")
    return 0
