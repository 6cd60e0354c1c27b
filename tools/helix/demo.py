# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix demo heal|swap: the driver of a disk is killed, or swapped, again and again, while one program
reads 64 MiB of it with a checksum and another one writes and verifies. Prints how long it took each time
and writes a picture of the throughput. What happens inside is user/demo."""

import math
import os
import random
import zlib
from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path

from helix import build, guest, packages, paths, programs, qemu, rootfs, ui

_READ_MIB = 64
_WRITTEN_MIB = 4  # behind what is read
_BUCKET_S = 0.1
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 900, 320, 60, 40, 40
_BAR = 60  # the height of the longest outage
_COLUMNS = {"heal": ("detection", "restart"), "swap": ("freeze",)}


@dataclass
class Told:
    """What the program inside has printed, times in seconds."""

    samples: list[tuple[float, int, int]] = field(default_factory=list)  # when, bytes read, bytes written
    events: list[tuple[float, list[float]]] = field(default_factory=list)  # when, and the columns' times
    sum: int = -1
    passes: tuple[int, int] = (0, 0)


def parse(text: str, what: str) -> Told:
    told = Told()
    for line in text.splitlines():
        word, *numbers = line.split()
        values = [int(number) for number in numbers]
        if word == "sample":
            told.samples.append((values[0] / 1e6, values[1], values[2]))
        elif word == what:
            told.events.append((values[0] / 1e6, [value / 1e9 for value in values[1:]]))
        elif word == "sum":
            told.sum = values[0]
        elif word == "passes":
            told.passes = (values[0], values[1])
    return told


def _at(values: list[float], share: float) -> float:
    """The least of them that so many are no greater than (nearest rank)."""
    return sorted(values)[math.ceil(len(values) * share) - 1]


def table(told: Told, what: str) -> str:
    """Milliseconds; of each column: median, 99th percentile, worst."""
    lines = [f"{'ms':<12}{'median':>10}{'p99':>10}{'worst':>10}"]
    for column, name in enumerate(_COLUMNS[what]):
        values = [times[column] * 1e3 for _, times in told.events]
        lines.append(f"{name:<12}{_at(values, 0.5):>10.3f}{_at(values, 0.99):>10.3f}{max(values):>10.3f}")
    return "\n".join(lines)


def rates(told: Told, column: int) -> list[tuple[float, float]]:
    """MiB/s of `column` (0: read, 1: written), for each span of at least _BUCKET_S."""
    found = []
    before = (0.0, 0, 0)
    for sample in told.samples:
        span = sample[0] - before[0]
        if span >= _BUCKET_S:
            found.append((sample[0], (sample[column + 1] - before[column + 1]) / span / (1 << 20)))
            before = sample
    return found


def picture(told: Told, what: str, title: str) -> str:
    """An SVG: two lines over time, and for each death or swap a mark, and a bar: how long nobody was served,
    which is less than the span of a point of the lines."""
    lines = [rates(told, column) for column in (0, 1)]
    end = told.samples[-1][0]
    most = max(rate for line in lines for _, rate in line) or 1.0

    def across(when: float) -> float:
        return _LEFT + when / end * (_WIDTH - _LEFT - 20)

    def down(rate: float) -> float:
        return _HEIGHT - _BOTTOM - rate / most * (_HEIGHT - _TOP - _BOTTOM)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
             'font-family="sans-serif" font-size="12">',
             f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
             f'<text x="{_LEFT}" y="20" font-size="14">{title}</text>']
    worst = max((sum(times) for _, times in told.events), default=0.0) or 1.0
    for when, times in told.events:
        parts.append(f'<line class="{what}" x1="{across(when):.1f}" x2="{across(when):.1f}" y1="{_TOP}" '
                     f'y2="{_HEIGHT - _BOTTOM}" stroke="#d0d0d0"/>')
        height = sum(times) / worst * _BAR
        parts.append(f'<rect class="outage" x="{across(when) - 1:.1f}" y="{_HEIGHT - _BOTTOM - height:.1f}" width="2" '
                     f'height="{height:.1f}" fill="#d62728"/>')
    for step in range(5):
        rate = most * step / 4
        parts.append(f'<text x="{_LEFT - 6}" y="{down(rate) + 4:.1f}" text-anchor="end">{rate:.1f}</text>')
    for step in range(6):
        when = end * step / 5
        parts.append(f'<text x="{across(when):.1f}" y="{_HEIGHT - 20}" text-anchor="middle">{when:.1f}</text>')
    parts.append(f'<text x="{_WIDTH // 2}" y="{_HEIGHT - 4}" text-anchor="middle">seconds; '
                 f'MiB/s read (blue), written and verified (orange); grey: a {what}, '
                 f'red: how long it held them up (the longest: {worst * 1e3:.1f} ms)</text>')
    for line, colour in zip(lines, ("#1f77b4", "#ff7f0e"), strict=True):
        points = " ".join(f"{across(when):.1f},{down(rate):.1f}" for when, rate in line)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    return "\n".join([*parts, "</svg>", ""])


def _disk(mib: int) -> tuple[Path, int]:
    """The disk's file, which another demonstration at the same time has not, and the sum of what is read."""
    data = random.Random(7).randbytes(mib << 20)
    path = paths.ensure(paths.OUT / "tmp") / f"demo-{os.getpid()}.raw"
    path.write_bytes(data + bytes(_WRITTEN_MIB << 20))
    return path, zlib.adler32(data)


