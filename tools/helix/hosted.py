# SPDX-License-Identifier: MIT OR Apache-2.0
"""The hosted machine: the kernel as a process of this one."""

import re
import subprocess
import sys
import threading
from argparse import Namespace
from functools import cache
from pathlib import Path

from helix import build, packages, paths, qemu, ui
from helix.report import Failed

NAME = "helix-hosted"
_process_lock = threading.Lock()
PASSED = 33  # the exit status of a self-test that passed, as on the other machines


def build_process(variant: str, profile: str, top: Path) -> Path:
    """Builds the kernel as a process; `variant` is "" or how it is built, as in its preset's name."""
    preset = f"hosted-{variant}" if variant else "hosted"
    with build.hosted_lock:
        return build.configure_and_build(preset, profile, top, [NAME]) / NAME


@cache
def _process(variant: str, profile: str) -> Path:
    return build_process(variant, profile, paths.TOP)


def process(variant: str, profile: str) -> Path:
    """This checkout's, built once for all tests of a run."""
    with _process_lock:
        return _process(variant, profile)


def variant_of(test: str) -> str:
    """The variant that a test is about: hosted/VARIANT-…"""
    name = test.removeprefix("hosted/").split("-")[0]
    return name if name in ("address", "thread", "simulation") else ""


def call(command: list[str], limit_s: float, said: str = "") -> tuple[int, str]:
    """Runs the process, or a tool around it, and says `said` to it: its exit status and all that it
    says. Failed if it does not end."""
    try:
        done = subprocess.run(command, input=said, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, timeout=limit_s,
                              errors="replace")
    except subprocess.TimeoutExpired as late:
        text = late.stdout.decode(errors="replace") if late.stdout else ""
        raise Failed(f"it did not end within {limit_s:.0f} s", text[-8000:]) from None
    return done.returncode, done.stdout


def programs() -> list[str]:
    """The linked programs that are tests: tests/hosted/NAME.c with CHECK_PROGRAM(NAME, ...)."""
    texts = [source.read_text() for source in sorted((paths.TOP / "tests/hosted").glob("*.c"))]
    return [name for text in texts for name in re.findall(r"^CHECK_PROGRAM\((\w+),", text, re.M)]


def kernel(profile: str, yes: bool) -> Path:
    packages.need(packages.BUILD, packages.HOSTED, yes=yes)
    return process("", profile)


def command(options: Namespace, smp: int, mem: str, words: list[str]) -> list[str]:
    line = [str(kernel(options.profile, options.yes)), "--smp", str(smp), "--mem", str(qemu.mebibytes(mem))]
    return line + words


def asked_for(options: Namespace) -> list[str]:
    """The process as the words of ./helix run, or debug, want it."""
    words = options.append.split()
    if options.initrd:
        words = ["--initrd", options.initrd, *words]
    return command(options, options.smp, options.mem, words)


def run(options: Namespace) -> int:
    """./helix run --arch hosted; its exit status is the kernel's."""
    if options.command:
        raise ui.Failure("a command behind -- needs ring 3; the hosted machine has linked programs")
    line = asked_for(options)
    sys.stdout.flush()
    return subprocess.run(line, check=False).returncode
