# SPDX-License-Identifier: MIT OR Apache-2.0
"""The words of ./helix and their options."""

import argparse
import importlib
import re
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from helix import build, keys, targets, ui

# Words of the design whose feature does not exist yet.
_NOT_YET = {
    "profile": "there is no profiler yet; ./helix bench counts instructions",
}

_PROCESSORS = 64  # that the kernel can use
_PROGRAMS = tuple(arch for arch in build.ARCHES if arch != "hosted")  # that run programs of ring 3


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as everything here does."""

    def __init__(self, **words: object) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter,
                         **words)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ")
        self.exit(2, f"helix: {message}; '{self.prog} --help' explains\n")


def _one_of(what: str, there: tuple[str, ...]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in there:
            raise argparse.ArgumentTypeError(f"there is no {what} {text} yet; there is "
                                             f"{', '.join(there)}")
        return text
    return check


def _processors(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _PROCESSORS:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of processors; "
                                         f"say 1 to {_PROCESSORS}")
    return int(text)


def _up_to(most: int) -> Callable[[str], int]:
    def check(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"'{text}' is no number from 1 to {most}")
        return int(text)
    return check


def _memory(text: str) -> str:
    if not re.fullmatch(r"0*[1-9][0-9]{0,6}[kKmMgG]?", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no size of memory; say 64M or 2G, for example")
    return text


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--arch", default="x86_64", metavar="A", help=f"{', '.join(build.ARCHES)} (default: %(default)s)",
                        type=_one_of("Helix for", build.ARCHES))
    parser.add_argument("--profile", default="minimal", metavar="P", help="default: %(default)s",
                        type=_one_of("profile", build.PROFILES))
    parser.add_argument("--key", metavar="FILE",
                        help="who signs packages, and is believed (./helix key; default: the development key)")
    parser.add_argument("--yes", action="store_true", help="install what is missing without asking")


def _machine(parser: argparse.ArgumentParser, smp: int) -> None:
    parser.add_argument("--smp", type=_processors, default=smp, metavar="N",
                        help="processors (default: %(default)s)")
    parser.add_argument("--mem", type=_memory, default="256M", metavar="M",
                        help="memory, as QEMU writes it (default: %(default)s)")
    parser.add_argument("--initrd", metavar="F",
                        help="an initramfs of your own (default: busybox's programs)")
    parser.add_argument("--root", metavar="DIR",
                        help="a folder whose files are added; deb:NAME,... are Debian's packages, with all they need")
    parser.add_argument("--test-packages", action="store_true",
                        help="with the packages that tests alone load in /lib/helix; most of them are bad ones")
    parser.add_argument("--append", default="", metavar="S", help="more words for the kernel")
    parser.add_argument("--kernel", metavar="FILE",
                        help="another kernel; 'linux' is Debian's (default: the one that is built)")
    parser.add_argument("--disk", metavar="FILE", action="append", default=[],
                        help="a disk image, raw or qcow2: /dev/vda, and again for /dev/vdb; it is written to")
    for absent in ("--net", "--display"):  # of the design, but not there
        parser.add_argument(absent, nargs="?", const="yes", help=argparse.SUPPRESS)


def _test(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument("names", nargs="*", metavar="SUITE|NAME",
                        help="a suite, or names of tests (* and ? allowed); default: what CI needs")
    parser.add_argument("--seed", type=int, default=1, metavar="N",
                        help="of what is random (default: %(default)s)")
    parser.add_argument("--seeds", type=_up_to(1000000), default=1, metavar="N",
                        help="how many from there on, in differential and under the simulator (default: %(default)s)")
    parser.add_argument("--smp", type=_processors, metavar="N", help="only with so many processors")
    parser.add_argument("--kernel", metavar="FILE", help="another kernel; 'linux' is Debian's")
    parser.add_argument("--jobs", type=_up_to(1000), default=2, metavar="N", help="machines at once (default: %(default)s)")
    parser.add_argument("--seconds", type=_up_to(1000000), default=0, metavar="N",
                        help="of random system calls, in fuzz/syscalls (default: 30)")
    parser.add_argument("--mutants", action="store_true",
                        help="change the kernel line by line; each change must be noticed")
    parser.add_argument("--coverage", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--accept", action="store_true", help="take what Linux prints as expected")
    parser.add_argument("--list", action="store_true", help="show the names only")
    parser.add_argument("--exact", action="store_true", help="the names are whole names, of one test each")


def _cc(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE.c")
    parser.add_argument("-o", dest="output", required=True, metavar="FILE")
    parser.add_argument("--arch", default="x86_64", metavar="A", help=f"{', '.join(_PROGRAMS)} (default: %(default)s)",
                        type=_one_of("compiler for", _PROGRAMS))
    parser.add_argument("--libc", choices=("musl", "glibc", "posix-x"), default="musl",
                        help="the C library (default: %(default)s)")
    parser.add_argument("--yes", action="store_true", help="install what is missing without asking")


def _new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("module", "port", "profile"))
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--port", metavar="helix.X", help="the port that it provides: helix.char, for example")
    parser.add_argument("--yes", action="store_true", help="install what is missing without asking")


def _key(parser: argparse.ArgumentParser) -> None:
    parser.description = "Makes a private key, for its owner alone to read, and prints its public part.\n" \
        "With --key FILE, ./helix build makes a system that takes packages of that key alone."
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--yes", action="store_true", help="install what is missing without asking")


def _parser() -> tuple[_Parser, dict[str, _Parser]]:
    """Of the whole call, and those of the words."""
    parser = _Parser(prog="./helix", description="Builds, runs and tests Helix.",
                     epilog="./helix help WORD explains a word.")
    words = parser.add_subparsers(dest="word", required=True, metavar="WORD")
    _common(words.add_parser("build", help="build the kernel"))
    _key(words.add_parser("key", help="make a key that signs packages of modules"))
    run = words.add_parser(
        "run", help="boot to a shell; with -- CMD, run it inside",
        usage="./helix run [OPTION]... [-- CMD [ARGUMENT]...]",
        description="Boots to a shell. With -- CMD, runs it inside instead: its standard input,\n"
        "output and error are its own, its exit status is ours.")
    _common(run)
    _machine(run, 2)
    trace = words.add_parser(
        "trace", help="run a command inside and record what the machine does",
        usage="./helix trace [OPTION]... -- CMD [ARGUMENT]...",
        description="Runs CMD inside, as ./helix run does, and writes a file for ui.perfetto.dev or\n"
        "chrome://tracing: what each processor ran, system calls, interrupts, wakes (docs/trace.md).")
    _common(trace)
    _machine(trace, 2)
    trace.add_argument("-o", dest="output", default="trace.json", metavar="FILE",
                       help="default: %(default)s")
    trace.add_argument("--parts", default="all", metavar="LIST",
                       help="what is recorded beside what always is: syscall,port (default: %(default)s)")
    debug = words.add_parser("debug", help="boot under gdb")
    _common(debug)
    _machine(debug, 1)
    _test(words.add_parser("test", help="run the tests"))
    check = words.add_parser("check", help="format, lint, layers, ratchets, second compiler")
    _common(check)
    check.add_argument("--all", action="store_true", help="lint every file, not only changed ones")
    check.add_argument("--fix", action="store_true", help="let clang-format change the files")
    bench = words.add_parser("bench", help="measure")
    _common(bench)
    bench.add_argument("names", nargs="*", metavar="NAME")
    bench.add_argument("--against-linux", action="store_true", help="beside Debian's Linux")
    bench.add_argument("--kernel", metavar="FILE", help="another kernel; 'linux' is Debian's")
    bench.add_argument("--where", action="store_true", help="show which functions it is spent in")
    bench.add_argument("--check", action="store_true", help="fail if a limit is exceeded")
    _new(words.add_parser("new", help="make a module's folder, which builds, passes its test and loads",
                          description="Makes the folder of a module, with its test (docs/modules.md)."))
    _cc(words.add_parser("cc", help="build a program of yours, with the native library"))
    demo = words.add_parser(
        "demo", help="show a driver that is killed, or swapped, under load",
        description="Two programs read, write and verify a disk while its driver is killed (heal), or swapped for\n"
        "another copy of it (swap), again and again. Prints times, and writes a picture of the throughput.")
    _common(demo)
    demo.add_argument("what", choices=("heal", "swap"))
    demo.add_argument("--times", type=_up_to(10000), default=100, metavar="N", help="how often (default: %(default)s)")
    demo.add_argument("--mib", type=_up_to(1024), default=64, metavar="N", help="MiB that are read (default: %(default)s)")
    demo.add_argument("--smp", type=_processors, default=2, metavar="N",
                      help="processors (default: %(default)s)")
    demo.add_argument("-o", dest="output", metavar="FILE", help="the picture (default: out/demo-WHAT.svg)")
    image = words.add_parser("image", help="make a bootable image")
    _common(image)
    image.add_argument("--add", action="append", default=[], metavar="DIR", help="files to add")
    image.add_argument("-o", dest="output", required=True, metavar="FILE")
    return parser, words.choices


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What stands behind -- belongs to the command that is to run inside."""
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    if at + 1 == len(arguments):
        raise ui.Failure("a command is missing behind --")
    return arguments[:at], arguments[at + 1:]


