# SPDX-License-Identifier: MIT OR Apache-2.0
"""Boot tests under UEFI (Debian's EDK2): the kernel from QEMU's -kernel, which the firmware fetches, or
from a disk. A refusal goes back to the firmware, whose shell then ends the machine."""

import shutil
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from helix import cpio, packages, paths, qemu, suite_boot
from helix.report import Context, Job, single
from helix.suite_boot import Boot, plain

_PACKAGE = "qemu-efi-aarch64"
_MACHINE = "virt,acpi=off"  # so that the firmware hands the device tree on
_WORDS = "console=ttyAMA0 panic=-1"
_BY_UEFI = r"started by uefi"
_GOOD = r"first: all good"
_SHELL_ENDS = {"startup.nsh": b"reset -s\r\n"}


@dataclass
class Uefi:
    """A boot, and the files of the disk from which it comes, if any, beside the kernel, which is `program`."""

    boot: Boot
    files: Callable[[], dict[str, bytes]] | None = None
    program: str = "EFI/BOOT/BOOTAA64.EFI"
    pflash: bool = False


def _firmware(pflash: bool) -> list[str]:
    share = packages.unpacked(_PACKAGE, "amd64") / "usr/share"
    if pflash:
        return ["-drive", f"if=pflash,format=raw,readonly=on,file={share}/AAVMF/AAVMF_CODE.fd"]
    return ["-bios", f"{share}/{_PACKAGE}/QEMU_EFI.fd"]


@contextmanager
def _disk(name: str, kernel: Path, test: Uefi) -> Iterator[list[str]]:
    """The words for a disk with the test's files and the kernel."""
    if test.files is None:
        yield []
        return
    folder = paths.OUT / "tmp" / f"uefi-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    for path, data in {**test.files(), test.program: kernel.read_bytes()}.items():
        paths.ensure((folder / path).parent)
        (folder / path).write_bytes(data)
    yield ["-drive", f"file=fat:rw:{folder},format=raw,if=none,id=esp", "-device", "virtio-blk-pci,drive=esp"]
    shutil.rmtree(folder)


def _job(test: Uefi) -> Job:
    boot = test.boot

    def body(context: Context) -> None:
        assert context.kernel is not None
        with _disk(boot.name, context.kernel, test) as disk:
            extra = [*_firmware(test.pflash), *disk]
            machine = qemu.Machine(None if disk else context.kernel, None, f"{_WORDS} {boot.append}", boot.smp,
                                   boot.mem, boot.cpu, boot.machine or _MACHINE, extra=extra)
            suite_boot.run_with(boot, machine, context.packages())
    return single(f"boot/{boot.name}", body)


def _two_files() -> dict[str, bytes]:
    """Two archives, of which the second one has the program."""
    first = cpio.Archive()
    first.folder("before")
    words = f"{_WORDS} rdinit=/first initrd=/boot/one.img\r\ninitrd=\\boot\\two.img -- from the disk\r\n"
    return {"helix.cmd": words.encode(), "boot/one.img": first.bytes(), "boot/two.img": plain()}


def _from_shell() -> dict[str, bytes]:
    words = f"fs0:\\helix.efi {_WORDS} rdinit=/first initrd=two.img\r\n"
    return {"startup.nsh": words.encode(), "two.img": plain()}


def _absent() -> dict[str, bytes]:
    return {**_SHELL_ENDS, "helix.cmd": f"{_WORDS} initrd=absent.img\n".encode()}


def _refusal(name: str, line: str, files: Callable[[], dict[str, bytes]], machine: str = "") -> Uefi:
    return Uefi(Boot(name, mem="256M", expect=[rf"Helix: {line}"], never=[_BY_UEFI], machine=machine), files)


def _tests() -> list[Uefi]:
    good = [_BY_UEFI, _GOOD]
    return [
        Uefi(Boot("uefi-kernel", plain, "rdinit=/first NAME=value -- one",
                  [*good, r"argv\[1\]=one\n", r"env NAME=value\n"], mem="256M")),
        Uefi(Boot("uefi-smp-4", plain, expect=[*good, "first: 4 processors"], smp=4, mem="256M")),
        Uefi(Boot("uefi-el2-gic-3", plain, expect=[*good, "first: 2 processors"], smp=2, mem="256M",
                  cpu="cortex-a72", machine=f"{_MACHINE},virtualization=on,gic-version=3")),
        Uefi(Boot("uefi-mem-128M", plain, expect=good)),  # less is not enough for the firmware
        Uefi(Boot("uefi-mem-6G", plain, expect=good, mem="6G")),
        Uefi(Boot("uefi-pflash", plain, expect=good, mem="256M"), pflash=True),
        Uefi(Boot("uefi-disk", expect=[*good, "first: 4 processors", r"argv\[3\]=disk\n"], smp=4, mem="256M"),
             _two_files),
        Uefi(Boot("uefi-shell", expect=good, mem="256M"), _from_shell, "helix.efi"),
        Uefi(Boot("uefi-cut-archive", lambda: plain()[:40000], expect=[_BY_UEFI, r"(?i)(initramfs|initrd)"],
                  never=[_GOOD], mem="256M")),
        _refusal("uefi-no-initrd", "the initrd cannot be loaded", _absent),
        _refusal("uefi-no-tree", "this firmware brings no device tree", lambda: _SHELL_ENDS, "virt,acpi=on"),
    ]


def names(arch: str) -> list[str]:
    return [f"boot/{test.boot.name}" for test in _tests()] if arch == "aarch64" else []


def jobs(options: Namespace) -> list[Job]:
    if options.arch != "aarch64" or options.kernel == "linux":
        return []
    return [_job(test) for test in _tests()]
