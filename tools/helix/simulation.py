# SPDX-License-Identifier: MIT OR Apache-2.0
"""The whole kernel under the simulator: a seed decides which processor goes on, when interrupts
come and how fast time flies. A run is repeated exactly by its seed."""

import queue
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from helix import hosted, packages, paths, ui
from helix.report import Context, Failed, Job, Verdict, single

SEEDS = 200  # of a test run, from --seed on
_LIMIT_S = 300  # no verdict about speed: the simulator itself ends what has no end
_PROCESSORS = 4
_KEPT = paths.TOP / "tests" / "hosted" / "seeds.txt"
_ALL_EVERY = 25  # so often all self-tests, else the core's alone


def _workload(seed: int) -> list[str]:
    what = "all" if seed % _ALL_EVERY == 0 else "core"
    return ["--smp", str(seed % _PROCESSORS + 1), "--seed", str(seed), f"selftest={what}"]


def kept_seeds() -> list[int]:
    """Those that once failed."""
    return [int(line.split()[0]) for line in _KEPT.read_text().splitlines()
            if line.strip() and not line.startswith("#")]


def _process(context: Context) -> Path:
    packages.need(packages.BUILD, packages.HOSTED, yes=context.options.yes)
    return hosted.process("simulation", context.options.profile)


def _run(process: Path, words: list[str]) -> str:
    """What a run said; Failed if it did not pass."""
    try:
        done = subprocess.run([str(process), *words], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              timeout=_LIMIT_S, errors="replace")
    except subprocess.TimeoutExpired as late:
        text = late.stdout.decode(errors="replace") if late.stdout else ""
        raise Failed(f"no end within {_LIMIT_S} s", text[-8000:]) from None
    if done.returncode != hosted.PASSED:
        raise Failed(f"exit status {done.returncode} instead of {hosted.PASSED}",
                     f"{process.name} {' '.join(words)}\n{done.stdout[-8000:]}")
    return done.stdout


def _run_seeds(context: Context, seeds: list[int]) -> Iterator[tuple[int, Failed | None]]:
    """As many runs at once as there are jobs; in the order in which they end."""
    process = _process(context)
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    ended: queue.SimpleQueue[tuple[int, Failed | None]] = queue.SimpleQueue()
    for seed in seeds:
        waiting.put(seed)

    def work() -> None:
        while True:
            try:
                seed = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                _run(process, _workload(seed))
                ended.put((seed, None))
            except Failed as failed:
                ended.put((seed, failed))

    for _ in range(context.options.jobs):
        threading.Thread(target=work, daemon=True).start()
    for count in range(len(seeds)):
        ui.progress(f"seed {count + 1} of {len(seeds)}")
        yield ended.get()


def seed_job(first: int, count: int) -> Job:
    """./helix test torture --arch hosted: a verdict for each seed."""
    seeds = range(first, first + count)

    def run(context: Context, names: list[str]) -> Iterator[Verdict]:
        chosen = [seed for seed in seeds if f"torture/seed-{seed}" in names]
        for seed, failed in _run_seeds(context, chosen):
            verdict = Verdict(f"torture/seed-{seed}")
            if failed is not None:
                verdict.failure, verdict.detail = str(failed), failed.detail
            yield verdict

    return Job([f"torture/seed-{seed}" for seed in seeds], run, machines=False)


def _all_pass(context: Context) -> None:
    """Seeds that once failed, then the others; one verdict."""
    seeds = kept_seeds() + list(range(context.seed, context.seed + SEEDS))
    for seed, failed in _run_seeds(context, seeds):
        if failed is not None:
            raise Failed(f"seed {seed}: {failed}; ./helix test torture --arch hosted --seed {seed} "
                         "repeats it", failed.detail)


def _repeats(context: Context) -> None:
    """The same seed gives the same decisions and the same words; another one, others."""
    process = _process(context)
    folder = paths.ensure(paths.OUT / "tmp")
    said, made = [], []
    for name, seed in (("a", 4), ("b", 4), ("c", 8)):
        trace = folder / f"simulation-{name}.trace"
        said.append(_run(process, ["--smp", "4", "--seed", str(seed), "--trace", str(trace),
                                   "selftest=core"]))
        made.append(trace.read_bytes())
        trace.unlink()
    if not made[0] or made[0] != made[1] or said[0] != said[1]:
        raise Failed("two runs of one seed differ", f"{said[0]}\n{said[1]}")
    if made[0] == made[2] or not re.search(r"seed 8, \d+ points", said[2]):
        raise Failed("two seeds give the same run", said[2])


def jobs() -> list[Job]:
    return [single("hosted/simulation", _all_pass, machines=False),
            single("hosted/simulation-repeats", _repeats, machines=False)]
