# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix bench: measures and prints tables, with the method beside the numbers (bench/README.md)."""

import math
import platform
import re
import subprocess
from argparse import Namespace
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from helix import (bench_boot, bench_disk, bench_hosted, bench_linux, bench_machine, bench_memory, bench_placement,
                   bench_profile, build,
                   packages, paths, programs, qemu, targets, ui)
from helix.bench_machine import Figure, System

_LOWEST_RATIO = 0.1  # a ratio counts as at least this, so that one line cannot buy the mean
_WALL = ("pipe_pingpong", "futex_pingpong", "eventfd_pingpong")
_GROUPS = ("boot", "memory", "wall")
_OWN = ("swap", "trace")  # programs that measure what Linux has no counterpart of
_ENTRY_SLACK = 1000000  # instructions from the entry to where a kernel notes its counter; some read a tree before

Figures = dict[str, Figure]


@cache
def operations() -> dict[str, str]:
    """All operations and their programs, from the tables in the sources."""
    found = {}
    for path in sorted((paths.TOP / "bench").glob("*.c")):
        for name in re.findall(r'^    \{ "(\w+)", ', path.read_text(), re.M):
            found[name] = path.stem
    return found


def _chosen(patterns: list[str]) -> tuple[list[str], list[str]]:
    """The operations and the groups that were asked for; all, if nothing was."""
    for pattern in patterns:
        if not any(fnmatch(name, pattern) for name in (*operations(), *_GROUPS, bench_placement.PROGRAM)):
            raise ui.Failure(f"there is no benchmark {pattern}; there are "
                             f"{', '.join((*operations(), *_GROUPS, bench_placement.PROGRAM))}")
    patterns = patterns or ["*"]

    def matching(names: Iterator[str]) -> list[str]:
        return [name for name in names if any(fnmatch(name, pattern) or
                                              pattern == bench_placement.PROGRAM == operations().get(name) for pattern in patterns)]
    return matching(iter(operations())), matching(iter(_GROUPS))


def _items(names: list[str]) -> str:
    """The words for bench/init.c."""
    by_program: dict[str, list[str]] = {}
    for name in names:
        by_program.setdefault(operations()[name], []).append(name)
    return " ".join(f"{program}:{','.join(some)}" for program, some in by_program.items())


def _of_disk(names: list[str]) -> bool:
    return operations()[names[0]] == bench_disk.PROGRAM


def _of_placement(names: list[str]) -> bool:
    return operations()[names[0]] == bench_placement.PROGRAM


def _run(system: System, how: str, names: list[str], initrd: Path) -> tuple[Figures, set[str]]:
    """One boot: the figures that it gave, and the operations that it came past."""
    append = system.append("/bench/init", f"-- {how} {_items(names)}")
    machine = qemu.Machine(system.kernel, initrd, append, 1, cpu=bench_machine.CPUS[targets.current().name])
    if how == "icount":
        bench_machine.counted(machine)
    if _of_disk(names):
        machine.extra = [*machine.extra, *bench_disk.words()]
    if _of_placement(names):
        machine.extra = [*machine.extra, *bench_placement.words()]
    figures: Figures = {}
    past: set[str] = set()
    log = qemu.log_file(f"bench-{system.name}")
    with bench_machine.Console(machine, log, silence_s=180) as console:
        try:
            for line in console.lines():
                if line.endswith("bench: end"):
                    return figures, set(names)
                if found := bench_machine.figure(line):
                    figures[found[0]] = found[1]
                    ui.progress(f"{system.name}: {found[0]} {found[1].minimum}")
                past |= set(re.findall(r"bench: (\w+) (?:\d|failed|ended)", line))
        except ui.Failure:
            pass  # it hangs; what is missing is reported by the caller
    return figures, past


def measure(system: System, how: str, names: list[str]) -> Figures:
    """The figures of the operations that work. After one that ends the machine or hangs, the rest
    is run in another machine."""
    programs_needed = sorted({operations()[name] for name in names})
    archive = bench_machine.archive(["init", "child", *programs_needed])
    if _of_disk(names) and system.name == "linux":
        bench_disk.add_modules(archive)
    if _of_placement(names):
        bench_placement.add_packages(archive, system.kernel)
    figures: Figures = {}
    left = names
    with qemu.Initrd(archive.bytes()) as initrd:
        while left:
            ui.progress(f"{system.name}: booting")
            some, past = _run(system, how, left, initrd)
            figures |= some
            left = [name for name in left if name not in past]
            if left:
                ui.say(f"helix: {system.name}: {left[0]} ended or hung the machine; "
                       f"the log is {paths.LOGS.relative_to(paths.TOP)}/bench-{system.name}.log")
                left = left[1:]
    return figures


