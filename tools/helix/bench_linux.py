# SPDX-License-Identifier: MIT OR Apache-2.0
"""Debian's kernel as the benchmarks want it: uncompressed, so that it starts through the same protocol
as ours (PVH, or an Image) and the time that it takes to unpack itself is no part of a comparison."""

import lzma
import struct
import zlib
from pathlib import Path

from helix import packages, paths, ui

_LZ4_MAGIC = b"\x02\x21\x4c\x18"
_SECTOR = 512
# Documentation/arch/arm64/booting.rst, arch/riscv/boot-image-header.rst; the same place in both
_IMAGE_MAGICS, _IMAGE_MAGIC_AT = (b"ARM\x64", b"RSC\x05"), 0x38
_SETUP_MAGIC, _SETUP_MAGIC_AT = b"HdrS", 0x202
_UNKNOWN = "Debian's kernel is packed in a way that ./helix bench does not know"


def _length(data: bytes, at: int, nibble: int) -> tuple[int, int]:
    """A length of LZ4's block format, and where the data goes on."""
    if nibble < 15:
        return nibble, at
    while data[at] == 255:
        nibble += 255
        at += 1
    return nibble + data[at], at + 1


def _copy_match(out: bytearray, offset: int, length: int) -> None:
    start = len(out) - offset
    if offset >= length:
        out += out[start:start + length]
    else:
        pattern = out[start:]
        out += (pattern * (length // offset + 1))[:length]


def lz4_block(data: bytes) -> bytes:
    """The contents of one LZ4 block (the "LZ4 Block Format Description")."""
    out = bytearray()
    at = 0
    while True:
        token = data[at]
        literals, at = _length(data, at + 1, token >> 4)
        out += data[at:at + literals]
        at += literals
        if at >= len(data):
            return bytes(out)
        offset = data[at] | data[at + 1] << 8
        length, at = _length(data, at + 2, token & 15)
        _copy_match(out, offset, length + 4)


def _lz4_legacy(data: bytes, size: int) -> bytes:
    """A frame of LZ4's legacy format: a magic number, then blocks with a length before each."""
    out = bytearray()
    at = len(_LZ4_MAGIC)
    while len(out) < size:
        length = struct.unpack_from("<I", data, at)[0]
        out += lz4_block(data[at + 4:at + 4 + length])
        at += 4 + length
    return bytes(out)


def plain(data: bytes) -> bytes:
    """What is in a file of gzip or xz, without what follows; anything else as it is."""
    if data.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(31).decompress(data)
    if data.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMADecompressor().decompress(data)
    return data


def uncompressed(image: bytes) -> bytes:
    """The kernel as it runs: an Image (as it is or packed), or the vmlinux in a bzImage."""
    image = plain(image)
    if image.startswith(_IMAGE_MAGICS, _IMAGE_MAGIC_AT):
        return image
    if image.startswith(_SETUP_MAGIC, _SETUP_MAGIC_AT):
        return _payload(image)
    raise ui.Failure(_UNKNOWN)


def _payload(image: bytes) -> bytes:
    """The vmlinux in a bzImage (Documentation/arch/x86/boot.rst: the payload's place and length
    stand in the header, the payload's last four bytes are its length when unpacked)."""
    setup_sectors = image[0x1f1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * _SECTOR + offset
    payload = image[start:start + length]
    size = struct.unpack("<I", payload[-4:])[0]
    if payload.startswith(_LZ4_MAGIC):
        return _lz4_legacy(payload, size)
    if (vmlinux := plain(payload)) is payload:
        raise ui.Failure(_UNKNOWN)
    return vmlinux


def unpacked() -> Path:
    """Debian's kernel, unpacked once."""
    image = packages.linux_kernel().resolve()
    path = paths.CACHE / f"vmlinux-{version()}"
    if not path.exists():
        ui.progress("unpacking Debian's kernel")
        fresh = path.with_suffix(".new")
        fresh.write_bytes(uncompressed(image.read_bytes()))
        fresh.rename(path)
        ui.progress_done()
    return path


def version() -> str:
    return packages.linux_kernel().resolve().name.partition("-")[2]
