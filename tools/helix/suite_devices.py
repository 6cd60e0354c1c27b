# SPDX-License-Identifier: MIT OR Apache-2.0
"""Programs of tests/devices in machines that have the device, once for each way to it. The first
lines of a program say what it needs:
  // DEVICE: rng         a row of the table below
  // LIMIT: 120          seconds of guest time
"""

import os
import re
import shutil
import struct
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from helix import build, guest, paths, qemu, suite_scenario
from helix.report import Context, Job, Verdict


@dataclass(frozen=True)
class Way:
    """How a device is reached. A device's words for QEMU have {bus} in them, which is `bus` here."""

    bus: str
    machine: str = ""
    extra: tuple[str, ...] = ()
    logged: bool = False  # QEMU writes down each request
    queues: int = 0  # that a disk has, and processors the machine; 0: as many as usual
    seen: tuple[str, ...] = ()  # what QEMU's log must have, each a pattern that begins with a trace event


_BY_ITS = ("gicv3_its_translation_write ", "gicv3_its_cmd_inv ")
_BOUND = "pci,disable-legacy=on,iommu_platform=on"  # behind the IOMMU
_IOMMU = ("-device", "virtio-iommu-pci")
_BY_IOMMU = ("virtio_iommu_attach ", "virtio_iommu_map ")
_MODERN = ("-global", "virtio-mmio.force-legacy=false")
# The processors named here have no random instruction.
_WAYS: dict[str, dict[str, Way]] = {
    "x86_64": {"pci": Way("pci"), "pc": Way("pci", "pc"),
               "line": Way("pci,vectors=0", logged=True), "line-pc": Way("pci,vectors=0,packed=on", "pc"),
               "queues": Way("pci", queues=4), "queues-shared": Way("pci,vectors=3,packed=on", queues=4),
               "queues-line": Way("pci,vectors=0", queues=4),
               "iommu": Way(_BOUND, "", _IOMMU, queues=4, seen=_BY_IOMMU),
               "iommu-line": Way(f"{_BOUND},vectors=0,packed=on", "", _IOMMU),
               "iommu-passed": Way("pci", "", _IOMMU)},
    "aarch64": {"pci": Way("pci"), "mmio": Way("device", "", _MODERN, True, 4), "legacy": Way("device"),
                "gic-3": Way("pci,packed=on", "virt,gic-version=3", queues=4, seen=_BY_ITS),
                "gic-3-line": Way("pci", "virt,gic-version=3,its=off"),
                "iommu": Way(_BOUND, "", _IOMMU, seen=_BY_IOMMU),
                "iommu-3": Way(_BOUND, "virt,gic-version=3", _IOMMU, seen=_BY_ITS),
                "iommu-passed": Way("pci", "", _IOMMU),
                "line-shared": Way("pci,vectors=0,addr=9", "", ("-device", "virtio-iommu-pci,addr=5"))},
    "riscv64": {"pci": Way("pci,packed=on"), "mmio": Way("device", "", _MODERN, True),
                "line-shared": Way("pci,addr=9")},
}
_CPUS = {"x86_64": "qemu64", "aarch64": "cortex-a72", "riscv64": ""}
_CONSOLE_WAYS = {"x86_64": ("pci", "iommu"), "aarch64": ("mmio",), "riscv64": ("pci",)}  # enough
_DYING_WAYS = {"x86_64": ("pci", "line-pc", "queues", "iommu"), "aarch64": ("mmio", "gic-3", "iommu"),
               "riscv64": ("pci", "mmio")}
_PACKAGES_WAYS = {"x86_64": ("queues",), "aarch64": ("mmio",), "riscv64": ("pci",)}
_SENT_BYTES, _WRITTEN_BYTES = 20000, 30000
_SMP = 2
_DISK_BYTES = 16 << 20
_FIRST, _SECOND = (2048, 4096), (8192, 2048)  # where each partition begins, and its sectors
_BEFORE_SYNC, _AFTER_SYNC = 15 << 11, (15 << 11) + 8  # sectors that tests/devices/disk.c writes


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


def _log(disk: Path) -> Path:
    return disk.with_suffix(".log")