def _spread(figure: Figure) -> str:
    return f"{100 * (figure.p90 - figure.minimum) / max(figure.minimum, 1):.0f} %"


def _cells(figure: Figure | None) -> list[str]:
    if figure is None:
        return ["failed", "", ""]
    return [f"{figure.minimum:,}", f"{figure.median:,}", _spread(figure)]


def _print_table(rows: list[list[str]]) -> None:
    """The first column is text, the others are numbers."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        ui.result("  ".join(cells).rstrip())
    ui.result("")


def _ratio(ours: Figure | None, theirs: Figure | None) -> float | None:
    return ours.minimum / max(theirs.minimum, 1) if ours and theirs else None


def _head(systems: list[System], unit: str) -> list[str]:
    cells = [unit]
    for system in systems:
        cells += [f"{system.name} min", "median", "spread"]
    return cells + (["ratio"] if len(systems) > 1 else [])


def _compare(systems: list[System], how: str, names: list[str], unit: str) -> dict[str, float]:
    """Measures, prints the table, and returns the ratios; a failed operation's is infinite."""
    all_figures = [measure(system, how, names) for system in systems]
    rows = [_head(systems, unit)]
    ratios: dict[str, float] = {}
    for name in names:
        cells = [cell for figures in all_figures for cell in _cells(figures.get(name))]
        if all_figures[0].get(name) is None:
            ratios[name] = math.inf
        if len(systems) > 1:
            ratio = _ratio(all_figures[0].get(name), all_figures[1].get(name))
            cells.append("" if ratio is None else f"{ratio:.2f}")
            if ratio is not None:
                ratios[name] = ratio
        rows.append([name, *cells])
    _print_table(rows)
    return ratios


def _placement(system: System, names: list[str]) -> None:
    for how, some, unit in (("icount", names, "instructions"), ("wall", bench_placement.restarts(names), "ns, plain TCG")):
        if some:
            _print_table(bench_placement.table(unit, some, measure(system, how, some), _cells))


def _summary(ratios: dict[str, float]) -> None:
    known = [max(ratio, _LOWEST_RATIO) for name, ratio in ratios.items()
             if ratio < math.inf and operations()[name] not in bench_machine.POSIX_X]
    if known:
        mean = math.exp(sum(math.log(ratio) for ratio in known) / len(known))
        worse = sorted((name for name, ratio in ratios.items() if ratio > 1),
                       key=lambda name: -ratios[name])
        ui.result(f"geometric mean of {len(known)} ratios (each at least {_LOWEST_RATIO}): {mean:.3f}; "
                  f"over 1: {', '.join(worse) or 'none'}\n")


def _boot_cell(system: System, case: bench_boot.Case) -> tuple[str, int | None]:
    ui.progress(f"{system.name}: boot on {case.name}")
    try:
        span = bench_boot.measure(system, case)
    except ui.Failure as failure:
        return str(failure), None
    if span.logged is not None and abs(span.logged - span.entry) > _ENTRY_SLACK and case.counted:
        ui.say(f"helix: {system.name} logs an entry counter of {span.logged:,}, "
               f"but was entered at {span.entry:,}")
    return f"{span.ticks / 1e6:,.2f}", span.ticks


def _boot(systems: list[System]) -> dict[str, float]:
    unit = "kernel entry to init, M ticks"
    rows = [[unit, *(system.name for system in systems)] + (["ratio"] if len(systems) > 1 else [])]
    ratios: dict[str, float] = {}
    for case in bench_boot.cases():
        cells, ticks = zip(*(_boot_cell(system, case) for system in systems), strict=True)
        rows.append([case.name, *cells])
        if ticks[0] is None:
            ratios[f"boot, {case.name}"] = math.inf
        if len(systems) > 1:
            rows[-1].append(f"{ticks[0] / ticks[1]:.3f}" if ticks[0] and ticks[1] else "")
            if ticks[0] and ticks[1]:
                ratios[f"boot, {case.name}"] = ticks[0] / ticks[1]
    _print_table(rows)
    return ratios


