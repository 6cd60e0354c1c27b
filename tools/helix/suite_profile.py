# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a kernel of the profile `modular` makes of its packages at boot: those that are there, are missing, are
broken or do not start, and `helix.safe`; and one of `secure`, with its drivers in ring 3. Each boot is asked by
scripts, which end with 0. `secure/NAME` is the test NAME with `--profile secure`: what the default run has of it is
what touches a driver, on the machine that is meant where none is named."""

import re
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from helix import (guest, keys, programs, qemu, rootfs, suite_boot, suite_busybox, suite_devices, suite_keys, suite_scenario,
                   suite_terminal, suite_tool)
from helix.report import Context, Job, Verdict, single

_LOADED = r"""
for name in fair virtio_blk virtio_console; do hxmod list | grep -q "^$name .* running .* package$" || exit 1; done
for i in $(seq 200); do hxmod list | grep -q '^virtio_rng .* package$' && break; sleep 0.1; done
hxmod list | grep -q '^predictive .* package$' || exit 2
hxmod list | grep -q '^virtio_rng .* package$' || exit 3
! dmesg | grep 'left out' || exit 4
grep -q 'policy fair chosen' /proc/helix/scheduler || exit 5
dmesg | grep -q 'packages are believed that key EXPECTED has signed, the development key of a checkout$' || exit 6
"""
_LEFT_OUT = r"""
for i in $(seq 200); do test $(dmesg | grep -c 'is left out') = 5 && break; sleep 0.1; done
said() { dmesg | grep -q "module $1 is left out: $2" || exit $3; }
said fair 'expected a module named fair, found crumb' 1
said virtio_blk 'expected that it starts, found that start refuses: no space left' 2
said virtio_console 'expected the bytes that were signed' 3
said predictive 'expected it in the root as /lib/helix/NAME.hxm' 4
said virtio_rng 'expected a module named virtio_rng, found bad_need' 5
! hxmod list | grep package || exit 6
hxmod load /good/virtio_rng.hxm || exit 7
hxmod load /good/virtio_blk.hxm || exit 8
hxmod load /good/virtio_console.hxm || exit 9
"""
_SAFE = r"""
dmesg | grep -q 'helix.safe: the packages of the profile are left out' || exit 1
! hxmod list | grep package || exit 2
grep -q 'policy rr chosen' /proc/helix/scheduler || exit 3
! dmesg | grep 'command line: sched=' || exit 4
hxmod load /lib/helix/virtio_blk.hxm || exit 5
"""
# What is read and written here goes through a driver in ring 3, and goes on when that dies.
_SECURE = r"""
for i in $(seq 200); do hxmod list | grep -q '^virtio_rng .* ring 3 ' && break; sleep 0.1; done
for name in mem pl011 uart16550 virtio_blk virtio_console virtio_rng; do
    hxmod list | grep -q "^$name .* running .* ring 3 " || exit 1
