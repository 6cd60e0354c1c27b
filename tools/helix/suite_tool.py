# SPDX-License-Identifier: MIT OR Apache-2.0
"""The command itself: what ./helix says, carries and leaves behind."""

import fcntl
import gzip
import lzma
import os
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from pathlib import Path
from xml.etree import ElementTree

from helix import bench_linux, guest, packages, paths, programs, qemu, rootfs, suite_keys, suite_new, suite_scenario, suite_trace, ui
from helix.report import Context, Failed, Job, Verdict, single, verdicts

# What is wrong in the words of a call, and what must be said: in one line, with status 2.
_WRONG = {
    "run --smp 0": r"'0' is no number of processors; say 1 to \d+",
    "run --smp x": r"'x' is no number of processors",
    "run --mem x": r"'x' is no size of memory; say 64M",
    "run --mem 0": r"'0' is no size of memory",
    "run --arch vax": r"no Helix for vax yet; there is x86_64",
    "build --profile secure": r"secure takes no key of the checkout: '\./helix key FILE' makes one of yours, --key FILE gives it",
    "build --profile secure --key out/module.key": r"secure takes no key of the checkout: '\./helix key FILE'",
    "image --profile secure -o nothing.iso": r"secure takes no key of the checkout: '\./helix key FILE'",
    "run --key nothing": r"--key: there is no file nothing; '\./helix key nothing' makes a key",
    "build --key README.md": r"--key: README\.md is no private key, which has 32 bytes",
    "build --profile huge": r"no profile huge yet; there is minimal, modular, secure",
    "run ls /": r"behind --: \./helix run -- ls /",
    "test --profile secure unit/rng_test": r"unit/rng_test is left out: it boots no kernel of the profile",
    "run --frobnicate": r"run does not know --frobnicate",
    "trace": r"a command to run inside is missing: \./helix trace -- CMD",
    "trace ls": r"behind --: \./helix trace -- ls",
    "test check/format nonsense": r"no test is called nonsense; suites: ",
    "test --seconds 5 scenario/fork": r"only fuzz/syscalls has them",
    "test --smp 7 scenario/fork": r"none of these tests is for --smp 7",
    "run --disk nothing.img -- true": r"--disk: there is no file nothing\.img",
    "run -smp 4": r"run does not know -smp 4 \(did you mean --smp\?\); '\./helix run --help'",
    "cc x.c -O2 -o x": r"cc does not know -O2; '\./helix cc --help' explains",
    "cc --arch hosted x.c -o x": r"no compiler for hosted yet; there is x86_64, aarch64, riscv64",
    "cc tests/scenario/fork.c -o nothing/x": r"-o nothing/x: there is no folder nothing",
    "run --root nothing": r"--root: there is no folder nothing",
    "debug --root nothing": r"--root: there is no folder nothing",
    "debug --kernel linux": r"--kernel: gdb needs the symbols",
    "run --initrd nothing -- true": r"--initrd: there is no file nothing",
    "run --kernel nothing": r"--kernel: there is no file nothing",
    "run --arch aarch64 --smp 9": r"--smp 9: QEMU's machine for aarch64 has 8 processors at most",
    "run --arch hosted --root tests": r"--root: the hosted machine has linked programs only",
    "trace --parts syscall,bogus -o nothing/x.json -- true": r"there is no part bogus; there is syscall, port, all",
    "trace -o nothing/x.json -- true": r"-o nothing/x\.json: there is no folder nothing",
    "trace -o tests -- true": r"-o tests: it is a folder",
    "test torture --seed 34": r"--seed: torture has seeds with --arch hosted only",
    "test check/format --seeds 2": r"--seeds: only '\./helix test torture --arch hosted'",
    "test torture --arch hosted --seeds 0": r"'0' is no number from 1 to",
    "test check/format --jobs 0": r"'0' is no number from 1 to",
    "image --arch aarch64 -o nothing/x.iso": r"on x86_64 only; '\./helix build --arch aarch64' makes what",
    "image --arch riscv64 -o nothing/x.iso": r"on x86_64 only; '\./helix build --arch riscv64' makes what",
    "image --arch hosted -o nothing/x.iso": r"on x86_64 only; '\./helix build --arch hosted' makes what",
    "image -o nothing/x.img": r"only ISO images can be made yet",
    "image -o nothing/x.iso": r"-o nothing/x\.iso: there is no folder nothing",
    "image --add nothing -o nothing/x.iso": r"--add: there is no folder nothing",
    "demo heal -o nothing/x.svg": r"-o nothing/x\.svg: there is no folder nothing",
    "demo": r"the following arguments are required: what",
    "demo sing": r"what: invalid choice: 'sing'",
    "demo heal --times 0": r"'0' is no number from 1 to 10000",
    "demo heal --mib 2048": r"'2048' is no number from 1 to 1024",
    "frobnicate": r"'frobnicate'",
    "cc nothing.c -o nothing": r"there is no file nothing\.c",
}


