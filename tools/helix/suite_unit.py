# SPDX-License-Identifier: MIT OR Apache-2.0
"""Unit tests: the hosted build under sanitizers, one verdict for each program that ctest knows; as
many at once as there are jobs."""

import json
import subprocess
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from helix import build, packages
from helix.report import Context, Job, Verdict

_NAME = "unit/host"


def _listed(folder: str) -> list[str]:
    done = subprocess.run(["ctest", "--test-dir", folder, "--show-only=json-v1"], text=True,
                          stdout=subprocess.PIPE, check=True)
    return [test["name"] for test in json.loads(done.stdout)["tests"]]


def _one(folder: str, test: str) -> Verdict:
    done = subprocess.run(["ctest", "--test-dir", folder, "-R", f"^{test}$", "--output-on-failure",
                           "--timeout", "300"], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    name = f"unit/{test}"
    return Verdict(name) if done.returncode == 0 else Verdict(name, "failed", done.stdout[-8000:])


def _run(context: Context, _: list[str]) -> Iterator[Verdict]:
    packages.need(packages.BUILD, packages.HOSTED, yes=context.options.yes)
    with build.hosted_lock:
        folder = str(build.configure_and_build("hosted", context.options.profile))
    tests = _listed(folder)
    if not tests:
        yield Verdict(_NAME, "the hosted build has no tests")
        return
    with ThreadPoolExecutor(context.options.jobs) as workers:
        yield from workers.map(lambda test: _one(folder, test), tests)
    yield Verdict(_NAME)  # it builds without a warning, and the list is not empty


def jobs(_: Namespace) -> list[Job]:
    return [Job([_NAME], _run, machines=False)]