done
! dmesg | grep 'left out' || exit 2
echo 'kill mem null 1' > /proc/helix/health || exit 3
for i in 1 2 3 4; do head -c 5000 /dev/urandom > some; done
test $(wc -c < some) = 5000 || exit 4
hxmod health mem | grep -q '^mem  *[a-z]*  *1 ' || exit 5
hxmod move mem kernel && hxmod list | grep -q '^mem .* kernel  *package$' || exit 6
hxmod move mem isolated && hxmod list | grep -q '^mem .* ring 3  *package$' || exit 7
dmesg | grep -q 'packages are believed that key EXPECTED has signed$' || exit 8
hxmod load /development/crumb.hxm 2> said && exit 9
grep -q 'expected a signature by key EXPECTED, found one by DEVELOPMENT' said || exit 10
! hxmod list | grep -q '^crumb ' || exit 11
"""


def _development_key(kernel: Path) -> Path:
    return kernel.parents[1] / "module.key"


def _archive(context: Context, profile: str, spoilt: bool) -> bytes:
    kernel = suite_devices.profile_kernel(context, profile)
    archive = rootfs.with_runner(rootfs.base())
    development = suite_keys.resigned(kernel, "crumb", _development_key(kernel))
    archive.file("development/crumb.hxm", development)
    if not spoilt:
        return rootfs.with_services(archive, kernel).bytes()

    def package(name: str) -> bytes:
        return (kernel.parent / "modules" / f"{name}.hxm").read_bytes()
    archive.file("sbin/hxmod", programs.services()["hxmod"].read_bytes(), 0o755)
    for name in ("virtio_blk", "virtio_console", "virtio_rng"):
        archive.file(f"good/{name}.hxm", package(name))
    changed = bytearray(package("virtio_console"))
    changed[len(changed) // 2] ^= 1
    for name, data in {"fair": package("crumb"), "virtio_blk": package("blk_start"), "virtio_console": bytes(changed),
                       "virtio_rng": package("bad_need")}.items():
        archive.file(f"lib/helix/{name}.hxm", data)
    return archive.bytes()


_BOOTS = {"packages": ("modular", "sched=fair", False, _LOADED), "packages-left-out": ("modular", "", True, _LEFT_OUT),
          "packages-safe": ("modular", "helix.safe sched=fair", False, _SAFE),
          "packages-secure": ("secure", "", False, _SECURE)}


def _run(context: Context, name: str) -> Iterator[Verdict]:
    profile, more, spoilt, script = _BOOTS[name.removeprefix("devices/")]
    kernel = suite_devices.profile_kernel(context, profile)
    archive = _archive(context, profile, spoilt)
    key, packer = keys.of(profile, kernel.parents[2]), kernel.parent / "pack"
    for word, file in (("EXPECTED", key), ("DEVELOPMENT", _development_key(kernel))):
        script = script.replace(word, keys.public(file, packer)[:16])
    if key != _development_key(kernel):
        script = script.replace(", the development key of a checkout", "")
    log = qemu.log_file(name.replace("/", "-"))
    with qemu.Initrd(archive) as data:
        machine = qemu.Machine(kernel, data, qemu.append_for(kernel, "/sbin/runner", more), 2, "256M")
        with guest.Guest(machine, log) as inside:
            try:
                inside.wait_ready()
                outcome = inside.run(["sh", "-c", script], limit_s=120)
                inside.power_off()
                said = (outcome.out + outcome.err).decode(errors="replace")
                problem = f"the script ends with {outcome.code}" if outcome.code or outcome.timed_out else \
                    suite_keys.secret_problem(key, kernel, {"the archive": archive, "the log": log.read_bytes()})
                yield Verdict(name, problem, said + inside.report() if problem else "")
            except guest.Died as died:
                yield Verdict(name, str(died), inside.report())


def jobs(options: Namespace) -> list[Job]:
    if options.kernel == "linux" or options.arch == "hosted":
        return []

    def job(name: str) -> Job:
        return Job([name], lambda context, _: _run(context, name))
    return [job(f"devices/{name}") for name in _BOOTS]


# Of the profile `secure`, which tests are not, and why. Whole names.
_NOT_SECURE = {
    r"(check|rules|proof|unit|hosted|mutants|tool|debug|aarch64|riscv64|secure)/.*": "it boots no kernel of the profile that was named",
    r"fuzz/(host|kernel@.*|fuzz_.*)": "it runs on the host",
    r"boot/core-selftest-(fair|predictive)": "these policies are packages, and a self-test has no root to load them from",
    r"boot/vfs-selftest-.*": "it wants /dev/zero, whose driver is a package, and has no root to load that from",
    r"boot/uefi-(disk|shell)": "its archives are on the disk that UEFI starts it from, and have no packages",
    r"boot/mem-least": "4 MiB have no room for packages",
    r"native/scheduler_logs@.*": "it is about a console whose driver is in the kernel",
    r"native/stepped-.*": "it steps through a module in the kernel",
    r"devices/packages(-.*)?": "it says itself which profile it boots",
    r"devices/(unload|placed)-.*": "it boots the kernel of `modular`, without any driver, and loads them itself, in both placements",
}


def why_not(options: Namespace, name: str) -> str:
    """Why the profile does not run the test; nothing if it does."""
    if options.profile != "secure":
        return ""
    return next((reason for pattern, reason in _NOT_SECURE.items() if re.fullmatch(pattern, name)), "")


# What the default run has of `secure`: of other machines what is theirs.
_SECURE_SHARE = {"x86_64": r"(terminal|busybox)/.*@1|scenario/(files|poll|session|system)@1|devices/(console|disk|rng)-pci|"
                           r"boot/(plain-archive|console-alone)",
                 "aarch64": r"devices/(console-mmio|disk-iommu)|terminal/driver-dies@1",
                 "riscv64": r"devices/(console-pci|disk-mmio)|terminal/driver-dies@1"}


def _secure_job(job: Job, names: list[str]) -> Job:
    def run(context: Context, chosen: list[str]) -> Iterator[Verdict]:
        options = Namespace(**{**vars(context.options), "profile": "secure"})
        inner = Context(suite_devices.profile_kernel(context, "secure"), options)
        for verdict in job.run(inner, [name.removeprefix("secure/") for name in chosen]):
            yield Verdict(f"secure/{verdict.name}", verdict.failure, verdict.detail)
    return Job([f"secure/{name}" for name in names], run)


def secure_jobs(options: Namespace) -> list[Job]:
    if options.kernel or options.arch not in _SECURE_SHARE or options.profile != "minimal":
        return []
    found = [(job, [name for name in job.names if re.fullmatch(_SECURE_SHARE[options.arch], name)])
             for suite in (suite_boot, suite_terminal, suite_busybox, suite_scenario, suite_devices) for job in suite.jobs(options)]
    demos = [single(f"secure/demo-{what}", lambda _, what=what: suite_tool.demonstrates(what, "secure")) for what in ("heal", "swap")] \
        if options.arch == "x86_64" else []
    return [_secure_job(job, names) for job, names in found if names] + demos
