# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix bench NAME --profile: in which functions an operation's instructions are spent. QEMU
writes down each block of code that it runs; counted blocks times their length are exact, not samples."""

import json
import re
import socket
import struct
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from helix import bench_machine, bench_placement, paths, programs, qemu, ui

_SYMTAB, _FUNCTION, _NO_TYPE = 2, 2, 0
_ELF = "helix.elf"  # lies beside an Image, which has no symbols


@dataclass(frozen=True)
class Symbols:
    """Addresses, ascending, and the names of what begins there."""

    addresses: list[int]
    names: list[str]

    def name(self, address: int) -> str:
        at = bisect_right(self.addresses, address) - 1
        return self.names[at] if at >= 0 else f"{address:#x}"


def _sections(elf: bytes) -> list[tuple[int, ...]]:
    offset, = struct.unpack_from("<Q", elf, 0x28)
    size, count = struct.unpack_from("<HH", elf, 0x3a)
    return [struct.unpack_from("<IIQQQQIIQQ", elf, offset + i * size) for i in range(count)]


def elf_symbols(path: Path) -> Iterator[tuple[int, str]]:
    """The functions and labels in a program's symbol table."""
    elf = path.read_bytes()
    sections = _sections(elf)
    for section in sections:
        if section[1] != _SYMTAB:
            continue
        names = sections[section[6]][4]
        for at in range(section[4], section[4] + section[5], 24):
            name, info, _, index, value, _ = struct.unpack_from("<IBBHQQ", elf, at)
            if name and index and info & 15 in (_FUNCTION, _NO_TYPE):
                start = names + name
                yield value, elf[start:elf.index(b"\0", start)].decode()


def symbols(kernel: Path, program: Path) -> Symbols:
    """The kernel's, and those of the program that runs."""
    pairs = [*elf_symbols(kernel.with_name(_ELF) if kernel.name == "Image" else kernel), *((at, f"{program.name}: {name}")
                                     for at, name in elf_symbols(program))]
    pairs.sort()
    return Symbols([at for at, _ in pairs], [name for _, name in pairs])


class Monitor:
    """QEMU's own ear (QMP)."""

    def __init__(self, machine: qemu.Machine) -> None:
        self._line, self.its = socket.socketpair()
        self.its.set_inheritable(True)
        machine.extra = [*machine.extra, "-chardev", f"socket,id=monitor,fd={self.its.fileno()}",
                         "-mon", "chardev=monitor,mode=control"]
        self._file = self._line.makefile("rw")

    def start(self) -> None:
        self._file.readline()  # the greeting
        self._call("qmp_capabilities")

    def _call(self, word: str, **arguments: object) -> object:
        self._file.write(json.dumps({"execute": word, "arguments": arguments}) + "\n")
        self._file.flush()
        while line := self._file.readline():
            answer = json.loads(line)
            if "return" in answer or "error" in answer:
                return answer.get("return")
        raise ui.Failure("the machine ended while it was asked")

    def command(self, text: str) -> object:
        """A command of the human's monitor."""
        return self._call("human-monitor-command", **{"command-line": text})

    def close(self) -> None:
        self._file.close()
        self._line.close()
        self.its.close()


_TRACE = re.compile(rb"Trace \d+: (\S+) \[\w+/(\w+)/")
_START = re.compile(rb"(0x[0-9a-f]+): ")


def count_blocks(log: Path) -> Counter[tuple[int, int]]:
    """How often each block ran: the key is its address and its number of instructions. The listing
    of a block stands right before its first run."""
    lengths: dict[bytes, tuple[int, int]] = {}
    runs: Counter[tuple[int, int]] = Counter()
    listing: dict[int, int] = {}
    start, length = 0, 0
    with log.open("rb") as file:
        for line in file:
            if found := _TRACE.match(line):
                host, address = found[1], int(found[2], 16)
                if start:
                    listing[start], start = length, 0
                if address in listing:
                    lengths[host] = (address, listing.pop(address))
                if host in lengths:
                    runs[lengths[host]] += 1
            elif line.startswith(b"IN:"):
                if start:
                    listing[start] = length
                start, length = 0, 0
            elif found := _START.match(line):
                start = start or int(found[1], 16)
                length += 1
    return runs


def _observe(system: bench_machine.System, program: str, name: str, log: Path) -> int:
    """Runs one round with the log on; how many operations it had."""
    archive = bench_machine.archive(["init", "child", program])
    if program == bench_placement.PROGRAM:
        bench_placement.add_packages(archive, system.kernel)
    with qemu.Initrd(archive.bytes()) as initrd:
        append = system.append("/bench/init", f"-- profile {program}:{name}")
        machine = bench_machine.counted(qemu.Machine(system.kernel, initrd, append, 1))
        if program == bench_placement.PROGRAM:
            machine.extra = [*machine.extra, *bench_placement.words()]
        monitor = Monitor(machine)
        console_log = qemu.log_file(f"bench-profile-{system.name}")
        with bench_machine.Console(machine, console_log, passed=[monitor.its]) as console:
            monitor.start()
            if not console.until(b"bench: before"):
                raise console.failure(f"{name} does not run")
            monitor.command(f"logfile {log}")
            monitor.command("log exec,nochain,in_asm")
            console.send(b"\n")
            if not console.until(b"bench: after"):
                raise console.failure(f"{name} does not end")
            monitor.command("log none")
            console.send(b"\n")
            for line in console.lines():
                if found := re.search(r"bench: profiled (\d+)", line):
                    monitor.close()
                    return int(found[1])
    raise ui.Failure(f"{name} failed")


def profile(system: bench_machine.System, program: str, name: str, top: int = 30) -> None:
    """Prints the functions that take most of an operation's instructions."""
    log = paths.ensure(paths.OUT / "tmp") / "profile.log"
    count = _observe(system, program, name, log)
    known = symbols(system.kernel, bench_machine.built(program))
    totals: Counter[str] = Counter()
    for (address, length), runs in count_blocks(log).items():
        totals[known.name(address)] += length * runs
    log.unlink()
    whole = sum(totals.values())
    ui.result(f"{system.name} {name}: {whole / count:.0f} instructions per operation, "
              f"{count} operations (with the stop before and after them)")
    for function, instructions in totals.most_common(top):
        ui.result(f"{instructions / count:10.1f} {100 * instructions / whole:5.1f} %  {function}")


