# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests on the hosted machine: the whole kernel as a process, plain and under sanitizers."""

import re
import shutil
import subprocess
from argparse import Namespace
from pathlib import Path

from helix import bench_hosted, hosted, packages, paths, simulation, suite_boot, ui
from helix.report import Context, Failed, Job, single

_LIMIT_S = 120
_PANIC = 37  # the exit status of a panic: PANIC_EXIT_CODE as hal_debug_exit() tells it

# The programs: the variant, how many processors. ThreadSanitizer is about several.
_PROGRAMS = (("", 1), ("", 4), ("address", 1), ("address", 4), ("thread", 4))

# Kernel self-tests: the variant, how many processors, which.
_SELFTESTS = (("", 1, "all"), ("", 4, "all"), ("address", 1, "all"), ("address", 4, "all"),
              ("thread", 4, "all"))


def _with_names(process: Path, text: str) -> str:
    """ThreadSanitizer's addresses with the functions and lines that lie there."""
    tool = shutil.which("llvm-symbolizer-19")
    places = sorted(set(re.findall(r"\+(0x[0-9a-f]+)\)", text)))
    if not tool or not places:
        return text
    done = subprocess.run([tool, "-e", str(process), "-s", "-f", "-p", *places], text=True,
                          stdout=subprocess.PIPE, check=False)
    names = dict(zip(places, (" < ".join(part.split("\n")) for part in
                              done.stdout.strip().split("\n\n")), strict=False))
    return re.sub(r"\+(0x[0-9a-f]+)\).*", lambda found: f") {names.get(found[1], found[1])}", text)


def run_process(context: Context, variant: str, arguments: list[str], expected: int) -> str:
    """Runs the kernel; what it said. Failed if it ends with another status, or not at all."""
    packages.need(packages.BUILD, packages.HOSTED, yes=context.options.yes)
    process = hosted.process(variant, context.options.profile)
    status, text = hosted.call([str(process), *arguments], _LIMIT_S)
    if status != expected:
        raise Failed(f"exit status {status} instead of {expected}",
                     _with_names(process, text[-16000:]))
    return text


def _selftest(variant: str, smp: int, what: str) -> Job:
    name = f"hosted/{variant + '-' if variant else ''}selftest-{what}@{smp}"

    def body(context: Context) -> None:
        run_process(context, variant, ["--smp", str(smp), f"selftest={what}"], hosted.PASSED)

    return single(name, body, machines=False)


_BENCH_ROWS = {
    "cycle": set[str](), "alloc_free_64": {"tcmalloc", "glibc"}, "switch": {"minimal", "swapcontext"},
    "pick_10": {"list"}, "pick_1000": {"list"}, "yield_10": {"swapcontext"},
    "yield_1000": {"swapcontext"}, "wait_wake": {"futex"}, "epoch": {"two_atomics"},
    "gate": {"bare_call"}, "handle_lookup": {"two_atomics"}, "handle": {"two_atomics"},
    "handle_derived": {"two_atomics"},
    "trace_event": {"four_stores"},
    "ring": {"minimal_ring"}, "ring_batch_16": {"minimal_ring"}, "ring_many": {"minimal_ring"},
    "ring_across": {"minimal_ring"}, "ring_across_16": {"minimal_ring"},
    "ring_many_16": {"minimal_ring"},
}


def _bench(context: Context) -> None:
    """Each row of ./helix bench --arch hosted is measured; how long it takes is no matter here."""
    try:
        rows, _ = bench_hosted.run(context.options.profile, context.options.yes)
    except ui.Failure as failure:
        raise Failed(str(failure), failure.detail) from None
    measured = {name: set(sides) - {"helix"} for name, sides in rows.items()}
    if measured != _BENCH_ROWS:
        raise Failed("other rows than expected", f"{measured}")
    empty = [name for name, sides in rows.items()
             if not all(0 < side.minimum <= side.median <= side.p90 for side in sides.values())]
    if empty:
        raise Failed(f"no time was measured: {', '.join(empty)}")


def _program(variant: str, smp: int, program: str) -> Job:
    name = f"hosted/{variant + '-' if variant else ''}{program}@{smp}"

    def body(context: Context) -> None:
        run_process(context, variant, ["--smp", str(smp), f"init=/{program}"], 0)

    return single(name, body, machines=False)


