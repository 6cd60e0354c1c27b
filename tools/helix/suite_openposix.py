# SPDX-License-Identifier: MIT OR Apache-2.0
"""The Open POSIX Test Suite: each of its cases that passes on Debian's Linux passes inside, or stands in
tests/openposix/known.txt with the reason. A test is a folder of cases, which is what POSIX says of one function:
openposix/sigaction@2. Linux's verdicts are in tests/openposix/linux.txt, one line per case:
./helix test openposix --kernel linux --accept takes them anew, those of the folders that are in it."""

import re
import threading
from argparse import Namespace
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from helix import guest, openposix, paths, qemu, suite_scenario
from helix.report import Context, Job, Verdict

_FOLDER = paths.TOP / "tests" / "openposix"
_LINUX = _FOLDER / "linux.txt"
_KNOWN = _FOLDER / "known.txt"
_SMP = 2
_LIMIT_S = 60  # of a case; one that waits longer on purpose has "timeout" on Linux, too
_MEM = "512M"
_VARIES = "varies: "  # begins the reason of a case that may pass
_MACHINES = 4
# What the default run has of it: fast ones of all kinds.
_SHARE = ("mq_close", "munmap", "sched_getscheduler", "sem_init", "shm_unlink", "sigaltstack", "sigprocmask")
_accepting = threading.Lock()


@dataclass
class Result:
    """How a case ended."""

    verdict: str
    output: str = ""
    ms: int = 0


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """The first word of each line that is no comment, and the rest."""
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            yield name, rest.strip()


@cache
def _linux() -> dict[str, str]:
    return dict(_lines(_LINUX))


@cache
def _known() -> dict[str, str]:
    return dict(_lines(_KNOWN))


def _folder(case: str) -> str:
    return case.rpartition("/")[0]


def _folders() -> list[str]:
    return sorted({_folder(case) for case in _linux()})


def _accept(results: dict[str, Result]) -> None:
    """Takes the verdicts of a folder's cases into the file; its comments stay."""
    folders = {_folder(case) for case in results}
    comments = [line for line in _LINUX.read_text().splitlines() if line.startswith("#")]
    kept = {case: verdict for case, verdict in _lines(_LINUX) if _folder(case) not in folders}
    kept |= {case: result.verdict for case, result in results.items()}
    _LINUX.write_text("\n".join([*comments, *(f"{case} {kept[case]}" for case in sorted(kept))]) + "\n")


class _Output:
    """What tests/openposix/cases.c says, read as it comes."""

    def __init__(self) -> None:
        self.results: dict[str, Result] = {}
        self.running = ""
        self._text = b""
        self._shown: list[str] = []

    def add(self, data: bytes) -> None:
        *lines, self._text = (self._text + data).split(b"\n")
        for line in lines:
            self._line(line.decode(errors="replace"))

    def _line(self, line: str) -> None:
        if said := re.fullmatch(r"start (\S+)", line):
            self.running, self._shown = said[1], []
        elif said := re.fullmatch(r"end (\S+) (\S+) (\d+)", line):
            self.results[said[1]] = Result(said[2], "\n".join(self._shown), int(said[3]))
            self.running = ""
        else:
            self._shown.append(line.removeprefix("|"))


def _wrong(case: str, result: Result) -> str:
    """Why the folder fails for this case's sake; nothing, if it is as it should be."""
    linux, known = _linux().get(case), _known().get(case)
    if linux is None:
        return "has no verdict of Linux; take it with --kernel linux --accept"
    if known is not None and linux != "PASS":
        return "stands in known.txt, and does not pass on Linux"
    if linux != "PASS" or (known or "").startswith(_VARIES):
        return ""
    if result.verdict == "PASS":
        return "passes, and stands in known.txt" if known is not None else ""
    return "" if known is not None else f"{result.verdict}, and PASS on Linux"


def _wrong_on_linux(case: str, result: Result) -> str:
    linux = _linux().get(case)
    same = linux == result.verdict or (_known().get(case) or "").startswith(_VARIES)
    return "" if same else f"{result.verdict}, and linux.txt has {linux}"


def _judge(name: str, folder: str, results: dict[str, Result], context: Context) -> Verdict:
    is_linux = context.options.kernel == "linux"
    if is_linux and context.options.accept:
        with _accepting:
            _accept(results)
        return Verdict(name)
    wrong = _wrong_on_linux if is_linux else _wrong
    failures, details = [], []
    for case, result in sorted(results.items()):
        if why := wrong(case, result):
            failures.append(case)
            details.append(f"{case}: {why} ({result.ms} ms)\n{result.output}".rstrip())
    gone = [case for case in {**_linux(), **_known()} if _folder(case) == folder and case not in results]
    details += [f"{case}: there is no such case" for case in gone]
    if not details:
        return Verdict(name)
    return Verdict(name, f"{len(details)} of {len(results)} cases: {' '.join([*failures, *gone])}", "\n".join(details))


class _Machines:
    """Runs cases, in a new machine after the death of one."""

    def __init__(self, context: Context, data: Path) -> None:
        self._context = context
        self._data = data
        self._inside: guest.Guest | None = None

    def _guest(self) -> guest.Guest:
        if self._inside is None:
            self._inside = suite_scenario.start(self._context, self._data, _SMP, f"openposix-{_SMP}", _MEM, _LIMIT_S + 60)
            self._inside.wait_ready()
        return self._inside

    def close(self) -> None:
        if self._inside is not None:
            self._inside.close()
        self._inside = None

    def run(self, cases: list[openposix.Case]) -> dict[str, Result]:
        results: dict[str, Result] = {}
        while left := [case for case in cases if case.name not in results]:
            output = _Output()
            try:
                given = guest.from_bytes("".join(f"{case.line}\n" for case in left).encode())
                limit_s = (_LIMIT_S + 10) * len(left)
                inside = self._guest()
                inside.stream(["/tests/cases", str(_LIMIT_S)], given, output.add, output.add, limit_s=limit_s)
                why = "no verdict"
            except guest.Died as died:
                why = f"died: {died}\n{self._inside.report() if self._inside else ''}"
                self.close()
            results |= output.results
            if len(output.results) < len(left):
                results[output.running or left[len(output.results)].name] = Result("died", why)
        return results


def _run(context: Context, names: list[str]) -> Iterator[Verdict]:
    by_folder = {name.removeprefix("openposix/").partition("@")[0]: name for name in names}
    cases, products = openposix.build(set(by_folder))
    with qemu.Initrd(openposix.initrd(cases, products) + context.packages()) as data:
        machines = _Machines(context, data)
        try:
            for folder, name in by_folder.items():
                yield _judge(name, folder, machines.run([case for case in cases if case.folder == folder]), context)
        finally:
            machines.close()


def jobs(_: Namespace) -> list[Job]:
    """A share for the default run. All of it takes most of half an hour, sleeping, which several machines do at once."""
    def names(folders: Iterable[str]) -> list[str]:
        return [f"openposix/{folder}@{_SMP}" for folder in folders]
    others = [folder for folder in _folders() if folder not in _SHARE]
    shares = [names(others[first::_MACHINES]) for first in range(_MACHINES)]
    return [Job(names(_SHARE), _run), *(Job(share, _run, usual=False) for share in shares)]
