# SPDX-License-Identifier: MIT OR Apache-2.0
"""Unit tests: the hosted build under sanitizers, one verdict for each program that ctest knows; as
many at once as there are jobs. Each has a name of its own, unit/NAME, and unit/host is all of them."""

import json
import re
import subprocess
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from helix import build, packages, paths
from helix.report import Context, Job, Verdict

_NAME = "unit/host"
_SOURCE = re.compile(r"/(\w+)\.c\b")


def _words(text: str, key: str) -> str:
    """What stands behind a key of a CMake call, up to the next one or the end of the call."""
    return " ".join(re.findall(rf"\b{key} ([^)]*?)(?=\s[A-Z_]{{3,}}\b|\))", text, re.S))


def _programs(text: str) -> Iterator[str]:
    """The programs that one CMakeLists.txt makes tests of; build/arch-hosted.cmake has how."""
    yield from _SOURCE.findall(_words(text, "TESTS"))
    yield from _SOURCE.findall(_words(text, "FUZZ"))
    for call in re.findall(r"^helix_thread_tests\(.*?\)", text, re.M | re.S):
        yield from (f"{name}_tsan" for name in _SOURCE.findall(call))
    for call in re.findall(r"^helix_ports\(.*?\)", text, re.M | re.S):
        yield from (f"fuzz_{port}_wire" for port in _words(call, "PORTS").split())


@cache
def programs() -> tuple[str, ...]:
    """All of them, without a build. unit/host compares it with what ctest knows."""
    folders = [folder for folder in paths.TOP.iterdir() if folder.is_dir() and folder != paths.OUT]
    return tuple(sorted({name for folder in folders for file in folder.rglob("CMakeLists.txt")
                         for name in _programs(file.read_text())}))


def _listed(folder: str) -> list[str]:
    done = subprocess.run(["ctest", "--test-dir", folder, "--show-only=json-v1"], text=True,
                          stdout=subprocess.PIPE, check=True)
    return [test["name"] for test in json.loads(done.stdout)["tests"]]


def _one(folder: str, test: str) -> Verdict:
    done = subprocess.run(["ctest", "--test-dir", folder, "-R", f"^{test}$", "--output-on-failure",
                           "--no-tests=error", "--timeout", "300"], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    name = f"unit/{test}"
    return Verdict(name) if done.returncode == 0 else Verdict(name, "failed", done.stdout[-8000:])


def _host(folder: str) -> Verdict:
    """It builds without a warning, and each program has a name."""
    differ = sorted(set(programs()) ^ set(_listed(folder)))
    return Verdict(_NAME, "other tests than the CMakeLists.txt say" if differ else "", "\n".join(differ))


def _run(context: Context, names: list[str]) -> Iterator[Verdict]:
    packages.need(packages.BUILD, packages.HOSTED, yes=context.options.yes)
    tests = [name.removeprefix("unit/") for name in names]
    everything = _NAME in names
    with build.hosted_lock:
        made = build.configure_and_build("hosted", context.options.profile, paths.TOP, None if everything else tests)
    folder = str(made)
    with ThreadPoolExecutor(context.options.jobs) as workers:
        yield from workers.map(lambda test: _one(folder, test), _listed(folder) if everything else tests)
    if everything:
        yield _host(folder)


def jobs(_: Namespace) -> list[Job]:
    return [Job([_NAME, *(f"unit/{name}" for name in programs())], _run, machines=False)]