def _call(words: str, limit_s: float = 60, last: str = "") -> subprocess.CompletedProcess[str]:
    """./helix with those words, and one that may have blanks."""
    return subprocess.run([paths.TOP / "helix", *words.split(), *([last] if last else [])], text=True, timeout=limit_s, check=False,
                          stdin=subprocess.DEVNULL, capture_output=True)


def _refuses_wrong_words(_: Context) -> None:
    for words, expected in _WRONG.items():
        done = _call(words)
        if done.returncode != 2 or done.stdout or done.stderr.count("\n") != 1 or \
                not re.search(expected, done.stderr):
            raise Failed(f"./helix {words}: status {done.returncode}, not 2 and one line with "
                         f"/{expected}/", done.stdout + done.stderr)


def _explains_itself(_: Context) -> None:
    done = _call("help")
    if done.returncode or _call("--help").stdout != done.stdout:
        raise Failed("help and --help differ", done.stdout + done.stderr)
    words = re.findall(r"^    (\w+) ", done.stdout, re.M)
    for word in ("build", "run", "trace", "debug", "test", "check", "bench", "new", "cc", "demo", "image", "key"):
        text = _call(f"help {word}").stdout
        if word not in words or f"./helix {word}" not in text:
            raise Failed(f"help of {word} is not there", done.stdout + text)
    if "-- CMD" not in _call("help run").stdout:
        raise Failed("help of run does not show how a command is run inside")


def demonstrates(what: str, profile: str = "minimal") -> None:
    """A short form: the table, and a picture that an XML parser reads, with a mark for each time."""
    times = 6
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.svg"
        done = _call(f"demo {what} --profile {profile} --times {times} --mib 8 -o {picture}", 400)
        if done.returncode or not picture.is_file():
            raise Failed(f"demo {what} ends with status {done.returncode}", done.stdout + done.stderr)
        elements = list(ElementTree.parse(picture).iter())
    drawn = [element.get("class") for element in elements]
    bars = [float(element.get("height", "0")) for element in elements if element.get("class") == "outage"]
    row = re.search(r"^(?:restart|freeze) +([\d.]+) +([\d.]+) +([\d.]+)$", done.stdout, re.M)
    if not row or not 0 < float(row[1]) <= float(row[2]) <= float(row[3]):
        raise Failed("the table is not there", done.stdout + done.stderr)
    if drawn.count(what) != times or not re.search(f"{times} times {what}, .*, {profile}, .*no error", done.stdout):
        raise Failed(f"{drawn.count(what)} marks, not {times}", done.stdout + done.stderr)
    if len(bars) != times or not 0 < min(bars) < max(bars) == 60:
        raise Failed(f"bars of how long nobody was served: {bars}", done.stdout + done.stderr)


