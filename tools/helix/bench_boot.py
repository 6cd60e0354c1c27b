# SPDX-License-Identifier: MIT OR Apache-2.0
"""How long a kernel takes from its first instruction to the first one of init."""

import re
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

from helix import bench_machine, cpio, paths, programs, qemu, targets, ui

_PVH_NOTE = 18  # the physical address at which a PVH loader enters (Xen's elfnote.h)
_PT_LOAD, _PT_NOTE = 1, 4


def _segments(elf: bytes | bytearray) -> list[tuple[int, ...]]:
    """Kind, flags, offset, virtual and physical address, and length in the file of each segment."""
    offset, = struct.unpack_from("<Q", elf, 0x20)
    size, count = struct.unpack_from("<HH", elf, 0x36)
    return [struct.unpack_from("<IIQQQQ", elf, offset + i * size) for i in range(count)]


def pvh_entry(kernel: Path) -> int:
    """The address of the kernel's first instruction."""
    elf = kernel.read_bytes()
    for kind, _, start, _, _, length in _segments(elf):
        if kind == _PT_NOTE and (entry := _note(elf, start, start + length)) is not None:
            return entry
    raise ui.Failure(f"{kernel.name} has no PVH entry")


def _note(elf: bytes, at: int, end: int) -> int | None:
    while at + 12 <= end:
        name, length, kind = struct.unpack_from("<III", elf, at)
        contents = at + 12 + (name + 3 & ~3)
        if kind == _PVH_NOTE and elf[at + 12:at + 15] == b"Xen":
            return int.from_bytes(elf[contents:contents + length], "little")
        at = contents + (length + 3 & ~3)
    return None


# Reads the counter, writes HX and the counter's eight bytes to the first serial port, and ends.
# 32 bits, without paging: what PVH promises at the entry.
_PROBE_X86_64 = bytes.fromhex(
    "0f31"          # rdtsc
    "89c6 89d3"     # mov %eax, %esi; mov %edx, %ebx
    "66baf803"      # mov $0x3f8, %dx
    "b048 ee"       # mov $'H', %al; out %al, %dx
    "b058 ee"       # mov $'X', %al; out %al, %dx
    "b904000000"    # mov $4, %ecx
    "89f0"          # mov %esi, %eax
    "ee c1e808 e2fa"  # 1: out %al, %dx; shr $8, %eax; loop 1b
    "b904000000"    # mov $4, %ecx
    "89d8"          # mov %ebx, %eax
    "ee c1e808 e2fa"  # 1: out %al, %dx; shr $8, %eax; loop 1b
    "fa f4 ebfd")   # cli; 1: hlt; jmp 1b
_MARK = b"HX"

# The same behind the header of an Image, in S-mode, without translation. The header's first instruction goes there.
_PROBE_RISCV64 = b"".join(word.to_bytes(4, "little") for word in (
    0xc01022f3,              # rdtime t0
    0x10000337,              # lui t1, 0x10000
    0x04800393, 0x00730023,  # li t2, 'H'; sb t2, (t1)
    0x05800393, 0x00730023,  # li t2, 'X'; sb t2, (t1)
    0x00800393,              # li t2, 8
    0x00530023, 0x0082d293,  # 1: sb t0, (t1); srli t0, t0, 8
    0xfff38393, 0xfe039ae3,  # addi t2, t2, -1; bnez t2, 1b
    0x10500073, 0xffdff06f)) # 1: wfi; j 1b
_IMAGE_HEADER = 0x40
_TO_PROBE = 0x0400006f.to_bytes(4, "little")  # j .+0x40


def probed(kernel: Path) -> bytes:
    """The kernel with the probe in place of its first instructions. Nothing else differs, so the
    firmware takes just as long to come there."""
    image = bytearray(kernel.read_bytes())
    if targets.current().name == "riscv64":
        image[:len(_TO_PROBE)] = _TO_PROBE
        image[_IMAGE_HEADER:_IMAGE_HEADER + len(_PROBE_RISCV64)] = _PROBE_RISCV64
        return bytes(image)
    entry = pvh_entry(kernel)
    for kind, _, offset, _, physical, length in _segments(image):
        if kind == _PT_LOAD and physical <= entry < physical + length:
            at = offset + entry - physical
            image[at:at + len(_PROBE_X86_64)] = _PROBE_X86_64
            return bytes(image)
    raise ui.Failure(f"the PVH entry of {kernel.name} is in no segment")


