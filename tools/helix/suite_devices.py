# SPDX-License-Identifier: MIT OR Apache-2.0
"""Programs of tests/devices in machines that have the device, once for each way to it. The first
lines of a program say what it needs:
  // DEVICE: rng         a row of the table below
  // LIMIT: 120          seconds of guest time
"""

import re
import struct
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from helix import guest, paths, qemu, suite_scenario
from helix.report import Context, Job, Verdict


@dataclass(frozen=True)
class Way:
    """How a device is reached. A device's words for QEMU have {bus} in them, which is `bus` here."""

    bus: str
    machine: str = ""
    extra: tuple[str, ...] = ()


_MODERN = ("-global", "virtio-mmio.force-legacy=false")
# The processors named here have no random instruction.
_WAYS: dict[str, dict[str, Way]] = {
    "x86_64": {"pci": Way("pci"), "pc": Way("pci", "pc"),
               "line": Way("pci,vectors=0"), "line-pc": Way("pci,vectors=0", "pc")},
    "aarch64": {"pci": Way("pci"), "mmio": Way("device", "", _MODERN), "legacy": Way("device"),
                "gic-3": Way("pci", "virt,gic-version=3")},
    "riscv64": {"pci": Way("pci"), "mmio": Way("device", "", _MODERN)},
}
_CPUS = {"x86_64": "qemu64", "aarch64": "cortex-a72", "riscv64": ""}
_SMP = 2
_DISK_BYTES = 16 << 20
_FIRST, _SECOND = (2048, 4096), (8192, 2048)  # where each partition begins, and its sectors


@dataclass(frozen=True)
class Program:
    source: Path
    device: str
    limit_s: float


def pattern(size: int) -> bytes:
    """What is on the disk's second partition, and inverted, in the end, on the first one."""
    return bytes((i * 7 + i // 251) & 255 for i in range(size))


def _disk_bytes() -> bytes:
    """An MBR with two partitions."""
    disk = bytearray(_DISK_BYTES)
    for index, (first, sectors) in enumerate((_FIRST, _SECOND)):
        disk[446 + 16 * index:462 + 16 * index] = struct.pack("<8B2I", 0, 0, 0, 0, 0x83, 0, 0, 0,
                                                              first, sectors)
    disk[510:512] = b"\x55\xaa"
    at = _SECOND[0] * 512
    disk[at:at + _SECOND[1] * 512] = pattern(_SECOND[1] * 512)
    return bytes(disk)


def _disk_problem(path: Path) -> str:
    at, size = _FIRST[0] * 512, _FIRST[1] * 512
    written = path.read_bytes()[at:at + size]
    return "" if written == bytes(byte ^ 255 for byte in pattern(size)) \
        else "the first partition's bytes did not reach the disk's file"


def _words(device: str, way: Way, disk: Path) -> list[str]:
    if device == "rng":
        return ["-device", f"virtio-rng-{way.bus}"]
    disk.write_bytes(_disk_bytes())
    return ["-drive", f"if=none,id=disk,format=raw,discard=unmap,file={disk}",
            "-device", f"virtio-blk-{way.bus},drive=disk"]


def _found() -> list[Program]:
    programs = []
    for source in sorted((paths.TOP / "tests/devices").glob("*.c")):
        words = dict(re.findall(r"^// (DEVICE|LIMIT): (.*)$", source.read_text(), re.M))
        programs.append(Program(source, words["DEVICE"], float(words.get("LIMIT", 60))))
    return programs


def _run(context: Context, program: Program, way: Way, name: str) -> Iterator[Verdict]:
    inner = suite_scenario.Program(program.source, "musl", program.limit_s, ())
    arch = context.options.arch
    disk = paths.ensure(paths.OUT / "tmp") / f"{name.replace('/', '-')}-{arch}.raw"
    assert context.kernel is not None
    with qemu.Initrd(suite_scenario.initrd([inner], False)) as data:
        machine = qemu.Machine(context.kernel, data, qemu.append_for(context.kernel, "/sbin/runner"),
                               _SMP, "256M", _CPUS[arch], way.machine,
                               extra=[*way.extra, *_words(program.device, way, disk)])
        with guest.Guest(machine, qemu.log_file(name.replace("/", "-"))) as inside:
            try:
                inside.wait_ready()
                verdict = suite_scenario.judge(name, inner, inside)
                inside.power_off()
                if program.device == "disk":
                    verdict.failure = verdict.failure or _disk_problem(disk)
                    disk.unlink()
                yield verdict
            except guest.Died as died:
                yield Verdict(name, str(died), inside.report())


def _job(program: Program, way_name: str, way: Way) -> Job:
    name = f"devices/{program.source.stem}-{way_name}"
    return Job([name], lambda context, _: _run(context, program, way, name))


def jobs(options: Namespace) -> list[Job]:
    if options.kernel == "linux":
        return []
    return [_job(program, way_name, way) for program in _found()
            for way_name, way in _WAYS.get(options.arch, {}).items()]