def _machines(marker: str) -> list[str]:
    """The processes of machines whose kernel got the marker among its words."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes()
        except OSError:
            continue  # it has just ended
        if words.startswith(b"qemu-system") and marker.encode() in words:
            found.append(entry.parent.name)
    return found


def _interruptible() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _ends_machine(context: Context, number: int) -> None:
    """Ends a run by a signal; the machine must end, too, and no file may be left."""
    marker = f"marker={os.getpid()}-{number}"
    before = set(paths.ensure(paths.OUT / "tmp").iterdir())
    command = [str(paths.TOP / "helix"), "run", "--kernel", str(context.kernel), "--append", marker,
               "--", "sh", "-c", "echo here; exec sleep 1000"]
    # A shell starts what is in the background with SIGINT ignored, and so are we then.
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          preexec_fn=_interruptible) as process:
        assert process.stdout is not None
        try:
            if process.stdout.readline() != b"here\n" or not _machines(marker):
                raise Failed("the machine did not start")
        finally:
            process.send_signal(number)
        process.wait(30)
    limit = time.monotonic() + 30
    while _machines(marker):
        if time.monotonic() > limit:
            raise Failed(f"30 s after signal {number} the machine still runs")
        time.sleep(0.05)
    left = [path.name for path in set((paths.OUT / "tmp").iterdir()) - before
            if path.suffix == ".cpio"]
    if left:
        raise Failed(f"signal {number} leaves {' '.join(left)}")


def _leaves_nothing(context: Context) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        _ends_machine(context, number)


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


def _runs_the_example(_: Context, page: str = "user/libhelix/README.md") -> None:
    """The program on that page, and the port that it serves, built and run as it says there."""
    text = (paths.TOP / page).read_text()
    found = re.search(r"^```c\n(.*?)^```$.*?says `(.*?)`", text, re.M | re.S)
    port = re.search(r"^```port\n(.*?^port \w+\.(\w+) .*?)^```$", text, re.M | re.S)
    if not found:
        raise Failed(f"{page} has no program")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "root").mkdir()
        (Path(folder) / "hello.c").write_text(found.group(1))
        if port:
            (Path(folder) / f"{port.group(2)}.port").write_text(port.group(1))
        built = _call(f"cc {folder}/hello.c -o {folder}/root/hello")
        done = _call(f"run --root {folder}/root -- /hello")
    if built.returncode or built.stdout or done.returncode or done.stdout != f"{found.group(2)}\n":
        raise Failed("the example does not do what the page says",
                     built.stdout + built.stderr + done.stdout + done.stderr)


_DEBIANS = """
set -e
[[ $(ls --version) == *GNU* && $(readlink -f /proc/$$/exe) == */bash ]]
[[ $(awk --version) == *GNU* && $(id -un) == root ]]
for ((i = 0; i < 60; i++)); do  # wherever the loader and the vDSO come to lie
    /bin/true
done
echo "$BASH_VERSION" | grep -c '^5'
"""


def _runs_debians(context: Context) -> None:
    """Programs of Debian's packages, linked at run time, and the links that their scripts would make."""
    arch = context.options.arch
    done = _call(f"run --arch {arch} --mem 512M --root deb:bash,coreutils,gawk -- /bin/bash -c", 300, _DEBIANS)
    if done.returncode or done.stdout != "1\n":
        raise Failed("Debian's bash, coreutils and gawk do not do what they do", done.stdout + done.stderr)
    wrong = _call("run --root deb:no-such-package -- true", 300)
    if wrong.returncode != 1 or "no-such-package" not in wrong.stderr or "Traceback" in wrong.stderr:
        raise Failed("a package that there is not is not refused", wrong.stdout + wrong.stderr)
    worse = _call("run --root deb:../etc -- true")
    if worse.returncode != 2 or "no name of a package" not in worse.stderr:
        raise Failed("words that are no name are not refused", worse.stdout + worse.stderr)


# An apt-get whose site renews the lists of trixie, so that they fail, and calls WHAT stable.
_APT = """#!/bin/sh
list=$(printf '%s\\n' "$@" | sed -n 's/^Dir::Etc::sourcelist=//p')
name=$(awk '{ print $4 }' "$list" 2>/dev/null)
case "$*" in
*indextargets*bookworm*) echo http://debian.invalid/debian ;;
*indextargets*) echo WHAT ;;
*update*) [ "$name" = stable ] || { echo "Mirror sync in progress?"; exit 100; } ;;
*download*) [ "$name" = stable ] && : >some_1_riscv64.deb ;;
esac
"""
_DOWNLOADS = """
import sys
from pathlib import Path
from helix import packages, paths, ui
paths.CACHE = Path(sys.argv[1])
try:
    packages._download("some", "riscv64")
except ui.Failure as failure:
    sys.exit(f"{failure} {failure.detail}")
print(*(file.name for file in paths.CACHE.glob("*.deb")))
"""


