# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix key: a private key of one's own, for --key."""

from argparse import Namespace
from pathlib import Path

from helix import build, keys, packages, targets, ui


def command(options: Namespace) -> int:
    path = Path(options.file)
    if not path.absolute().parent.is_dir():
        raise ui.WrongWords(f"{path}: there is no folder {path.parent}")
    packages.need(packages.BUILD, yes=options.yes)
    packer = build.configure_and_build(targets.current().name, "minimal", targets=["packer"]) / "pack"
    try:
        made = keys.make(path)
    except OSError as error:
        raise ui.Failure(f"{path} cannot be made: {error.strerror}") from None
    if not made:
        raise ui.WrongWords(f"{path} is there already; no key is written over")
    ui.say(f"helix: {path} is the private part: keep it, show it to nobody")
    ui.result(keys.public(path, packer))
    return 0