def _memory(systems: list[System]) -> None:
    uses = [bench_memory.measure(system) for system in systems]
    rows = [["at a busybox shell, MiB (-m 256)", *(system.name for system in systems)]]
    for what, field in (("kept by the kernel (-m less MemTotal)", "reserved"),
                        ("used (MemTotal less MemFree)", "used"),
                        ("not available to programs", "unavailable"),
                        ("smallest -m that gets to a shell", "smallest")):
        values = [getattr(use, field) for use in uses]
        rows.append([what, *(str(value) if isinstance(value, int) else f"{value:.1f}"
                             for value in values)])
    _print_table(rows)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _print_method(systems: list[System]) -> None:
    target = targets.current()
    version = subprocess.run([target.emulator, "--version"], text=True, check=False,
                             stdout=subprocess.PIPE).stdout.splitlines()[0]
    ui.result("method: the counter in the guest around a round of operations, 21 rounds after one that does"
              " not count; the loop's\nown cost is subtracted; each round checks that its work was"
              f" done. QEMU -M {target.machine} -cpu {bench_machine.CPUS[target.name]} -smp 1 -m 256\n-icount shift=0,sleep=off -seed 1: one"
              " tick is one instruction of the guest. spread: from minimum to 90th\npercentile. What a"
              " kernel does later (in ticks, in deferred work) shows in median and spread.")
    if len(systems) > 1:
        ui.result(f"linux: Debian's {bench_linux.version()}, uncompressed, {systems[1].words}")
    ui.result(f"machine: {version}, on {_processor()}")


def _print_method_of_groups(groups: list[str]) -> None:
    if "boot" in groups:
        start = bench_boot.start()
        ui.result(f"boot: from the kernel's {start} to init's; under plain TCG\na tick is one of the host's counter, and depends on what"
                  " the host does.")
    if "wall" in groups:
        ui.result("wall: CLOCK_MONOTONIC under plain TCG: what emulation makes of it; it depends on"
                  " the host.")


def _systems(options: Namespace) -> list[System]:
    kernel = Path(options.kernel).resolve() if options.kernel and options.kernel != "linux" else None
    if options.kernel == "linux":
        return [bench_machine.linux()]
    ours = bench_machine.helix(kernel or build.kernel(options.arch, options.profile, options.yes))
    return [ours, bench_machine.linux()] if options.against_linux or options.check else [ours]


def _measure_all(systems: list[System], names: list[str], groups: list[str]) -> dict[str, float]:
    """Measures and prints all that was asked for; the ratios that a check looks at."""
    ratios: dict[str, float] = {}
    own = [name for name in names if operations()[name] in _OWN]
    disk = [name for name in names if operations()[name] == bench_disk.PROGRAM]
    placed = [name for name in names if operations()[name] == bench_placement.PROGRAM]
    shared = [name for name in names if name not in (*own, *disk, *placed)]
    if shared:
        ratios = _compare(systems, "icount", shared, "instructions")
        _summary(ratios)
    if own and systems[0].name == "helix":
        _compare(systems[:1], "icount", own, "instructions")
    if placed and systems[0].name == "helix":
        _placement(systems[0], placed)
    if disk:
        _compare(systems, "wall", disk, "ns, plain TCG")
    if "boot" in groups:
        ratios |= _boot(systems)
    if "memory" in groups:
        _memory(systems)
    if "wall" in groups:
        _compare(systems, "wall", list(_WALL), "ns, plain TCG")
    return ratios


def command(options: Namespace) -> int:
    if options.arch == "hosted":
        return bench_hosted.command(options, _print_table, _processor())
    packages.need(packages.run(), yes=options.yes)
    programs.need(options.yes)
    names, groups = _chosen(options.names)
    systems = _systems(options)
    if options.where:
        for name in names:
            bench_profile.profile(systems[0], operations()[name], name)
        return 0
    ratios = _measure_all(systems, names, groups)
    _print_method(systems)
    _print_method_of_groups(groups)
    bad = [name for name, ratio in ratios.items() if ratio > 1]
    if options.check and bad:
        raise ui.Failure(f"worse than Linux, or failed: {', '.join(bad)}")
    return 0
