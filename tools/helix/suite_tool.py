# SPDX-License-Identifier: MIT OR Apache-2.0
"""The command itself: what ./helix says, carries and leaves behind."""

import random
from argparse import Namespace

from helix import guest, qemu, rootfs, suite_scenario
from helix.report import Context, Failed, Job, single


def _carries_bytes(context: Context) -> None:
    """3 MB of all kinds of bytes in and the same out at once."""
    data = random.Random(context.seed).randbytes(3000000)
    archive = rootfs.with_runner(rootfs.base())
    with qemu.Initrd(archive.bytes()) as initrd, \
            suite_scenario.start(context, initrd, 2, "tool-carries-bytes") as inside:
        try:
            inside.wait_ready()
            outcome = inside.run(["cat"], data, limit_s=600)
            inside.power_off()
        except guest.Died as died:
            raise Failed(str(died), inside.report()) from None
    if outcome.code or outcome.err:
        raise Failed(f"exit status {outcome.code}", outcome.err.decode(errors="replace"))
    if outcome.out != data:
        same = next((at for at, (a, b) in enumerate(zip(data, outcome.out)) if a != b),
                    len(outcome.out))
        raise Failed(f"{len(outcome.out)} bytes of {len(data)} came back, good up to {same}")


def jobs(_: Namespace) -> list[Job]:
    return [single("tool/carries-bytes", _carries_bytes)]
