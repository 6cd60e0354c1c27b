# SPDX-License-Identifier: MIT OR Apache-2.0
"""How much memory a kernel takes, and how little is enough for a shell."""

import re
from dataclasses import dataclass
from pathlib import Path

from helix import bench_machine, qemu, rootfs, targets, ui

_FULL_MIB = 256
_SMALLEST_MIB, _LARGEST_MIB = 4, 128
_INIT = b"""#!/bin/sh
mount -t proc proc /proc
exec sh -i </dev/console >/dev/console 2>&1
"""
# The sum shows that the shell works, not only that it says something.
_QUESTION = b"cat /proc/meminfo; echo bench: sum $((1234 + 8765))\n"
_ANSWER = "bench: sum 9999"


@dataclass(frozen=True)
class Use:
    """MiB at the shell of a machine of 256: what the kernel does not give to anybody, what is not
    free, what programs cannot have; and the smallest machine that gets to a shell."""

    reserved: float
    used: float
    unavailable: float
    smallest: int


def _initrd() -> bytes:
    archive = rootfs.base()
    archive.file("init", _INIT, 0o755)
    return archive.bytes()


def _shell(system: bench_machine.System, initrd: Path, mib: int) -> dict[str, int] | None:
    """Boots to a shell and asks it for /proc/meminfo; None if it does not get there."""
    machine = qemu.Machine(system.kernel, initrd, system.append("/init"), 1, f"{mib}M",
                           bench_machine.CPUS[targets.current().name])
    log = qemu.log_file(f"bench-memory-{system.name}-{mib}")
    values: dict[str, int] = {}
    with bench_machine.Console(machine, log, silence_s=60) as console:
        try:
            if not console.until(b"# "):
                return None
            console.send(_QUESTION)
            for line in console.lines():
                if found := re.match(r"(\w+): +(\d+) kB", line):
                    values[found[1]] = int(found[2])
                if line.endswith(_ANSWER):
                    return values
        except (ui.Failure, OSError):
            return None
    return None


def _smallest(system: bench_machine.System, initrd: Path) -> int:
    """The smallest machine in whole MiB, by halving."""
    low, high = _SMALLEST_MIB, _LARGEST_MIB
    while low < high:
        middle = (low + high) // 2
        ui.progress(f"{system.name}: a shell in {middle} MiB?")
        if _shell(system, initrd, middle) is not None:
            high = middle
        else:
            low = middle + 1
    return high


def measure(system: bench_machine.System) -> Use:
    with qemu.Initrd(_initrd()) as initrd:
        values = _shell(system, initrd, _FULL_MIB)
        if values is None or "MemTotal" not in values:
            raise ui.Failure(f"{system.name} gets to no shell that shows /proc/meminfo")
        smallest = _smallest(system, initrd)
    total, free = values["MemTotal"] / 1024, values["MemFree"] / 1024
    available = values.get("MemAvailable", values["MemFree"]) / 1024
    return Use(_FULL_MIB - total, total - free, _FULL_MIB - available, smallest)
