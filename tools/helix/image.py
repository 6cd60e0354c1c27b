# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix image: what can be written to a disk or a disc."""

import shutil
import subprocess
import tempfile
from argparse import Namespace
from pathlib import Path

from helix import build, keys, packages, paths, programs, rootfs, targets, ui

_GRUB = """set timeout=0
menuentry "Helix" {{
    multiboot2 /boot/helix.elf {append}
    module2 /boot/initramfs.cpio
}}
"""


def make_iso(kernel: Path, initrd: bytes, append: str, target: Path) -> None:
    """An ISO that a BIOS starts through GRUB."""
    with tempfile.TemporaryDirectory(dir=paths.ensure(paths.OUT / "tmp")) as name:
        boot = paths.ensure(Path(name) / "boot" / "grub")
        shutil.copy(kernel, Path(name) / "boot" / "helix.elf")
        (Path(name) / "boot" / "initramfs.cpio").write_bytes(initrd)
        (boot / "grub.cfg").write_text(_GRUB.format(append=append))
        done = subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", str(target),
                               name], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False)
    if done.returncode != 0:
        raise ui.Failure("grub-mkrescue failed", done.stdout)


def _refuse(options: Namespace) -> None:
    keys.refuse_none(options.profile)
    there = targets.with_iso()
    if options.arch not in there:
        raise ui.WrongWords(f"an ISO image starts on {', '.join(there)} only; "
                            f"'./helix build --arch {options.arch}' makes what starts there")
    if Path(options.output).suffix != ".iso":
        raise ui.WrongWords(f"only ISO images can be made yet; '{options.output}' does not end in .iso")
    for folder in options.add:
        if not Path(folder).is_dir():
            raise ui.WrongWords(f"--add: there is no folder {folder} (packages cannot be added yet)")


def command(options: Namespace) -> int:
    _refuse(options)
    target = ui.output(options.output)
    packages.need(packages.ISO, yes=options.yes)
    programs.need(options.yes)
    kernel = build.kernel(options.arch, options.profile, options.yes)
    archive = rootfs.with_programs(rootfs.with_profile(rootfs.interactive(), kernel, options.profile))
    for folder in options.add:
        archive.tree(Path(folder))
    ui.progress("writing the image")
    make_iso(kernel, archive.bytes(), "console=ttyS0", target)
    ui.progress_done()
    ui.result(f"{target} ({target.stat().st_size // 1024} KiB)")
    return 0
