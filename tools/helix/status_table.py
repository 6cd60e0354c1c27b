# SPDX-License-Identifier: MIT OR Apache-2.0
"""The column of docs/STATUS.md that says where a row's tests are run by default: x86_64, aarch64, riscv64,
host. It is made from the names of the tests, so that it cannot promise what is not run."""

import re
from argparse import Namespace
from collections.abc import Iterator
from fnmatch import fnmatchcase

from helix import suite_other, suites, ui

_HEAD = r"(?m)^\| what \| (on \| )?shown by \|\n\| --- \| (--- \| )?--- \|$"
_NEW_HEAD = "| what | on | shown by |\n| --- | --- | --- |"
_OTHER = {"aarch64": "a", "riscv64": "r"}
_HOST = r"(unit|hosted|proof)/.*|fuzz/(fuzz_|kernel).*"
_PARTS = re.compile(r"(debug/)?(?:(x86_64|aarch64|riscv64)/)?(.*)")  # a kernel of its own, a machine, a test
_SUITES = ("unit", "fuzz", "scenario", "boot", "busybox", "terminal", "tool", "native")
# What is run by hand, and what is no test's name.
_BY_HAND = r"(all of )?`[\w*/-]+` with `--arch \w+`(; )?|`(\./helix|--|selftest=)[^`]*`"


def _names() -> dict[str, list[str]]:
    """The tests of the default run on each machine."""
    options = Namespace(arch="x86_64", profile="minimal", kernel=None, seed=1, seeds=1, mutants=False)
    everywhere = [name for job in suites.all_jobs(options) for name in job.names]
    found: dict[str, list[str]] = {letter: [] for letter in ("x", *_OTHER.values())}
    for name in everywhere:
        kernel, arch, test = _PARTS.fullmatch(name).groups()  # type: ignore[union-attr]
        found[_OTHER.get(arch, "x")].append((kernel or "") + test)
    return found


def _tests(cell: str) -> Iterator[tuple[str, str]]:
    """Each test that a row names, whole, and the letter of its machine if it says one."""
    suite = ""
    for word in re.findall(r"`([^`]+)`", re.sub(_BY_HAND, "", cell)):
        arch, _, rest = word.partition("/")
        letter = _OTHER.get(arch, "")
        word = rest if letter else word
        if word in _SUITES:
            word = f"{word}/*"
        elif "/" not in word:
            word = f"fuzz/{word}" if word.startswith("fuzz_") else f"{suite}/{word}"
        suite = word.split("/")[0]
        yield word, letter


def _run_on(test: str, letter: str, names: dict[str, list[str]]) -> set[str]:
    """Where a test that a row names is run; nowhere, if it is none."""
    forms = (test, f"{test}@*", f"{test}-*@*")
    found = {machine for machine in ((letter,) if letter else names)
             if any(fnmatchcase(name, form) for name in names[machine] for form in forms)}
    return {"h"} if found and re.fullmatch(_HOST, test) else found


def _letters(cell: str, names: dict[str, list[str]]) -> str:
    found = set().union(*(_run_on(test, letter, names) for test, letter in _tests(cell)))
    return " ".join(letter if letter in found else "·" for letter in "xarh")


def _table(text: str) -> tuple[re.Match[str], str, str, str]:
    """The table's head, its rows, and what follows."""
    head = re.search(_HEAD, text)
    if head is None:
        raise ui.Failure("docs/STATUS.md has no table of what works")
    return head, *text[head.end():].partition("\n\n")


def _cells(line: str) -> tuple[str, str]:
    """What works, and what shows it."""
    what, _, cell = line.strip("| ").rpartition(" | ")
    return what, cell


def unknown(text: str) -> list[str]:
    """What the page's rows name as a test, and is none."""
    names = _names()
    _, table, _, _ = _table(text)
    return sorted({test for line in table.split("\n") for test, letter in _tests(_cells(line)[1])
                   if not _run_on(test, letter, names)})


def filled(text: str) -> str:
    """The page with its column as it ought to be, also if it had none."""
    names = _names()
    head, table, end, behind = _table(text)
    lines = []
    for line in table.split("\n"):
        what, cell = _cells(line)
        what = re.sub(r" \| (?:[xarh·] ?)+$", "", what)
        lines.append(f"| {what} | {_letters(cell, names)} | {cell} |" if what else line)
    return text[:head.start()] + _NEW_HEAD + "\n".join(lines) + end + behind
