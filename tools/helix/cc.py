# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix cc: builds a program of one's own, static, with the native library."""

from argparse import Namespace
from pathlib import Path

from helix import programs, ui


def command(options: Namespace) -> int:
    sources = [Path(name) for name in options.files]
    for source in sources:
        if not source.is_file():
            raise ui.WrongWords(f"there is no file {source}")
    output = ui.output(options.output)
    programs.need(options.yes)
    programs.build_own(sources, options.libc, output)
    return 0
