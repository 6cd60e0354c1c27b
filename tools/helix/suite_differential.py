# SPDX-License-Identifier: MIT OR Apache-2.0
"""Random programs (tests/differential) that must do on Helix what they do on Debian's Linux: results, errors and
what is there at the end. The default run compares the first seeds with the digests of what Linux told, which
./helix test differential --kernel linux --accept takes anew. With --seed N --seeds M both kernels run them, side
by side; each way in which they differ is shown once, by a program from which all steps are taken that it does
not need."""

import re
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from helix import guest, packages, paths, programs, qemu, rootfs, ui
from helix.report import Context, Failed, Job, Verdict

_NAME = "differential/programs"
_FOLDER = paths.TOP / "tests" / "differential"
_DIGESTS = _FOLDER / "digests.txt"
_USUAL = 200  # seeds of the default run
_PIECE = 100  # seeds that a machine is asked for at once
_PIECE_LIMIT_S = 600
_ONE_LIMIT_S = 60
_MOST_SHOWN = 30  # ways to differ
_WIDTH = 78
_INSIDE = "/tests/differential"


class _Machine:
    """A kernel that runs programs; a new machine takes the place of one that died."""

    def __init__(self, kernel: Path, data: Path, name: str) -> None:
        self.deaths = 0
        self.report = ""
        self._kernel, self._data, self._name = kernel, data, name
        self._guest: guest.Guest | None = None

    def _started(self) -> guest.Guest:
        if self._guest is None:
            append = qemu.append_for(self._kernel, "/sbin/runner")
            machine = qemu.Machine(self._kernel, self._data, append, 1)
            self._guest = guest.Guest(machine, qemu.log_file(f"differential-{self._name}"))
            self._guest.wait_ready()
        return self._guest

    def run(self, words: list[str], limit_s: float) -> tuple[str, bool]:
        """What the command printed, and whether it came to its end."""
        printed = bytearray()
        try:
            outcome = self._started().stream([_INSIDE, *words], guest.nothing(), printed.extend, printed.extend,
                                             limit_s=limit_s)
            return printed.decode(errors="replace"), outcome.code == 0 and not outcome.timed_out
        except guest.Died as died:
            self.deaths += 1
            self.report = f"{died}\n{self._guest.report() if self._guest else ''}"
            self.close()
            return printed.decode(errors="replace"), False

    def digests(self, first: int, count: int) -> dict[int, str]:
        """Those of these seeds; of a seed whose program ended the machine or never ended, none."""
        found: dict[int, str] = {}
        seed = first
        while seed < first + count:
            text, _ = self.run(["digests", str(seed), str(first + count - seed)], _PIECE_LIMIT_S)
            told = dict((int(number), digest) for number, digest in re.findall(r"^(\d+) (\w{16})$", text, re.M))
            found.update(told)
            seed = max(told, default=seed - 1) + 1
            if seed < first + count:
                ui.say(f"{self._name}: seed {seed} has no end: {text[-300:]}")
                self.close()
                seed += 1
        return found

    def lines(self, seed: int, steps: list[int] | None = None) -> list[str]:
        """What a seed's program tells; of these steps alone."""
        words = ["show", str(seed)] + ([",".join(map(str, steps))] if steps is not None else [])
        text, whole = self.run(words, _ONE_LIMIT_S)
        return [*text.splitlines(), *([] if whole else ["no end"])]

    def close(self) -> None:
        if self._guest is not None:
            self._guest.close()
            self._guest = None


@dataclass
class _Pair:
    """Linux and the kernel that is judged, side by side. A machine ends with the thread that started it, so
    Linux has one thread for all its life."""

    linux: _Machine
    ours: _Machine
    beside: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def digests(self, first: int, count: int) -> list[int]:
        """The seeds that differ."""
        coming = self.beside.submit(self.linux.digests, first, count)
        ours = self.ours.digests(first, count)
        linux = coming.result()
        return [seed for seed in range(first, first + count) if linux.get(seed) != ours.get(seed)]

    def lines(self, seed: int, steps: list[int] | None = None) -> tuple[list[str], list[str]]:
        coming = self.beside.submit(self.linux.lines, seed, steps)
        ours = self.ours.lines(seed, steps)
        return coming.result(), ours

    def close(self) -> None:
        self.beside.submit(self.linux.close).result()
        self.beside.shutdown()
        self.ours.close()


def _first_difference(linux: list[str], ours: list[str]) -> int | None:
    return next((number for number, (left, right) in enumerate(zip_longest(linux, ours)) if left != right), None)


def _way(linux: list[str], ours: list[str]) -> str:
    """How two differ, without the numbers: the call and the two ends of the line."""
    number = _first_difference(linux, ours)
    if number is None:
        return ""
    left, right = ("".join(lines[number:number + 1]) for lines in (linux, ours))
    if not re.match(r"[ \d]\d  \S|    \S", left or right):
        return re.sub(r"[0-9a-f]*\d[0-9a-f]*", "N", f"state: {left.strip()} / {right.strip()}")
    ends = [re.sub(r"\d+", "N", line.rpartition("=")[2].strip()) if "=" in line else "" for line in (left, right)]
    words = re.sub(r"[ \d]+", " ", left or right).split()
    return f"{words[0] if words else ''}: {ends[0]} / {ends[1]}"


def _steps_before(lines: list[str], number: int) -> list[int]:
    """The steps that begin up to that line."""
    return [int(found[1]) for line in lines[:number + 1] if (found := re.match(r"([ \d]\d)  \S", line))]