def _refuse_unknown(word: str, unknown: list[str], parser: argparse.ArgumentParser) -> NoReturn:
    first = unknown[0].partition("=")[0]
    if word in ("run", "trace") and not first.startswith("-"):
        parser.error(f"a command to run inside stands behind --: ./helix {word} -- {' '.join(unknown)}")
    meant = f" (did you mean -{first}?)" if f"\n  -{first} " in parser.format_help() else ""
    parser.error(f"{word} does not know {' '.join(unknown)}{meant}")


def _parse(ours: list[str]) -> argparse.Namespace:
    if ours and ours[0] in _NOT_YET:
        raise ui.Failure(f"{ours[0]}: {_NOT_YET[ours[0]]}")
    if ours and ours[0] == "help":
        ours = [*ours[1:], "--help"]
    parser, words = _parser()
    options, unknown = parser.parse_known_args(ours)
    if unknown:
        _refuse_unknown(options.word, unknown, words[options.word])
    return options


def _end(*_: object) -> NoReturn:
    """Told to end: what was started is ended, too, by what stands behind `with` and `finally`."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(128 + signal.SIGTERM)


def main() -> int:
    """Runs a word; the exit status."""
    signal.signal(signal.SIGTERM, _end)
    ours, command = _split(sys.argv[1:])
    options = _parse(ours)
    if command and options.word not in ("run", "trace"):
        raise ui.Failure("only 'run' and 'trace' take a command behind --")
    options.command = command
    targets.use(getattr(options, "arch", ""))
    keys.use(getattr(options, "key", None))
    module = importlib.import_module(f"helix.{'suites' if options.word == 'test' else options.word}")
    return module.command(options)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ui.Failure as failure:
        ui.progress_done()
        if failure.detail:
            print(failure.detail.rstrip(), file=sys.stderr)
        print(f"helix: {failure}", file=sys.stderr)
        sys.exit(failure.status)
    except KeyboardInterrupt:
        ui.progress_done()
        sys.exit(130)
