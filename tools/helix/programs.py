# SPDX-License-Identifier: MIT OR Apache-2.0
"""Builds the small static programs that run inside: tests, benchmarks, the runner."""

import hashlib
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

from helix import packages, paths, posix_x, targets, ui

LIBHELIX = paths.TOP / "user" / "libhelix"
CALLS = paths.TOP / "sdk/calls/native.calls"
_MADE = paths.OUT / "user" / "include"  # by portgen
# What a program may include: the SDK's and libhelix's headers, those of the machine, and <lib/wire.h>.
_INCLUDE = [paths.TOP / "sdk/include", paths.TOP / "lib/include", LIBHELIX / "include", _MADE]
_WARN = [*(f"-I{folder}" for folder in _INCLUDE), "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-g0", "-Wall", "-Wextra", "-Werror", "-Wno-unused-result",
         # Tests pass on purpose what these warn about.
         "-Wno-nonnull", "-Wno-stringop-overread", "-Wno-stringop-overflow", "-Wno-array-bounds",
         "-Wno-infinite-recursion", "-Wno-format-truncation"]
_BARE = ["-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector",
         "-Wl,--build-id=none,-z,noseparate-code"]
# How a program is linked, in front of its file and behind it; musl is the default.
_Lines = dict[str, tuple[list[str], list[str]]]


def _lines_x86_64() -> _Lines:
    """The host's compilers."""
    musl = "/usr/lib/x86_64-linux-musl"
    return {
        "musl": (["musl-gcc", "-static", "-pthread"], []),
        # musl-gcc knows no -static-pie: the start files are named here.
        "musl-pie": (["musl-gcc", "-fPIE", "-static", "-nostartfiles",
                      "-Wl,-pie,--no-dynamic-linker,-z,text", f"{musl}/rcrt1.o", f"{musl}/crti.o"],
                     [f"{musl}/crtn.o"]),
        "glibc": (["gcc", "-static", "-pthread"], []),
        "glibc-pie": (["gcc", "-fPIE", "-static-pie", "-pthread"], []),
        "bare": (["gcc", *_BARE], []),
    }


# Debian 12's linker does not survive the later musl of riscv64.
_LINKER = {"riscv64": ["-B/usr/lib/llvm-19/bin", "-fuse-ld=lld"]}


def _lines_cross(arch: str) -> _Lines:
    """Debian's cross compiler, with the musl of the other machine's Debian unpacked beside."""
    compiler = f"{arch}-linux-gnu-gcc"
    musl = packages.unpacked("musl-dev") / "usr"
    library = musl / f"lib/{arch}-linux-musl"
    own = subprocess.run([compiler, "-print-file-name=include"], text=True, stdout=subprocess.PIPE,
                         check=True).stdout.strip()
    headers = [*_LINKER.get(arch, []), "-nostdinc", "-isystem", f"{musl}/include/{arch}-linux-musl", "-isystem", own]
    after = [f"{library}/crti.o", f"-L{library}", "-Wl,--start-group", "-lc", "-lgcc", "-lgcc_eh", "-Wl,--end-group",
             f"{library}/crtn.o"]
    return {
        "musl": ([compiler, *headers, "-static", "-pthread", "-nostdlib"],
                 [f"{library}/crt1.o", *after]),
        "musl-pie": ([compiler, *headers, "-fPIE", "-static", "-nostdlib",
                      "-Wl,-pie,--no-dynamic-linker,-z,text"], [f"{library}/rcrt1.o", *after]),
        "glibc": ([compiler, "-static", "-pthread"], []),
        "glibc-pie": ([compiler, "-fPIE", "-static-pie", "-pthread"], []),
        "bare": ([compiler, *_BARE], []),
    }


_LINES = {"x86_64": _lines_x86_64, "aarch64": lambda: _lines_cross("aarch64"),
          "riscv64": lambda: _lines_cross("riscv64")}