def _knows_a_site_renewed(_: Context) -> None:
    """A later release is found under its other name, if one's lists do not fit together, and if that is what it means."""
    for stable, code, expected in (("trixie", 0, "some_1_riscv64.deb"), ("forky", 1, "sync in progress.*stable is not trixie")):
        with tempfile.TemporaryDirectory() as folder:
            apt = Path(folder) / "apt-get"
            apt.write_text(_APT.replace("WHAT", stable))
            apt.chmod(0o755)
            words = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(paths.TOP / "tools")}
            done = subprocess.run([sys.executable, "-c", _DOWNLOADS, f"{folder}/cache"], env=words, text=True,
                                  capture_output=True, check=False)
        if done.returncode != code or not re.search(expected, done.stdout + done.stderr, re.S):
            raise Failed(f"with {stable} called stable", done.stdout + done.stderr)


_ELF_MACHINE = {"x86_64": 62, "aarch64": 183, "riscv64": 243}


def _compiles_for_machine(context: Context) -> None:
    """A program with the native library, for --arch and with each C library."""
    arch = context.options.arch
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "main.c").write_text("#include <libhelix/calls.h>\nint main(void) { return 0; }\n")
        for libc in ("musl", "glibc", "posix-x"):
            made = Path(folder) / libc
            done = _call(f"cc --yes --arch {arch} --libc {libc} {folder}/main.c -o {made}", 300)
            if done.returncode or struct.unpack_from("<H", made.read_bytes(), 18)[0] != _ELF_MACHINE[arch]:
                raise Failed(f"no program for {arch} with {libc}", done.stdout + done.stderr)


def _tells_of_little_memory(_: Context) -> None:
    for mem in ("4M", "5M"):  # too little for the files, and too little for the kernel with them
        done = _call(f"run --mem {mem} -- true")
        if done.returncode != 1 or f"{mem} of memory is too little, give it more with --mem" not in done.stderr:
            raise Failed(f"{mem}: status {done.returncode}, and no word of memory", done.stdout + done.stderr)


def _tells_of_a_mistake(_: Context) -> None:
    """In a port beside somebody's own program: where it is and how to mend it, and nothing of ours."""
    with tempfile.TemporaryDirectory() as folder:
        port = Path(folder) / "counter.port"
        port.write_text("port example.counter 1.0 {\n    method go(a: u33);\n}\n")
        (Path(folder) / "main.c").write_text("#include <helix/ports/counter_wire.h>\nint main(void) { return 0; }\n")
        done = _call(f"cc {folder}/main.c -o {folder}/main")
    said = done.stdout + done.stderr
    if (done.returncode != 1 or f"{port}:2:18: there is no type 'u33'; declare it above" not in said
            or f"{port} does not compile" not in said or "Traceback" in said):
        raise Failed("the mistake is not told", said)


_TWO_FILES = {
    "main.c": "#include <unistd.h>\n#ifdef __linux__\n#include <linux/limits.h>\n#endif\n"
              "int answer(pid_t pid);\nint main(void) { return answer(getpid()); }\n",
    "answer.c": "#include <math.h>\n#include <sys/types.h>\nvolatile double four = 4;\n"
                "int answer(pid_t pid) { return pid > 0 ? 40 + (int)sqrt(four) : 1; }\n",
}


