# SPDX-License-Identifier: MIT OR Apache-2.0
"""The disk that bench/disk.c measures: a file of the host's, which is in its page cache."""

import struct
from pathlib import Path

from helix import bench_linux, cpio, packages, paths, targets, ui

PROGRAM = "disk"
_BYTES = 64 << 20
_BLOCK = 4096
# Debian's kernels have drivers as modules; in this order, which their names in the archive keep.
_MODULES = ("virtio/virtio_ring", "virtio/virtio", "virtio/virtio_pci_legacy_dev",
            "virtio/virtio_pci_modern_dev", "virtio/virtio_pci", "block/virtio_blk")


def _disk() -> Path:
    """Each block begins with its number. One for each kind of machine: what a machine uses is not another's."""
    path = paths.ensure(paths.OUT / "tmp") / f"bench-disk-{targets.current().name}.raw"
    with path.open("wb") as file:
        for block in range(_BYTES // _BLOCK):
            file.write(struct.pack("<Q", block).ljust(_BLOCK, b"\0"))
    return path


def words() -> list[str]:
    """For QEMU."""
    return ["-drive", f"if=none,id=disk,format=raw,file={_disk()}",
            "-device", "virtio-blk-pci,drive=disk"]


def add_modules(archive: cpio.Archive) -> None:
    """Puts Linux's drivers of disks where bench/init.c looks for them, not compressed; those that are part of the
    kernel have no files. Later releases have modules below /usr."""
    package = packages.linux_kernel().resolve().parents[1]
    files = [path for name in _MODULES for path in package.glob(f"**/lib/modules/*/kernel/drivers/{name}.ko*")]
    if not files:
        raise ui.Failure(f"{package.name} has no drivers of disks")
    for place, module in enumerate(files):
        archive.file(f"bench/modules/{place}.ko", bench_linux.plain(module.read_bytes()), 0o644)
