# SPDX-License-Identifier: MIT OR Apache-2.0
"""Debian's busybox, unmodified: the scripts in tests/busybox run inside, and print what the file of
the same name ending in .out holds. Those files come from Debian's Linux:
./helix test busybox --kernel linux --accept writes them."""

import difflib
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from helix import guest, paths, qemu, rootfs, suite_scenario, targets
from helix.report import Context, Job, Verdict

_FOLDER = paths.TOP / "tests" / "busybox"
_LIMIT_S = 120


def _scripts() -> list[Path]:
    return sorted(_FOLDER.glob("*.sh"))


def _initrd(context: Context) -> bytes:
    archive = rootfs.with_runner(rootfs.base())
    for script in _scripts():
        archive.file(f"tests/{script.name}", script.read_bytes(), 0o755)
    return archive.bytes() + context.packages()


def _difference(script: Path, got: str) -> str:
    wanted = script.with_suffix(".out").read_text().replace("x86_64", targets.current().name)
    lines = difflib.unified_diff(wanted.splitlines(), got.splitlines(), "expected", "got",
                                 lineterm="")
    return "\n".join(lines)


def _judge(name: str, script: Path, inside: guest.Guest, accept: bool) -> Verdict:
    fresh = f"mkdir /tmp/{script.stem} && cd /tmp/{script.stem} && exec sh /tests/{script.name}"
    outcome = inside.run(["sh", "-c", fresh], limit_s=_LIMIT_S)
    got = (outcome.out + outcome.err).decode(errors="replace")
    if outcome.timed_out:
        return Verdict(name, f"no end within {_LIMIT_S} s", got[-8000:])
    if outcome.code:
        return Verdict(name, f"exit status {outcome.code}", got[-8000:])
    if accept:
        script.with_suffix(".out").write_text(got)
    difference = _difference(script, got)
    return Verdict(name, "other output", difference) if difference else Verdict(name)


def _run(context: Context, smp: int, names: list[str]) -> Iterator[Verdict]:
    by_name = {f"busybox/{script.stem}@{smp}": script for script in _scripts()}
    accept = context.options.accept and context.options.kernel == "linux"
    waiting = list(names)
    with qemu.Initrd(_initrd(context)) as data:
        while waiting:
            with suite_scenario.start(context, data, smp, f"busybox-{smp}") as inside:
                name = waiting.pop(0)
                try:
                    inside.wait_ready()
                    yield _judge(name, by_name[name], inside, accept)
                    while waiting:
                        name = waiting.pop(0)
                        yield _judge(name, by_name[name], inside, accept)
                    inside.power_off()
                except guest.Died as died:
                    yield Verdict(name, str(died), inside.report())


def jobs(_: Namespace) -> list[Job]:
    made = []
    for smp in suite_scenario.SMP:
        names = [f"busybox/{script.stem}@{smp}" for script in _scripts()]
        made.append(Job(names, lambda context, chosen, smp=smp: _run(context, smp, chosen)))
    return made
