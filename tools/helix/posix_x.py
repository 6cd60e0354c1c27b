# SPDX-License-Identifier: MIT OR Apache-2.0
"""Builds libposix_x: Debian's musl with the files of user/posix-x in front of its own. What comes of it
lies in out/user/[ARCH/]posix-x: include, lib, and bin/helix-cc, the compiler that uses them."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from helix import paths, targets, ui

_OVERLAY = paths.TOP / "user" / "posix-x"
_MUSL = paths.OUT / "third_party" / "musl"
_CONFIGURE = ["--disable-shared", "--disable-wrapper"]
_WRAPPER = {"helix-cc": "bin/helix-cc", "helix-cc.specs": "lib/helix-cc.specs"}


def _run(command: list[str], folder: Path, **environment: str) -> None:
    done = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise ui.Failure("libposix_x cannot be built", done.stdout[-4000:])


def _cross() -> str:
    arch = targets.current().name
    return "" if arch == "x86_64" else f"{arch}-linux-gnu-"


def _headers() -> list[Path]:
    return sorted((_OVERLAY / "arch" / targets.current().name).glob("*.h"))


def _sources() -> list[Path]:
    return sorted((_OVERLAY / "src").rglob("*.c"))


def _digest(words: list[str], files: list[Path]) -> str:
    digest = hashlib.sha256(" ".join(words).encode())
    for file in files:
        digest.update(str(file.relative_to(paths.TOP)).encode() + file.read_bytes())
    return digest.hexdigest()


def _pinned() -> str:
    lines = (paths.TOP / "third_party/packages").read_text().splitlines()
    return next(line for line in lines if line.startswith("musl "))


def _prepare(tree: Path, basis: str) -> None:
    """A tree of links to musl's files, configured; anew only if more changed than our sources."""
    known = tree / ".stamp"
    if known.exists() and known.read_text() == basis:
        return
    _run([str(paths.TOP / "third_party/fetch"), "musl"], paths.TOP)
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(_MUSL, tree, copy_function=lambda source, place: os.symlink(source, place))
    first = paths.ensure(tree / "first")
    for header in _headers():
        shutil.copy(header, first)
    _run(["./configure", f"--prefix={tree.parent}", *_CONFIGURE], tree,
         CC=f"{_cross()}gcc -I{first}", CROSS_COMPILE=_cross())
    known.write_text(basis)


def _overlay(tree: Path) -> None:
    """Puts links to our files in the places of musl's."""
    for source in _sources():
        place = tree / source.relative_to(_OVERLAY)
        place.unlink(missing_ok=True)
        place.symlink_to(source)
        (tree / "obj" / source.relative_to(_OVERLAY)).with_suffix(".o").unlink(missing_ok=True)


def _install(tree: Path, prefix: Path) -> None:
    for name in ("include", "lib", "bin"):
        shutil.rmtree(prefix / name, ignore_errors=True)
    _run(["make", "install"], tree)
    (prefix / "lib/libc.a").rename(prefix / "lib/libposix_x.a")
    (prefix / "lib/libc.a").symlink_to("libposix_x.a")
    for name, place in targets.current().headers.items():
        (prefix / "include" / name).symlink_to(place)
    for name, where in _WRAPPER.items():
        text = (_OVERLAY / name).read_text()
        text = text.replace("@PREFIX@", str(prefix)).replace("@COMPILER@", f"{_cross()}gcc")
        target = paths.ensure((prefix / where).parent) / Path(where).name
        target.write_text(text)
        target.chmod(0o755)


def stamp(user: Path) -> Path:
    """A file that is another one when the library is."""
    return user / "posix-x/stamp"


@cache
def compiler(user: Path) -> Path:
    """helix-cc for the machine whose programs are built in `user`. The library is built if it has to be,
    by one process at a time."""
    prefix = paths.ensure(user / "posix-x").resolve()  # checkouts with changed lines share it
    version = subprocess.run([f"{_cross()}gcc", "-dumpfullversion"], text=True,
                             stdout=subprocess.PIPE, check=True).stdout
    # The names of our sources count: where one goes away, musl's own has to come back.
    names = [str(source.relative_to(_OVERLAY)) for source in _sources()]
    basis = _digest([_pinned(), version, str(prefix), *_CONFIGURE, *names],
                    [*_headers(), Path(__file__).resolve()])
    wanted = _digest([basis], [*_sources(), *(_OVERLAY / name for name in _WRAPPER)])
    with (prefix / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = stamp(user)
        if not known.exists() or known.read_text() != wanted:
            known.unlink(missing_ok=True)
            ui.stage(f"building libposix_x for {targets.current().name}")
            _prepare(prefix / "tree", basis)
            _overlay(prefix / "tree")
            _run(["make", f"-j{os.cpu_count() or 1}"], prefix / "tree")
            _install(prefix / "tree", prefix)
            known.write_text(wanted)
            ui.progress_done()
    return prefix / "bin/helix-cc"
