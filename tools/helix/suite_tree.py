# SPDX-License-Identifier: MIT OR Apache-2.0
"""Boot tests with a device tree that is not the emulator's own, but one with something more in it (Devicetree
Specification 0.4, chapter 5)."""

import struct
import subprocess
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from helix import paths, qemu, suite_boot, targets
from helix.report import Context, Failed, Job, single
from helix.suite_boot import Boot

_HEADER = ">10I"  # magic, size, structure, strings, reservations, versions, processor, their sizes
_MIB = 1 << 20
_MEM_MIB = 256
_MEMORY = {"aarch64": 1 << 30, "riscv64": 2 << 30}  # where it begins
_DUMP_LIMIT_S = 30


@dataclass
class Tree:
    boot: Boot
    change: Callable[[bytes, int, int], bytes]  # of the tree; where memory begins, and where the kernel ends


def _inserted(tree: bytes, at: int, more: bytes) -> bytes:
    """The tree with some bytes more, and all that lies behind them found there."""
    words = list(struct.unpack_from(_HEADER, tree))
    words[1] += len(more)
    for part in (2, 3, 4):
        words[part] += len(more) if words[part] > at else 0
    changed = tree[:at] + more + tree[at:]
    return struct.pack(_HEADER, *words) + changed[40:]


def _reserved(tree: bytes, base: int, size: int) -> bytes:
    return _inserted(tree, struct.unpack_from(_HEADER, tree)[4], struct.pack(">QQ", base, size))


def _reserved_often(tree: bytes, base: int, count: int) -> bytes:
    for place in range(base, base + (count << 16), 1 << 16):
        tree = _reserved(tree, place, 4096)
    return tree


def _with_initrd(tree: bytes, start: int, end: int) -> bytes:
    """/chosen says that the archive lies there."""
    words = struct.unpack_from(_HEADER, tree)
    properties = b""
    for name, value in (("linux,initrd-start", start), ("linux,initrd-end", end)):
        strings, used = words[3], struct.unpack_from(_HEADER, tree)[8]
        tree = _inserted(tree, strings + used, name.encode() + b"\0")
        tree = tree[:32] + struct.pack(">I", used + len(name) + 1) + tree[36:]
        properties += struct.pack(">3IQ", 3, 8, used, value)
    chosen = b"\0\0\0\1chosen\0\0"
    tree = _inserted(tree, tree.index(chosen, words[2]) + len(chosen), properties)
    return tree[:36] + struct.pack(">I", words[9] + len(properties)) + tree[40:]


def _moved(tree: bytes, places: dict[int, int]) -> bytes:
    """The first device that is at one of these places, with its size, is one byte further up."""
    for base, size in places.items():
        at = tree.find(struct.pack(">QQ", base, size))
        if at >= 0:
            return tree[:at] + struct.pack(">Q", base + 1) + tree[at + 8:]
    raise Failed("the emulator's tree has none of the devices")


def _isa_names(tree: bytes) -> bytes:
    """Each hart's "riscv,isa" becomes the two properties that took its place, in the same room."""
    words = struct.unpack_from(_HEADER, tree)
    strings, used = words[3], words[8]
    old = struct.pack(">I", tree.index(b"riscv,isa\0", strings) - strings)
    names = b"riscv,isa-base\0riscv,isa-extensions\0"
    tree = _inserted(tree, strings + used, names)
    tree = tree[:32] + struct.pack(">I", used + len(names)) + tree[36:]
    at = words[2]
    while (at := tree.find(old, at, strings)) >= 0:
        kind, size = struct.unpack_from(">2I", tree, at - 8)
        if at % 4 == 0 and kind == 3:
            room = (size + 3) // 4 * 4 - 20
            new = struct.pack(">3I", 3, 6, used) + b"rv64i\0\0\0"
            new += struct.pack(">3I", 3, room, used + names.index(b"\0") + 1)
            new += b"\0".join(b"i m a f d c zicsr sstc".split()).ljust(room, b"\0")
            tree = tree[:at - 8] + new + tree[at - 8 + len(new):]
        at += 4
    return tree


def _without_lines_of_pci(tree: bytes) -> bytes:
    """The bridge's pins lead nowhere."""
    at = tree.index(b"interrupt-map\0", struct.unpack_from(_HEADER, tree)[3])
    return tree[:at] + b"nothing-there" + tree[at + 13:]


def _without_line_of_console(tree: bytes) -> bytes:
    """The PL011's interrupt is one that no controller has."""
    at = tree.index(struct.pack(">5I", 3, 12, *struct.unpack_from(">I", tree, tree.index(struct.pack(">3I", 0, 1, 4)) - 4),
                                0, 1)) + 16
    return tree[:at] + struct.pack(">I", 0x1fff) + tree[at + 4:]


