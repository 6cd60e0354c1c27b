# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix debug: the machine stopped before its first instruction, and gdb with the kernel's symbols.
tools/gdb/helpers.py adds words to gdb; the console is the machine's, in a file and a second window."""

import os
import socket
import subprocess
from argparse import Namespace
from pathlib import Path

from helix import build, hosted, packages, paths, qemu, run, targets, ui


_HINT = "echo words for the kernel: apropos ^hx-\\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _gdb(elf: Path, port: int, console: Path) -> list[str]:
    return [targets.current().gdb[0], "-q", str(elf), "-ex", f"set architecture {targets.current().gdb[1]}",
            "-ex", f"source {paths.TOP / 'tools' / 'gdb' / 'helpers.py'}",
            "-ex", f"target remote 127.0.0.1:{port}",
            "-ex", f"echo \\nconsole: socat -,raw,echo=0 {console}, or its copy {console}.log\\n",
            "-ex", _HINT, "-ex", "hbreak kernel_main", "-ex", "continue"]


def _hosted(options: Namespace) -> int:
    """gdb takes the process as it takes any; its console is gdb's terminal."""
    packages.need(packages.debug(), yes=options.yes)
    helpers = f"source {paths.TOP / 'tools' / 'gdb' / 'helpers.py'}"
    words = ["gdb", "-q", "-ex", helpers, "-ex", _HINT, "-ex", "break kernel_main", "-ex", "run", "--args"]
    return subprocess.run([*words, *hosted.asked_for(options)], check=False).returncode


def command(options: Namespace) -> int:
    """gdb's exit status. The machine ends with gdb."""
    run.refuse_what_is_not_there(options)
    if options.kernel:
        raise ui.WrongWords("--kernel: gdb needs the symbols of the kernel that is built here")
    if options.arch == "hosted":
        return _hosted(options)
    packages.need(packages.run(), packages.debug(), yes=options.yes)
    image = build.kernel(options.arch, options.profile, options.yes)
    elf = image.with_name("helix.elf")
    port = _free_port()
    console = paths.ensure(paths.OUT / "tmp") / "console"
    with qemu.Initrd(run.initrd(options, image, False)) as initrd:
        append = qemu.append_for(image, "/init", options.append).replace("panic=-1 ", "")
        machine = qemu.Machine(image, initrd, append, options.smp, options.mem)
        machine.serial = ["chardev:console"]
        machine.extra = [*run.disk_words(options), "-S", "-gdb", f"tcp:127.0.0.1:{port}", "-chardev",
                         f"socket,id=console,path={console},server=on,wait=off,"
                         f"logfile={console}.log"]
        with subprocess.Popen(machine.command(), stdin=subprocess.DEVNULL,
                              preexec_fn=os.setpgrp) as process:  # Ctrl-C is gdb's
            try:
                if process.poll() is not None:
                    raise ui.Failure("QEMU did not start")
                return subprocess.run(_gdb(elf, port, console), check=False).returncode
            finally:
                process.kill()