def _unseen_problem(path: Path, seen: dict[str, int]) -> str:
    text = path.read_text() if seen else ""
    missing = [pattern for pattern, least in seen.items() if len(re.findall(pattern, text)) < least]
    return f"QEMU's log has too few of {', '.join(missing)}" if missing else ""


def _log_problem(path: Path) -> str:
    """A request that is completed and neither read nor wrote is a flush. There is one between what was
    written before sync() and after it, and one behind all writes."""
    events = re.findall(r"virtio_blk_(handle_write|handle_read|req_complete)(?:.* sector (\d+))?",
                        path.read_text())
    begun = [int(sector) if event == "handle_write" else -1 for event, sector in events]
    if _BEFORE_SYNC not in begun or _AFTER_SYNC not in begun:
        return "what was written beside sync() is not in QEMU's log"
    before, after = begun.index(_BEFORE_SYNC), begun.index(_AFTER_SYNC)

    def flushes(first: int, end: int) -> int:
        return sum(1 if event == "req_complete" else -1 for event, _ in events[first:end])
    if flushes(before, after) != 1:
        return "sync() did not flush the disk"
    return "" if flushes(after, len(events)) == 1 else "the end of the machine did not flush the disk"


def _letters(size: int) -> bytes:
    """What tests/devices/console.c reads."""
    return bytes(10 if i % 50 == 49 else ord("a") + i % 23 for i in range(size))


def _console_make(folder: Path) -> None:
    """What QEMU's pipe device wants: what the guest reads, and what it writes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.mkfifo(folder / "line.in")
    (folder / "line.out").touch()


@contextmanager
def _sent(program: Program, disk: Path) -> Iterator[None]:
    """A console's bytes are in the pipe before QEMU opens it; they stay there while somebody has it open."""
    if program.device != "console":
        yield
        return
    descriptor = os.open(disk / "line.in", os.O_RDWR)
    os.write(descriptor, _letters(_SENT_BYTES))
    yield
    os.close(descriptor)


def _console_problem(folder: Path) -> str:
    text = (folder / "line.out").read_bytes()
    shutil.rmtree(folder)
    if bytes(byte ^ 0x20 if byte != 10 else 42 for byte in _letters(_WRITTEN_BYTES)) not in text:
        return "what was written to /dev/console did not reach the host"
    return "" if b"/sbin/runner" in text or b"Helix" in text else "the kernel's log is not on the console"


def _words(device: str, way: Way, disk: Path) -> list[str]:
    if device == "rng":
        return ["-device", f"virtio-rng-{way.bus}"]
    if device == "packages":
        return []
    if device == "console":
        _console_make(disk)
        return ["-chardev", f"pipe,id=hvc,path={disk}/line", "-device", f"virtio-serial-{way.bus}",
                "-device", "virtconsole,chardev=hvc"]
    disk.write_bytes(_disk_bytes())  # of "disk", "dying", "swapped", "loaded" and "scratch"
    many = f",num-queues={way.queues}" if way.queues else ""
    # Behind all others: the line of the runner's serial port on PCI is nobody else's.
    rng, serial = (",addr=0x10", ",addr=0x11") if way.bus.startswith("pci") else ("", "")
    others = ["-device", f"virtio-rng-{way.bus}{rng}", "-device", f"virtio-serial-{way.bus}{serial}",
              "-chardev", "null,id=hvc", "-device", "virtconsole,chardev=hvc"] if device == "loaded" else []
    words = ["-blockdev", f"driver=file,node-name=file,discard=unmap,filename={disk}",
             "-blockdev", "driver=raw,node-name=raw,discard=unmap,file=file"]
    return [*words, "-device", f"virtio-blk-{way.bus},drive=raw{many}", *others]


def _seen(device: str, way: Way) -> dict[str, int]:
    """What the log must have, and how often. A disk is told of requests in all its queues, too; QEMU itself
    tells of each once, when the driver is ready."""
    queues = way.queues if device == "disk" else 0
    return {pattern: 1 for pattern in way.seen} | {
        rf"virtio_queue_notify vdev \S+ n {i} ": 10 for i in range(queues)}


