# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix check as tests: format, ratchets, scripts, and that the second compiler takes the kernel."""

from argparse import Namespace

from helix import check, packages
from helix.report import Context, Failed, Job, single

_STEPS = ("format", "ratchets", "scripts", "types", "pages", "gcc")  # tidy takes minutes


def _job(step: str, options: Namespace) -> Job:
    def body(_: Context) -> None:
        packages.need(packages.BUILD, packages.CHECK, yes=options.yes)
        problems = check.problems(step, options)
        if problems:
            raise Failed(f"{len(problems)} problems; ./helix check shows them", "\n".join(problems))
    return single(f"check/{step}", body, machines=False)


def jobs(options: Namespace) -> list[Job]:
    return [_job(step, options) for step in _STEPS]
