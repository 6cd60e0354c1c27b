# SPDX-License-Identifier: MIT OR Apache-2.0
"""Builds the small static programs that run inside: tests, benchmarks, the runner."""

import hashlib
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

from helix import packages, paths, ui

LIBHELIX = paths.TOP / "user" / "libhelix"
CALLS = paths.TOP / "sdk/calls/native.calls"
_MADE = paths.OUT / "user" / "include"  # by portgen
# What a program may include: the SDK's and libhelix's headers, and those of the machine.
_INCLUDE = [paths.TOP / "sdk/include", LIBHELIX / "include", LIBHELIX / "x86_64/include", _MADE]
_WARN = [*(f"-I{folder}" for folder in _INCLUDE), "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-g0", "-Wall", "-Wextra", "-Werror", "-Wno-unused-result",
         # Tests pass on purpose what these warn about.
         "-Wno-nonnull", "-Wno-stringop-overread", "-Wno-stringop-overflow", "-Wno-array-bounds",
         "-Wno-infinite-recursion", "-Wno-format-truncation"]
_MUSL = "/usr/lib/x86_64-linux-musl"
_AFTER = {"musl-pie": [f"{_MUSL}/crtn.o"]}
# How a program is linked; musl is the default.
FLAVOURS = {
    "musl": ["musl-gcc", *_WARN, "-static", "-pthread"],
    # musl-gcc knows no -static-pie: the start files are named here, _AFTER has the last one.
    "musl-pie": ["musl-gcc", *_WARN, "-fPIE", "-static", "-nostartfiles",
                 "-Wl,-pie,--no-dynamic-linker,-z,text", f"{_MUSL}/rcrt1.o", f"{_MUSL}/crti.o"],
    "glibc": ["gcc", *_WARN, "-static", "-pthread"],
    "glibc-pie": ["gcc", *_WARN, "-fPIE", "-static-pie", "-pthread"],
    "bare": ["gcc", *_WARN, "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector",
             "-Wl,--build-id=none,-z,noseparate-code"],
}

WITH_LIBHELIX = ("musl", "glibc")  # an archive: who uses nothing of it gets nothing


def _stamp(command: list[str], sources: list[Path]) -> str:
    digest = hashlib.sha256(" ".join(command).encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _headers(source: Path) -> list[Path]:
    """Beside it, and what the SDK and libhelix have for programs."""
    shared = [header for folder in _INCLUDE for header in folder.rglob("*.h")]
    return sorted([*source.parent.glob("*.h"), *shared])


def _kernel_headers(flavour: str) -> list[str]:
    """musl-gcc does not look at the kernel's own headers; a folder of links shows it just those."""
    if not flavour.startswith("musl"):
        return []
    folder = paths.ensure(paths.OUT / "user" / "kernel-headers")
    for name, place in (("linux", "/usr/include/linux"), ("asm-generic", "/usr/include/asm-generic"),
                        ("asm", "/usr/include/x86_64-linux-gnu/asm")):
        link = folder / name
        if not link.is_symlink():
            try:
                link.symlink_to(place)
            except FileExistsError:
                pass  # made by somebody else just now
    return ["-idirafter", str(folder)]


def _run(command: list[str], what: Path) -> None:
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    if done.returncode != 0:
        raise ui.Failure(f"{what.relative_to(paths.TOP)} does not compile", done.stdout)


def _made(product: Path, stamp: str, make: Callable[[Path], None]) -> Path:
    """The file, made anew by make(name to write to) unless it was made from just this."""
    stamp_file = product.with_name(f"{product.name}.stamp")
    if product.exists() and stamp_file.exists() and stamp_file.read_text() == stamp:
        return product
    fresh = product.with_name(f".{product.name}.{os.getpid()}.{threading.get_ident()}")
    make(fresh)
    fresh.rename(product)
    stamp_file.write_text(stamp)
    return product


def portgen() -> Path:
    """The compiler of ports and calls, for this machine."""
    folder = paths.TOP / "tools/portgen"
    sources = sorted(folder.glob("*.c"))
    command = ["gcc", "-std=gnu17", "-O1", f"-I{paths.TOP / 'sdk/include'}"]
    seen = [*sources, *folder.glob("*.h"), paths.TOP / "sdk/include/helix/status.h"]

    def make(fresh: Path) -> None:
        _run([*command, *map(str, sources), "-o", str(fresh)], folder)

    return _made(paths.ensure(paths.OUT / "user") / "portgen", _stamp(command, seen), make)


def made_from_calls(path: Path) -> Path:
    """What the path's name says (native.h, calls.h, native.md), made from the native calls."""
    compiler = portgen()

    def make(fresh: Path) -> None:
        folder = paths.ensure(fresh.parent / f"{fresh.name}.d")
        _run([str(compiler), str(CALLS), str(folder / path.name)], CALLS)
        (folder / path.name).rename(fresh)
        folder.rmdir()

    paths.ensure(path.parent)
    return _made(path, _stamp([str(path)], [CALLS, compiler]), make)


@cache
def _calls_headers() -> None:
    made_from_calls(_MADE / "helix/native.h")
    made_from_calls(_MADE / "libhelix/calls.h")


def libhelix(flavour: str = "musl") -> Path:
    """The native library for a C library, as an archive."""
    _calls_headers()
    sources = [*sorted((LIBHELIX / "src").glob("*.c")), paths.TOP / "lib/src/status.c"]
    command = [*FLAVOURS[flavour], *_kernel_headers(flavour), "-ffunction-sections", "-c"]

    def make(fresh: Path) -> None:
        with tempfile.TemporaryDirectory(dir=fresh.parent) as folder:
            objects = [str(Path(folder) / f"{source.stem}.o") for source in sources]
            for source, made in zip(sources, objects, strict=True):
                _run([*command, str(source), "-o", made], source)
            _run(["ar", "rcsD", str(fresh), *objects], LIBHELIX)

    folder = paths.ensure(paths.OUT / "user" / flavour)
    return _made(folder / "libhelix.a", _stamp(command, [*sources, *_headers(sources[0])]), make)


def build(source: Path, flavour: str = "musl", extra: tuple[str, ...] = ()) -> Path:
    """The program of one C file (and the headers beside it); rebuilt when anything changed."""
    _calls_headers()
    library = [libhelix(flavour)] if flavour in WITH_LIBHELIX else []
    command = [*FLAVOURS[flavour], *_kernel_headers(flavour), *extra]

    def make(fresh: Path) -> None:
        _run([*command, str(source), *map(str, library), *_AFTER.get(flavour, []), "-o",
              str(fresh)], source)

    folder = paths.ensure(paths.OUT / "user" / flavour / source.parent.name)
    return _made(folder / source.stem, _stamp(command, [source, *_headers(source), *library]), make)


def build_own(sources: list[Path], flavour: str, output: Path) -> None:
    """A user's program, whose warnings are shown and are no errors."""
    command = [word for word in FLAVOURS[flavour] if word != "-Werror"]
    words = [*command, *_kernel_headers(flavour), *map(str, sources), str(libhelix(flavour)), "-o",
             str(output)]
    if subprocess.run(words, check=False).returncode != 0:
        raise ui.Failure("it does not compile")


def need(yes: bool) -> None:
    packages.need(packages.USER, yes=yes)


def runner() -> Path:
    """The init that ./helix run -- CMD and the tests speak to."""
    return build(paths.TOP / "user" / "init" / "runner.c")


def recorder() -> Path:
    """What ./helix trace runs a command with."""
    return build(paths.TOP / "user" / "trace" / "recorder.c")
