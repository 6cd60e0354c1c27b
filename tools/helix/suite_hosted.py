# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests on the hosted machine: the whole kernel as a process, plain and under sanitizers."""

import subprocess
from argparse import Namespace

from helix import hosted, packages
from helix.report import Context, Failed, Job, single

_LIMIT_S = 120

# Kernel self-tests: the variant, how many processors, which.
# With one processor the capability test takes 20 s, a time slice for each of its rounds.
_SELFTESTS = (("", 1, "memory"), ("", 4, "all"), ("address", 1, "memory"), ("address", 4, "all"))


def run_process(context: Context, variant: str, arguments: list[str], expected: int) -> str:
    """Runs the kernel; what it said. Failed if it ends with another status, or not at all."""
    packages.need(packages.BUILD, packages.HOSTED, yes=context.options.yes)
    process = hosted.process(variant, context.options.profile)
    try:
        done = subprocess.run([str(process), *arguments], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              timeout=_LIMIT_S, errors="replace")
    except subprocess.TimeoutExpired as late:
        text = late.stdout.decode(errors="replace") if late.stdout else ""
        raise Failed(f"it did not end within {_LIMIT_S} s", text[-8000:]) from None
    if done.returncode != expected:
        raise Failed(f"exit status {done.returncode} instead of {expected}", done.stdout[-16000:])
    return done.stdout


def _selftest(variant: str, smp: int, what: str) -> Job:
    name = f"hosted/{variant + '-' if variant else ''}selftest-{what}@{smp}"

    def body(context: Context) -> None:
        run_process(context, variant, ["--smp", str(smp), f"selftest={what}"], hosted.PASSED)

    return single(name, body, machines=False)


def jobs(_: Namespace) -> list[Job]:
    return [_selftest(*row) for row in _SELFTESTS]
