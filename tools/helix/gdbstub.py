# SPDX-License-Identifier: MIT OR Apache-2.0
"""The other side of QEMU's gdb stub: the GDB Remote Serial Protocol (GDB manual, appendix E), as far as tests
need it. The machine has one processor, and stands still from the connection on."""

import select
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Registers:
    """Their numbers, as QEMU describes them to gdb."""

    pc: int
    argument: int  # the first one of a function
    sp: int
    link: int | None  # where a function returns to; None: that is on the stack
    breakpoint_bytes: int


REGISTERS = {"x86_64": Registers(16, 5, 7, None, 1), "aarch64": Registers(32, 0, 31, 30, 4),
             "riscv64": Registers(32, 10, 2, 1, 2)}


class Gone(Exception):
    """The machine has ended."""


class Stub:
    def __init__(self, path: Path, arch: str) -> None:
        self._registers = REGISTERS[arch]
        self._line = socket.socket(socket.AF_UNIX)
        self._line.connect(str(path))
        self._received = b""
        self.ask("qXfer:features:read:target.xml:0,ffb")  # QEMU tells single registers to who has seen this

    def close(self) -> None:
        self._line.close()

    def _packet_here(self) -> str | None:
        begin, end = self._received.find(b"$"), self._received.find(b"#")
        if begin < 0 or not 0 <= end <= len(self._received) - 3:
            return None
        packet = self._received[begin + 1:end]
        self._received = self._received[end + 3:]
        self._line.sendall(b"+")
        return packet.decode()

    def _receive(self, seconds: float | None) -> bool:
        """False: nothing has come. What comes may be an acknowledgement, or the first part of a packet."""
        if not select.select([self._line], [], [], seconds)[0]:
            return False
        data = self._line.recv(4096)
        if not data:
            raise Gone
        self._received += data
        return True

    def _packet(self) -> str:
        while (packet := self._packet_here()) is None:
            self._receive(None)
        return packet

    def _send(self, words: str) -> None:
        self._line.sendall(f"${words}#{sum(words.encode()) & 255:02x}".encode())

    def ask(self, words: str) -> str:
        self._send(words)
        answer = self._packet()
        assert not answer.startswith("E"), f"{words}: {answer}"
        return answer

    def resume(self) -> None:
        self._send("c")

    def stopped(self, seconds: float) -> bool:
        """Whether it has come to a breakpoint by then."""
        while (packet := self._packet_here()) is None:
            if not self._receive(seconds):
                return False
        return packet.startswith("T")

    def interrupt(self) -> None:
        """Stops the machine, which runs."""
        self._line.sendall(b"\x03")
        self._packet()

    def step(self) -> int:
        """One instruction, and where it has led."""
        self.ask("s")
        return self.pc

    def register(self, number: int) -> int:
        return int.from_bytes(bytes.fromhex(self.ask(f"p{number:x}")), "little")

    def word(self, address: int) -> int:
        return int.from_bytes(bytes.fromhex(self.ask(f"m{address:x},8")), "little")

    @property
    def pc(self) -> int:
        return self.register(self._registers.pc)

    @property
    def sp(self) -> int:
        return self.register(self._registers.sp)

    @property
    def argument(self) -> int:
        return self.register(self._registers.argument)

    @property
    def caller(self) -> int:
        """Where the function returns to whose first instruction is next."""
        link = self._registers.link
        return self.word(self.sp) if link is None else self.register(link)

    def jump(self, address: int) -> None:
        self.ask(f"P{self._registers.pc:x}={address.to_bytes(8, 'little').hex()}")

    def breakpoint(self, address: int, there: bool = True) -> None:
        self.ask(f"{'Z' if there else 'z'}0,{address:x},{self._registers.breakpoint_bytes}")
