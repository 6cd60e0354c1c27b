# SPDX-License-Identifier: MIT OR Apache-2.0
"""Speaks with user/init/runner.c over the second serial port: runs commands in a machine with their
own standard input, output and error, byte for byte. The frames are described there."""

import os
import selectors
import socket
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from helix import qemu, targets, ui

GREETING = b"\nhelix runner 1\n"
WINDOW = 16384
CHUNK = 4096
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/", "TERM": "linux",
               "USER": "root"}

_NO_SPACE = "initramfs: no space left"  # the kernel's word

Sink = Callable[[bytes], None]


class Died(Exception):
    """The machine ended, or said nothing for too long."""


@dataclass
class Outcome:
    """How a command ended. `code` follows the shell: 128 + n for signal n."""

    code: int
    timed_out: bool
    out: bytes = b""
    err: bytes = b""


class _Input:
    """The host's side of a command's standard input: bytes at hand, or a descriptor."""

    def __init__(self, data: bytes = b"", descriptor: int | None = None) -> None:
        self.data = data
        self.descriptor = descriptor
        self.ended = descriptor is None
        self.end_sent = False

    def fill(self) -> None:
        assert self.descriptor is not None
        more = os.read(self.descriptor, CHUNK)
        self.data += more
        self.ended = not more

    def drop(self) -> None:
        self.data, self.ended, self.end_sent = b"", True, True


def describe(words: list[str], environment: dict[str, str], folder: str, limit_ms: int) -> bytes:
    strings = [str(limit_ms), folder, str(len(words)), *words]
    strings += [f"{name}={value}" for name, value in environment.items()]
    return b"".join(os.fsencode(string) + b"\0" for string in strings)


