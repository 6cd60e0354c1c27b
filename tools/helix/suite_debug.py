# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests with the kernel that checks the order of its locks and what it frees (HELIX_DEBUG), in the default run:
`debug/ARCH/NAME` is the test NAME with that kernel on that machine, in a ./helix of its own. It is a share:
each part of the kernel takes its locks in it, by ways that succeed and by some that are refused."""

from argparse import Namespace
from collections.abc import Iterator

from helix import build, packages, suite_other, targets
from helix.report import Context, Job, Verdict

_SHARE = ["boot/vfs-selftest-smp-4", *(f"scenario/{name}@4" for name in ("proc", "names", "sockets", "epoll")),
          "fuzz/syscalls-short@4"]
_NAMES = {"x86_64": [*_SHARE, "native/handles@4"], "aarch64": _SHARE, "riscv64": _SHARE}


def _run(arch: str, names: list[str], context: Context) -> Iterator[Verdict]:
    packages.need(packages.BUILD, yes=context.options.yes)
    image = targets.of(arch).image
    kernel = build.configure_and_build(f"{arch}-debug", context.options.profile, targets=[image]) / image
    yield from suite_other.nested(f"debug/{arch}/", names, ["--arch", arch, "--kernel", str(kernel)])


def _job(arch: str) -> Job:
    prefix = f"debug/{arch}/"
    names = [prefix + name for name in _NAMES[arch]]
    return Job(names, lambda context, chosen: _run(arch, chosen, context), False)


def jobs(options: Namespace) -> list[Job]:
    if options.kernel or options.arch == "hosted":
        return []
    return [_job(arch) for arch in _NAMES if options.arch in ("x86_64", arch)]