def _console(context: Context) -> None:
    """Lines come in and go out by the driver of the serial port, none lost, in their order."""
    process = hosted.process("thread", context.options.profile)
    lines = [f"line {number} {'x' * (number % 60)}" for number in range(800)] + ["bye"]
    words = ["--smp", "4", "console=ttyS0", "init=/console"]
    status, text = hosted.call([str(process), *words], _LIMIT_S, "\n".join(lines) + "\n")
    found = re.findall(r"said (line \d+ x*|bye)\r?$", text, re.M)  # its echo may stand before it
    if status != 0 or found != lines:
        raise Failed(f"exit status {status}; {len(found)} of {len(lines)} lines came back as they were",
                     _with_names(process, text[-16000:]))


def _panic(context: Context) -> None:
    """A panic shows the end of the trace there, too, while four processors run; with the methods of
    ports, there is enough of it so early."""
    text = run_process(context, "address", ["--smp", "4", "trace=all", "selftest=panic"], _PANIC)
    wrong = suite_boot.panic_trace(text)
    if wrong:
        raise Failed(wrong, text[-8000:])


def _tokens(context: Context) -> None:
    """A sealed token is worth a handle to its own machine, and nothing to the next start of it."""
    process = hosted.process("address", context.options.profile)
    words = [str(process), "--smp", "1", "console=ttyS0", "init=/tokens"]
    token = "0" * 128
    for _ in range(2):
        status, text = hosted.call(words, _LIMIT_S, f"{token}\n\n")
        worth = re.findall(r"worth (.*?)\r?$", text, re.M)
        found = re.search(r"token ([0-9a-f]{128})", text)
        if status != 0 or found is None or worth != ["a handle", "nothing"]:
            raise Failed(f"exit status {status}, worth {worth}", _with_names(process, text[-8000:]))
        token = found[1]


def _under(context: Context, tool: list[str], words: list[str]) -> str:
    """What the plain process and a tool around it say; Failed unless both are content."""
    process = hosted.process("", context.options.profile)
    status, text = hosted.call([*tool, str(process), *words], _LIMIT_S)
    if status != 0:
        raise Failed(f"{tool[0]}: exit status {status}", text[-16000:])
    return text


def _valgrind(context: Context) -> None:
    """Memcheck follows the kernel's stacks if a jump of the stack pointer counts as a switch. It
    runs one host thread at a time and lets the timer's wait for seconds if it need not be fair."""
    packages.need(packages.BUILD, packages.HOSTED, packages.VALGRIND, yes=context.options.yes)
    tool = ["valgrind", "-q", "--max-stackframe=16384", "--fair-sched=yes", "--error-exitcode=9"]
    for program in ("threads", "torture"):
        _under(context, tool, ["--smp", "1", f"init=/{program}"])


def _gdb(context: Context) -> None:
    """gdb sees a kernel thread from its first function to where it is."""
    packages.need(packages.BUILD, packages.HOSTED, packages.debug(), yes=context.options.yes)
    tool = ["gdb", "-batch", "-ex", "break sys_pipe2", "-ex", "run", "-ex", "backtrace", "--args"]
    text = _under(context, tool, ["--smp", "1", "init=/torture"])
    missing = [name for name in ("sys_pipe2", "posix_syscall", "user_thread_enter", "thread_main")
               if not re.search(rf"^#\d+ .*\b{name} \(", text, re.M)]
    if missing:
        raise Failed(f"its backtrace lacks {', '.join(missing)}", text[-8000:])


def _debug(context: Context) -> None:
    """./helix debug: gdb on the process, where the kernel begins."""
    packages.need(packages.BUILD, packages.HOSTED, packages.debug(), yes=context.options.yes)
    done = subprocess.run([str(paths.TOP / "helix"), "debug", "--arch", "hosted"], input="bt\nquit\n", text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_LIMIT_S, check=False)
    if done.returncode or not re.search(r"#0 +kernel_main \(.*#1 .*boot_main \(", done.stdout, re.S):
        raise Failed(f"status {done.returncode}, and gdb is not at kernel_main()", done.stdout)


def jobs(_: Namespace) -> list[Job]:
    """One job for each self-test and for each linked program, the bench, the simulator."""
    selftests = [_selftest(*row) for row in _SELFTESTS]
    programs = [_program(variant, smp, program) for variant, smp in _PROGRAMS
                for program in hosted.programs()]
    return [*selftests, *programs, single("hosted/bench", _bench, machines=False),
            single("hosted/valgrind", _valgrind, machines=False),
            single("hosted/debug", _debug, machines=False),
            single("hosted/gdb", _gdb, machines=False),
            single("hosted/panic-trace", _panic, machines=False),
            single("hosted/console", _console, machines=False),
            single("hosted/tokens", _tokens, machines=False),
            *simulation.jobs()]
