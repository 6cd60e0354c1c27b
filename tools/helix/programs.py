# SPDX-License-Identifier: MIT OR Apache-2.0
"""Builds the small static programs that run inside: tests, benchmarks, the runner."""

import hashlib
import os
import subprocess
import threading
from pathlib import Path

from helix import packages, paths, ui

_WARN = [f"-I{paths.TOP / 'sdk/include'}", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-g0", "-Wall", "-Wextra", "-Werror", "-Wno-unused-result",
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


def _stamp(command: list[str], sources: list[Path]) -> str:
    digest = hashlib.sha256(" ".join(command).encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _headers(source: Path) -> list[Path]:
    """Beside it, and what the SDK has for programs."""
    return sorted([*source.parent.glob("*.h"), *(paths.TOP / "sdk/include/helix").glob("*.h")])


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


def build(source: Path, flavour: str = "musl", extra: tuple[str, ...] = ()) -> Path:
    """The program of one C file (and the headers beside it); rebuilt when anything changed."""
    folder = paths.ensure(paths.OUT / "user" / flavour / source.parent.name)
    program = folder / source.stem
    command = [*FLAVOURS[flavour], *_kernel_headers(flavour), *extra]
    stamp = _stamp(command, [source, *_headers(source)])
    stamp_file = folder / f"{source.stem}.stamp"
    if program.exists() and stamp_file.exists() and stamp_file.read_text() == stamp:
        return program
    fresh = folder / f".{source.stem}.{os.getpid()}.{threading.get_ident()}"
    done = subprocess.run([*command, str(source), *_AFTER.get(flavour, []), "-o", str(fresh)],
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise ui.Failure(f"{source.relative_to(paths.TOP)} does not compile", done.stdout)
    fresh.rename(program)
    stamp_file.write_text(stamp)
    return program


def need(yes: bool) -> None:
    packages.need(packages.USER, yes=yes)


def runner() -> Path:
    """The init that ./helix run -- CMD and the tests speak to."""
    return build(paths.TOP / "user" / "init" / "runner.c")
