# SPDX-License-Identifier: MIT OR Apache-2.0
"""Boot tests: one machine each; the verdict is how QEMU ends and what the console says."""

import random
import re
import socket
import stat
import struct
import subprocess
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from helix import cpio, image, packages, paths, programs, qemu, rootfs, targets
from helix.report import Context, Failed, Job, single

_GUARD_S = 120  # a machine that has not ended by then hangs
GOOD = r"first: all good"  # what tests/boot/first.c ends with
_PT_LOAD = 1


@dataclass
class Boot:
    """A boot and what must be seen. Each `expect` is a regular expression."""

    name: str
    initrd: Callable[[], bytes] | None = None
    append: str = "rdinit=/first"
    expect: list[str] = field(default_factory=lambda: [GOOD])
    never: list[str] = field(default_factory=lambda: [r"first: WRONG.*", r"first: failed"])
    smp: int = 1
    mem: str = "128M"
    cpu: str = ""  # as the next: the target's
    machine: str = ""
    extra: list[str] = field(default_factory=list)
    status: int = 0
    linux: bool = True  # Linux does the same
    restarts: bool | None = None  # whether the machine must end to start anew, if that is of interest
    elf: bool = False  # the ELF file, where another one is the usual form
    is_alone: bool = False  # the console is a virtio one, and there is no serial line
    look: Callable[[str], str] = lambda _: ""  # at the console's text: what is wrong with it


def _first() -> bytes:
    return programs.build(paths.TOP / "tests" / "boot" / "first.c").read_bytes()