def _inside(options: Namespace, disk: Path) -> str:
    """Runs the program; what it printed."""
    kernel = build.kernel(options.arch, options.profile, options.yes)
    archive = rootfs.with_services(rootfs.with_runner(rootfs.base()), kernel).bytes()
    append = qemu.append_for(kernel, "/sbin/runner")
    words = ["-drive", f"if=none,id=disk,format=raw,file={disk}", "-device", "virtio-blk-pci,drive=disk"]
    out, err = bytearray(), bytearray()
    with qemu.Initrd(archive) as initrd, guest.Guest(
            qemu.Machine(kernel, initrd, append, options.smp, "256M", extra=words),
            qemu.log_file(f"demo-{options.what}-{options.profile}")) as inside:
        try:
            inside.wait_ready()
            command = ["/sbin/demo", options.what, str(options.times), str(options.mib)]
            outcome = inside.stream(command, guest.nothing(), out.extend, err.extend)
        except guest.Died as died:
            raise guest.explain(inside, died) from None
        inside.power_off()
    if outcome.code:
        raise ui.Failure("a program got an error or a wrong byte", err.decode(errors="replace"))
    return out.decode()


def command(options: Namespace) -> int:
    if options.arch == "hosted":
        raise ui.Failure("the demonstrations need ring 3; the hosted machine has linked programs")
    output = ui.output(options.output or str(paths.ensure(paths.OUT) / f"demo-{options.what}.svg"))
    packages.need(packages.run(), yes=options.yes)
    programs.need(options.yes)
    disk, expected = _disk(options.mib)
    try:
        ui.progress(f"{options.what}: {options.times} times")
        told = parse(_inside(options, disk), options.what)
    finally:
        disk.unlink()
    if told.sum != expected or len(told.events) != options.times:
        raise ui.Failure(f"the sum is {told.sum}, not {expected}, after {len(told.events)} times")
    title = f"virtio-blk: {options.times} times {options.what}, {options.arch}, {options.profile}, {options.smp} processors"
    try:
        output.write_text(picture(told, options.what, title))
    except OSError as error:
        raise ui.Failure(f"-o {output}: {error.strerror}") from None
    ui.result(f"{table(told, options.what)}\n{title}: {told.passes[0]} times {options.mib} MiB read with the right "
           f"sum, {told.passes[1]} times {_WRITTEN_MIB} MiB written and verified, no error: {output}")
    return 0
