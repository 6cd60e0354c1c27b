# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of other emulated machines, as part of the default run: `aarch64/NAME` is the test NAME with
--arch aarch64, in a ./helix of its own."""

import re
import subprocess
from argparse import Namespace
from collections.abc import Iterator

from helix import paths, suite_boot, suite_busybox, suite_scenario, suite_terminal
from helix.report import Context, Job, Verdict

_LIMIT_S = 3000


def _run(arch: str, names: list[str], options: Namespace) -> Iterator[Verdict]:
    inner = [name.removeprefix(f"{arch}/") for name in names]
    command = [str(paths.TOP / "helix"), "test", "--arch", arch, "--jobs", "1", "--yes", *inner]
    done = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=_LIMIT_S, check=False)
    passed = set(re.findall(r"^ok +(\S+)", done.stdout, re.M))
    for name, test in zip(names, inner, strict=True):
        yield Verdict(name) if test in passed else Verdict(name, "failed", done.stdout[-8000:])


def jobs(options: Namespace) -> list[Job]:
    if options.arch != "x86_64" or options.kernel:
        return []
    inner = suite_boot.names("aarch64")
    inner += [name for jobs_of in (suite_scenario.jobs, suite_busybox.jobs, suite_terminal.jobs)
              for job in jobs_of(options) for name in job.names]
    names = [f"aarch64/{name}" for name in inner]
    return [Job(names, lambda context, chosen: _run("aarch64", chosen, context.options), False)]
