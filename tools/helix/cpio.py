# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes an initramfs (cpio, newc) without root and without a clock: the same input gives the same
bytes."""

import gzip
import stat
from pathlib import Path

_EPOCH = 1704067200  # 2024-01-01, the time of every entry


class Archive:
    """Entries in the order in which they are added; folders above an entry are added by need."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._folders: set[str] = set()
        self._inode = 0

    def _entry(self, name: str, mode: int, data: bytes = b"", links: int = 1,
               device: tuple[int, int] = (0, 0), inode: int = 0, owner: int = 0) -> None:
        if not inode:
            self._inode += 1
            inode = self._inode
        raw = name.encode() + b"\0"
        fields = (inode, mode, owner, owner, links, _EPOCH, len(data), 0, 0, *device, len(raw), 0)
        self._bytes += b"070701" + b"".join(b"%08X" % field for field in fields) + raw
        self._bytes += b"\0" * (-len(self._bytes) % 4)
        self._bytes += data
        self._bytes += b"\0" * (-len(self._bytes) % 4)

    def _above(self, name: str) -> None:
        parts = name.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            self.folder("/".join(parts[:depth]))

    def folder(self, name: str, mode: int = 0o755) -> None:
        name = name.strip("/")
        if name and name not in self._folders:
            self._above(name)
            self._folders.add(name)
            self._entry(name, stat.S_IFDIR | mode, links=2)

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        self._above(name)
        self._entry(name, stat.S_IFREG | mode, data)

    def hard_links(self, names: list[str], data: bytes, mode: int = 0o644) -> None:
        """One file of several names; as cpio does, the last entry has the contents."""
        self._inode += 1
        for name in names:
            self._above(name)
            contents = data if name == names[-1] else b""
            self._entry(name, stat.S_IFREG | mode, contents, len(names), inode=self._inode)

    def link(self, name: str, target: str) -> None:
        self._above(name)
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def device(self, name: str, kind: int, major: int, minor: int, mode: int = 0o600) -> None:
        self._above(name)
        self._entry(name, kind | mode, device=(major, minor))

    def fifo(self, name: str, mode: int = 0o644) -> None:
        self._above(name)
        self._entry(name, stat.S_IFIFO | mode)

    def tree(self, source: Path, below: str = "") -> None:
        """All that is in a folder of the host."""
        for path in sorted(source.iterdir()):
            name = f"{below}/{path.name}".strip("/")
            if path.is_symlink():
                self.link(name, str(path.readlink()))
            elif path.is_dir():
                self.folder(name)
                self.tree(path, name)
            else:
                self.file(name, path.read_bytes(), path.stat().st_mode & 0o7777)

    def bytes(self) -> bytes:
        """The archive so far, with its trailer, padded to whole 512-byte blocks."""
        copy = Archive()
        copy._bytes = bytearray(self._bytes)
        copy._entry("TRAILER!!!", 0, inode=0)
        copy._bytes += b"\0" * (-len(copy._bytes) % 512)
        return bytes(copy._bytes)


def compress(data: bytes) -> bytes:
    """gzip without a time stamp."""
    return gzip.compress(data, 6, mtime=0)