def _log_words(device: str, way: Way, disk: Path) -> list[str]:
    """What QEMU writes down, and where."""
    events = [pattern.split()[0] for pattern in _seen(device, way)]
    if way.logged and device == "disk":
        events += ["virtio_blk_handle_*", "virtio_blk_req_complete"]
    traces = [word for event in sorted(set(events)) for word in ("-trace", event)]
    return ["-D", str(_log(disk)), *traces] if traces else []


def _found() -> list[Program]:
    programs = []
    for source in sorted((paths.TOP / "tests/devices").glob("*.c")):
        words = dict(re.findall(r"^// (DEVICE|LIMIT): (.*)$", source.read_text(), re.M))
        programs.append(Program(source, words["DEVICE"], float(words.get("LIMIT", 60))))
    return programs


_profile_lock = threading.Lock()


def profile_kernel(context: Context, profile: str = "modular") -> Path:
    """Of a profile whose drivers are packages."""
    assert context.kernel is not None
    with _profile_lock:
        return build.kernel(context.options.arch, profile, context.options.yes, context.kernel.parents[2])


def _run(context: Context, program: Program, way: Way, name: str) -> Iterator[Verdict]:
    inner = suite_scenario.Program(program.source, "musl", program.limit_s, ())
    arch = context.options.arch
    own = f"{name.replace('/', '-')}-{context.options.profile}"  # the same test of another profile may run beside it
    disk = paths.ensure(paths.OUT / "tmp") / f"{own}-{arch}.raw"
    assert context.kernel is not None
    kernel = profile_kernel(context) if program.device == "loaded" else context.kernel
    packages = kernel if program.device in ("swapped", "loaded", "packages") else None
    archive = suite_scenario.initrd([inner], packages)
    with qemu.Initrd(archive if packages else archive + context.packages()) as data:
        # Who loads drivers begins without any, and no program has the console that comes with one.
        more = {"console": "console=hvc0", "loaded": "helix.safe console=hvc0"}.get(program.device, "")
        machine = qemu.Machine(kernel, data, qemu.append_for(kernel, "/sbin/runner", more),
                               way.queues or _SMP, "256M", _CPUS[arch], way.machine,
                               extra=[*way.extra, *_words(program.device, way, disk),
                                      *_log_words(program.device, way, disk)])
        with (_sent(program, disk),
              guest.Guest(machine, qemu.log_file(own)) as inside):
            try:
                inside.wait_ready()
                verdict = suite_scenario.judge(name, inner, inside)
                inside.power_off()
                if program.device == "disk":
                    verdict.failure = verdict.failure or _disk_problem(disk) or (
                        _log_problem(_log(disk)) if way.logged else "")
                if program.device == "console":
                    problem = _console_problem(disk)
                    verdict.failure = verdict.failure or problem
                verdict.failure = verdict.failure or _unseen_problem(_log(disk), _seen(program.device, way))
                _log(disk).unlink(missing_ok=True)
                disk.unlink(missing_ok=True)
                yield verdict
            except guest.Died as died:
                yield Verdict(name, str(died), inside.report())


def _fits(program: Program, way_name: str, way: Way, arch: str) -> bool:
    """"scratch" is a disk behind an IOMMU alone; only a disk has queues; one device beside an IOMMU is enough.
    "dying" is a disk whose driver does, "swapped" one whose driver is; of "loaded" disks, consoles and entropy the
    drivers are packages; "packages" has none, but packages."""
    if program.device == "packages":
        return way_name in _PACKAGES_WAYS[arch]
    if program.device in ("dying", "swapped", "loaded"):
        return way_name in _DYING_WAYS[arch]
    if way_name.startswith("queues"):
        return program.device == "disk"
    if program.device == "scratch":
        return way.bus.startswith(_BOUND)
    if way_name == "iommu-passed":
        return program.device == "rng"
    return program.device != "console" or way_name in _CONSOLE_WAYS[arch]


def _job(program: Program, way_name: str, way: Way) -> Job:
    name = f"devices/{program.source.stem}-{way_name}"
    return Job([name], lambda context, _: _run(context, program, way, name))


def jobs(options: Namespace) -> list[Job]:
    if options.kernel == "linux":
        return []
    return [_job(program, way_name, way) for program in _found()
            for way_name, way in _WAYS.get(options.arch, {}).items()
            if _fits(program, way_name, way, options.arch)]
