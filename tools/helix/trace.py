# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix trace: runs a command inside and writes what the whole machine did meanwhile."""

import json
import re
from argparse import Namespace
from pathlib import Path

from helix import guest, packages, paths, programs, qemu, rootfs, run, trace_convert, ui

_EVENTS_MAX = 1 << 21  # 64 MiB of the machine's memory
_SLOTS = 32768


def record(inside: guest.Guest, words: list[str], parts: str, out: guest.Sink, err: guest.Sink,
           given: guest._Input) -> tuple[int, bytes]:
    """Runs a command in a machine that has the recorder. Its exit status, and what was recorded."""
    command = ["/sbin/recorder", parts, str(_EVENTS_MAX), *words]
    outcome = inside.stream(command, given, out, err)
    given_back = bytearray()
    ui.progress("fetching the trace")
    fetched = inside.stream(["/sbin/recorder", "give"], guest.nothing(), given_back.extend, err)
    if fetched.code:
        raise ui.Failure("nothing was recorded", inside.report())
    return outcome.code, bytes(given_back)


def _machine(options: Namespace, kernel: Path, initrd: Path) -> qemu.Machine:
    append = qemu.append_for(kernel, "/sbin/runner", f"trace_buffer={_SLOTS} {options.append}")
    return qemu.Machine(kernel, initrd, append, options.smp, options.mem,
                        extra=run.disk_words(options))


def _write(path: Path, data: bytes) -> None:
    trace = trace_convert.convert(data)
    about = trace["otherData"]
    assert isinstance(about, dict)
    try:
        path.write_text(json.dumps(trace))
    except OSError as error:
        raise ui.Failure(f"-o {path}: {error.strerror}") from None
    lost = f"{about['lost']:,} lost" if about["lost"] else "none lost"
    ui.say(f"helix: {about['events']:,} events, {lost}: {path} "
           "(open it at ui.perfetto.dev or in chrome://tracing)")


def _refuse(options: Namespace) -> None:
    """Before anything is built."""
    run.refuse_what_is_not_there(options)
    text = (paths.TOP / "core/trace_switch.c").read_text()
    parts = [*re.findall(r'^    \[TRACE_\w+\] = "(\w+)",$', text, re.M), "all"]
    for part in options.parts.split(","):
        if part and part not in parts:
            raise ui.WrongWords(f"--parts: there is no part {part}; there is {', '.join(parts)}")


def command(options: Namespace) -> int:
    if not options.command:
        raise ui.WrongWords("trace: a command to run inside is missing: ./helix trace -- CMD")
    if options.arch == "hosted":
        raise ui.Failure("a command behind -- needs ring 3; the hosted machine has linked programs")
    _refuse(options)
    output = ui.output(options.output)
    packages.need(packages.run(), yes=options.yes)
    programs.need(options.yes)
    kernel = run.kernel_of(options)
    archive = run.initrd(options, kernel, True) + rootfs.recorder_only().bytes()
    with qemu.Initrd(archive) as initrd, \
            guest.Guest(_machine(options, kernel, initrd), qemu.log_file("trace")) as inside:
        try:
            inside.wait_ready()
            code, data = record(inside, options.command, options.parts, run.write_all(1),
                                run.write_all(2), guest.from_descriptor(0))
        except guest.Died as died:
            raise guest.explain(inside, died) from None
        inside.power_off()
    _write(output, data)
    return code
