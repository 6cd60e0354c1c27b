# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix build: cmake and ninja behind one word."""

import fcntl
import re
import subprocess
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helix import keys, packages, paths, targets, ui

hosted_lock = threading.Lock()  # held to build what several tests use

ARCHES = ("x86_64", "aarch64", "riscv64", "hosted")
PROFILES = ("minimal", "modular", "secure")


def _run_shown(command: list[str], top: Path, what: str) -> None:
    """Runs a build step with a line of progress; its output is shown only if it fails."""
    kept: list[str] = []
    begun = False
    with subprocess.Popen(command, cwd=top, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if re.match(r"\[\d+/\d+\] ", line):
                if not begun:
                    ui.stage(what)
                begun = True
                ui.progress(f"{what} {line.strip()}")
            else:
                kept.append(line)
        code = process.wait()
    ui.progress_done()
    if code != 0:
        raise ui.Failure(f"{what} failed; repeat with: {' '.join(command)}", "".join(kept)[-20000:])


def configure(preset: str, profile: str, top: Path = paths.TOP) -> Path:
    """Configures by need; the build folder."""
    folder = top / "out" / f"{preset}-{profile}"
    key = keys.of(profile, top)
    cache = folder / "CMakeCache.txt"
    if not (folder / "build.ninja").exists() or not re.search(rf"(?m)^HELIX_KEY:\w+={re.escape(str(key))}$", cache.read_text()):
        ui.stage(f"configuring {preset}")
        _run_shown(["cmake", "--preset", preset, "-B", str(folder), f"-DHELIX_PROFILE={profile}", f"-DHELIX_KEY={key}"], top,
                   f"configuring {preset}")
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While nobody else builds in the folder, in this process or another one."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            ui.say(f"helix: waiting for another build of {folder.name}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def configure_and_build(preset: str, profile: str, top: Path = paths.TOP,
                        targets: list[str] | None = None) -> Path:
    """Configures by need, builds, and returns the build folder."""
    with _alone(paths.ensure(top / "out" / f"{preset}-{profile}")):
        folder = configure(preset, profile, top)
        _run_shown(["ninja", "-C", str(folder), *(targets or [])], top, f"building {preset}")
    return folder


def kernel(arch: str, profile: str, yes: bool, top: Path = paths.TOP) -> Path:
    """Builds the kernel; its file."""
    packages.need(packages.BUILD, yes=yes)
    name = "helix-hosted" if arch == "hosted" else targets.current().image
    wanted = [name] if arch == "hosted" else [name, "packages"]
    made = configure_and_build(arch, profile, top, wanted) / name
    if not made.exists():
        raise ui.Failure(f"the build made no {made.relative_to(top)}")
    return made


def command(options: Namespace) -> int:
    keys.refuse_none(options.profile)
    elf = kernel(options.arch, options.profile, options.yes)
    ui.result(str(elf.relative_to(paths.TOP)))
    return 0
