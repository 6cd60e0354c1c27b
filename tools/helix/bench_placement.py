# SPDX-License-Identifier: MIT OR Apache-2.0
"""What it costs that a module is in a process of its own: the rows of bench/placement.c, two and two."""

import re
from collections.abc import Callable
from pathlib import Path

from helix import bench_disk, cpio
from helix.bench_machine import Figure

PROGRAM = "placement"
_PACKAGES = ("crumb", "mem", "ramfs", "virtio_blk")
_PLACEMENTS = ("kernel", "isolated")


def words() -> list[str]:
    """For QEMU: a disk, whose driver is restarted."""
    return bench_disk.words()


def add_packages(archive: cpio.Archive, kernel: Path) -> None:
    archive.folder("lib")
    archive.folder("lib/helix")
    for name in _PACKAGES:
        archive.file(f"lib/helix/{name}.hxm", (kernel.parent / "modules" / f"{name}.hxm").read_bytes())


def restarts(names: list[str]) -> list[str]:
    """Those that say something about time, too."""
    return [name for name in names if name.startswith("restart_")]


def table(unit: str, names: list[str], figures: dict[str, Figure],
          cells: Callable[[Figure | None], list[str]]) -> list[list[str]]:
    """A row for what was measured in either placement: both, their ratio, and the difference of the minima."""
    rows = [[unit, "kernel min", "median", "spread", "ring 3 min", "median", "spread", "ratio", "isolation costs"]]
    for row in dict.fromkeys(re.sub(rf"_({'|'.join(_PLACEMENTS)})$", "", name) for name in names):
        both = [figures.get(f"{row}_{placement}") for placement in _PLACEMENTS]
        line = [row]
        for placement, figure in zip(_PLACEMENTS, both, strict=True):
            line += cells(figure) if f"{row}_{placement}" in names else ["", "", ""]
        kernel, isolated = both
        line += [f"{isolated.minimum / max(kernel.minimum, 1):.2f}", f"{isolated.minimum - kernel.minimum:,}"] \
            if kernel and isolated else ["", ""]
        rows.append(line)
    return rows