@cache
def _lines(arch: str, flavour: str) -> tuple[list[str], list[str]]:
    if flavour == "posix-x":
        words: tuple[list[str], list[str]] = ([str(helix_cc()), "-pthread"], [])
    else:
        words = _LINES[arch]()[flavour]
    before, after = words
    return [before[0], f"-I{LIBHELIX / arch / 'include'}", *_WARN, *before[1:]], after


def _before(flavour: str) -> list[str]:
    return _lines(targets.current().name, flavour)[0]


def _after(flavour: str) -> list[str]:
    return _lines(targets.current().name, flavour)[1]


def _user() -> Path:
    """Where programs of the machine are built."""
    arch = targets.current().name
    return paths.OUT / "user" if arch == "x86_64" else paths.OUT / "user" / arch

# What portgen makes of a port for a program.
_PORT_OUTPUTS = ("_port.h", "_port.c", "_wire.h", "_wire.c")

WITH_LIBHELIX = ("musl", "glibc", "posix-x")  # an archive: who uses nothing of it gets nothing


def _stamp(command: list[str], sources: list[Path]) -> str:
    digest = hashlib.sha256(" ".join(command).encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()


def quoted(source: Path) -> list[Path]:
    """The files that it includes by their place (#include "../a.h"), and those that these do."""
    found: list[Path] = []
    left = [source]
    while left:
        at = left.pop()
        names = re.findall(r'^#include "([^"]+)"', at.read_text(), re.M)
        fresh = [file for name in names if (file := (at.parent / name).resolve()).is_file()
                 and file not in found]
        found += dict.fromkeys(fresh)
        left += dict.fromkeys(fresh)
    return found


def _headers(source: Path) -> list[Path]:
    """Those that it includes by their place, and what the SDK and libhelix have for programs."""
    folders = [*_INCLUDE, LIBHELIX / targets.current().name]
    shared = [header for folder in folders for header in folder.rglob("*.h")]
    return sorted([*quoted(source), *shared])


def _kernel_headers(flavour: str) -> list[str]:
    """musl-gcc does not look at the kernel's own headers; a folder of links shows it just those."""
    if not flavour.startswith("musl"):
        return []
    folder = paths.ensure(_user() / "kernel-headers")
    for name, place in targets.current().headers.items():
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
        inside = what.resolve().is_relative_to(paths.TOP)  # a port may be anybody's
        name = what.resolve().relative_to(paths.TOP) if inside else what
        raise ui.Failure(f"{name} does not compile", done.stdout)


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


def helix_cc() -> Path:
    """The compiler of programs with libposix_x."""
    return posix_x.compiler(_user())


def _c_library(flavour: str) -> list[Path]:
    """What a program is made from, if the C library is ours and may change."""
    return [posix_x.stamp(_user())] if flavour == "posix-x" else []


def libhelix(flavour: str = "musl") -> Path:
    """The native library for a C library, as an archive."""
    _calls_headers()
    lib = paths.TOP / "lib/src"
    sources = [*sorted((LIBHELIX / "src").glob("*.c")), lib / "status.c", *sorted(lib.glob("wire*.c"))]
    command = [*_before(flavour), *_kernel_headers(flavour), "-ffunction-sections", "-c"]
    seen = [*sources, lib / "wire.h", *_headers(sources[0]), *_c_library(flavour)]

    def make(fresh: Path) -> None:
        with tempfile.TemporaryDirectory(dir=fresh.parent) as folder:
            objects = [str(Path(folder) / f"{source.stem}.o") for source in sources]
            for source, made in zip(sources, objects, strict=True):
                _run([*command, str(source), "-o", made], source)
            _run(["ar", "rcsD", str(fresh), *objects], LIBHELIX)

    folder = paths.ensure(_user() / flavour)
    return _made(folder / "libhelix.a", _stamp(command, seen), make)


def _port_files(source: Path) -> list[Path]:
    """The ports whose headers it or a header of its place includes: NAME.port beside it or in
    sdk/ports, and what they use."""
    found: list[Path] = []
    text = "\n".join(file.read_text() for file in [source, *quoted(source)])
    names = re.findall(r"^#include <helix/ports/(\w+)_(?:port|wire)\.h>", text, re.M)
    while names:
        name = f"{names.pop()}.port"
        port = next((folder / name for folder in (source.parent, paths.TOP / "sdk/ports")
                     if (folder / name).is_file()), None)
        if port is not None and port not in found:
            found.append(port)
            names += re.findall(r"^use (\w+);", port.read_text(), re.M)
    return found


def _ports(sources: list[Path]) -> tuple[list[Path], list[Path]]:
    """Where the headers of their ports are, and the code to compile with them."""
    compiler = portgen()
    folders, code = [], []
    for port in dict.fromkeys(port for source in sources for port in _port_files(source)):
        where = hashlib.sha256(str(port.resolve().parent).encode()).hexdigest()[:8]
        folder = paths.ensure(paths.OUT / "user/ports" / f"{port.stem}-{where}" / "helix/ports")

        def make(fresh: Path, port: Path = port, folder: Path = folder) -> None:
            names = [f"{port.stem}{end}" for end in _PORT_OUTPUTS]
            with tempfile.TemporaryDirectory(dir=folder) as place:
                _run([str(compiler), str(port), *(f"{place}/{name}" for name in names)], port)
                for name in names:
                    (Path(place) / name).rename(folder / name)
            fresh.touch()

        beside = sorted(port.parent.glob("*.port"))
        _made(folder / "made", _stamp([str(port)], [*beside, compiler]), make)
        folders.append(folder.parent.parent)
        code += [folder / f"{port.stem}{end}" for end in _PORT_OUTPUTS if end.endswith(".c")]
    return folders, code


def _sources(source: Path) -> list[Path]:
    """The file, and those that it names: // WITH: a.c ../b/b.c"""
    more = re.findall(r"^// WITH: (.*)$", source.read_text(), re.M)
    return [source, *((source.parent / name).resolve() for line in more for name in line.split())]


def build(source: Path, flavour: str = "musl", extra: tuple[str, ...] = ()) -> Path:
    """The program of a C file and those that it names (and the headers and ports beside them);
    rebuilt when anything changed."""
    _calls_headers()
    library = [libhelix(flavour)] if flavour in WITH_LIBHELIX else []
    sources = _sources(source)
    folders, code = _ports(sources) if library else ([], [])
    command = [*_before(flavour), *(f"-I{folder}" for folder in folders),
               *_kernel_headers(flavour), *extra]

    def make(fresh: Path) -> None:
        _run([*command, *map(str, [*sources, *code, *library]), *_after(flavour), "-o",
              str(fresh)], source)

    folder = paths.ensure(_user() / flavour / source.parent.name)
    headers = [header for folder_made in folders for header in sorted(folder_made.rglob("*.h"))]
    beside = [header for each in sources for header in _headers(each)]
    seen = [*sources, *beside, *headers, *code, *library, *_c_library(flavour)]
    return _made(folder / source.stem, _stamp(command, seen), make)


def build_own(sources: list[Path], flavour: str, output: Path) -> None:
    """A user's program, whose warnings are shown and are no errors."""
    command = [word for word in _before(flavour) if word != "-Werror"]
    folders, code = _ports(sources)
    words = [*command, *(f"-I{folder}" for folder in folders), *_kernel_headers(flavour),
             *map(str, [*sources, *code, libhelix(flavour)]), *_after(flavour), "-o", str(output)]
    if subprocess.run(words, check=False).returncode != 0:
        raise ui.Failure("it does not compile")


def need(yes: bool) -> None:
    packages.need(packages.USER, targets.current().compilers, yes=yes)


def runner() -> Path:
    """The init that ./helix run -- CMD and the tests speak to."""
    return build(paths.TOP / "user" / "init" / "runner.c")


def recorder() -> Path:
    """What ./helix trace runs a command with."""
    return build(paths.TOP / "user" / "trace" / "recorder.c")


def services() -> dict[str, Path]:
    """Programs of ring 3 that serve others, hxmod and the demonstration, by the names that they have in /sbin."""
    return {name: build(paths.TOP / "user" / name / "main.c") for name in ("bus", "demo", "hxmod", "router")}