@dataclass(frozen=True)
class Case:
    """A machine to boot on."""

    name: str
    machine: str = ""  # the target's
    packed: bool = False
    smp: int = 1
    counted: bool = True


_X86_64 = (Case("q35"), Case("microvm", "microvm"), Case("q35, gzip", packed=True),
           Case("microvm, gzip", "microvm", packed=True),
           Case("q35, plain TCG", counted=False), Case("q35, plain TCG, -smp 4", smp=4, counted=False))
_VIRT = (Case("virt"), Case("virt, gzip", packed=True))


def cases() -> tuple[Case, ...]:
    return _X86_64 if targets.current().name == "x86_64" else _VIRT


_TICK_NS = {"x86_64": 1, "aarch64": 16, "riscv64": 100}  # of the counter that a kernel logs, and a probe says
_UNPROBED = ("aarch64",)  # where the machine starts with the kernel
# Firmware that writes to the console waits for who reads it, now and then: the least of a few boots counts.
_TIMES = {"riscv64": 3}
_STARTS = {"x86_64": "first instruction (PVH entry; a probe there says the counter)",
           "aarch64": "first instruction, a few behind the machine's reset,",
           "riscv64": "first instruction (behind OpenSBI; a probe there says the counter)"}


def start() -> str:
    """Where the time begins, in words."""
    return _STARTS[targets.current().name]


@dataclass(frozen=True)
class Span:
    """Nanoseconds of the counter at the kernel's entry and at init's first instruction; what the kernel
    itself says about its entry, if there is something to compare it with."""

    entry: int
    init: int
    logged: int | None

    @property
    def ticks(self) -> int:
        return self.init - self.entry


def _initrd(packed: bool) -> bytes:
    archive = cpio.Archive()
    archive.folder("dev")
    archive.device("dev/console", stat.S_IFCHR, 5, 1)
    program = programs.build(paths.TOP / "bench" / "boot.c", "bare")
    archive.file("init", program.read_bytes(), 0o755)
    data = archive.bytes()
    return cpio.compress(data) if packed else data


def _machine(system: bench_machine.System, case: Case, initrd: Path) -> qemu.Machine:
    machine = qemu.Machine(system.kernel, initrd, system.append("/init"), case.smp,
                           cpu=bench_machine.CPUS[targets.current().name], machine=case.machine)
    return bench_machine.counted(machine) if case.counted else machine


def _entry(system: bench_machine.System, case: Case, initrd: Path) -> int:
    log = qemu.log_file("bench-entry")
    with qemu.Initrd(probed(system.kernel)) as kernel:
        machine = _machine(system, case, initrd)
        machine.kernel = kernel
        with bench_machine.Console(machine, log) as console:
            answer = console.after(_MARK, 8)
    return int.from_bytes(answer, "little") * _TICK_NS[targets.current().name]


def _init(system: bench_machine.System, case: Case, initrd: Path) -> tuple[int, int | None]:
    """The counter at init's first instruction, and what the kernel logs of its entry."""
    logged = None
    log = qemu.log_file(f"bench-boot-{system.name}")
    with bench_machine.Console(_machine(system, case, initrd), log) as console:
        for line in console.lines():
            if found := re.search(r"entry counter (\d+)", line):
                logged = int(found[1]) * _TICK_NS[targets.current().name]
            if found := re.search(r"bench: init +(\d+)", line):
                return int(found[1]), logged
        raise console.failure(f"{system.name} on {case.name} did not come to init")


def measure(system: bench_machine.System, case: Case) -> Span:
    """Boots to the kernel's entry, if there is a probe, and to init."""
    name = targets.current().name
    times = range(_TIMES.get(name, 1))
    with qemu.Initrd(_initrd(case.packed)) as initrd:
        init, logged = min((_init(system, case, initrd) for _ in times), key=lambda found: found[0])
        if name in _UNPROBED:
            return Span(0, init, None)
        return Span(min(_entry(system, case, initrd) for _ in times), init, logged)
