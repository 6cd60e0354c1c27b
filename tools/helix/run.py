# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix run: to a shell, or one command with its own standard streams."""

import os
import subprocess
import sys
import termios
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from helix import build, cpio, debroot, guest, hosted, packages, paths, programs, qemu, rootfs, targets, ui

_NOT_YET = {"net": "there is no network yet",
            "display": "there is no display yet"}
_NOT_HOSTED = {"disk": "has no disks", "root": "has linked programs only", "kernel": "is a kernel itself"}


def kernel_of(options: Namespace) -> Path:
    """The kernel that was asked for: ours, a file, or Debian's Linux."""
    if options.kernel == "linux":
        return packages.linux_kernel()
    if options.kernel:
        path = Path(options.kernel).absolute()
        if not path.is_file():
            raise ui.WrongWords(f"--kernel: there is no file {options.kernel}")
        return path
    return build.kernel(options.arch, options.profile, options.yes)


def _refuse_files(options: Namespace) -> None:
    for name in options.disk:
        if not Path(name).is_file():
            raise ui.WrongWords(f"--disk: there is no file {name}")
    if options.initrd and not Path(options.initrd).is_file():
        raise ui.WrongWords(f"--initrd: there is no file {options.initrd}")
    if options.root and options.root.startswith("deb:"):
        debroot.names(options.root)
    elif options.root and not Path(options.root).is_dir():
        raise ui.WrongWords(f"--root: there is no folder {options.root}")
    if options.kernel and options.kernel != "linux":
        kernel_of(options)


def refuse_what_is_not_there(options: Namespace) -> None:
    """Before anything is built: what was asked for and cannot be had."""
    for name, why in _NOT_YET.items():
        value = getattr(options, name)
        if value and value != "none":
            raise ui.Failure(f"--{name}: {why}")
    most = targets.current().processors
    if options.smp > most:
        raise ui.WrongWords(f"--smp {options.smp}: QEMU's machine for {options.arch} has {most} processors at most")
    _refuse_files(options)
    for name, why in _NOT_HOSTED.items():
        if options.arch == "hosted" and getattr(options, name):
            raise ui.WrongWords(f"--{name}: the hosted machine {why}")


def disk_words(options: Namespace) -> list[str]:
    """QEMU's words for the disks."""
    words = []
    for number, name in enumerate(options.disk):
        path = Path(name).absolute()
        with path.open("rb") as file:
            form = "qcow2" if file.read(4) == b"QFI\xfb" else "raw"
        quoted = str(path).replace(",", ",,")
        words += ["-drive", f"if=none,id=disk{number},format={form},discard=unmap,file={quoted}",
                  "-device", f"virtio-blk-pci,drive=disk{number}"]
    return words


def initrd(options: Namespace, kernel: Path, command: bool) -> bytes:
    """The bytes of the initramfs. What the user gives comes first, so that ours adds to it."""
    if options.initrd:
        data = Path(options.initrd).read_bytes()
        data += b"\0" * (-len(data) % 4)
        return data + rootfs.runner_only().bytes() if command else data
    archive = rootfs.with_services(rootfs.with_runner(rootfs.base()) if command else rootfs.interactive(), kernel,
                                   options.test_packages)
    if options.root and options.root.startswith("deb:"):
        debroot.add(archive, options.root)
    elif options.root:
        archive.tree(Path(options.root))
    return archive.bytes()


def _interactive(machine: qemu.Machine) -> int:
    """The terminal is the machine's first serial port. QEMU puts it into raw mode; after an
    unfriendly end it is put back here."""
    machine.serial = ["mon:stdio"]
    ui.say("helix: Ctrl-A x ends the machine, Ctrl-A h shows more")
    saved = termios.tcgetattr(0) if sys.stdin.isatty() else None
    try:
        return subprocess.run(machine.command(), check=False).returncode
    finally:
        if saved:
            termios.tcsetattr(0, termios.TCSADRAIN, saved)


def write_all(descriptor: int) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        while data:
            data = data[os.write(descriptor, data):]
    return write


def _one_command(machine: qemu.Machine, words: list[str]) -> int:
    log = qemu.log_file("run")
    with guest.Guest(machine, log) as inside:
        try:
            inside.wait_ready()
            outcome = inside.stream(words, guest.from_descriptor(0), write_all(1), write_all(2))
        except guest.Died as died:
            raise guest.explain(inside, died) from None
        except BrokenPipeError:
            return 141  # nobody reads our output: as if by SIGPIPE
        inside.power_off()
    return outcome.code


def _warn_of_little_memory(options: Namespace) -> None:
    least = targets.current().least_mib
    if not options.initrd and not options.kernel and qemu.mebibytes(options.mem) < least:
        ui.say(f"helix: {options.mem} of memory is too little for a shell; it needs --mem {least}M")


def refuse_little_memory(options: Namespace, archive: bytes) -> None:
    """What is not even enough for the archive and the firmware below it: some firmwares hang then."""
    if qemu.mebibytes(options.mem) << 20 < len(archive) + (1 << 20):
        raise ui.Failure(f"{options.mem} of memory is too little, give it more with --mem; "
                         f"the files alone take {len(archive) / (1 << 20):.1f} MiB")


def command(options: Namespace) -> int:
    refuse_what_is_not_there(options)
    if options.arch == "hosted":
        return hosted.run(options)
    packages.need(packages.run(), yes=options.yes)
    kernel = kernel_of(options)
    words: list[str] = options.command
    if words or not options.initrd:
        programs.need(options.yes)
    init = "/sbin/runner" if words else "/init"
    append = qemu.append_for(kernel, init, options.append)
    if not words:
        append = append.replace("panic=-1 ", "")
        _warn_of_little_memory(options)
    data = initrd(options, kernel, bool(words))
    refuse_little_memory(options, data)
    with qemu.Initrd(data) as archive:
        machine = qemu.Machine(kernel, archive, append, options.smp, options.mem,
                               extra=disk_words(options))
        return _one_command(machine, words) if words else _interactive(machine)


def initrd_bytes(archive: cpio.Archive, packed: bool) -> bytes:
    data = archive.bytes()
    return cpio.compress(data) if packed else data


def log_folder() -> Path:
    return paths.LOGS
