# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which key signs the packages of a build: the one that --key names, or one of the checkout's own,
which are made when they are missing. out/module.key is the development key; out/trial.key is for profiles that take
no development key, where no other was given and what is built does not leave the checkout (./helix run, test, …)."""

import os
import re
import subprocess
from functools import cache
from pathlib import Path

from helix import paths, ui

KEY_BYTES = 32

_given: Path | None = None  # for the whole run


def use(name: str | None) -> None:
    """What --key names."""
    global _given
    if name is None:
        return
    path = Path(name).absolute()
    if not path.is_file():
        raise ui.WrongWords(f"--key: there is no file {name}; './helix key {name}' makes a key")
    if path.stat().st_size != KEY_BYTES:
        raise ui.WrongWords(f"--key: {name} is no private key, which has {KEY_BYTES} bytes")
    _given = path


def make(path: Path) -> bool:
    """Makes a key, whole, for its owner alone; false if there is a file of that name, which stays."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(os.urandom(KEY_BYTES))
        os.link(fresh, path)
    except FileExistsError:
        return False
    finally:
        fresh.unlink(missing_ok=True)
    return True


def _needs_own(profile: str) -> bool:
    text = (paths.TOP / "profiles" / f"{profile}.cmake").read_text()
    return re.search(r"(?m)^set\(HELIX_OWN_KEY ON\)", text) is not None


def refuse_none(profile: str) -> None:
    """What leaves the checkout, of a profile that takes no development key, needs a key that somebody chose."""
    ours = [paths.OUT / name for name in ("module.key", "trial.key")]
    if _needs_own(profile) and (_given is None or any(key.exists() and key.read_bytes() == _given.read_bytes() for key in ours)):
        raise ui.WrongWords(f"profile {profile} takes no key of the checkout: './helix key FILE' makes one of yours, "
                            "--key FILE gives it")


@cache
def _tell(profile: str) -> None:
    ui.say(f"helix: profile {profile} takes no development key: out/trial.key signs its packages here (--key FILE: yours)")


def of_ones_own(top: Path = paths.TOP) -> Path:
    """That of profiles that take no development key; it may not be there yet."""
    return _given or top / "out" / "trial.key"


def of(profile: str, top: Path = paths.TOP) -> Path:
    """The file of the key that signs what is built in a checkout."""
    if _given:
        return _given
    if _needs_own(profile):
        _tell(profile)
    key = of_ones_own(top) if _needs_own(profile) else paths.ensure(top / "out") / "module.key"
    make(paths.ensure(top / "out") / "module.key")  # by which the packer knows it
    if not key.exists():
        make(key)
    return key


def public(key: Path, packer: Path) -> str:
    """Its public part, as hexadecimal digits; the first 16 are its fingerprint."""
    return subprocess.run([packer, "show", key], text=True, check=True, stdout=subprocess.PIPE).stdout.strip()
