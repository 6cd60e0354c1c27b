# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix new: the folder of a module that builds, passes its test and loads, from sdk/templates."""

import re
import shutil
import subprocess
import tempfile
import zlib
from argparse import Namespace
from pathlib import Path
from typing import NoReturn

from helix import packages, paths, suite_unit, ui

TEMPLATES = paths.TOP / "sdk" / "templates"
_SERVICES = paths.TOP / "services"
_C_WORDS = frozenset("auto bool break case char const continue default do double else enum extern false float for goto if inline int "
                     "long register restrict return short signed sizeof static struct switch true typedef typeof union "
                     "unsigned void volatile while".split())
_NAME_MAX = 31  # MODULE_NAME_BYTES of the kernel's loader, and names in /dev
_FORMAT = {"clang-format-19": "clang-format-19"}
_RESERVED = {"all", "asm", "auto", "clean", "help", "host", "install", "module", "packer", "packages", "skeleton", "test"}
# Ports that have no skeleton, and what to do.
_WITHOUT = {
    "console": "a line is a device's; begin with a copy of services/drv/pl011",
    "router": "programs provide it; docs/services.md",
    "bus": "programs provide it; docs/services.md",
}
_BY_HAND = {
    "port": "write sdk/ports/{name}.port, name it in sdk/ports/CMakeLists.txt, and docs/ports.md leads on",
    "profile": "copy profiles/minimal.cmake to profiles/{name}.cmake, and add {name} to PROFILES of tools/helix/build.py",
}


def ports() -> list[str]:
    """Those that have a skeleton, without "helix."."""
    return sorted(path.name for path in TEMPLATES.iterdir() if path.is_dir())


def _refuse_port(name: str) -> NoReturn:
    there = ", ".join(f"helix.{port}" for port in ports())
    short = name.removeprefix("helix.")
    if not name:
        raise ui.WrongWords(f"new module: --port is missing; there is {there}")
    if name.startswith("helix.") and short in _WITHOUT:
        raise ui.WrongWords(f"--port {name}: has no skeleton: {_WITHOUT[short]}; there is {there}")
    raise ui.WrongWords(f"--port {name}: there is no skeleton for it; there is {there}")


def _taken() -> dict[str, str]:
    """Names of the build, and the files that have them."""
    names = {}
    for file in sorted(paths.TOP.glob("*/**/CMakeLists.txt")):
        if not file.is_relative_to(paths.OUT):
            where = str(file.parent.relative_to(paths.TOP))
            names.update(dict.fromkeys(re.findall(r"\bNAME (\w+)", file.read_text()), where))
    return names


def _begins_names(name: str) -> Path | None:
    """A header of the SDK, or of lib, that has names which begin like those of the module would."""
    for folder in ("sdk", "lib"):
        for header in sorted((paths.TOP / folder).glob("include/**/*.h")):
            if re.search(rf"\b{name}_\w", header.read_text(), re.I):
                return header.relative_to(paths.TOP)
    return None


def _check_name(name: str) -> None:
    if name in _C_WORDS:
        raise ui.WrongWords(f"'{name}' is a word of C; functions will have the name, so take another")
    if not re.fullmatch(r"[a-z](_?[a-z0-9])*", name) or len(name) > _NAME_MAX:
        raise ui.WrongWords(f"'{name}' is no name of a module: small letters, digits and single _ in between, "
                            f"{_NAME_MAX} at most")
    where = _taken().get(name)
    if where is None and f"{name}_test" in suite_unit.programs():
        where = f"the test {name}_test"
    if where is None and (header := _begins_names(name)):
        where = str(header)
    if where is None and (paths.TOP / "sdk" / "ports" / f"{name}.port").exists():
        where = f"sdk/ports/{name}.port"
    if where is not None or name in _RESERVED:
        raise ui.Failure(f"the name {name} is taken{f' by {where}' if where else ''}; take another")


def _filled(text: str, name: str) -> str:
    number = 1 + zlib.crc32(name.encode()) % 65535  # the same each time, and others' are others
    return (text.replace("SKELETON_NUMBER", f"{number}u").replace("SKELETON", name.upper())
            .replace("skeleton", name))


def _fill(template: Path, into: Path, name: str) -> None:
    for source in sorted(template.rglob("*")):
        if source.is_dir() or source.name == "where":
            continue
        target = into / _filled(str(source.relative_to(template)), name).removesuffix(".in")
        paths.ensure(target.parent).joinpath(target.name).write_text(_filled(source.read_text(), name))
    sources = [str(file) for file in sorted(into.rglob("*.[ch]"))]
    done = subprocess.run(["clang-format-19", "-i", *sources], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise ui.Failure("clang-format-19 refuses what was made", done.stdout)


def _make(template: Path, name: str) -> Path:
    """The folder, whole or not at all."""
    folder = _SERVICES / (template / "where").read_text().strip() / name
    if folder.exists():
        raise ui.Failure(f"there is {folder.relative_to(paths.TOP)} already")
    draft = None
    try:
        paths.ensure(folder.parent)
        draft = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
        draft.chmod(0o755)
        _fill(template, draft, name)
        draft.rename(folder)
    except OSError as error:
        raise ui.Failure(f"{folder.relative_to(paths.TOP)} cannot be made: {error.strerror}") from error
    finally:
        if draft and draft.exists():
            shutil.rmtree(draft, ignore_errors=True)
    return folder


def _module(options: Namespace) -> int:
    short = (options.port or "").removeprefix("helix.")
    if not (options.port or "").startswith("helix.") or short not in ports():
        _refuse_port(options.port or "")
    _check_name(options.name)
    packages.need(_FORMAT, yes=options.yes)
    folder = _make(TEMPLATES / short, options.name)
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            ui.result(str(file.relative_to(paths.TOP)))
    ui.say(f"helix: next: ./helix test unit/{options.name}_test; ./helix build; "
           f"{folder.relative_to(paths.TOP)}/README.md says how it is loaded")
    return 0


def command(options: Namespace) -> int:
    if not TEMPLATES.is_dir() or not _SERVICES.is_dir():
        raise ui.Failure("there is no sdk/templates or services here; new needs a whole checkout")
    if options.what == "module":
        return _module(options)
    raise ui.Failure(f"new {options.what}: there is no skeleton yet; by hand: "
                     f"{_BY_HAND[options.what].format(name=options.name)}")
