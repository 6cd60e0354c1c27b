# SPDX-License-Identifier: MIT OR Apache-2.0
"""The machines that an emulator shows, and what the tools must know of each. One is chosen for the
whole run (--arch)."""

from dataclasses import dataclass


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
    compilers: dict[str, str]  # packages for test programs, and their signs
    headers: dict[str, str]  # Linux's headers for programs of musl
    second_serial: tuple[str, ...]  # what the emulator needs for one beside the console, with a chardev
    lacks: tuple[str, ...] = ()  # programs.FLAVOURS that its compilers cannot make
    processors: int = 64  # the most of its machine, or of the kernel
    least_mib: int = 0  # of memory: with less there is no shell (docs/STATUS.md)
    iso: bool = False  # whether an ISO image can start it
    far_timers: bool = False  # whether a timer of its emulator that is off is one in 292 years


def _headers(folder: str, asm: str) -> dict[str, str]:
    return {"linux": f"{folder}/linux", "asm-generic": f"{folder}/asm-generic", "asm": asm}


_X86_64 = Target(
    "x86_64", "helix.elf", "qemu-system-x86_64", "qemu-system-x86", "q35", "max", "ttyS0",
    ("-device", "isa-debug-exit,iobase=0xf4,iosize=4"), "amd64", ("gdb", "i386:x86-64"),
    {"musl-tools": "musl-gcc", "linux-libc-dev": "/usr/include/linux/futex.h"},
    _headers("/usr/include", "/usr/include/x86_64-linux-gnu/asm"),
    ("-serial", "chardev:line"), least_mib=8, iso=True)
_CROSS = "/usr/aarch64-linux-gnu"
_AARCH64 = Target(
    "aarch64", "Image", "qemu-system-aarch64", "qemu-system-arm", "virt", "max", "ttyAMA0",
    ("-semihosting-config", "enable=on,target=native"), "arm64", ("gdb-multiarch", "aarch64"),
    {"gcc-aarch64-linux-gnu": "aarch64-linux-gnu-gcc",
     "libc6-dev-arm64-cross": f"{_CROSS}/lib/libc.a"},
    _headers(f"{_CROSS}/include", f"{_CROSS}/include/asm"),
    ("-device", "pci-serial,chardev=line"), processors=8, least_mib=7)  # its interrupt controller is a GICv2
_RISCV_CROSS = "/usr/riscv64-linux-gnu"
_RISCV64 = Target(
    "riscv64", "Image", "qemu-system-riscv64", "qemu-system-misc", "virt", "rv64", "ttyS0",
    (),  # the machine always has one
    "riscv64", ("gdb-multiarch", "riscv:rv64"),
    {"gcc-riscv64-linux-gnu": "riscv64-linux-gnu-gcc",
     "libc6-dev-riscv64-cross": f"{_RISCV_CROSS}/lib/libc.a"},
    _headers(f"{_RISCV_CROSS}/include", f"{_RISCV_CROSS}/include/asm"),
    ("-device", "pci-serial,chardev=line"),
    ("glibc-pie",),  # Debian 12's glibc has no start files for it there
    least_mib=11, far_timers=True)
_ALL = {target.name: target for target in (_X86_64, _AARCH64, _RISCV64)}
_chosen = _X86_64


def use(name: str) -> None:
    """Chooses; a machine without an emulator (hosted) leaves the first one for what it needs."""
    global _chosen
    _chosen = _ALL.get(name, _X86_64)


def current() -> Target:
    return _chosen


def with_iso() -> tuple[str, ...]:
    return tuple(name for name, target in _ALL.items() if target.iso)


def of(name: str) -> Target:
    return _ALL[name]
