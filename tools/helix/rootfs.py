# SPDX-License-Identifier: MIT OR Apache-2.0
"""What is in the root file system of a machine."""

import re
import stat
import subprocess
from functools import cache
from pathlib import Path

from helix import cpio, packages, paths, programs, targets

# The init of an interactive run: mounts, then a shell with job control on the console. The shell's
# end is the machine's. The terminal belongs to the shell: from here on only warnings and worse come
# between, unless the command line chose another level; the rest is in dmesg.
INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs tmpfs /tmp
hostname helix
read level rest </proc/sys/kernel/printk
[ "$level" != 7 ] || dmesg -n 5
cd /root
setsid sh -c 'exec sh -l </dev/CONSOLE >/dev/CONSOLE 2>&1'
poweroff -f
"""
PROFILE = """export PS1='\\w # ' PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
"""


@cache
def applets() -> tuple[str, ...]:
    """The names that busybox answers to."""
    done = subprocess.run([str(packages.busybox_here()), "--list"], text=True, stdout=subprocess.PIPE,
                          check=True)
    return tuple(done.stdout.split())


def _skeleton(archive: cpio.Archive) -> None:
    for folder in ("bin", "sbin", "dev", "proc", "sys", "etc", "usr/bin", "usr/sbin", "var", "mnt"):
        archive.folder(folder)
    archive.folder("tmp", 0o1777)
    archive.folder("root", 0o700)
    archive.device("dev/console", stat.S_IFCHR, 5, 1)
    archive.device("dev/null", stat.S_IFCHR, 1, 3, 0o666)
    archive.device("dev/ttyS0", stat.S_IFCHR, 4, 64)
    archive.device("dev/ttyS1", stat.S_IFCHR, 4, 65)
    archive.device("dev/ttyAMA0", stat.S_IFCHR, 204, 64)
    archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    archive.file("etc/group", b"root:x:0:\nnogroup:x:65534:\n")


def add_busybox(archive: cpio.Archive) -> None:
    archive.file("bin/busybox", packages.busybox().read_bytes(), 0o755)
    for name in applets():
        if name != "busybox":
            archive.link(f"bin/{name}", "busybox")


def base() -> cpio.Archive:
    """Debian's busybox and what it needs."""
    archive = cpio.Archive()
    _skeleton(archive)
    add_busybox(archive)
    return archive


def interactive() -> cpio.Archive:
    archive = base()
    archive.file("init", INIT.replace("CONSOLE", targets.current().console).encode(), 0o755)
    archive.file("etc/profile", PROFILE.encode())
    return archive


def with_runner(archive: cpio.Archive) -> cpio.Archive:
    archive.file("sbin/runner", programs.runner().read_bytes(), 0o755)
    return archive


def with_programs(archive: cpio.Archive) -> cpio.Archive:
    """With the programs that serve others, and hxmod."""
    for name, program in programs.services().items():
        archive.file(f"sbin/{name}", program.read_bytes(), 0o755)
    return archive


_SHOWN = {"crumb", "turns"}  # of the tests' packages, those that README.md shows


def _of_tests() -> set[str]:
    """The packages that tests alone load: most of them do what a module should not."""
    text = (paths.TOP / "tests/modules/CMakeLists.txt").read_text()
    return set(re.findall(r"helix_package\(NAME (\w+)", text)) - _SHOWN


def with_services(archive: cpio.Archive, kernel: Path, tests: bool = False) -> cpio.Archive:
    """With those, and the packages that were made with the kernel; those of `tests` if that is said."""
    with_programs(archive)
    archive.folder("lib")
    archive.folder("lib/helix")
    left_out = set[str]() if tests else _of_tests()
    for package in sorted((kernel.parent / "modules").glob("*.hxm")):
        if package.stem not in left_out:
            archive.file(f"lib/helix/{package.name}", package.read_bytes())
    return archive


def profile_modules(profile: str, *lists: str) -> list[str]:
    """The folders of the modules in those of the profile's lists."""
    text = (paths.TOP / "profiles" / f"{profile}.cmake").read_text()
    return " ".join(re.findall(rf"set\(HELIX_(?:{'|'.join(lists)})\s([^)]*)\)", text)).split()


def _boots_packages(profile: str) -> list[str]:
    """Those that the profile's kernel loads at boot."""
    return profile_modules(profile, "NORMAL", "DEFERRED")


def with_profile(archive: cpio.Archive, kernel: Path, profile: str) -> cpio.Archive:
    """With the packages that the profile's kernel loads at boot, where it looks for them."""
    for folder in _boots_packages(profile):
        archive.folder("lib")
        archive.folder("lib/helix")
        name = f"{Path(folder).name}.hxm"
        archive.file(f"lib/helix/{name}", (kernel.parent / "modules" / name).read_bytes())
    return archive


def packages_only(kernel: Path, profile: str) -> bytes:
    """An archive with those packages, to go behind others; no bytes where the profile has none."""
    return with_profile(cpio.Archive(), kernel, profile).bytes() if _boots_packages(profile) else b""


def runner_only() -> cpio.Archive:
    """An archive to go behind the user's own initramfs."""
    return with_runner(cpio.Archive())


def recorder_only() -> cpio.Archive:
    """An archive with the recorder of traces, to go behind others."""
    archive = cpio.Archive()
    archive.file("sbin/recorder", programs.recorder().read_bytes(), 0o755)
    return archive


def add_folder(archive: cpio.Archive, folder: Path) -> None:
    archive.tree(folder)
