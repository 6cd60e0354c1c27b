# SPDX-License-Identifier: MIT OR Apache-2.0
"""The words of ./helix and their options."""

import argparse
import importlib
import sys

from helix import ui

# Words of the design whose feature does not exist yet.
_NOT_YET = {
    "new": "there is no skeleton generator yet; copy the folder of a module",
    "trace": "the trace cannot be exported yet; a panic prints its end",
    "profile": "there is no profiler yet; ./helix bench counts instructions",
    "demo": "there are no demonstrations yet",
}


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--arch", default="x86_64", metavar="A")
    parser.add_argument("--profile", default="minimal", metavar="P")
    parser.add_argument("--yes", action="store_true", help="install what is missing without asking")


def _machine(parser: argparse.ArgumentParser, smp: int) -> None:
    parser.add_argument("--smp", type=int, default=smp, metavar="N", help="processors")
    parser.add_argument("--mem", default="256M", metavar="M", help="memory, as QEMU writes it")
    parser.add_argument("--initrd", metavar="F", help="an initramfs of your own")
    parser.add_argument("--root", metavar="DIR", help="a folder whose files are added")
    parser.add_argument("--append", default="", metavar="S", help="more words for the kernel")
    parser.add_argument("--kernel", metavar="FILE", help="another kernel; 'linux' is Debian's")
    parser.add_argument("--disk", action="append", metavar="IMG")
    parser.add_argument("--net", choices=("user", "none"), default="none")
    parser.add_argument("--display", action="store_true")


def _test(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument("names", nargs="*", metavar="SUITE|NAME",
                        help="a suite, or names of tests (* and ? allowed); default: what CI needs")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--smp", type=int, metavar="N", help="only with so many processors")
    parser.add_argument("--kernel", metavar="FILE", help="another kernel; 'linux' is Debian's")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="machines at once")
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="length of a fuzz run")
    parser.add_argument("--mutants", action="store_true",
                        help="change the kernel line by line; each change must be noticed")
    parser.add_argument("--coverage", action="store_true")
    parser.add_argument("--accept", action="store_true", help="take what Linux prints as expected")
    parser.add_argument("--list", action="store_true", help="show the names only")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./helix", description="Builds, runs and tests Helix.")
    words = parser.add_subparsers(dest="word", required=True, metavar="WORD")
    _common(words.add_parser("build", help="build the kernel"))
    run = words.add_parser("run", help="boot to a shell; with -- CMD, run it inside")
    _common(run)
    _machine(run, 2)
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
    image = words.add_parser("image", help="make a bootable image")
    _common(image)
    image.add_argument("--add", action="append", default=[], metavar="DIR", help="files to add")
    image.add_argument("-o", dest="output", required=True, metavar="FILE")
    for word in _NOT_YET:
        words.add_parser(word, help="not there yet").add_argument("rest", nargs="*")
    return parser


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What stands behind -- belongs to the command that is to run inside."""
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    if at + 1 == len(arguments):
        raise ui.Failure("a command is missing behind --")
    return arguments[:at], arguments[at + 1:]


def main() -> int:
    """Runs a word; the exit status."""
    ours, command = _split(sys.argv[1:])
    options = _parser().parse_args(ours)
    if options.word in _NOT_YET:
        raise ui.Failure(f"{options.word}: {_NOT_YET[options.word]}")
    if command and options.word != "run":
        raise ui.Failure("only 'run' takes a command behind --")
    options.command = command
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
        sys.exit(1)
    except KeyboardInterrupt:
        ui.progress_done()
        sys.exit(130)
