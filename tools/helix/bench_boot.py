# SPDX-License-Identifier: MIT OR Apache-2.0
"""How long a kernel takes from its first instruction to the first one of init."""

import re
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

from helix import bench_machine, cpio, paths, programs, qemu, ui

_PVH_NOTE = 18  # the physical address at which a PVH loader enters (Xen's elfnote.h)
_PT_NOTE = 4
_RDTSC = "0f31"


def pvh_entry(kernel: Path) -> int:
    """The address of the kernel's first instruction."""
    elf = kernel.read_bytes()
    offset, = struct.unpack_from("<Q", elf, 0x20)
    size, count = struct.unpack_from("<HH", elf, 0x36)
    for at in range(offset, offset + size * count, size):
        kind, _, start, _, _, length = struct.unpack_from("<IIQQQQ", elf, at)
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


class Debugger:
    """As much of gdb's protocol as it takes to stop once and to read the counter."""

    def __init__(self, machine: qemu.Machine) -> None:
        self._line, self.its = socket.socketpair()
        self.its.set_inheritable(True)
        self._line.settimeout(120)
        machine.extra = [*machine.extra, "-S", "-chardev",
                         f"socket,id=gdb,fd={self.its.fileno()}", "-gdb", "chardev:gdb"]

    def _byte(self) -> bytes:
        byte = self._line.recv(1)
        if not byte:
            raise ui.Failure("the machine ended before it entered the kernel")
        return byte

    def ask(self, text: str) -> str:
        """Sends a packet; the answer's text."""
        self._line.sendall(f"${text}#{sum(text.encode()) & 255:02x}".encode())
        while self._byte() != b"$":
            pass
        answer = bytearray()
        while (byte := self._byte()) != b"#":
            answer += byte
        self._line.recv(2)
        self._line.sendall(b"+")
        return answer.decode()

    def registers(self) -> tuple[int, ...]:
        return struct.unpack_from("<17Q", bytes.fromhex(self.ask("g")[:17 * 16]))

    def counter_at(self, address: int) -> int:
        """The counter when the machine comes to an address. The machine is of no use afterwards:
        the instruction there has been replaced by one that reads the counter."""
        self.ask("?")
        self.ask(f"Z1,{address:x},1")
        self.ask("c")
        self.ask(f"z1,{address:x},1")
        self.ask(f"M{address:x},2:{_RDTSC}")
        self.ask("s")
        registers = self.registers()
        if registers[16] != address + 2:
            raise ui.Failure(f"the machine did not stop at the kernel's entry {address:#x}")
        return registers[0] & 0xffffffff | (registers[3] & 0xffffffff) << 32

    def close(self) -> None:
        self._line.close()
        self.its.close()


@dataclass(frozen=True)
class Case:
    """A machine to boot on."""

    name: str
    machine: str = "q35"
    packed: bool = False
    smp: int = 1
    counted: bool = True


CASES = (Case("q35"), Case("microvm", "microvm"), Case("q35, gzip", packed=True),
         Case("microvm, gzip", "microvm", packed=True),
         Case("q35, plain TCG", counted=False), Case("q35, plain TCG, -smp 4", smp=4, counted=False))


@dataclass(frozen=True)
class Span:
    """Ticks of the counter at the kernel's entry and at init's first instruction; what the kernel
    itself says about its entry."""

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
    machine = qemu.Machine(system.kernel, initrd, system.append("/init"), case.smp, cpu="qemu64",
                           machine=case.machine)
    return bench_machine.counted(machine) if case.counted else machine


def _entry(system: bench_machine.System, case: Case, initrd: Path) -> int:
    machine = _machine(system, case, initrd)
    debugger = Debugger(machine)
    log = qemu.log_file("bench-entry")
    with bench_machine.Console(machine, log, passed=[debugger.its]):
        counter = debugger.counter_at(pvh_entry(system.kernel))
        debugger.close()
    return counter


def measure(system: bench_machine.System, case: Case) -> Span:
    """Boots twice: once to the kernel's entry, once to init."""
    logged = None
    with qemu.Initrd(_initrd(case.packed)) as initrd:
        entry = _entry(system, case, initrd)
        machine = _machine(system, case, initrd)
        log = qemu.log_file(f"bench-boot-{system.name}")
        with bench_machine.Console(machine, log) as console:
            for line in console.lines():
                if found := re.search(r"entry counter (\d+)", line):
                    logged = int(found[1])
                if found := re.search(r"bench: init +(\d+)", line):
                    return Span(entry, int(found[1]), logged)
            raise console.failure(f"{system.name} on {case.name} did not come to init")
