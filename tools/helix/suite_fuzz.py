# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fuzzing. Inside: tests/fuzz/*.c press random and hostile calls on a running kernel, on one and on
four processors; it must live, and be as it was. On the host: libFuzzer through the whole hosted
kernel, and each libFuzzer target for a moment. Seeds are fixed; --seed N chooses others."""

import subprocess
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from helix import build, guest, hosted, packages, paths, programs, qemu, rootfs, suite_unit
from helix.report import Context, Failed, Job, Verdict, single
from helix.suite_scenario import start

SMP = (1, 4)
_SECONDS = 30  # of the guest's time for random calls, if nobody says
_HOSTED_SECONDS = 5
_KERNEL_RUNS = 2000
_KERNEL_LIMIT_S = 300
_PANIC = "kernel panic"
_HOST = "fuzz/host"


@dataclass(frozen=True)
class Program:
    """A program and its arguments; %SEED% is the seed, %SECONDS% and %HALF% are --seconds and half of it."""

    name: str
    arguments: tuple[str, ...]
    limit_s: float
    variant: str = ""
    mem: str = "256M"


PROGRAMS = (
    Program("hostile", ("%SEED%",), 300, mem="64M"),  # all of it is taken again and again
    Program("storms", ("%SEED%",), 180),
    Program("syscalls", ("run", "%SECONDS%", "%SEED%"), 120),
    Program("syscalls", ("run", "%HALF%", "%SEED%", "faults"), 120, "-faults"),
)
# The share of the default run that other machines than the first one have: what is theirs.
_OF_THE_MACHINE = ("jumps", "bad_reads_and_writes", "random_code", "corrupted_programs", "code_runs",
                   "stacks_for_signals", "spoiled_frames", "sigreturn_alone", "instructions",
                   "thread_pointers")
SHARE = (
    Program("hostile", ("%SEED%", *_OF_THE_MACHINE), 180, "-machine", "64M"),
    Program("syscalls", ("run", "5", "%SEED%"), 120, "-short"),
)


def _programs(options: Namespace) -> tuple[Program, ...]:
    """A kernel that was named may be one of which only a share is wanted, too."""
    return PROGRAMS if options.arch == "x86_64" and not options.kernel else PROGRAMS + SHARE


def share_names() -> list[str]:
    """The tests of that share."""
    return [f"fuzz/{program.name}{program.variant}@4" for program in SHARE]


def _source(program: Program) -> Path:
    return paths.TOP / "tests" / "fuzz" / f"{program.name}.c"


def _initrd(context: Context) -> bytes:
    archive = rootfs.with_runner(rootfs.base())
    archive.folder("tests")
    for program in PROGRAMS:
        archive.file(f"tests/{program.name}", programs.build(_source(program)).read_bytes(), 0o755)
    return archive.bytes() + context.packages()


def _seconds(options: Namespace) -> int:
    return int(options.seconds) or _SECONDS


def _words(program: Program, options: Namespace) -> list[str]:
    seconds = _seconds(options)
    known = {"%SEED%": options.seed, "%SECONDS%": seconds, "%HALF%": (seconds + 1) // 2}
    return [str(known.get(word, word)) for word in program.arguments]


def _judge(name: str, program: Program, inside: guest.Guest, options: Namespace) -> Verdict:
    seed, limit_s = options.seed, program.limit_s + _seconds(options)
    outcome = inside.run([f"/tests/{program.name}", *_words(program, options)], limit_s=limit_s, folder="/tmp")
    text = (outcome.out + outcome.err)[-8000:].decode(errors="replace")
    if _PANIC in inside.log.read_bytes().decode(errors="replace").lower():
        return Verdict(name, "the kernel's log shows a panic", inside.report())
    if outcome.timed_out:
        return Verdict(name, f"no end within {limit_s:.0f} s", text)
    if outcome.code:
        return Verdict(name, f"exit status {outcome.code}, seed {seed}",
                       f"{text}\n{inside.report()}")
    return Verdict(name)


def _run_inside(context: Context, smp: int, names: list[str]) -> Iterator[Verdict]:
    """Each program has a machine of its own, so that a death is one program's."""
    with qemu.Initrd(_initrd(context)) as data:
        for program in _programs(context.options):
            name = f"fuzz/{program.name}{program.variant}@{smp}"
            if name not in names:
                continue
            with start(context, data, smp, name.replace("/", "-").replace("@", "-"),
                       program.mem) as inside:
                try:
                    inside.wait_ready()
                    yield _judge(name, program, inside, context.options)
                    inside.power_off()
                except guest.Died as died:
                    yield Verdict(name, f"{died}, seed {context.seed}", inside.report())


