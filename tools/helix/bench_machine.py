# SPDX-License-Identifier: MIT OR Apache-2.0
"""Machines whose time can be counted, and the lines that a benchmark prints on their console."""

import os
import re
import socket
import stat
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from helix import bench_linux, cpio, paths, programs, qemu, targets, ui

# One instruction of the guest is one nanosecond of its time and one tick of its counter; nothing of
# the host's time gets in.
POSIX_X = ("fast_route",)  # programs that are built with libposix_x
CPUS = {"x86_64": "qemu64", "aarch64": "cortex-a72", "riscv64": "rv64"}
_COUNTED = ["-icount", "shift=0,sleep=off", "-seed", "1",
            "-rtc", "base=2024-01-01T00:00:00,clock=vm"]
# What makes Debian's Linux fast here. tsc: its clock reads the counter as soon as it can.
_LINUX_TUNED = ("mitigations=off init_on_alloc=0 apparmor=0 selinux=0 audit=0 lsm=none norandmaps"
                " randomize_kstack_offset=off cryptomgr.notests")
# no4lvl: three levels of page tables, with which it is fastest.
_LINUX_OF = {"x86_64": "tsc=reliable no_timer_check", "aarch64": "", "riscv64": "no4lvl"}


@dataclass(frozen=True)
class System:
    """A kernel to measure, and the words that it needs."""

    name: str
    kernel: Path
    words: str

    def append(self, init: str, more: str = "") -> str:
        return f"console={targets.current().console} panic=-1 {self.words} rdinit={init} {more}".replace("  ", " ").strip()


def helix(kernel: Path) -> System:
    return System("helix", kernel, "")


def linux() -> System:
    words = f"{_LINUX_TUNED} {_LINUX_OF[targets.current().name]} quiet"
    return System("linux", bench_linux.unpacked(), words.replace("  ", " "))


def counted(machine: qemu.Machine) -> qemu.Machine:
    """Lets a machine's counter count instructions."""
    machine.cpu, machine.accel = CPUS[targets.current().name], "tcg,thread=single"
    machine.extra = [*machine.extra, *_COUNTED]
    return machine


class Console:
    """A machine that runs, and its first serial port as lines."""

    def __init__(self, machine: qemu.Machine, log: Path, silence_s: float = 300,
                 passed: Sequence[socket.socket] = ()) -> None:
        mine, its = socket.socketpair()
        os.set_inheritable(its.fileno(), True)
        machine.serial = ["chardev:line"]
        machine.extra = [*machine.extra, "-chardev", f"socket,id=line,fd={its.fileno()}"]
        mine.settimeout(silence_s)
        self._line = mine
        self._log = log.open("wb")
        self._path = log
        self._process = subprocess.Popen(machine.command(), stdin=subprocess.DEVNULL,
                                         stdout=self._log, stderr=self._log,
                                         pass_fds=[line.fileno() for line in (its, *passed)])
        its.close()
        self._received = b""

    def __enter__(self) -> "Console":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._line.close()
        self._log.close()

    def _more(self) -> bool:
        """Receives; false at the machine's end."""
        try:
            data = self._line.recv(65536)
        except TimeoutError:
            raise self.failure("the machine said nothing for too long") from None
        except ConnectionError:
            data = b""
        self._log.write(data)
        self._log.flush()
        self._received += data
        return bool(data)

    def lines(self) -> Iterator[str]:
        """Whole lines, until the machine ends."""
        while True:
            while b"\n" in self._received:
                line, self._received = self._received.split(b"\n", 1)
                yield line.decode(errors="replace").strip()
            if not self._more():
                return

    def until(self, text: bytes) -> bool:
        """Waits until the console has said something; false if the machine ended before."""
        while text not in self._received:
            if not self._more():
                return False
        return True

    def after(self, mark: bytes, length: int) -> bytes:
        """The bytes behind a mark."""
        while len(self._received.partition(mark)[2]) < length:
            if not self._more():
                raise self.failure("the machine ended before its time")
        return self._received.partition(mark)[2][:length]

    def send(self, data: bytes) -> None:
        self._line.sendall(data)

    def failure(self, message: str) -> ui.Failure:
        return ui.Failure(message, qemu.tail(self._path))


def archive(names: list[str]) -> cpio.Archive:
    """An initramfs with benchmark programs."""
    result = cpio.Archive()
    for folder in ("dev", "proc", "tmp"):
        result.folder(folder)
    result.device("dev/console", stat.S_IFCHR, 5, 1)
    result.device("dev/null", stat.S_IFCHR, 1, 3, 0o666)
    result.device("dev/zero", stat.S_IFCHR, 1, 5, 0o666)
    for name in names:
        result.file(f"bench/{name}", built(name).read_bytes(), 0o755)
    return result


def built(name: str) -> Path:
    """A benchmark program."""
    return programs.build(paths.TOP / "bench" / f"{name}.c", "posix-x" if name in POSIX_X else "musl")


@dataclass(frozen=True)
class Figure:
    """What one operation takes, in ticks."""

    minimum: int
    median: int
    p90: int
    rounds: int


_FIGURE = re.compile(r"bench: (\w+) (\d+) (\d+) (\d+) (\d+)$")


def figure(line: str) -> tuple[str, Figure] | None:
    """The figure in a console's line, if there is one."""
    found = _FIGURE.search(line)
    return (found[1], Figure(*map(int, found.groups()[1:]))) if found else None
