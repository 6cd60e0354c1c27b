# SPDX-License-Identifier: MIT OR Apache-2.0
"""The machines that an emulator shows, and what the tools must know of each. One is chosen for the
whole run (--arch)."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Target:
    """A machine. `exit_device` are the emulator's words for the device that ends it with a status."""

    name: str
    image: str  # what the build makes for a loader
    emulator: str
    package: str  # that brings the emulator
    machine: str
    cpu: str
    console: str
    exit_device: tuple[str, ...]
    debian: str  # the name of its Debian
    gdb: tuple[str, str]  # the program, and its name of the architecture
    compilers: dict[str, str] = field(default_factory=dict)  # packages for test programs: their signs


_X86_64 = Target("x86_64", "helix.elf", "qemu-system-x86_64", "qemu-system-x86", "q35", "max",
                 "ttyS0", ("-device", "isa-debug-exit,iobase=0xf4,iosize=4"), "amd64",
                 ("gdb", "i386:x86-64"), {"musl-tools": "musl-gcc"})
_AARCH64 = Target("aarch64", "Image", "qemu-system-aarch64", "qemu-system-arm", "virt", "max",
                  "ttyAMA0", ("-semihosting-config", "enable=on,target=native"), "arm64", ("gdb-multiarch", "aarch64"),
                  {"gcc-aarch64-linux-gnu": "aarch64-linux-gnu-gcc",
                   "libc6-dev-arm64-cross": "/usr/aarch64-linux-gnu/lib/libc.a"})
_ALL = {target.name: target for target in (_X86_64, _AARCH64)}
_chosen = _X86_64


def use(name: str) -> None:
    """Chooses; a machine without an emulator (hosted) leaves the first one for what it needs."""
    global _chosen
    _chosen = _ALL.get(name, _X86_64)


def current() -> Target:
    return _chosen