def _targets(folder: Path) -> list[Path]:
    """The programs of cmake's helix_fuzz(), found by the prefix that all of them have."""
    return sorted(path for path in folder.rglob("fuzz_*") if path.is_file() and not path.suffix)


def _hosted(context: Context, names: list[str]) -> Iterator[Verdict]:
    packages.need(packages.BUILD, packages.HOSTED, yes=context.options.yes)
    everything = _HOST in names
    wanted = [name.removeprefix("fuzz/") for name in names]
    with build.hosted_lock:
        folder = build.configure_and_build("hosted", context.options.profile, paths.TOP, None if everything else wanted)
    targets = _targets(folder)
    for target in targets:
        if not everything and target.name not in wanted:
            continue
        work = paths.ensure(paths.OUT / "fuzz" / target.name)
        done = subprocess.run([str(target), f"-seed={context.seed}",
                               f"-max_total_time={_HOSTED_SECONDS}",
                               f"-artifact_prefix={work}/"], text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        failure = f"status {done.returncode}; its input is in {work}" if done.returncode else ""
        yield Verdict(f"fuzz/{target.name}", failure, done.stdout[-8000:] if failure else "")
    if everything:
        yield Verdict(_HOST, "" if targets else "there are no fuzz targets")


def _host_names() -> list[str]:
    """All targets at once, and each: ctest has a short run of every one."""
    return [_HOST, *(f"fuzz/{name}" for name in suite_unit.programs() if name.startswith("fuzz_"))]


def _kernel(smp: int) -> Job:
    """libFuzzer through the whole hosted kernel: tests/hosted/fuzz.c."""
    name = f"fuzz/kernel@{smp}"

    def body(context: Context) -> None:
        packages.need(packages.BUILD, packages.HOSTED, yes=context.options.yes)
        process = hosted.process("fuzz", context.options.profile)
        work = paths.ensure(paths.OUT / "fuzz" / "kernel")
        words = [f"-runs={_KERNEL_RUNS}", f"-seed={context.seed}", "-max_len=512", "-len_control=20",
                 "-detect_leaks=0"]
        try:
            done = subprocess.run([str(process), "--smp", str(smp), "quiet", "init=/fuzz", "--", *words],
                                  text=True, errors="replace", stdin=subprocess.DEVNULL, cwd=work,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                                  timeout=_KERNEL_LIMIT_S)
        except subprocess.TimeoutExpired:
            raise Failed(f"no end within {_KERNEL_LIMIT_S} s, seed {context.seed}") from None
        if done.returncode or f"Done {_KERNEL_RUNS} runs" not in done.stdout:
            raise Failed(f"status {done.returncode}, seed {context.seed}; its input is in {work}",
                         done.stdout[-8000:])

    return single(name, body, machines=False)


def jobs(options: Namespace) -> list[Job]:
    programs_here = _programs(options)
    inside = [Job([f"fuzz/{program.name}{program.variant}@{smp}" for program in programs_here],
                  lambda context, names, smp=smp: _run_inside(context, smp, names)) for smp in SMP]
    return [*inside, *map(_kernel, (1, 4)), Job(_host_names(), _hosted, machines=False)]
