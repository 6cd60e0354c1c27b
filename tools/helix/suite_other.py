# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of other emulated machines, as part of the default run: `aarch64/NAME` is the test NAME with
--arch aarch64, in a ./helix of its own."""

import re
import subprocess
import threading
from argparse import Namespace
from collections import deque
from collections.abc import Iterable, Iterator

from helix import (paths, suite_boot, suite_busybox, suite_devices, suite_fuzz, suite_profile, suite_scenario, suite_stepped,
                   suite_terminal, suite_tool, suite_tree, suite_uefi, targets)
from helix.report import Job, Verdict, verdicts

_LIMIT_S = 3000
_TAIL = 100  # lines that are shown when a test was not run


def _seen(lines: Iterable[str], last: deque[str]) -> Iterator[str]:
    for line in lines:
        last.append(line)
        yield line


def nested(prefix: str, names: list[str], words: list[str]) -> Iterator[Verdict]:
    """The tests with these names, less the prefix, in a ./helix with those words."""
    left = [name.removeprefix(prefix) for name in names]
    command = [str(paths.TOP / "helix"), "test", *words, "--jobs", "1", "--yes", "--exact", *left]
    last: deque[str] = deque(maxlen=_TAIL)
    with subprocess.Popen(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as inner:
        watch = threading.Timer(_LIMIT_S, inner.terminate)
        watch.start()
        for verdict in verdicts(_seen(inner.stdout or (), last)):
            left.remove(verdict.name)
            yield Verdict(prefix + verdict.name, verdict.failure, verdict.detail)
        watch.cancel()
    for name in left:
        yield Verdict(prefix + name, "it was not run", "".join(last))


# riscv64 shares all but its machine's part with aarch64, so of what takes time this is run there.
_RISCV64 = (r"boot/(smp-[14]|elf|sv\d\d[\w-]*|tree-[\w-]+|no-sstc|ends-\w+|mem-\w+|restart|init-crashes|gzip-archive|panic-(user-)?\w+|panic-trace-smp-4|"
            r"stack-overflow|(core|vfs)-selftest-smp-[14])|scenario/[\w-]+@1|"
            r"scenario/(exec|fault|fork|futex|memory|signal|system|threads)(-\w+)?@4|"
            r"busybox/.*|posix-x/.*|terminal/.*|devices/.*|fuzz/.*|tool/.*|native/.*|secure/.*")
_NATIVE = ("native/isolated@4", "native/scheduler_dies@4")  # how user mode and calls of modules are entered and left is the machine's
ARCHES = {"aarch64": r".*", "riscv64": _RISCV64}  # and the names of the tests that are run


def _inner(arch: str, options: Namespace) -> list[str]:
    """The tests' names there."""
    lacks = tuple(f"-{flavour}@" for flavour in targets.of(arch).lacks)
    names = [name for suite in (suite_boot, suite_tree, suite_uefi) for name in suite.names(arch)]
    names += [*_NATIVE, *suite_fuzz.share_names(), *suite_tool.share_names(arch), *suite_scenario.posix_x_share_names()]
    names += [name for jobs_of in (suite_scenario.jobs, suite_busybox.jobs, suite_terminal.jobs)
              for job in jobs_of(options) for name in job.names]
    elsewhere = Namespace(**{**vars(options), "arch": arch})
    names += [name for jobs_of in (suite_devices.jobs, suite_stepped.jobs, suite_profile.jobs, suite_profile.secure_jobs) for job in jobs_of(elsewhere) for name in job.names]
    return [name for name in names if re.fullmatch(ARCHES[arch], name)
            and not any(flavour in name for flavour in lacks)]


# The suites that one ./helix runs: two of them at once keep two processors busy to the end.
_GROUPS = (("devices",), ("scenario", "native"), ("boot", "fuzz"), ())  # the last one: all others


def _group(name: str) -> int:
    suite = name.partition("/")[0]
    return next((index for index, suites in enumerate(_GROUPS) if suite in suites), len(_GROUPS) - 1)


def _jobs(arch: str, options: Namespace) -> Iterator[Job]:
    inner = _inner(arch, options)
    for index in range(len(_GROUPS)):
        names = [f"{arch}/{name}" for name in inner if _group(name) == index]
        yield Job(names, lambda _, chosen: nested(f"{arch}/", chosen, ["--arch", arch]), False)


def _jobs_of(arch: str, options: Namespace) -> list[Job]:
    return [] if options.arch != "x86_64" or options.kernel or options.profile != "minimal" else [*_jobs(arch, options)]


def aarch64_jobs(options: Namespace) -> list[Job]:
    return _jobs_of("aarch64", options)


def riscv64_jobs(options: Namespace) -> list[Job]:
    return _jobs_of("riscv64", options)
