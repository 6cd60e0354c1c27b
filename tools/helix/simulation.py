# SPDX-License-Identifier: MIT OR Apache-2.0
"""The whole kernel under the simulator: a seed decides which processor goes on, when interrupts
come and how fast time flies. A run is repeated exactly by its seed."""

import queue
import re
import threading
from collections.abc import Iterator
from pathlib import Path

from helix import hosted, packages, paths, ui
from helix.report import Context, Failed, Job, Verdict, single

SEEDS = 200  # of a test run, from --seed on
_LIMIT_S = 300  # no verdict about speed: the simulator itself ends what has no end
_PROCESSORS = 4
_HASTE = "9"  # a seed with the longest tick
_KEPT = paths.TOP / "tests" / "hosted" / "seeds.txt"


def _run_of(seed: int) -> list[str]:
    """What runs with a seed: the torture, or what is slower and less random."""
    machine = ["--smp", str(seed % _PROCESSORS + 1), "--seed", str(seed)]
    turn = seed // _PROCESSORS
    if turn % 10 == 7:
        return [*machine, "--disk-faults", str(4 << seed % 5), "init=/disk_faults"]
    if turn % 5 == 3:
        programs = hosted.programs()
        return [*machine, f"init=/{programs[turn // 5 % len(programs)]}"]
    if turn % 5 == 4:
        return [*machine, "selftest=all" if turn % 25 == 24 else "selftest=core"]
    return [*machine, "init=/torture"]


def _kept() -> list[list[str]]:
    """The runs that once failed."""
    lines = [line.partition("#")[0].split() for line in _KEPT.read_text().splitlines()]
    return [words for words in lines if words]


def _process(context: Context) -> Path:
    packages.need(packages.BUILD, packages.HOSTED, yes=context.options.yes)
    return hosted.process("simulation", context.options.profile)


def _run(process: Path, words: list[str]) -> str:
    """What a run said; Failed if it did not pass."""
    passed = hosted.PASSED if words[-1].startswith("selftest=") else 0
    status, text = hosted.call([str(process), *words], _LIMIT_S)
    if status != passed:
        raise Failed(f"exit status {status} instead of {passed}",
                     f"{process.name} {' '.join(words)}\n{text[-8000:]}")
    return text


def _run_all(context: Context, runs: list[list[str]]) -> Iterator[tuple[list[str], Failed | None]]:
    """As many at once as there are jobs; in the order in which they end."""
    process = _process(context)
    waiting: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    ended: queue.SimpleQueue[tuple[list[str], Failed | None]] = queue.SimpleQueue()
    for words in runs:
        waiting.put(words)

    def work() -> None:
        while True:
            try:
                words = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                _run(process, words)
                ended.put((words, None))
            except Failed as failed:
                ended.put((words, failed))

    for _ in range(context.options.jobs):
        threading.Thread(target=work, daemon=True).start()
    for count in range(len(runs)):
        ui.progress(f"simulated run {count + 1} of {len(runs)}")
        yield ended.get()


def seed_job(first: int, count: int) -> Job:
    """./helix test torture --arch hosted: a verdict for each seed."""
    def run(context: Context, names: list[str]) -> Iterator[Verdict]:
        wanted = {int(name.rpartition("-")[2]) for name in names}
        for words, failed in _run_all(context, [_run_of(seed) for seed in sorted(wanted)]):
            verdict = Verdict(f"torture/seed-{words[words.index('--seed') + 1]}")
            if failed is not None:
                verdict.failure, verdict.detail = str(failed), failed.detail
            yield verdict

    return Job([f"torture/seed-{seed}" for seed in range(first, first + count)], run,
               machines=False)


def _all_pass(context: Context) -> None:
    """What once failed, then the seeds; one verdict."""
    runs = _kept() + [_run_of(seed) for seed in range(context.seed, context.seed + SEEDS)]
    for words, failed in _run_all(context, runs):
        if failed is not None:
            raise Failed(f"{' '.join(words)}: {failed}", failed.detail)


# Runs that are made twice: processors and what runs with the seed.
_TWICE = ((4, 4, ["selftest=core"]), (1, 5, ["init=/torture"]), (3, 6, ["init=/torture"]),
          (4, 7, ["--disk-faults", "8", "init=/disk_faults"]))


def _traced(process: Path, smp: int, seed: int, words: list[str]) -> tuple[str, bytes]:
    """What a run said, and its decisions."""
    trace = paths.ensure(paths.OUT / "tmp") / "simulation.trace"
    said = _run(process, ["--smp", str(smp), "--seed", str(seed), "--trace", str(trace), *words])
    made = trace.read_bytes()
    trace.unlink()
    return said, made


def _repeats(context: Context) -> None:
    """The same seed gives the same decisions and the same words; another one, others."""
    process = _process(context)
    for smp, seed, words in _TWICE:
        first, second = _traced(process, smp, seed, words), _traced(process, smp, seed, words)
        if not first[1] or first != second:
            raise Failed(f"two runs of seed {seed} differ: {' '.join(words)}", f"{first[0]}\n{second[0]}")
    said, made = _traced(process, *_TWICE[0])
    other, others = _traced(process, _TWICE[0][0], 8, _TWICE[0][2])
    if made == others or not re.search(r"seed 8, \d+ points", other):
        raise Failed("two seeds give the same run", f"{said}\n{other}")


def _late(context: Context) -> None:
    """A processor that comes when nobody waits for it any more stays away: five seconds of the
    simulator's, which are many points of its time unless that flies."""
    text = _run(_process(context), ["--smp", "3", "--seed", _HASTE, "--late", "2", "init=/online"])
    missing = [word for word in ("processor 2 does not start", "2 of 3 processors", "online: 2")
               if word not in text]
    if missing:
        raise Failed(f"nobody says '{missing[0]}'", text[-8000:])


def jobs() -> list[Job]:
    return [single("hosted/simulation-late", _late, machines=False),
            single("hosted/simulation", _all_pass, machines=False),
            single("hosted/simulation-repeats", _repeats, machines=False)]
