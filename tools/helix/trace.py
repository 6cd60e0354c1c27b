# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix trace: runs a command inside and writes what the whole machine did meanwhile."""

import json
from argparse import Namespace
from pathlib import Path

from helix import guest, packages, programs, qemu, rootfs, run, trace_convert, ui

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


def _machine(options: Namespace, initrd: Path) -> qemu.Machine:
    kernel = run.kernel_of(options)
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


def command(options: Namespace) -> int:
    if not options.command:
        raise ui.WrongWords("trace: a command to run inside is missing: ./helix trace -- CMD")
    if options.arch == "hosted":
        raise ui.Failure("a command behind -- needs ring 3; the hosted machine has linked programs")
    run.refuse_what_is_not_there(options)
    packages.need(packages.run(), yes=options.yes)
    programs.need(options.yes)
    archive = run.initrd(options, run.kernel_of(options), True) + rootfs.recorder_only().bytes()
    with qemu.Initrd(archive) as initrd, \
            guest.Guest(_machine(options, initrd), qemu.log_file("trace")) as inside:
        try:
            inside.wait_ready()
            code, data = record(inside, options.command, options.parts, run.write_all(1),
                                run.write_all(2), guest.from_descriptor(0))
        except guest.Died as died:
            raise guest.explain(inside, died) from None
        inside.power_off()
    _write(Path(options.output), data)
    return code
