# SPDX-License-Identifier: MIT OR Apache-2.0
"""Copies of the checkout below out/, which tests may change."""

import os
import shutil
import subprocess
from pathlib import Path

from helix import paths

_SHARED = ("cache", "third_party", "user")  # folders of out/ that a copy shares with us


def _copy_file(source: Path, target: Path) -> None:
    data = source.read_bytes()
    if not target.exists() or target.read_bytes() != data:
        paths.ensure(target.parent)
        target.write_bytes(data)
        shutil.copymode(source, target)


def _remove_others(tree: Path, wanted: set[str]) -> None:
    """What is in the copy and not here, but for what was built."""
    for name, _, files in os.walk(tree, topdown=False):
        folder = Path(name)
        if folder.relative_to(tree).parts[:1] == ("out",):
            continue
        for file in files:
            if str((folder / file).relative_to(tree)) not in wanted:
                (folder / file).unlink()
        if folder != tree and not any(folder.iterdir()):
            folder.rmdir()


def _known() -> list[str]:
    """What is in the checkout or about to be; all but what was built, if it is a copy itself."""
    if (paths.TOP / ".git").exists():
        return subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=paths.TOP,
                              text=True, stdout=subprocess.PIPE, check=True).stdout.split("\0")
    found = []
    for name, below, files in os.walk(paths.TOP):
        below[:] = [folder for folder in below if folder != "__pycache__" and Path(name, folder) != paths.OUT]
        found += [str(Path(name, file).relative_to(paths.TOP)) for file in files]
    return found


def refresh(tree: Path) -> None:
    """Brings a copy up to date; files that are the same keep their time stamps."""
    wanted = {name for name in _known() if name and (paths.TOP / name).is_file()}
    for name in wanted:
        _copy_file(paths.TOP / name, tree / name)
    _remove_others(tree, wanted)
    for name in _SHARED:
        link = paths.ensure(tree / "out") / name
        if not link.is_symlink():
            link.symlink_to(paths.ensure(paths.OUT / name))