def _large() -> bytes:
    return bytes((i * 7 + i // 251) & 255 for i in range(3000000))


def _archive() -> cpio.Archive:
    archive = cpio.Archive()
    archive.device("dev/console", stat.S_IFCHR, 5, 1)
    archive.file("first", _first(), 0o755)
    return archive


def _tree() -> cpio.Archive:
    archive = _archive()
    archive.file("tree/file", b"hello\n", 0o640)
    archive.file("tree/empty", b"")
    archive.folder("tree/deep/er", 0o711)
    archive.link("tree/link", "file")
    archive.hard_links(["tree/hard1", "tree/hard2"], b"twice")
    archive.device("tree/device", stat.S_IFCHR, 1, 3, 0o666)
    archive.fifo("tree/fifo")
    archive.file("tree/large", _large())
    return archive


def plain() -> bytes:
    """An archive with tests/boot/first.c."""
    return _archive().bytes()


def _packed() -> bytes:
    return cpio.compress(_tree().bytes())


def _joined() -> bytes:
    """A plain archive, zeros, and a packed one behind it."""
    plain = cpio.Archive()
    plain.device("dev/console", stat.S_IFCHR, 5, 1)
    return plain.bytes() + b"\0" * 1024 + _packed()


def _with_script() -> bytes:
    archive = rootfs.base()
    archive.file("first", _first(), 0o755)
    archive.file("init", b"#!/bin/sh\necho the script runs\nexec /first\n", 0o755)
    return archive.bytes()


_LINES = 300  # fewer than the log keeps

# Some of them are logged while the driver of the only console is away.
_SWAPS = f"""#!/bin/sh
mount -t devtmpfs devtmpfs /dev
(i=0; while [ $i -lt {_LINES} ]; do echo "line $i." >/dev/kmsg; i=$((i+1)); done) &
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
    hxmod swap virtio_console || echo "first: failed"
done
wait
exec /first
"""


def _with_swaps() -> bytes:
    archive = rootfs.with_programs(rootfs.base())
    archive.file("first", _first(), 0o755)
    archive.file("init", _SWAPS.encode(), 0o755)
    return archive.bytes()


def _lines_lost(text: str) -> str:
    places = [text.find(f"] line {i}.\n") for i in range(_LINES)]
    if -1 in places:
        return f"of {_LINES} lines these are not on the console: {[i for i, at in enumerate(places) if at < 0]}"
    return "" if places == sorted(places) else "lines on the console are not in their order"


def _not_a_program() -> bytes:
    archive = _archive()
    archive.file("text", b"not a program\n", 0o755)
    archive.file("elf", b"\x7fELF" + bytes(60), 0o755)
    archive.file("plain", b"x", 0o644)
    return archive.bytes()


def _cut(data: bytes, part: float) -> bytes:
    return data[:int(len(data) * part)]


def _flipped(data: bytes, seed: int) -> bytes:
    generator = random.Random(seed)
    changed = bytearray(data)
    for _ in range(20):
        changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)
    return bytes(changed)


def _bad_sizes() -> bytes:
    """An archive whose second header claims nearly four gigabytes."""
    data = bytearray(plain())
    at = data.index(b"070701", 6)
    data[at + 54:at + 62] = b"FFFFFFF0"
    return bytes(data)


def _check_text(boot: Boot, text: str) -> str:
    for pattern in boot.expect:
        if not re.search(pattern, text):
            return f"the console does not show /{pattern}/"
    for pattern in boot.never:
        found = re.search(pattern, text)
        if found:
            return f"the console shows '{found.group()}'"
    return boot.look(text)


def panic_trace(text: str) -> str:
    """A panic shows the last 32 events, in their order, its own among them. What is wrong."""
    found = re.search(r"^last (\d+) trace events \(.*\):\n((?:  \d+ \d+ \d+ [A-Z_]+ [0-9a-f]+ [0-9a-f]+\n)*)",
                      text, re.M)
    events = [line.split() for line in found.group(2).splitlines()] if found else []
    times = [int(event[0]) for event in events]
    if found is None or len(events) != 32 or found.group(1) != "32":
        return f"the panic shows {len(events)} events"
    if times != sorted(times):
        return "the panic's events are not in their order"
    # Others may have recorded something until they were stopped.
    here = [event for event in events if event[1] == events[-1][1]]
    panics = [event for event in events if event[3] == "PANIC"]
    return "" if len(panics) == 1 and (panics[0] == here[-1] or panics[0][1] != events[-1][1]) \
        else "the panic's own event is not its processor's last"


def run(boot: Boot, machine: qemu.Machine) -> None:
    """Starts the machine and judges it."""
    built = machine.kernel.parent.name if machine.kernel else "disk"  # the same boot of another one may be beside it
    log = qemu.log_file(f"boot-{boot.name}-{built}")
    machine.serial = ["none" if boot.is_alone else f"file:{log}"]
    if boot.is_alone:
        machine.extra += ["-chardev", f"file,id=line,path={log}", "-device", "virtio-serial-pci",
                          "-device", "virtconsole,chardev=line"]
    ours, its = socket.socketpair()
    if boot.restarts is not None:
        machine.extra += ["-S", "-chardev", f"socket,id=monitor,fd={its.fileno()}",
                          "-mon", "chardev=monitor,mode=control"]
        ours.sendall(b'{"execute": "qmp_capabilities"}{"execute": "cont"}')
    try:
        done = subprocess.run(machine.command(), stdin=subprocess.DEVNULL, timeout=_GUARD_S, pass_fds=[its.fileno()],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"the machine did not end within {_GUARD_S} s", qemu.tail(log)) from None
    text = log.read_bytes().decode(errors="replace").replace("\r", "") if log.exists() else ""
    wrong = _check_text(boot, text)
    its.close()
    with ours, ours.makefile() as file:
        ended = file.read()
    if boot.restarts is not None and boot.restarts != ('"reason": "guest-reset"' in ended):
        wrong = wrong or f"the machine ends otherwise than it should: {ended}"
    if done.returncode != boot.status:
        wrong = wrong or f"QEMU's exit status is {done.returncode}, not {boot.status}"
    if wrong:
        raise Failed(wrong, qemu.tail(log) + "\n" + done.stdout.decode(errors="replace"))


def run_with(boot: Boot, machine: qemu.Machine, packages: bytes) -> None:
    """The same with the boot's archive, if it has one, and the profile's packages (Context) behind it."""
    if boot.initrd is None:
        run(boot, machine)
        return
    archive = boot.initrd()
    padding = bytes(-len(archive) % 4)  # what is not packed begins at a multiple (Linux, init/initramfs.c)
    with qemu.Initrd(archive + padding + packages if packages else archive) as machine.initrd:
        run(boot, machine)


def _job(boot: Boot) -> Job:
    def body(context: Context) -> None:
        assert context.kernel is not None
        words = f"console={'hvc0' if boot.is_alone else targets.current().console}"
        words += "" if "panic=" in boot.append else " panic=-1"
        append = f"{words} {boot.append}"
        kernel = context.kernel.with_name("helix.elf") if boot.elf else context.kernel
        machine = qemu.Machine(kernel, None, append, boot.smp, boot.mem, boot.cpu,
                               boot.machine, extra=list(boot.extra))
        run_with(boot, machine, context.packages())
    return single(f"boot/{boot.name}", body)


def _iso(context: Context) -> None:
    assert context.kernel is not None
    packages.need(packages.ISO, yes=context.options.yes)
    target = paths.ensure(paths.OUT / "tmp") / "test.iso"
    image.make_iso(context.kernel, plain() + context.packages(), "console=ttyS0 panic=-1 rdinit=/first", target)
    machine = qemu.Machine(None, extra=["-cdrom", str(target), "-boot", "d"])
    run(Boot("iso"), machine)


# What is said where a loader had too little memory for both.
OVER_KERNEL = (r"panic: the loader put the initramfs \(0x[0-9a-f]+ to 0x[0-9a-f]+\) over the kernel "
               r"\(0x[0-9a-f]+ to 0x[0-9a-f]+\): this machine has too little memory for both\n")


def _initrd_over_kernel(context: Context) -> None:
    """QEMU puts the archive at the end of memory, which is here 8 KiB before the kernel's."""
    assert context.kernel is not None
    elf = context.kernel.read_bytes()
    offset, = struct.unpack_from("<Q", elf, 0x20)
    size, count = struct.unpack_from("<HH", elf, 0x36)
    segments = [struct.unpack_from("<I20xQ8xQ", elf, offset + i * size) for i in range(count)]
    end = max(start + length for kind, start, length in segments if kind == _PT_LOAD)
    archive = plain().ljust((4 << 20) - (end - 8192), b"\0")
    words = "console=ttyS0 panic=-1 rdinit=/first"
    with qemu.Initrd(archive) as initrd:
        run(Boot("initrd-over-kernel", expect=[OVER_KERNEL], never=[]),
            qemu.Machine(context.kernel, initrd, words, 1, "4M"))


def _machines() -> list[Boot]:
    boots = [Boot(f"smp-{count}", plain, smp=count, expect=[GOOD, f"first: {count} processors"])
             for count in (1, 2, 4, 8)]
    boots += [Boot("cpu-qemu64", plain, cpu="qemu64"),
              Boot("cpu-max", plain, cpu="max"),
              Boot("machine-pc", plain, machine="pc"),
              Boot("machine-microvm", plain, machine="microvm", linux=False,
                   expect=["scheduler rr\n", GOOD]),
              Boot("machine-microvm-smp-2", plain, machine="microvm", smp=2, linux=False,
                   expect=[GOOD, "first: 2 processors"]),
              Boot("console-alone-quiet", plain, "rdinit=/first quiet", linux=False, is_alone=True, expect=["no early console", GOOD],
                   never=[r"processors, counter", r"Run /first"]),
              # All of the log, also what was said before the console was there.
              Boot("console-alone", plain, linux=False, is_alone=True,
                   expect=[r"^\[ +0\.0+\] Helix, started by pvh", "no early console: a panic will show nothing\n", GOOD,
                           r"\] Power down\n"]),
              Boot("console-alone-swapped", _with_swaps, "", smp=2, linux=False, is_alone=True, look=_lines_lost),
              *(Boot(f"microvm-rng-{how}", plain, "rdinit=/first strong restart", cpu="qemu64",
                     machine=machine, linux=False,
                     extra=["-device", "virtio-rng-device"])
                for how, machine in (("acpi", "microvm"), ("words", "microvm,acpi=off"))),
              Boot("mem-24M", plain, mem="24M", linux=False),
              Boot("mem-6G", plain, mem="6G"),
              # QEMU puts the archive at the end of memory, whatever is there: it has to fit behind the kernel.
              Boot("mem-too-little", lambda: plain() + bytes(1150000), mem="4M", linux=False, never=[],
                   expect=[r"panic: Helix with this initramfs needs at least 5 MiB; "
                           r"this machine has 4\n"]),
              Boot("mem-overlapped", lambda: plain() + bytes(1450000), mem="4M", linux=False, never=[],
                   expect=[r"panic: the loader put the initramfs \(0x\w+ to 0x\w+\) over the kernel "]),
              Boot("mem-least", plain, mem="4M", linux=False)]
    return boots


# Words for tests/boot/first.c, and whether the machine starts anew then.
_ENDS = {"off": ("off", False), "anew": ("restart", True)}


def _starts() -> list[Boot]:
    environment = [r"first: env HOME=/\n", r"first: env TERM=linux\n"]
    return [
        # A line of the log comes once, whoever prints it.
        Boot("plain-archive", lambda: _tree().bytes(), expect=[GOOD, "the tree was looked at"],
             never=[r"Run /first as init process[^$]*Run /first as init process", r"first: WRONG.*", r"first: failed"]),
        Boot("gzip-archive", _packed, expect=[GOOD, "the tree was looked at"]),
        Boot("joined-archives", _joined, expect=[GOOD, "the tree was looked at"]),
        Boot("words-for-init", plain, "rdinit=/first NAME=value word quiet -- one two",
             [GOOD, r"argv\[0\]=/first\n", r"argv\[1\]=word\n", r"argv\[2\]=one\n",
              r"argv\[3\]=two\n", r"env NAME=value\n", *environment],
             [r"argv\[4\]", "first: failed", "env quiet"]),
        Boot("init-word", plain, "init=/first -- one two",
             [GOOD, r"argv\[0\]=/first\n", r"argv\[1\]=one\n", r"argv\[2\]=two\n"], linux=False),
        Boot("init-script", _with_script, "", ["the script runs", GOOD]),
        Boot("restart", plain, "rdinit=/first -- restart"),
        *(Boot(f"ends-{name}", plain, f"rdinit=/first -- {word}", restarts=restarts)
          for name, (word, restarts) in _ENDS.items()),
        Boot("quoted-words", plain, 'rdinit=/first A="two words" -- "three four"',
             [GOOD, r"env A=two words\n", r"argv\[1\]=three four\n"], linux=False),
    ]


# What a machine says when the kernel reads or executes what is a program's: vector and code (Intel SDM 3A, 4.7;
# Arm ARM, D17.2.37; RISC-V privileged ISA, table 4.2).
_GUARDS = {"x86_64": ("14, code 0x1", "14, code 0x11"),
           "aarch64": ("37, code 0x9600000f", "33, code 0x8600000f"),
           "riscv64": ("13, code 0xd", "12, code 0xc")}


def _guards() -> list[Boot]:
    """The kernel goes astray in a program's page, and the processor does not let it."""
    codes = _GUARDS[targets.current().name]
    return [Boot(f"panic-user-{what}", None, f"selftest=user-{what}",
                 [rf"panic: fault \d+ \(vector {code}\) at address 0x400000\n"], [], linux=False)
            for what, code in zip(("read", "run"), codes, strict=True)]


def _panic_others(name: str, machine: str = "") -> Boot:
    """One processor panics, the others are busy, some of them with interrupts off."""
    return Boot(f"panic-{name}", None, "panic=4 selftest=panic-others", [r"panic: .*selftest=panic-others"],
                [r"this processor still runs"], smp=4, machine=machine, linux=False)


def _panics() -> list[Boot]:
    dead_init = [r"(?i)(kernel panic|panic:).*\n"]
    return [
        Boot("init-exits", plain, "rdinit=/first -- exit", [GOOD, *dead_init]),
        Boot("init-crashes", plain, "rdinit=/first -- crash", [GOOD, *dead_init]),
        Boot("panic-after-a-second", plain, "panic=1 rdinit=/first -- exit", [GOOD, *dead_init]),
        Boot("panic-shows", plain, "selftest=panic",
             [r"panic: .*selftest=panic", r"kernel_main"], [], linux=False),
        Boot("stack-overflow", None, "selftest=overflow",
             [r"kernel panic: ", r"thread \d+ \(overflow\)", r"at [0-9a-f]+ overflow\+"], [],
             linux=False),
        _panic_others("others"),
        *_guards(),
        *(Boot(f"panic-trace-smp-{count}", plain, "rdinit=/first -- exit", dead_init, [], smp=count,
               linux=False, look=panic_trace) for count in (1, 4)),
    ]


# What may be said of an image that is no good.
_ABOUT = r"(?i)(initramfs|initrd|rootfs image)"


def _damage() -> list[Boot]:
    boots = [
        Boot("cut-archive", lambda: _cut(plain(), 0.5), expect=[_ABOUT]),
        Boot("cut-in-a-header", lambda: plain()[:50], expect=[_ABOUT]),
        Boot("cut-gzip", lambda: _cut(_packed(), 0.5), expect=[_ABOUT]),
        Boot("no-archive", lambda: random.Random(7).randbytes(100000), expect=[_ABOUT]),
        Boot("sizes-that-lie", _bad_sizes, expect=[_ABOUT]),
        Boot("empty-archive", lambda: cpio.Archive().bytes(), expect=[r"(?i)panic"]),
    ]
    for seed in range(1, 7):
        boots.append(Boot(f"flipped-bits-{seed}", lambda seed=seed: _flipped(plain(), seed),
                          expect=[], never=[]))
        boots.append(Boot(f"flipped-gzip-bits-{seed}",
                          lambda seed=seed: _flipped(_packed(), seed), expect=[], never=[]))
    for boot in boots:
        boot.never = []
    return boots


def _bad_words() -> list[Boot]:
    panic = [r"(?i)panic"]
    return [
        Boot("init-absent", plain, "rdinit=/absent", [r"(?i)/absent"], []),
        Boot("init-no-program", _not_a_program, "rdinit=/text", [r"(?i)/text", *panic], []),
        Boot("init-empty-elf", _not_a_program, "rdinit=/elf", [r"(?i)/elf", *panic], []),
        Boot("init-not-executable", _not_a_program, "rdinit=/plain", [r"(?i)/plain"], []),
        Boot("long-command-line", plain, "rdinit=/first " + "x" * 1500, [GOOD]),
        Boot("many-words", plain, "rdinit=/first " + " ".join(f"w{i}" for i in range(300)), [], [],
             linux=False),
        Boot("policy-that-is-none", plain, "rdinit=/first sched=best",
             [GOOD, r"sched=best is no scheduling policy", r"sched=fair\n"], linux=False),
        Boot("odd-command-line", plain, 'rdinit=/first = == -- " a=" "', [], []),
        Boot("numbers-that-are-none", plain, "rdinit=/first panic=abc maxcpus=many", [GOOD]),
    ]


def _selftests() -> list[Boot]:
    """What the kernel tests from inside; it tells the result through an exit device."""
    device = list(targets.current().exit_device)
    return [Boot(f"{what}-selftest-smp-{count}", None, f"selftest={what}", [], [r"(?i)panic"],
                 smp=count, extra=device, status=33, linux=False)
            for what in ("core", "memory", "vfs") for count in (1, 4)]


def _policies() -> list[Boot]:
    device = list(targets.current().exit_device)
    return [Boot(f"core-selftest-{policy}", None, f"selftest=core sched={policy}",
                 [rf"scheduler {policy}", rf"core passed, 4 processors, policy {policy}"], [r"(?i)panic"], smp=4,
                 extra=device, status=33, linux=False) for policy in ("fair", "predictive")]


def _aarch64_machines() -> list[Boot]:
    shapes = {"cortex-a72": ("cortex-a72", "virt"), "gic-3": ("max", "virt,gic-version=3"),
              "el2": ("cortex-a72", "virt,virtualization=on"), "secure": ("cortex-a72", "virt,secure=on"),
              "secure-gic-3": ("max", "virt,secure=on,gic-version=3")}
    boots = [Boot(f"smp-{count}", plain, smp=count, expect=[GOOD, f"first: {count} processors"])
             for count in (1, 2, 4, 8)]
    boots += [Boot(f"machine-{name}", plain, smp=2, cpu=cpu, machine=machine,
                   expect=[GOOD, "first: 2 processors"])
              for name, (cpu, machine) in shapes.items()]
    boots += [_panic_others(f"others-{name}", f"virt,{machine}")
              for name, machine in (("gic-3", "gic-version=3"), ("secure", "secure=on"),
                                    ("secure-gic-3", "secure=on,gic-version=3"))]
    # QEMU loads no initramfs for an ELF file.
    boots.append(Boot("elf", None, "selftest=core", [r"started by elf", r"2 of 2 processors"],
                      [r"(?i)panic"], smp=2, extra=list(targets.current().exit_device), status=33,
                      elf=True))
    # QEMU's device tree alone takes 1 MiB of it.
    return [*boots, Boot("mem-24M", plain, mem="24M"), Boot("mem-6G", plain, mem="6G")]


def _riscv64_machines() -> list[Boot]:
    boots = [Boot(f"smp-{count}", plain, smp=count, expect=[GOOD, f"first: {count} processors"])
             for count in (1, 2, 4, 8)]
    boots += [Boot("elf", plain, smp=2, expect=[GOOD, "first: 2 processors"], elf=True),
              Boot("sv39", plain, "rdinit=/first no4lvl", smp=2, expect=[GOOD, "first: 2 processors"]),
              Boot("sv39-shows", None, "selftest=overflow no4lvl", [r"satp 8[0-9a-f]{15}\n"], [], linux=False),
              Boot("sv57", plain, "rdinit=/first mmu=sv57 -- far", smp=2,
                   expect=[GOOD, "first: 2 processors", "first: far memory to 56 bits"], linux=False),
              Boot("sv57-forbidden", plain, "rdinit=/first mmu=sv57 no5lvl -- far",
                   expect=[GOOD, "first: no far memory"], linux=False),
              Boot("sv57-shows", None, "selftest=overflow mmu=sv57", [r"satp a[0-9a-f]{15}\n"], [], linux=False),
              Boot("sv57-selftest", None, "selftest=memory mmu=sv57",
                   [r"memory: announced: 1, 2 for code"], [r"(?i)panic"], smp=4,
                   extra=list(targets.current().exit_device), status=33, linux=False),
              Boot("no-sstc", plain, smp=2, cpu="rv64,sstc=off", expect=[GOOD, "first: 2 processors"])]
    # OpenSBI takes 2 MiB of it, and QEMU puts the device tree at a boundary of 16.
    return [*boots, Boot("mem-32M", plain, mem="32M"), Boot("mem-6G", plain, mem="6G")]


_MACHINES = {"aarch64": _aarch64_machines, "riscv64": _riscv64_machines}


def _boots(arch: str) -> list[Boot]:
    machines = _MACHINES[arch]() if arch in _MACHINES else _machines() + _policies()
    return machines + _starts() + _panics() + _damage() + _bad_words() + _selftests()


def names(arch: str) -> list[str]:
    return [f"boot/{boot.name}" for boot in _boots(arch)]


def jobs(options: Namespace) -> list[Job]:
    ours = options.kernel != "linux"
    made = [_job(boot) for boot in _boots(options.arch) if ours or boot.linux]
    if ours and options.arch == "x86_64":
        made += [single("boot/iso", _iso), single("boot/initrd-over-kernel", _initrd_over_kernel)]
    return made