def _compiles_for_others(_: Context) -> None:
    """helix-cc as a makefile's CC: files one by one, then linked, with libraries that gcc would have;
    static programs, which run here as well."""
    compiler = str(programs.helix_cc())
    with tempfile.TemporaryDirectory() as folder:
        for name, text in _TWO_FILES.items():
            (Path(folder) / name).write_text(text)
        for kind in ([], ["-static-pie", "-fPIE"]):
            for command in ([compiler, *kind, "-O2", "-c", *_TWO_FILES],
                            [compiler, *kind, "main.o", "answer.o", "-o", "two", "-lm", "-lpthread"],
                            ["readelf", "-lW", "two"]):
                done = subprocess.run(command, cwd=folder, text=True, check=False,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                if done.returncode:
                    raise Failed(f"{' '.join(command)} failed", done.stdout)
            if "INTERP" in done.stdout or ("(Position-Independent" in done.stdout) != bool(kind):
                raise Failed(f"with {kind} it is another kind of program", done.stdout)
            status = subprocess.run([f"{folder}/two"], check=False).returncode
            if status != 42:
                raise Failed(f"the program with {kind} ends with {status}, not 42")


def _builds_anew(_: Context) -> None:
    """A program of the tests is built again when a header of another folder changed that a header
    of a third one includes."""
    with tempfile.TemporaryDirectory() as folder:
        places = {name: Path(folder) / name for name in ("anew/main.c", "near/near.h", "far/far.h")}
        for place in places.values():
            place.parent.mkdir()
        places["anew/main.c"].write_text('#include "../near/near.h"\nint main(void) { return NEAR; }\n')
        places["near/near.h"].write_text('#include "../far/far.h"\n#define NEAR FAR\n')
        for status in (42, 43):
            places["far/far.h"].write_text(f"#define FAR {status}\n")
            program = programs.build(places["anew/main.c"])
            found = subprocess.run([program], check=False).returncode
            if found != status:
                raise Failed(f"the program ends with {found}, not {status}")


def _reads_its_own(_: Context) -> None:
    """What one ./helix test says is what another one reads of it."""
    told = [Verdict("a/good"), Verdict("b/bad@4", "exit status 1", "FAIL inner: 2\nok   inner\n", seconds=90),
            Verdict("c/slow", seconds=70), Verdict("d/empty", "no words")]
    done = subprocess.run([sys.executable, "-c", _TELL, repr(told)], cwd=paths.TOP / "tools", text=True,
                          check=True, stdout=subprocess.PIPE)
    read = list(verdicts(f"helix: building\n{done.stdout}2 passed, 2 failed\n".splitlines(True)))
    for verdict in told:
        verdict.seconds = 0
    if read != told:
        raise Failed("it is something else", f"{read}\n{done.stdout}")


def _builds_alone(_: Context) -> None:
    """Who builds where somebody else builds says so, and goes on when that one is done."""
    folder = paths.ensure(paths.OUT / "hosted-minimal")
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen([paths.TOP / "helix", "test", "unit/test_bus"], text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as other:
            told = other.stderr.readline() if other.stderr else ""
            fcntl.flock(lock, fcntl.LOCK_UN)
            out = other.communicate()[0]
    if told != "helix: waiting for another build of hosted-minimal\n" or "1 passed, 0 failed" not in out:
        raise Failed("it did not wait, or not go on", told + out)


_TELL = """
import sys
from helix.report import Reporter, Verdict
reporter = Reporter(4, "./helix test")
for verdict in eval(sys.argv[1]):
    reporter.add(verdict)
"""

# Where gdb stops, and what it must show of the kernel there, word by word.
_STOP = "random_is_weak"
_DEBUG_LIMIT_S = 120
_IMAGE_PHYS = 0x80200000  # on riscv64
_SEEN = {"bt 1": rf"{_STOP} \(", "hx-threads": r"cpu 0 \w+ +reaper +\(struct thread \*\)0x",
         "hx-log": r"Helix, started by", "hx-trace 3": r"(?m)^ +\d+ cpu 0 thread \d+ +[A-Z_]+ +0x",
         "hx-stack 3": r"thread_main", "apropos ^hx-": r"hx-log -- (?s:.)*hx-stack -- (?s:.)*hx-threads -- (?s:.)*hx-trace -- "}


def _debugs(context: Context) -> None:
    packages.need(packages.debug(), yes=context.options.yes)
    words = ["delete", f"hbreak {_STOP}", "continue"]
    words += [word for shown in _SEEN for word in (f"echo \\n== {shown}\\n", shown)]
    done = subprocess.run([str(paths.TOP / "helix"), "debug", "--arch", context.options.arch],
                          input="\n".join([*words, "quit", ""]), text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=_DEBUG_LIMIT_S, check=False)
    for shown, pattern in _SEEN.items():
        part = done.stdout.partition(f"== {shown}\n")[2].partition("\n== ")[0]
        if not re.search(pattern, part):
            raise Failed(f"gdb's '{shown}' does not show /{pattern}/", done.stdout)


def _hart_goes_astray(context: Context) -> None:
    """A hart that firmware starts where the image begins, and not where it should, is started again."""
    packages.need(packages.debug(), yes=context.options.yes)
    words = ["delete", "hbreak *sbi_call if $a0 == 0x48534d && $a1 == 0", "continue",
             f"set $a3 = {_IMAGE_PHYS}", "delete", f"hbreak {_STOP}", "continue",
             "printf \"started %lx\\n\", riscv64_cpu_started", "quit", ""]
    done = subprocess.run([str(paths.TOP / "helix"), "debug", "--arch", "riscv64", "--smp", "3"],
                          input="\n".join(words), text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=_DEBUG_LIMIT_S, check=False)
    if "started 7" not in done.stdout:
        raise Failed("not all processors start", done.stdout)


# The first enable words of S-mode's contexts of three harts.
_BEFORE_OTHERS = "core_start_processors"  # OpenSBI clears those of a hart that it starts
_PLIC_ENABLED = ("0xc002080", "0xc002180", "0xc002280")


def _interrupts_left_on(context: Context) -> None:
    """What firmware left on for harts that take no device's interrupts is turned off."""
    packages.need(packages.debug(), yes=context.options.yes)
    show = [f'printf "{{}} %x\\n", *(unsigned int *){word}' for word in _PLIC_ENABLED]
    words = ["delete", "hbreak plic_init", "continue", "delete", "maintenance packet Qqemu.PhyMemMode:1",
             *(f"set *(unsigned int *){word} = 0xfe" for word in _PLIC_ENABLED),
             *(line.format("left") for line in show), "maintenance packet Qqemu.PhyMemMode:0",
             f"hbreak {_BEFORE_OTHERS}", "continue", "maintenance packet Qqemu.PhyMemMode:1",
             *(line.format("now") for line in show), "quit", ""]
    done = subprocess.run([str(paths.TOP / "helix"), "debug", "--arch", "riscv64", "--smp", "3"],
                          input="\n".join(words), text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=_DEBUG_LIMIT_S, check=False)
    left = re.findall(r"left (\w+)\n", done.stdout)
    now = re.findall(r"now (\w+)\n", done.stdout)
    if left != ["fe"] * 3 or sorted(now)[:2] != ["0", "0"] or sorted(now)[2:] in ([], ["0"]):
        raise Failed(f"sources of three harts are on by {left} before and {now} behind", done.stdout)


# Of each row, between which numbers ring 3 is of the kernel: a call there switches to another process and back; what
# is read of a file of ramfs is the kernel's in either case.
_ISOLATION = {"char_write_1": (2.0, 100.0), "block_read_4k": (1.5, 100.0), "files_create": (2.0, 100.0), "files_read_4k": (0.8, 1.2)}
_MOST_RESTART = 10_000_000  # instructions: the goal's 10 ms


def _placement_problem(text: str) -> str:
    """Of the rows of placement: both placements have figures, which are not those of one."""
    number = r" +([\d,]+)"
    figures = rf"{number}{number} +\d+ %"
    restart = re.search(rf"(?m)^restart_disk{figures}", text)
    for row, (least, most) in _ISOLATION.items():
        found = re.search(rf"(?m)^{row}{figures}{figures} +([\d.]+){number}$", text)
        if not found or not least <= float(found[5]) <= most:
            return f"{row} in ring 3 takes {found[5] if found else 'no'} times what it does in the kernel"
    if not restart:
        return "no figures of a restart"
    return "" if int(restart[1].replace(",", "")) <= _MOST_RESTART else f"a restart takes {restart[1]} instructions"


def _benches(context: Context) -> None:
    """Each row that is asked for has its figures."""
    arch = context.options.arch
    words = ["getpid", "segv_caught", *([] if arch == "x86_64" else ["boot"])]  # x86_64's are many
    done = _call(f"bench --arch {arch} {' '.join(words)} {' '.join(f'{row}_*' for row in _ISOLATION)} restart_disk_kernel", 300)
    rows = words[:2] if arch == "x86_64" else [*words[:2], "virt", "virt, gzip"]
    missing = [row for row in rows if not re.search(rf"(?m)^{row} +[\d,.]+( |$)", done.stdout)]
    if done.returncode or missing:
        raise Failed(f"status {done.returncode}; no figures for {', '.join(missing)}", done.stdout + done.stderr)
    if problem := _placement_problem(done.stdout):
        raise Failed(problem, done.stdout + done.stderr)
    if "but was entered at" in done.stderr:
        raise Failed("the kernel and the probe say different things of its entry", done.stdout + done.stderr)


_MOST_FREEZE = {"sched_freeze_200": 50_000, "files_freeze_10000": 1_000_000}  # instructions: the goals


def _freezes_shortly(context: Context) -> None:
    """How long a swap holds up who would use the module, in instructions, which are the same on any host."""
    done = _call(f"bench --arch {context.options.arch} {' '.join(_MOST_FREEZE)}", 300)
    goals = _MOST_FREEZE | ({"sched_freeze_200": 62_000} if context.options.arch == "riscv64" else {})  # not met there
    for row, most in goals.items():
        found = re.search(rf"(?m)^{row} +([\d,]+)", done.stdout)
        if not found or int(found[1].replace(",", "")) > most:
            raise Failed(f"{row}: {found[1] if found else 'no figure'}, at most {most:,} wanted", done.stdout + done.stderr)


def _image(magic: bytes) -> bytes:
    return b"MZ".ljust(0x38, b"\0") + magic + b"the kernel" * 99


def _bz_image(payload: bytes, length: int) -> bytes:
    """A bzImage of one sector and its setup; the payload lies 16 bytes behind them."""
    payload += struct.pack("<I", length)
    head = bytearray(0x400)
    head[0x1f1] = 1
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", head, 0x248, 16, len(payload))
    return bytes(head) + bytes(16) + payload + b"behind it"


def _unpacks_linux(_: Context) -> None:
    """Kernels and modules in each form in which Debian has them; a line for those that nobody knows."""
    kernel = b"abcabcabcabc12345"
    block = b"\x35abc\x03\0" + b"\x5012345"  # 3 literals and 9 bytes from 3 before; 5 literals
    lz4 = b"\x02\x21\x4c\x18" + struct.pack("<I", len(block)) + block
    packed = (gzip.compress(kernel), lzma.compress(kernel), lz4)
    cases = [(_bz_image(payload, len(kernel)), kernel) for payload in packed]
    for image in (_image(b"ARM\x64"), _image(b"RSC\x05")):
        cases += [(form, image) for form in (image, gzip.compress(image), lzma.compress(image))]
    for form, expected in cases:
        if bench_linux.uncompressed(form) != expected:
            raise Failed(f"{form[:6]!r} is not unpacked to {expected[:6]!r}")
    if [bench_linux.plain(form + b"\0") for form in (packed[0], packed[1], kernel)] != [kernel, kernel, kernel + b"\0"]:
        raise Failed("a module is not unpacked")
    for form in (b"", kernel, _image(b"MIPS"), gzip.compress(kernel), _bz_image(b"\x28\xb5\x2f\xfd" + kernel, 17)):
        try:
            bench_linux.uncompressed(form)
        except ui.Failure:
            continue
        raise Failed(f"{form[:6]!r} is taken for a kernel")


# Plays the runner on the descriptor of its word: allows more input once, when the whole window is here.
_SLOW_RUNNER = """
import os, signal, struct, sys
line = int(sys.argv[1])
def take(count):
    data = b""
    while len(data) < count:
        part = os.read(line, count - len(data))
        if not part:
            sys.exit(1)
        data += part
    return data
signal.alarm(20)
os.write(line, %r)
held = given = 0
while True:
    kind, length = struct.unpack("<cH", take(3))
    take(length)
    held += length
    given += length if kind == b"I" else 0
    if kind == b"Z":
        os.write(line, b"X" + struct.pack("<HiB", 5, 0 if given == %d else 256, 0))
    elif held >= %d:
        held = 100 # of which it does not tell yet
        os.write(line, b"C" + struct.pack("<HI", 4, %d))
""" % (guest.GREETING, 5 * guest.WINDOW, guest.WINDOW, guest.WINDOW - 100)


class _SlowMachine(qemu.Machine):
    """One whose second serial port is the slow runner's."""

    def command(self) -> list[str]:
        line = next(word for word in self.extra if word.startswith("socket,id=line"))
        return [sys.executable, "-c", _SLOW_RUNNER, line.rpartition("=")[2]]


def _feeds_the_slow(_: Context) -> None:
    """Standard input goes on when room is told of once, and nothing else comes."""
    nowhere = Path(os.devnull)
    with tempfile.TemporaryFile() as given:
        given.write(bytes(5 * guest.WINDOW))
        given.seek(0)
        with guest.Guest(_SlowMachine(nowhere, nowhere, ""), qemu.log_file("tool-slow")) as machine:
            machine.wait_ready()
            outcome = machine.stream(["cat"], guest.from_descriptor(given.fileno()), bytearray().extend,
                                     bytearray().extend)
    if outcome.code != 0:
        raise Failed("what was given did not all arrive")


_RISCV64 = {"tool/hart-goes-astray": _hart_goes_astray, "tool/interrupts-left-on": _interrupts_left_on}


def share_names(arch: str) -> list[str]:
    """What the default run has of these on other machines."""
    return ["tool/cc", "tool/debug", "tool/bench", "tool/debian", *(_RISCV64 if arch == "riscv64" else {})]


def jobs(options: Namespace) -> list[Job]:
    of_machine = [single(name, body) for name, body in _RISCV64.items()] if options.arch == "riscv64" else []
    return [*of_machine,
            single("tool/carries-bytes", _carries_bytes),
            single("tool/refuses-wrong-words", _refuses_wrong_words, machines=False),
            single("tool/explains-itself", _explains_itself, machines=False),
            single("tool/leaves-nothing", _leaves_nothing),
            single("tool/debug", _debugs),
            single("tool/bench", _benches),
            single("tool/freezes-shortly", _freezes_shortly),
            single("tool/debian", _runs_debians),
            single("tool/site-renewed", _knows_a_site_renewed, machines=False),
            single("tool/feeds-the-slow", _feeds_the_slow, machines=False),
            single("tool/bench-unpacks-linux", _unpacks_linux, machines=False),
            single("tool/cc", _compiles_for_machine, machines=False),
            single("tool/little-memory", _tells_of_little_memory),
            single("tool/builds-alone", _builds_alone, machines=False),
            single("tool/reads-its-own", _reads_its_own, machines=False),
            single("tool/builds-anew", _builds_anew, machines=False),
            single("tool/helix-cc", _compiles_for_others),
            single("tool/keys", suite_keys.makes_keys, machines=False),
            single("tool/tells-of-a-mistake", _tells_of_a_mistake, machines=False),
            single("tool/runs-the-example", _runs_the_example),
            single("tool/runs-the-services",
                   lambda context: _runs_the_example(context, "docs/services.md")),
            single("tool/runs-the-port",
                   lambda context: _runs_the_example(context, "docs/ports.md")),
            *(single(f"tool/demo-{what}", lambda _, what=what: demonstrates(what)) for what in ("heal", "swap")),
            *suite_trace.jobs(), *suite_new.jobs(options)]