def _shrunk(pair: _Pair, seed: int) -> tuple[list[int], list[str], list[str]]:
    """The least steps with which the kernels still differ in that way."""
    linux, ours = pair.lines(seed)
    way = _way(linux, ours)
    number = _first_difference(linux, ours)
    steps = _steps_before(linux, len(linux) if number is None else number)
    size = max(1, len(steps) // 2)
    while steps:
        at = 0
        while at < len(steps):
            fewer = steps[:at] + steps[at + size:]
            told = pair.lines(seed, fewer)
            if _way(*told) == way:
                steps, (linux, ours) = fewer, told
            else:
                at += size
        if size == 1:
            break
        size = max(1, size // 2)
    told = pair.lines(seed, steps)
    return steps, *told


def _shown(linux: list[str], ours: list[str]) -> Iterator[str]:
    """Side by side, with a few lines after the first difference."""
    number = _first_difference(linux, ours)
    last = len(linux) if number is None else number + 4
    for left, right in list(zip_longest(linux, ours, fillvalue=""))[:last]:
        if left == right:
            yield f"  {left}"
        else:
            yield f"- {left}"
            yield f"+ {right}"


@dataclass
class _Found:
    """A way to differ, and the seeds that do."""

    text: str
    seeds: list[int] = field(default_factory=list)


def _look(pair: _Pair, seed: int, found: dict[str, _Found]) -> None:
    linux, ours = pair.lines(seed)
    way = _way(linux, ours)
    if way not in found:
        text = "not seen again"
        if way and len(found) < _MOST_SHOWN:
            steps, linux, ours = _shrunk(pair, seed)
            words = ",".join(map(str, steps))
            text = "\n".join([f"seed {seed} (- Linux, + Helix); inside: {_INSIDE} show {seed} {words}", *_shown(linux, ours)])
        found[way] = _Found(text)
        ui.say(f"differs: {way}\n{text}")
    found[way].seeds.append(seed)


def _archive(context: Context) -> bytes:
    archive = rootfs.with_runner(rootfs.base())
    archive.folder("tests")
    archive.file(_INSIDE.strip("/"), programs.build(_FOLDER / "differential.c").read_bytes(), 0o755)
    return archive.bytes() + context.packages()


def _verdict(found: dict[str, _Found], count: int, pair: _Pair) -> Verdict:
    if not found and not pair.ours.deaths:
        return Verdict(_NAME)
    texts = [f"{way or 'unknown'}: {len(each.seeds)} seeds: {' '.join(map(str, each.seeds[:10]))}\n{each.text}"
             for way, each in sorted(found.items(), key=lambda item: -len(item[1].seeds))]
    bad = sum(len(each.seeds) for each in found.values())
    died = f", {pair.ours.deaths} machines died" if pair.ours.deaths else ""
    return Verdict(_NAME, f"{bad} of {count} programs differ{died}", "\n".join([*texts, pair.ours.report]))


def _long(pair: _Pair, first: int, count: int) -> Verdict:
    """Both kernels run the seeds."""
    found: dict[str, _Found] = {}
    for start in range(first, first + count, _PIECE):
        ui.progress(f"{start - first} of {count} programs, {len(found)} ways to differ")
        for seed in pair.digests(start, min(_PIECE, first + count - start)):
            _look(pair, seed, found)
    return _verdict(found, count, pair)


def _accept(machine: _Machine) -> Verdict:
    """Those that Linux does the same twice on one machine; what went before may matter to others (the inode of all
    that has no name is one, say)."""
    told, again = machine.digests(1, _USUAL), machine.digests(1, _USUAL)
    same = {seed: digest for seed, digest in told.items() if again.get(seed) == digest}
    others = [seed for seed in range(1, _USUAL + 1) if seed not in same]
    if len(others) > _USUAL // 20:
        return Verdict(_NAME, f"Linux itself does not do the same twice: seeds {others}")
    _DIGESTS.write_text("".join(f"{seed} {digest}\n" for seed, digest in sorted(same.items())))
    return Verdict(_NAME)


def _usual(context: Context, pair: _Pair) -> Verdict:
    """The first seeds, beside what Linux told."""
    wanted = dict((int(seed), digest) for seed, digest in (line.split() for line in _DIGESTS.read_text().splitlines()))
    judged = pair.linux if context.options.kernel == "linux" else pair.ours
    told = pair.beside.submit(judged.digests, 1, _USUAL).result() if judged is pair.linux else judged.digests(1, _USUAL)
    found: dict[str, _Found] = {}
    for seed in (seed for seed in wanted if told.get(seed) != wanted[seed]):
        if judged is pair.linux:
            return Verdict(_NAME, f"seed {seed} is not what was accepted; --accept takes it anew")
        _look(pair, seed, found)
    return _verdict(found, _USUAL, pair)


def _run(context: Context, _: list[str]) -> Iterator[Verdict]:
    options = context.options
    assert context.kernel is not None
    with qemu.Initrd(_archive(context)) as data:
        pair = _Pair(_Machine(packages.linux_kernel(), data, "linux"), _Machine(context.kernel, data, "helix"))
        try:
            if options.kernel == "linux" and options.accept:
                yield pair.beside.submit(_accept, pair.linux).result()
            elif options.seed == 1 and options.seeds == 1:
                yield _usual(context, pair)
            else:
                yield _long(pair, options.seed, options.seeds)
        except Failed as failed:
            yield Verdict(_NAME, str(failed), failed.detail)
        finally:
            pair.close()


def jobs(options: Namespace) -> list[Job]:
    return [Job([_NAME], _run)]