class Guest:
    """A machine whose init is the runner. `silence_s` without a byte from it means that it hangs."""

    def __init__(self, machine: qemu.Machine, log: Path, silence_s: float = 120) -> None:
        mine, its = socket.socketpair()
        os.set_inheritable(its.fileno(), True)
        machine.serial = [f"file:{log}"]
        machine.extra = [*machine.extra, "-chardev", f"socket,id=line,fd={its.fileno()}",
                         *targets.current().second_serial]
        self.log = log
        self._silence_s = silence_s
        self._line = mine
        self._messages = log.with_suffix(".qemu")
        with self._messages.open("wb") as messages:
            self._process = subprocess.Popen(machine.command(), stdin=subprocess.DEVNULL,
                                             stdout=messages, stderr=messages,
                                             pass_fds=(its.fileno(),))
        its.close()
        self._mem = machine.mem
        self._is_ready = False
        self._received = b""
        self._credit = WINDOW
        self._selector = selectors.PollSelector()  # epoll takes no regular files
        self._selector.register(mine, selectors.EVENT_READ, "line")

    def __enter__(self) -> "Guest":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait_ready(self) -> None:
        """Returns when the runner is there."""
        while GREETING not in self._received:
            self._receive()
        self._received = self._received.split(GREETING, 1)[1]
        self._is_ready = True

    def lacks_memory(self) -> str:
        """How much it has, if no runner came and that is surely why."""
        if self._is_ready:
            return ""
        little = qemu.mebibytes(self._mem) < targets.current().least_mib
        return self._mem if little or _NO_SPACE in self.report() else ""

    def _receive(self) -> None:
        self._line.settimeout(self._silence_s)
        try:
            data = self._line.recv(65536)
        except TimeoutError:
            raise Died(f"the machine said nothing for {self._silence_s:.0f} s") from None
        except ConnectionError:
            data = b""
        if not data:
            raise Died(f"the machine ended (QEMU's status {qemu.stop(self._process, 5)})")
        self._received += data

    def _send(self, kind: bytes, payload: bytes = b"") -> None:
        try:
            self._line.sendall(kind + struct.pack("<H", len(payload)) + payload)
        except OSError:
            raise Died("the machine ended") from None

    def _frame(self) -> tuple[bytes, bytes] | None:
        """The next whole frame that is here, if any."""
        if len(self._received) < 3:
            return None
        length = struct.unpack_from("<H", self._received, 1)[0]
        if len(self._received) < 3 + length:
            return None
        kind, payload = self._received[:1], self._received[3:3 + length]
        self._received = self._received[3 + length:]
        return kind, payload

    def _next_frame(self) -> tuple[bytes, bytes]:
        while (frame := self._frame()) is None:
            self._receive()
        return frame

    def _send_windowed(self, kind: bytes, payload: bytes) -> bytes:
        """Sends what the window allows; what is left."""
        while payload and self._credit:
            part = payload[:min(CHUNK, self._credit)]
            self._send(kind, part)
            self._credit -= len(part)
            payload = payload[len(part):]
        return payload

    def _start(self, description: bytes) -> None:
        left = self._send_windowed(b"A", description)
        while left:
            kind, payload = self._next_frame()
            if kind == b"C":
                self._credit += struct.unpack("<I", payload)[0]
            left = self._send_windowed(b"A", left)
        self._send(b"S")

    def _push(self, given: _Input) -> None:
        given.data = self._send_windowed(b"I", given.data)
        if given.ended and not given.data and not given.end_sent:
            given.end_sent = True
            self._send(b"Z")

    def _handle(self, given: _Input, out: Sink, err: Sink) -> Outcome | None:
        """Handles the frames that are here. The outcome, once the command has ended."""
        while (frame := self._frame()) is not None:
            kind, payload = frame
            if kind == b"O":
                out(payload)
            elif kind == b"E":
                err(payload)
            elif kind == b"C":
                self._credit += struct.unpack("<I", payload)[0]
            elif kind == b"K":
                given.drop()
            elif kind == b"X":
                status, late = struct.unpack("<iB", payload)
                return Outcome(_shell_code(status), bool(late))
        return None

    def _wait_any(self, given: _Input) -> None:
        """Waits for the machine, or for more standard input while there is room for it."""
        source = None if given.ended or given.data else given.descriptor
        if source is not None:
            self._selector.register(source, selectors.EVENT_READ, "input")
        events = self._selector.select(self._silence_s if given.descriptor is None else None)
        if source is not None:
            self._selector.unregister(source)
        if not events:
            raise Died(f"the machine said nothing for {self._silence_s:.0f} s")
        for key, _ in events:
            if key.data == "line":
                self._receive()
            else:
                given.fill()

    def stream(self, words: list[str], given: _Input, out: Sink, err: Sink,
               environment: dict[str, str] | None = None, folder: str = "/",
               limit_s: float = 0) -> Outcome:
        """Runs a command; its output goes to the sinks as it comes."""
        environment = ENVIRONMENT if environment is None else environment
        self._silence_s = max(self._silence_s, limit_s + 60)
        self._start(describe(words, environment, folder, int(limit_s * 1000)))
        while True:
            outcome = self._handle(given, out, err)
            if outcome:
                return outcome
            self._push(given)  # behind the frames: they may allow more, and no other may come
            self._wait_any(given)

    def run(self, words: list[str], stdin: bytes = b"", limit_s: float = 60,
            environment: dict[str, str] | None = None, folder: str = "/") -> Outcome:
        """Runs a command to its end; the outcome has what it printed."""
        out, err = bytearray(), bytearray()
        outcome = self.stream(words, _Input(stdin), out.extend, err.extend, environment, folder,
                              limit_s)
        outcome.out, outcome.err = bytes(out), bytes(err)
        return outcome

    def signal(self, number: int) -> None:
        """Sends a signal to the command's processes."""
        self._send(b"G", bytes([number]))

    def power_off(self) -> int:
        """Asks the machine to end. QEMU's exit status."""
        try:
            self._send(b"Q")
        except Died:
            pass
        return qemu.stop(self._process)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._selector.close()
        self._line.close()

    def report(self) -> str:
        """What the kernel and QEMU said last."""
        messages = self._messages.read_bytes().decode(errors="replace").strip()
        return "\n".join(part for part in (qemu.tail(self.log), messages) if part)


def _shell_code(status: int) -> int:
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def from_descriptor(descriptor: int) -> _Input:
    """Standard input that comes from a descriptor of the host."""
    return _Input(descriptor=descriptor)


def explain(guest: Guest, died: Died) -> ui.Failure:
    little = guest.lacks_memory()
    mend = f"; {little} of memory is too little, give it more with --mem" if little else ""
    return ui.Failure(f"{died}{mend}", guest.report())


def from_bytes(data: bytes) -> _Input:
    """Standard input that is these bytes."""
    return _Input(data)


def nothing() -> _Input:
    """An empty standard input."""
    return _Input()
