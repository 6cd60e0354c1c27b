# SPDX-License-Identifier: MIT OR Apache-2.0
"""How a machine is started, and how it ends."""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from helix import paths, targets


@dataclass
class Machine:
    """A machine to be. `serial` are QEMU's words for the serial ports, in their order."""

    kernel: Path | None
    initrd: Path | None = None
    append: str = ""
    smp: int = 2
    mem: str = "256M"
    cpu: str = ""  # as the next: the target's
    machine: str = ""
    serial: list[str] = field(default_factory=lambda: ["null"])
    extra: list[str] = field(default_factory=list)
    accel: str = "tcg"

    def command(self) -> list[str]:
        # The kernel ends a machine whose command is gone, however that ended.
        words = ["setpriv", "--pdeathsig", "KILL", targets.current().emulator, "-nodefaults",
                 "-no-user-config", "-no-reboot", "-display", "none", "-accel", self.accel,
                 "-M", self.machine or targets.current().machine,
                 "-cpu", self.cpu or targets.current().cpu, "-smp", str(self.smp), "-m", self.mem]
        if self.kernel:
            words += ["-kernel", str(self.kernel), "-append", self.append]
        if self.initrd:
            words += ["-initrd", str(self.initrd)]
        for port in self.serial:
            words += ["-serial", port]
        return words + self.extra


def mebibytes(text: str) -> int:
    """A size of memory as QEMU writes it, in MiB."""
    units = {"K": 0, "M": 10, "G": 20}
    number, unit = (text[:-1], text[-1].upper()) if text[-1].upper() in units else (text, "M")
    return (int(number) << units[unit]) >> 10


class Initrd:
    """An initramfs in a file without a name: nothing is left of it when the process has ended."""

    def __init__(self, data: bytes) -> None:
        self._descriptor = os.memfd_create("initrd")
        with os.fdopen(os.dup(self._descriptor), "wb") as file:
            file.write(data)
        self.path = Path(f"/proc/{os.getpid()}/fd/{self._descriptor}")

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def stop(process: subprocess.Popen[bytes], patience_s: float = 10) -> int:
    """Waits for the machine to end by itself, then makes it end. Its exit status."""
    try:
        return process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def append_for(kernel: Path, init: str, more: str = "") -> str:
    """The words that every boot gets. A panic ends the machine (-no-reboot). What only Linux needs
    keeps it from waiting for what is not there."""
    words = f"console={targets.current().console} panic=-1 rdinit={init}"
    if kernel.name == "linux-cloud":
        words += " tsc=reliable no_timer_check mitigations=off cryptomgr.notests"
    return f"{words} {more}".strip()


def log_file(name: str) -> Path:
    """A fresh file for a kernel's log."""
    path = paths.ensure(paths.LOGS) / f"{name.replace('/', '-')}.log"
    path.unlink(missing_ok=True)
    return path


def tail(path: Path, lines: int = 60) -> str:
    """The end of a log, for somebody who has to find out why."""
    if not path.exists():
        return ""
    text = path.read_bytes().decode(errors="replace").replace("\r", "")
    kept = text.splitlines()
    cut = [f"... ({len(kept) - lines} lines before; all in {path})"] if len(kept) > lines else []
    return "\n".join(cut + kept[-lines:])
