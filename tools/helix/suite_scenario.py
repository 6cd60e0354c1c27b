# SPDX-License-Identifier: MIT OR Apache-2.0
"""Scenarios: programs that check what Linux promises, run inside; their exit status is the verdict.
The same programs pass on Debian's Linux (--kernel linux), which is what makes them judges.

A program's first lines may hold words for this file:
  // ON: x86_64 riscv64  the machines that it is for; all if it does not say
  // RUN: musl glibc     how it is built (programs.FLAVOURS), one test each; musl if it does not say
  // LIMIT: 240          seconds of guest time after which it is ended, if more than _LIMIT_S
  // ARGS: a b           its arguments
  // WITH: a.c ../b/b.c  what is compiled with it (programs.build)
"""

import re
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from helix import guest, paths, programs, qemu, rootfs, simulation, targets, ui
from helix.report import Context, Job, Verdict

SMP = (1, 4)
_FAST_ROUTE = ("fast_route", "threads")  # of posix-x, what is run with more than one processor, too
# And what the default run has of it on other machines: where a library of its own goes another way.
_POSIX_X_SHARE = ("clocks", "exec", "fast_route", "fork", "memory", "session", "signal", "system", "threads", "vdso")
_LIMIT_S = 180  # of a program whose cases are ended one by one, by tests/scenario/check.h


@dataclass(frozen=True)
class Program:
    source: Path
    flavour: str
    limit_s: float
    arguments: tuple[str, ...]

    prefix: str = ""
    usual: str = "musl"  # the flavour that the name leaves out

    @property
    def name(self) -> str:
        name = f"{self.prefix}{self.source.stem}"
        return name if self.flavour == self.usual else f"{name}-{self.flavour}"

    @property
    def inside(self) -> str:
        return f"/tests/{self.name}"


@cache
def found(suite: str) -> tuple[Program, ...]:
    """The programs in tests/SUITE, as far as they can be built for the machine; to native belong
    the examples in user/apps; posix-x are those of scenario with another C library."""
    if suite == "posix-x":
        return tuple(replace(program, flavour=suite, usual=suite)
                     for program in found("scenario") if program.flavour == "musl")
    programs_found = []
    apps = paths.TOP / "user/apps"
    sources = sorted((paths.TOP / "tests" / suite).glob("*.c"))
    for source in sources + (sorted(apps.glob("*.c")) if suite == "native" else []):
        words = dict(re.findall(r"^// (ON|RUN|LIMIT|ARGS): (.*)$", source.read_text(), re.M))
        if targets.current().name not in words.get("ON", targets.current().name).split():
            continue
        for flavour in words.get("RUN", "musl").split():
            if flavour in targets.current().lacks:
                continue
            programs_found.append(Program(source, flavour, max(float(words.get("LIMIT", 0)), _LIMIT_S),
                                          tuple(words.get("ARGS", "").split()),
                                          "app-" if source.parent == apps else ""))
    return tuple(programs_found)


def initrd(chosen: list[Program], kernel: Path | None = None) -> bytes:
    """Busybox, the runner and the programs; with a kernel, services and its packages."""
    archive = rootfs.with_runner(rootfs.base())
    if kernel is not None:
        rootfs.with_services(archive, kernel, tests=True)
    archive.folder("tests")
    for program in chosen:
        built = programs.build(program.source, program.flavour)
        archive.file(program.inside.strip("/"), built.read_bytes(), 0o755)
    return archive.bytes()


def start(context: Context, data: Path, smp: int, log_name: str, mem: str = "256M",
          silence_s: float = 120) -> guest.Guest:
    """A machine with the runner as init."""
    assert context.kernel is not None
    append = qemu.append_for(context.kernel, "/sbin/runner")
    log_name = log_name if context.options.profile == "minimal" else f"{context.options.profile}-{log_name}"
    machine = qemu.Machine(context.kernel, data, append, smp, mem)
    return guest.Guest(machine, qemu.log_file(log_name), silence_s)


def _show(outcome: guest.Outcome) -> str:
    return (outcome.out + outcome.err)[-8000:].decode(errors="replace")


def judge(name: str, program: Program, inside: guest.Guest) -> Verdict:
    outcome = inside.run([program.inside, *program.arguments], limit_s=program.limit_s,
                         folder="/tmp")
    if outcome.timed_out:
        return Verdict(name, f"no end within {program.limit_s:.0f} s", _show(outcome))
    if outcome.code:
        return Verdict(name, f"exit status {outcome.code}", _show(outcome))
    return Verdict(name)


def _run_in_turn(context: Context, suite: str, smp: int, names: list[str]) -> Iterator[Verdict]:
    """Runs programs one after another in one machine; a new one after a machine's death."""
    by_name = {f"{suite}/{program.name}@{smp}": program for program in found(suite)}
    waiting = []
    for name in names:
        try:
            programs.build(by_name[name].source, by_name[name].flavour)
            waiting.append(name)
        except ui.Failure as failure:
            yield Verdict(name, str(failure), failure.detail)
    native = suite == "native"  # whose services come with all packages
    archive = initrd([by_name[name] for name in waiting], context.kernel if native else None)
    with qemu.Initrd(archive if native else archive + context.packages()) as data:
        while waiting:
            with start(context, data, smp, f"{suite}-{smp}") as inside:
                name = waiting[0]
                try:
                    inside.wait_ready()
                    while waiting:
                        name = waiting.pop(0)
                        yield judge(name, by_name[name], inside)
                    inside.power_off()
                except guest.Died as died:
                    if waiting and waiting[0] == name:
                        waiting.pop(0)
                    yield Verdict(name, str(died), inside.report())


def _jobs_of(suite: str) -> list[Job]:
    jobs = []
    for smp in SMP:
        names = [f"{suite}/{program.name}@{smp}" for program in found(suite)
                 if suite != "posix-x" or smp == 1 or program.name in _FAST_ROUTE]
        if names:
            jobs.append(Job(names, lambda context, chosen, smp=smp: _run_in_turn(
                context, suite, smp, chosen)))
    return jobs


def jobs(_: Namespace) -> list[Job]:
    return _jobs_of("scenario")


def posix_x_jobs(_: Namespace) -> list[Job]:
    """The scenarios with the C library that has a fast route (user/posix-x)."""
    return _jobs_of("posix-x")


def posix_x_share_names() -> list[str]:
    return [f"posix-x/{name}@1" for name in _POSIX_X_SHARE]


def native_jobs(_: Namespace) -> list[Job]:
    """The same for programs that use what only Helix has."""
    return _jobs_of("native")


def torture_jobs(options: Namespace) -> list[Job]:
    """The same for programs that press hard: many processors, processes, pages at once. On the
    hosted machine: the simulator's seeds."""
    if options.arch == "hosted":
        return [simulation.seed_job(options.seed, options.seeds)]
    return _jobs_of("torture")
