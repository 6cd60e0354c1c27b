# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fuzzing: programs that misbehave inside (tests/fuzz), and the parsers on the host under libFuzzer.
The seed decides both; --seconds says how long each runs."""

import subprocess
from argparse import Namespace
from pathlib import Path

from helix import build, guest, packages, paths, programs, qemu, rootfs, suite_scenario
from helix.report import Context, Failed, Job, single


def _initrd() -> bytes:
    archive = rootfs.with_runner(rootfs.base())
    built = programs.build(paths.TOP / "tests" / "fuzz" / "syscalls.c")
    archive.file("tests/syscalls", built.read_bytes(), 0o755)
    return archive.bytes()


def _syscalls(context: Context, smp: int) -> None:
    """The program runs to its end, and the machine still does what it should afterwards."""
    seconds = int(context.options.seconds)
    words = ["/tests/syscalls", str(context.seed), str(seconds)]
    with qemu.Initrd(_initrd()) as data, \
            suite_scenario.start(context, data, smp, f"fuzz-syscalls-{smp}",
                                 silence_s=seconds + 240) as inside:
        output = bytearray()
        try:
            inside.wait_ready()
            outcome = inside.stream(words, guest.nothing(), output.extend, output.extend,
                                    limit_s=seconds + 120)
            after = inside.run(["sh", "-c", "echo alive; ls /bin | wc -l; cat /proc/meminfo"])
            inside.power_off()
        except guest.Died as died:
            said = output.decode(errors="replace")[-300:]
            raise Failed(str(died), f"{inside.report()}\n{said}") from None
    if outcome.code or outcome.timed_out:
        raise Failed(f"the fuzzer ended with {outcome.code}",
                     inside.report() + output.decode(errors="replace")[-2000:])
    if not after.out.startswith(b"alive\n"):
        raise Failed("the system does not answer afterwards", after.out.decode(errors="replace"))


def _sources() -> list[Path]:
    return sorted(source for source in paths.TOP.glob("*/**/fuzz_*.c")
                  if "out" not in source.relative_to(paths.TOP).parts)


def _folder(context: Context) -> Path:
    packages.need(packages.BUILD, packages.HOSTED, yes=context.options.yes)
    with build.hosted_lock:
        return build.configure_and_build("hosted", context.options.profile)


def _parser(context: Context, source: Path) -> None:
    found = [file for file in _folder(context).rglob(source.stem) if file.is_file()]
    if not found:
        raise Failed(f"the hosted build makes no {source.stem}")
    seconds = max(1, int(context.options.seconds) // 12)
    work = paths.ensure(paths.OUT / "fuzz" / source.stem)
    done = subprocess.run([str(found[0]), f"-max_total_time={seconds}", f"-seed={context.seed}",
                           "-rss_limit_mb=2048", "-timeout=20", "-print_final_stats=1",
                           f"-artifact_prefix={work}/"], text=True, cwd=work,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise Failed(f"libFuzzer found something (status {done.returncode})", done.stdout[-6000:])


def jobs(_: Namespace) -> list[Job]:
    made = [single(f"fuzz/syscalls@{smp}", lambda context, smp=smp: _syscalls(context, smp))
            for smp in suite_scenario.SMP]
    made += [single(f"fuzz/{source.stem.removeprefix('fuzz_')}",
                    lambda context, source=source: _parser(context, source), machines=False)
             for source in _sources()]
    return made
