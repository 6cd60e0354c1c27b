# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix build: cmake and ninja behind one word."""

import fcntl
import os
import re
import shutil
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
    words = {"HELIX_KEY": keys.of(profile, top), "HELIX_KEY_OF_ONES_OWN": keys.of_ones_own(top)}
    cache = folder / "CMakeCache.txt"
    if not (folder / "build.ninja").exists() or not all(
            re.search(rf"(?m)^{word}:\w+={re.escape(str(key))}$", cache.read_text()) for word, key in words.items()):
        ui.stage(f"configuring {preset}")
        _run_shown(["cmake", "--preset", preset, "-B", str(folder), f"-DHELIX_PROFILE={profile}",
                    *(f"-D{word}={key}" for word, key in words.items())], top, f"configuring {preset}")
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


def _of_profile(built: Path, arch: str, profile: str) -> Path:
    """The folder of a profile's kernel, with links to what was built for it in that of `minimal`."""
    folder = built.parent / f"{arch}-{profile}"
    with _alone(built):
        if (folder / "build.ninja").exists():  # a build of its own, of former times
            shutil.rmtree(folder)
        paths.ensure(folder)
        for there in (*(built / "profiles" / profile).iterdir(), built / "pack"):
            link, to = folder / there.name, os.path.relpath(there, folder)
            if not link.is_symlink() or os.readlink(link) != to:
                link.unlink(missing_ok=True)
                link.symlink_to(to)
    return folder


def kernel(arch: str, profile: str, yes: bool, top: Path = paths.TOP) -> Path:
    """Builds the kernel; its file. What the kernels of all profiles have in common is built once."""
    packages.need(packages.BUILD, yes=yes)
    if arch == "hosted":
        name = "helix-hosted"
        folder = configure_and_build(arch, profile, top, [name])
    else:
        name = targets.current().image
        keys.of(profile, top)  # is there, and told of
        of_profile = "packages" if profile == "minimal" else f"packages_{profile}"
        folder = configure_and_build(arch, "minimal", top, [f"image_{profile}", of_profile])
        folder = folder if profile == "minimal" else _of_profile(folder, arch, profile)
    made = folder / name
    if not made.exists():
        raise ui.Failure(f"the build made no {made.relative_to(top)}")
    return made


def command(options: Namespace) -> int:
    keys.refuse_none(options.profile)
    elf = kernel(options.arch, options.profile, options.yes)
    ui.result(str(elf.relative_to(paths.TOP)))
    return 0
