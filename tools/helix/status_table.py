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
    options = Namespace(arch="x86_64", kernel=None, seed=1, seeds=1, mutants=False)
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


def _letters(cell: str, names: dict[str, list[str]]) -> str:
    found = set()
    for test, letter in _tests(cell):
        if re.fullmatch(_HOST, test):
            found.add("h")
            continue
        forms = (test, f"{test}@*", f"{test}-*@*")
        found |= {machine for machine in ((letter,) if letter else names)
                  if any(fnmatchcase(name, form) for name in names[machine] for form in forms)}
    return " ".join(letter if letter in found else "·" for letter in "xarh")


def filled(text: str) -> str:
    """The page with its column as it ought to be, also if it had none."""
    names = _names()
    head = re.search(_HEAD, text)
    if head is None:
        raise ui.Failure("docs/STATUS.md has no table of what works")
    table, end, behind = text[head.end():].partition("\n\n")
    lines = []
    for line in table.split("\n"):
        what, _, cell = line.strip("| ").rpartition(" | ")
        what = re.sub(r" \| (?:[xarh·] ?)+$", "", what)
        lines.append(f"| {what} | {_letters(cell, names)} | {cell} |" if what else line)
    return text[:head.start()] + _NEW_HEAD + "\n".join(lines) + end + behind