# Of the first device of virtio's, and its size.
_VIRTIO = {0xa000000: 0x200, 0x10001000: 0x1000}
_CONTROLLER = {0x8000000: 0x10000}  # of interrupts


def _kernel_end(image: bytes, base: int) -> int:
    """With what is not in the file: what Linux's header says (its arm64/booting.rst, riscv/boot-image-header.rst).
    QEMU has something of its own in the first 2 MiB."""
    offset, size = struct.unpack_from("<QQ", image, 8)
    return base + int(offset or 2 * _MIB) + int(size)


def _emulators(machine: qemu.Machine, target: Path) -> bytes:
    """The tree that the machine would have, without the room behind it, which would be too much twice."""
    plain = qemu.Machine(machine.kernel, None, "", machine.smp, machine.mem,
                         machine=f"{targets.current().machine},dumpdtb={target}")
    done = subprocess.run(plain.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=_DUMP_LIMIT_S, check=False)
    if done.returncode or not target.exists():
        raise Failed("QEMU writes no tree", done.stdout.decode(errors="replace"))
    tree = target.read_bytes()
    words = struct.unpack_from(_HEADER, tree)
    end = words[3] + words[8]
    return tree[:4] + struct.pack(">I", end) + tree[8:end]


def _job(test: Tree, arch: str) -> Job:
    boot = test.boot

    def body(context: Context) -> None:
        words = f"console={targets.current().console} panic=-1 {boot.append}"
        machine = qemu.Machine(context.kernel, None, words, boot.smp, f"{_MEM_MIB}M")
        tree = paths.ensure(paths.OUT / "tmp") / f"{boot.name}-{arch}.dtb"
        assert context.kernel is not None
        end = _kernel_end(context.kernel.read_bytes(), _MEMORY[arch])
        tree.write_bytes(test.change(_emulators(machine, tree), _MEMORY[arch], end))
        machine.extra = ["-dtb", str(tree), *boot.extra]
        suite_boot.run_with(boot, machine, context.packages())
        tree.unlink()
    return single(f"boot/{boot.name}", body)


def _tests(arch: str) -> list[Tree]:
    # In the upper part are the archive and the tree itself, as loaders put them.
    upper = 100
    nowhere = 16 << 30
    return [
        Tree(Boot("tree-reserves", suite_boot.plain),
             lambda tree, base, _: _reserved(tree, base + upper * _MIB + 1, (_MEM_MIB - upper) * _MIB)),
        Tree(Boot("tree-many-ranges", suite_boot.plain,
                  expect=[suite_boot.GOOD, r"memory: the loader lists more than 127 ranges: \d+ KiB of the smallest are "
                          r"not used; \d+ ranges"]),
             lambda tree, base, _: _reserved_often(tree, base + 32 * _MIB, 300)),
        Tree(Boot("tree-initrd-nowhere", expect=[r"the initramfs is said to lie at 0x400000000, 4096 bytes",
                                                 r"panic: .*init"], never=[r"page fault"]),
             lambda tree, *_: _with_initrd(tree, nowhere, nowhere + 4096)),
        Tree(Boot("tree-initrd-over-kernel", expect=[suite_boot.OVER_KERNEL], never=[r"page fault"]),
             lambda tree, _, end: _with_initrd(tree, end - 8192, end + 4096)),
        Tree(Boot("tree-odd-device", suite_boot.plain), lambda tree, *_: _moved(tree, _VIRTIO)),
        Tree(Boot("tree-no-line", suite_boot.plain, expect=[suite_boot.GOOD, r"uart16550: ttyS1: no such device"],
                  extra=["-chardev", "null,id=line", *targets.current().second_serial]),
             lambda tree, *_: _without_lines_of_pci(tree)),
        # On riscv64 the firmware goes by the same tree, and dies of it.
        *([Tree(Boot("tree-odd-controller", suite_boot.plain, expect=[r"panic: machine: no such device \(HX_ERR_NO_DEVICE\)\n"], never=[]),
                lambda tree, *_: _moved(tree, _CONTROLLER)),
           Tree(Boot("tree-no-console-line", suite_boot.plain, expect=[r"module pl011(:| is left out:.*) no such device", r"module ramfs"]),
                lambda tree, *_: _without_line_of_console(tree))] if arch == "aarch64" else []),
        *([Tree(Boot("tree-isa-names", suite_boot.plain, smp=2, expect=[suite_boot.GOOD, "first: 2 processors"]),
                lambda tree, *_: _isa_names(tree))] if arch == "riscv64" else []),
    ]


def names(arch: str) -> list[str]:
    return [f"boot/{test.boot.name}" for test in _tests(arch)] if arch in _MEMORY else []


def jobs(options: Namespace) -> list[Job]:
    if options.arch not in _MEMORY or options.kernel == "linux":
        return []
    return [_job(test, options.arch) for test in _tests(options.arch)]
