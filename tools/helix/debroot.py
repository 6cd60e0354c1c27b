# SPDX-License-Identifier: MIT OR Apache-2.0
"""A root file system of Debian's packages, with all that they depend on, made without root rights: nothing is unpacked
on the host, what is in the packages goes straight into an initramfs. No script of a package runs; of what those would
do, the links of update-alternatives are made."""

import io
import posixpath
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from helix import cpio, packages, targets, ui

# What every Debian has, and programs rely on without saying so.
_ALWAYS = ("base-files", "base-passwd", "libc-bin", "ncurses-base")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


def names(words: str) -> list[str]:
    """The packages in "deb:NAME,NAME"."""
    wanted = words.removeprefix("deb:").split(",")
    for name in wanted:
        if not _NAME.fullmatch(name):
            raise ui.WrongWords(f"--root deb:...: '{name}' is no name of a package")
    return wanted


def _members(package: Path, what: str) -> bytes:
    done = subprocess.run(["dpkg-deb", what, str(package)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise ui.Failure(f"cannot read {package}; remove it", done.stderr.decode(errors="replace"))
    return done.stdout


def _loops(script: str) -> Iterator[str]:
    """The lines of a script, those of a loop over words once for each."""
    words: list[tuple[str, list[str]]] = []
    for line in script.replace("\\\n", " ").splitlines():
        if loop := re.match(r"\s*for (\w+) in ([^;]*)", line):
            words.append((loop[1], loop[2].split()))
        elif re.match(r"\s*done\b", line) and words:
            words.pop()
        elif words:
            name, values = words[-1]
            yield from (re.sub(rf"\$\{{?{name}\b\}}?", value, line) for value in values)
        else:
            yield line


def _alternatives(script: str) -> Iterator[tuple[str, str, int]]:
    """The links that a postinst makes: where, what they lead to, and how much they are wanted."""
    for line in _loops(script):
        if found := re.search(r"--install\s+(/\S+)\s+\S+\s+(/\S+)\s+(\d+)", line):
            yield found[1], found[2], int(found[3])
            for slave in re.finditer(r"--slave\s+(/\S+)\s+\S+\s+(/\S+)", line):
                yield slave[1], slave[2], int(found[3])


def _postinst(package: Path) -> str:
    control = tarfile.open(fileobj=io.BytesIO(_members(package, "--ctrl-tarfile")))
    script = next((member for member in control if member.name == "./postinst"), None)
    file = control.extractfile(script) if script else None
    return file.read().decode(errors="replace") if file else ""


class _Root:
    """An archive that is filled from packages."""

    def __init__(self, archive: cpio.Archive) -> None:
        self._archive = archive
        self._files: dict[str, bytes] = {}  # by their names, for hard links
        self._links: dict[str, tuple[int, str]] = {}
        self._names: set[str] = set()

    def _put(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        name = posixpath.normpath(member.name).lstrip("/")
        if name == ".":
            return
        self._names.add(name)
        if member.isdir():
            self._archive.folder(name, member.mode & 0o7777)
        elif member.issym():
            self._archive.link(name, member.linkname)
        elif member.islnk():
            self._archive.file(name, self._files[posixpath.normpath(member.linkname)], member.mode & 0o7777)
        elif file := tar.extractfile(member) if member.isfile() else None:
            self._files[name] = file.read()
            self._archive.file(name, self._files[name], member.mode & 0o7777)

    def add(self, package: Path) -> None:
        tar = tarfile.open(fileobj=io.BytesIO(_members(package, "--fsys-tarfile")))
        for member in tar:
            self._put(tar, member)
        for link, target, wanted in _alternatives(_postinst(package)):
            if wanted > self._links.get(link, (-1, ""))[0]:
                self._links[link] = (wanted, target)

    def _data_of(self, name: str) -> bytes:
        return self._files.get(name, b"")

    def finish(self) -> None:
        for link, (_, target) in sorted(self._links.items()):
            if link[1:] not in self._names and target[1:] in self._names:
                self._archive.link(link[1:], target)
        # Later releases have all programs and libraries below /usr, and count on links to there.
        for name in sorted(self._names):
            if re.fullmatch(r"usr/(bin|sbin|lib|lib64)/[^/]+", name) and name[4:] not in self._names:
                self._archive.link(name[4:], f"/{name}")
        for name in ("passwd", "group"):
            if master := self._data_of(f"usr/share/base-passwd/{name}.master"):
                self._archive.file(f"etc/{name}", master)


def add(archive: cpio.Archive, words: str) -> None:
    """What "deb:NAME,…" asks for, of the target's Debian."""
    wanted = names(words)
    root = _Root(archive)
    for package in packages.closure([*_ALWAYS, *wanted], targets.current().debian):
        root.add(package)
    root.finish()
