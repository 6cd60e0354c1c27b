# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix test: chooses tests, runs them (two machines at once), counts."""

import queue
import re
import threading
import time
import traceback
from argparse import Namespace
from collections.abc import Callable

from helix import (mutants, packages, programs, run, suite_boot, suite_busybox, suite_check,
                   suite_debug, suite_devices, suite_differential, suite_fuzz, suite_hosted, suite_openposix, suite_other, suite_profile, suite_proof, suite_rules, suite_scenario, suite_stepped, suite_terminal,
                   suite_tool, suite_tree, suite_uefi, suite_unit, ui)
from helix.report import Context, Job, Reporter, Verdict, chosen

SUITES: dict[str, Callable[[Namespace], list[Job]]] = {
    "check": suite_check.jobs,
    "rules": suite_rules.jobs,
    "proof": suite_proof.jobs,
    "unit": suite_unit.jobs,
    "hosted": suite_hosted.jobs,
    "mutants": mutants.jobs,
    "boot": lambda options: suite_boot.jobs(options) + suite_tree.jobs(options) + suite_uefi.jobs(options),
    "scenario": suite_scenario.jobs,
    "posix-x": suite_scenario.posix_x_jobs,
    "devices": lambda options: suite_devices.jobs(options) + suite_profile.jobs(options),
    "busybox": suite_busybox.jobs,
    "openposix": suite_openposix.jobs,
    "terminal": suite_terminal.jobs,
    "tool": suite_tool.jobs,
    "native": lambda options: suite_scenario.native_jobs(options) + suite_stepped.jobs(options),
    "torture": suite_scenario.torture_jobs,
    "fuzz": suite_fuzz.jobs,
    "differential": suite_differential.jobs,
    "debug": suite_debug.jobs,
    "aarch64": suite_other.aarch64_jobs,
    "riscv64": suite_other.riscv64_jobs,
    "secure": suite_profile.secure_jobs,
}


def all_jobs(options: Namespace) -> list[Job]:
    """All tests of a machine."""
    return [job for jobs in SUITES.values() for job in jobs(options)]


def _select(options: Namespace) -> list[tuple[Job, list[str]]]:
    """The jobs with the names that were asked for."""
    selected = []
    jobs = all_jobs(options)

    def is_meant(name: str, patterns: list[str]) -> bool:
        return name in patterns if options.exact else chosen(name, patterns)
    for pattern in options.names:
        if not any(is_meant(name, [pattern]) for job in jobs for name in job.names):
            raise ui.WrongWords(f"no test is called {pattern}; suites: {' '.join(SUITES)}")
    for job in jobs:
        names = [name for name in job.names if (is_meant(name, options.names) if options.names else job.usual)]
        if options.smp:
            names = [name for name in names if "@" not in name or name.endswith(f"@{options.smp}")]
        if names:
            selected.append((job, names))
    if not selected:
        raise ui.WrongWords(f"none of these tests is for --smp {options.smp}")
    return selected


def _leave_out(options: Namespace, selected: list[tuple[Job, list[str]]]) -> tuple[list[tuple[Job, list[str]]], dict[str, str]]:
    """What is left of the tests in the profile, and why which are not."""
    reasons = {name: reason for _, names in selected for name in names
               if (reason := suite_profile.why_not(options, name))}
    left = [(job, [name for name in names if name not in reasons]) for job, names in selected]
    left = [(job, names) for job, names in left if names]
    if not left:
        name, reason = next(iter(reasons.items()))
        raise ui.WrongWords(f"--profile {options.profile}: {name} is left out: {reason}")
    return left, reasons


def _refuse_seconds(options: Namespace, selected: list[tuple[Job, list[str]]]) -> None:
    """A time that none of the chosen tests would take."""
    if options.seconds and not any(re.match(r"fuzz/syscalls(-faults)?@", name) for _, names in selected for name in names):
        raise ui.WrongWords("--seconds: only fuzz/syscalls has them")


def _refuse_seeds(options: Namespace, selected: list[tuple[Job, list[str]]]) -> None:
    """Seeds that none of the chosen tests would have."""
    names = [name for _, names in selected for name in names]
    if any(name.startswith(("torture/seed-", "differential/")) for name in names):
        return
    if options.seeds != 1:
        raise ui.WrongWords("--seeds: only './helix test torture --arch hosted' and './helix test differential' have them")
    if options.seed != 1 and all(re.match(r"(hosted/)?torture[/@]", name) for name in names):
        raise ui.WrongWords("--seed: torture has seeds with --arch hosted only")


def _run_job(job: Job, names: list[str], context: Context, reporter: Reporter) -> None:
    """Runs a job; whatever happens, each of its names gets a verdict."""
    left = set(names)
    failure, detail = "the job ended without a verdict", ""
    last = time.monotonic()
    try:
        for verdict in job.run(context, names):
            left.discard(verdict.name)
            now = time.monotonic()
            verdict.seconds, last = now - last, now
            reporter.add(verdict)
    except ui.Failure as failed:
        failure, detail = str(failed), failed.detail
    except Exception:  # a mistake in a test must not hide the others
        failure, detail = "the test itself failed", traceback.format_exc()
    for name in names:
        if name in left:
            reporter.add(Verdict(name, failure, detail))


def _run_all(selected: list[tuple[Job, list[str]]], context: Context, reporter: Reporter) -> None:
    waiting: queue.SimpleQueue[tuple[Job, list[str]]] = queue.SimpleQueue()
    for entry in selected:
        waiting.put(entry)

    def work() -> None:
        while True:
            try:
                job, names = waiting.get_nowait()
            except queue.Empty:
                return
            _run_job(job, names, context, reporter)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(context.options.jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _prepare(options: Namespace, selected: list[tuple[Job, list[str]]]) -> Context:
    """Installs and builds what the chosen tests need."""
    kernel = None
    if any(job.machines for job, _ in selected):
        packages.need(packages.run(), yes=options.yes)
        kernel = run.kernel_of(options)
        packages.need(packages.ISO, yes=options.yes)
        programs.need(options.yes)
        programs.runner()
        packages.busybox()
    return Context(kernel, options)


def command(options: Namespace) -> int:
    if options.coverage:
        raise ui.Failure("--coverage: coverage is not measured yet")
    if options.mutants:
        return mutants.command(options)
    selected = _select(options)
    _refuse_seeds(options, selected)
    _refuse_seconds(options, selected)
    selected, reasons = _leave_out(options, selected)
    if options.list:
        for _, names in selected:
            for name in names:
                ui.result(name)
        return 0
    for name, reason in reasons.items():
        ui.result(f"out  {name}: {reason}")
    context = _prepare(options, selected)
    extra = f" --kernel {options.kernel}" if options.kernel else ""
    extra += f" --seed {options.seed}" if options.seed != 1 else ""
    extra += f" --seeds {options.seeds}" if options.seeds != 1 else ""
    extra += f" --arch {options.arch}" if options.arch != "x86_64" else ""
    extra += f" --profile {options.profile}" if options.profile != "minimal" else ""
    reporter = Reporter(sum(len(names) for _, names in selected), f"./helix test{extra}")
    _run_all(selected, context, reporter)
    ui.progress_done()
    if reporter.failed:
        ui.result("failed: " + " ".join(reporter.failed))
    left_out = f", {len(reasons)} left out" if reasons else ""
    ui.result(f"{reporter.passed} passed, {len(reporter.failed)} failed{left_out}")
    return 1 if reporter.failed else 0
