# SPDX-License-Identifier: MIT OR Apache-2.0
"""The Open POSIX Test Suite as Debian's source package posixtestsuite has it: its cases, built as dynamic programs of
glibc below out/, and the root file system in which they run."""

import hashlib
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from helix import cpio, packages, paths, programs, rootfs, targets, ui

_PACKAGE, _VERSION = "posixtestsuite", "1.5.2-8"
# As the package builds them, but that a compiler's warning of today is no error.
_FLAGS = ["-std=gnu99", "-O2", "-w", "-D_POSIX_C_SOURCE=200112L", "-D_GNU_SOURCE", "-Iinclude"]
_LIBRARIES = ["-pthread", "-lrt"]
# For cases that count on headers which include others, as those of other systems do.
_MORE = ["-include", "signal.h", "-include", "fcntl.h", "-include", "stddef.h"]
# Of Debian's glibc, what a program of it needs; a thread that is cancelled takes the last.
_GLIBC = {"libc6": ("libc.so.6", "ld-linux*.so.*"), "libgcc-s1": ("libgcc_s.so.1",)}
RUNNER = paths.TOP / "tests/openposix/cases.c"
INSIDE = "pts"  # the folder of the guest in which the cases run: some look for others from there


@dataclass(frozen=True)
class Case:
    """A case, as "sigaction/1-1" or "definitions/signal_h/1-1", and how it runs inside."""

    name: str
    program: str  # its path in the suite, which is the one in the guest, below INSIDE
    arguments: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        return self.name.rpartition("/")[0]

    @property
    def line(self) -> str:
        """For tests/openposix/cases.c."""
        return " ".join((self.name, f"/{INSIDE}/{self.program}", *self.arguments))


def _source() -> Path:
    packages.need(packages.SOURCES, yes=True)
    return packages.source(_PACKAGE, _VERSION)


def _name(path: Path) -> str:
    return str(path.with_suffix("")).removeprefix("conformance/").removeprefix("interfaces/")


def _is_program(source: Path) -> bool:
    """Most of definitions/ are only compiled."""
    return "definitions" not in source.parts or re.search(r"\bmain\s*\(", source.read_text(errors="replace")) is not None


def _compiler() -> str:
    arch = targets.current().name
    return "gcc" if arch == "x86_64" else f"{arch}-linux-gnu-gcc"


def _build_one(top: Path, source: Path, product: Path) -> None:
    """A program, or a file NAME.failed with what the compiler said."""
    failed = product.with_suffix(".failed")
    if product.exists() or failed.exists():
        return
    paths.ensure(product.parent)
    fresh = product.with_name(f".{product.name}.{os.getpid()}")
    said = ""
    for more in ([], _MORE):
        command = [_compiler(), *_FLAGS, *more, str(source.relative_to(top)), "-o", str(fresh), *_LIBRARIES]
        done = subprocess.run(command, cwd=top, text=True, errors="replace", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        if done.returncode == 0:
            fresh.rename(product)
            return
        said += done.stdout
    failed.write_text(said)


def _products(top: Path) -> Path:
    """The folder of what is built with these words."""
    words = " ".join([_VERSION, _compiler(), *_FLAGS, *_MORE, *_LIBRARIES])
    return paths.OUT / "user" / "openposix" / f"{targets.current().name}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"


def _with_arguments(top: Path, built: set[str]) -> list[Case]:
    """Cases that are scripts: of those that do anything, each calls a program with a number."""
    found = []
    for script in sorted(top.glob("conformance/**/*.sh")):
        said = re.search(r"^(conformance/\S+\.test) (\d+)$", script.read_text(errors="replace"), re.M)
        if said and said[1] in built:
            found.append(Case(_name(script.relative_to(top)), said[1], (said[2],)))
    return found


def build(folders: set[str]) -> tuple[list[Case], Path]:
    """The cases of these folders ("sigaction") that build, by name, and where their programs are."""
    top = _source()
    products = _products(top)
    sources = [source for source in sorted(top.glob("conformance/**/[0-9]*-*.c"))
               if _name(source.relative_to(top)).rpartition("/")[0] in folders and _is_program(source)]
    made = {source: products / source.relative_to(top).with_suffix(".test") for source in sources}
    ui.stage(f"building {len(sources)} programs of {_PACKAGE}")
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        list(workers.map(lambda source: _build_one(top, source, made[source]), sources))
    ui.progress_done()
    built = {str(product.relative_to(products)) for product in made.values() if product.exists()}
    cases = [Case(_name(Path(path)), path) for path in built if "buildonly" not in path]
    return sorted([*cases, *_with_arguments(top, built)], key=lambda case: case.name), products


def _add_glibc(archive: cpio.Archive) -> None:
    """The libraries where their programs look for them: in /lib, and the linker by its whole name."""
    archive.folder("lib64")
    for package, patterns in _GLIBC.items():
        folder = packages.unpacked(package)
        for file in sorted(path for pattern in patterns for path in folder.rglob(pattern)):
            if file.is_symlink() or "lib64" in file.parts:
                continue
            archive.file(f"lib/{file.name}", file.read_bytes(), 0o755)
            if file.name.startswith("ld-linux-x86-64"):
                archive.link(f"lib64/{file.name}", f"/lib/{file.name}")


def initrd(cases: list[Case], products: Path) -> bytes:
    """Busybox, the runner, glibc, and the programs of the cases and those that these call."""
    archive = rootfs.with_runner(rootfs.base())
    _add_glibc(archive)
    archive.folder("dev/shm", 0o1777)
    archive.folder(INSIDE)
    archive.folder("tests")
    archive.file("tests/cases", programs.build(RUNNER).read_bytes(), 0o755)
    folders = {products / Path(case.program).parent for case in cases}
    for program in sorted(program for folder in folders for program in folder.glob("*.test")):
        archive.file(f"{INSIDE}/{program.relative_to(products)}", program.read_bytes(), 0o755)
    return archive.bytes()
