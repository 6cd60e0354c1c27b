# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a test is, and how its verdict is shown."""

import re
import threading
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from helix import rootfs, ui

_LONG_S = 5


class Failed(Exception):
    """A test's verdict: what was wrong, and the log that helps."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


@dataclass
class Context:
    """What the tests of one call share."""

    kernel: Path | None
    options: Namespace

    def packages(self) -> bytes:
        """An archive to go behind the initramfs of a test: what the profile's kernel loads at boot."""
        if self.kernel is None or self.options.kernel == "linux":
            return b""
        return rootfs.packages_only(self.kernel, self.options.profile)

    @property
    def seed(self) -> int:
        return int(self.options.seed)


@dataclass
class Verdict:
    name: str
    failure: str = ""  # empty: passed
    detail: str = ""
    seconds: float = 0  # of the host, since the job's last verdict


@dataclass
class Job:
    """Tests that run together (in one machine, say). `run` gets the names that were chosen."""

    names: list[str]
    run: Callable[[Context, list[str]], Iterator[Verdict]]
    machines: bool = True  # needs the kernel
    usual: bool = True  # part of the run that names no tests


def single(name: str, body: Callable[[Context], None], machines: bool = True) -> Job:
    """A job of one test; `body` raises Failed."""
    def run(context: Context, _: list[str]) -> Iterator[Verdict]:
        try:
            body(context)
            yield Verdict(name)
        except Failed as failed:
            yield Verdict(name, str(failed), failed.detail)
    return Job([name], run, machines)


def chosen(name: str, patterns: list[str]) -> bool:
    """A pattern is a suite, a whole name, or a name without its suite or its variant."""
    suite, _, rest = name.partition("/")
    forms = (suite, name, rest, name.partition("@")[0], rest.partition("@")[0])
    return any(fnmatch(form, pattern) for pattern in patterns for form in forms)


def _time(verdict: Verdict) -> str:
    """What took long says so."""
    return f" ({verdict.seconds:.0f} s)" if verdict.seconds >= _LONG_S else ""


class Reporter:
    """Counts and shows verdicts; may be used by several threads."""

    def __init__(self, total: int, repeat: str) -> None:
        self.passed = 0
        self.failed: list[str] = []
        self._total = total
        self._repeat = repeat
        self._lock = threading.Lock()

    def add(self, verdict: Verdict) -> None:
        with self._lock:
            if not verdict.failure:
                self.passed += 1
                ui.result(f"ok   {verdict.name}" + _time(verdict))
            else:
                self.failed.append(verdict.name)
                ui.result(self._text(verdict))
            done = self.passed + len(self.failed)
            ui.progress(f"[{done}/{self._total}] {len(self.failed)} failed")

    def _text(self, verdict: Verdict) -> str:
        lines = [f"FAIL {verdict.name}: {verdict.failure}{_time(verdict)}"]
        lines += [f"     | {line}" for line in verdict.detail.rstrip().splitlines()]
        lines += [f"     repeat with: {self._repeat} '{verdict.name}'"]
        return "\n".join(lines)


def verdicts(lines: Iterable[str]) -> Iterator[Verdict]:
    """What a ./helix test says of each test (Reporter), as soon as it does; of one that
    failed, when its detail is told."""
    failed: Verdict | None = None
    for line in lines:
        if failed and line.startswith("     | "):
            failed.detail += line.removeprefix("     | ")
            continue
        if failed:
            yield failed
            failed = None
        said = re.match(r"(?:ok +(\S+)|FAIL (\S+): (.*?)(?: \(\d+ s\))?$)", line)
        if said and said[1]:
            yield Verdict(said[1])
        elif said:
            failed = Verdict(said[2], said[3])
    if failed:
        yield failed
