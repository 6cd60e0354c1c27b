# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix test --mutants: changes one line of the system at a time; a test must notice each change.

tests/mutants/AREA.txt lists them, with an empty line between two:
  [name]
  file: core/wait.c
  near: void name(        optional: the line is looked for behind the first one that has this text
  before: the line as it is, without its indentation; it must be the only one
  after: the line instead; empty: the line goes
  test: unit/NAME, boot/NAME, scenario/NAME@1, …: the test that must fail
  why: what would go wrong
  quick: yes              also part of the default run
The work is done in a copy of the checkout, below out/mutants. Before a test may judge, it must pass
on the unchanged copy.
"""

import fcntl
import os
import re
import signal
import subprocess
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from helix import build, copies, hosted, packages, paths, programs, suite_other, ui
from helix.report import Context, Failed, Job, Verdict, chosen

_LISTS = paths.TOP / "tests" / "mutants"
_TREE = paths.OUT / "mutants"
_LEAST_S = 30.0  # a test that takes longer than this and than six times as usual hangs


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    before: str
    after: str
    test: str
    why: str
    near: str = ""
    quick: bool = False


def _parse(entry: str, source: Path) -> Mutant:
    head = re.match(r"\[([\w-]+)\]\n", entry)
    words = dict(re.findall(r"^(\w+):[ \t]*(.*?)[ \t]*$", entry, re.M))
    needed = {"file", "before", "after", "test", "why"}
    if not head or not needed <= words.keys() <= needed | {"near", "quick"}:
        raise ui.Failure(f"{source.relative_to(paths.TOP)} has an entry that is not clear", entry)
    quick = words.pop("quick", "no") == "yes"
    return Mutant(head.group(1), quick=quick, **words)


def listed() -> list[Mutant]:
    """All mutants, area by area."""
    mutants = []
    for source in sorted(_LISTS.glob("*.txt")):
        entries = re.split(r"\n\n+", source.read_text().strip())
        mutants += [_parse(entry + "\n", source) for entry in entries if not entry.startswith("#")]
    names = [mutant.name for mutant in mutants]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ui.Failure(f"two mutants have the same name: {' '.join(twice)}")
    return mutants


def changed(text: str, mutant: Mutant) -> str:
    """The text of the file with the line changed."""
    start = text.find(mutant.near) if mutant.near else 0
    if start < 0:
        raise Failed(f"{mutant.file} has no '{mutant.near}' any more; update the list")
    line = re.compile(rf"^([ \t]*){re.escape(mutant.before)}$", re.M)
    found = list(line.finditer(text, start))
    if not found:
        raise Failed(f"{mutant.file} has no line '{mutant.before}' any more; update the list")
    if len(found) > 1 and not mutant.near:
        raise Failed(f"{mutant.file} has the line {len(found)} times; say near which one")
    return text[:found[0].start()] + found[0].group(1) + mutant.after + text[found[0].end():]


class Tree:
    """A copy of the checkout in which lines are changed."""

    def __init__(self, options: Namespace) -> None:
        self.options = options
        self._usual: dict[str, float] = {}  # seconds that a test takes when it passes
        self._refused: dict[str, str] = {}  # what tests say that do not pass on the unchanged copy
        self._lock = (paths.ensure(paths.OUT) / "mutants.lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # one at a time, until the process ends
        copies.refresh(_TREE)

    def _build(self, test: str) -> list[str]:
        """Builds what the test needs; the command that runs it."""
        profile = self.options.profile
        if test.startswith("unit/"):
            name = test.removeprefix("unit/")
            folder = build.configure_and_build("hosted", profile, _TREE, [name])
            return ["ctest", "--test-dir", str(folder), "-R", f"^{name}$", "--no-tests=error",
                    "--output-on-failure"]
        if test.startswith("hosted/"):
            hosted.build_process(hosted.variant_of(test), profile, _TREE)
        else:
            other = test.split("/")[0]
            arch = other if other in suite_other.ARCHES else self.options.arch
            build.configure_and_build(arch, "minimal", _TREE)
        return [str(_TREE / "helix"), "test", "--yes", test]

    def _try(self, test: str, limit_s: float) -> tuple[bool, str]:
        """Builds and runs a test: whether it passes (a hang does not), and what it says. Failed if
        there is no verdict."""
        try:
            command = self._build(test)
        except ui.Failure as failure:
            raise Failed("the change does not compile", failure.detail) from failure
        code, text = _run_limited(command, limit_s)
        if code is not None and not re.search(r"\d+ failed|tests failed", text):
            raise Failed(f"{test} did not run", text)
        return code == 0, text

    def _baseline(self, test: str) -> float:
        """How long the test may take; Failed if it does not pass on the unchanged copy."""
        if test not in self._usual and test not in self._refused:
            try:
                self._build(test)
            except ui.Failure as failure:
                raise Failed("the unchanged copy does not build", failure.detail) from failure
            start = time.monotonic()
            good, text = self._try(test, 1200)
            if not good:
                self._refused[test] = text
            self._usual[test] = time.monotonic() - start
        if test in self._refused:
            raise Failed(f"{test} fails without the change, too", self._refused[test])
        return max(_LEAST_S, 6 * self._usual[test])

    def judge(self, mutant: Mutant) -> None:
        """Failed if the test does not notice the mutant, or cannot tell."""
        place = _TREE / mutant.file
        if not place.is_file():
            raise Failed(f"there is no {mutant.file} any more; update the list")
        whole = place.read_text()
        wrong = changed(whole, mutant)
        limit_s = self._baseline(mutant.test)
        try:
            place.write_text(wrong)
            if self._try(mutant.test, limit_s)[0]:
                raise Failed(f"it survives {mutant.test}", f"{mutant.file}: {mutant.before}\n"
                             f"  became {mutant.after}\n{mutant.why}")
        finally:
            place.write_text(whole)


def _run_limited(command: list[str], limit_s: float) -> tuple[int | None, str]:
    """Exit status (None: it had to be ended) and output. What it started ends with it."""
    with subprocess.Popen(command, text=True, errors="replace", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          start_new_session=True) as process:
        try:
            text, _ = process.communicate(timeout=limit_s)
            return process.returncode, text
        except subprocess.TimeoutExpired:
            return None, ""
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def _judge_all(tree: Tree, mutants: list[Mutant]) -> Iterator[tuple[Mutant, Failed | None, float]]:
    for done, mutant in enumerate(mutants):
        ui.progress(f"[{done}/{len(mutants)}] {mutant.name}")
        start = time.monotonic()
        failed = None
        try:
            tree.judge(mutant)
        except Failed as failure:
            failed = failure
        yield mutant, failed, time.monotonic() - start


def command(options: Namespace) -> int:
    """Judges the mutants whose names, areas or tests were given; all, if nothing was."""
    mutants = [mutant for mutant in listed() if not options.names
               or any(chosen(form, options.names) for form in (mutant.name, mutant.test))]
    if not mutants:
        raise ui.Failure(f"no mutant is called {' '.join(options.names)}")
    if options.list:
        for mutant in mutants:
            ui.result(f"{mutant.name:28} {mutant.test:28} {mutant.why}")
        return 0
    packages.need(packages.BUILD, packages.HOSTED, packages.run(), yes=options.yes)
    programs.need(options.yes)
    survivors = []
    for mutant, failed, took_s in _judge_all(Tree(options), mutants):
        word = "FAIL" if failed else "ok  "
        ui.result(f"{word} {mutant.name:28} {mutant.file:32} {mutant.test:28} {took_s:4.0f} s")
        if failed:
            survivors.append(mutant.name)
            for line in [str(failed), *failed.detail[-4000:].rstrip().splitlines()]:
                ui.result(f"     | {line}")
    ui.progress_done()
    if survivors:
        ui.result(f"failed; repeat with: ./helix test --mutants {' '.join(survivors)}")
    ui.result(f"{len(mutants) - len(survivors)} passed, {len(survivors)} failed")
    return 1 if survivors else 0


_NOTICED = "mutants/changes-are-noticed"
_CURRENT = "mutants/lists-are-current"


def _check_current() -> Verdict:
    """Each mutant's line is still there, once."""
    wrong = []
    for mutant in listed():
        try:
            changed((paths.TOP / mutant.file).read_text(), mutant)
        except (Failed, OSError) as failure:
            wrong.append(f"{mutant.name}: {failure}")
    return Verdict(_CURRENT, f"{len(wrong)} do not apply" if wrong else "", "\n".join(wrong))


def _refusal(tree: Tree, mutant: Mutant) -> str:
    try:
        tree.judge(mutant)
    except Failed as failed:
        return str(failed)
    return ""


def _check_machinery(tree: Tree, mutant: Mutant) -> Verdict:
    """A change that changes nothing must survive, and one of a line that is gone is an error."""
    if "survives" not in _refusal(tree, replace(mutant, after=mutant.before)):
        return Verdict(_NOTICED, "a change that changes nothing counts as noticed")
    if "has no line" not in _refusal(tree, replace(mutant, before="no such line")):
        return Verdict(_NOTICED, "a line that is gone is not an error")
    return Verdict(_NOTICED)


def _run_quick(context: Context, names: list[str]) -> Iterator[Verdict]:
    packages.need(packages.BUILD, packages.HOSTED, yes=context.options.yes)
    if _CURRENT in names:
        yield _check_current()
    if names == [_CURRENT]:
        return
    tree = Tree(context.options)
    quick = [mutant for mutant in listed() if mutant.quick]
    if _NOTICED in names:
        yield _check_machinery(tree, quick[0])
    wanted = [mutant for mutant in quick if f"mutants/{mutant.name}" in names]
    for mutant, failed, _ in _judge_all(tree, wanted):
        name = f"mutants/{mutant.name}"
        yield Verdict(name, str(failed), failed.detail) if failed else Verdict(name)


def jobs(_: Namespace) -> list[Job]:
    """The quick ones, so that the machinery itself is tested in each run."""
    names = [f"mutants/{mutant.name}" for mutant in listed() if mutant.quick]
    return [Job([_CURRENT, _NOTICED, *names], _run_quick, machines=False)]
