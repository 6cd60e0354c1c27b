# SPDX-License-Identifier: MIT OR Apache-2.0
"""Proofs: tests/proof/NAME.c or .pml, one of which is one job; tests/proof/README.md says what they prove.

The first lines of each say who proves it:
  // BY: explore          a program with the kernel's sources and tests/proof/explore.c in it tries all
                          that may happen; it must end with status 0
  // BY: cbmc WORDS       cbmc tries all values; what is called "REACHED …" must be possible, and
                          nothing else may fail
  // BY: memcheck         valgrind refuses what depends on memory that was never written
  // BY: spin             spin tries all that may happen in a model: assertions hold, all come to their
                          end, and every line of the model is got to
"""

import re
import resource
import signal
import subprocess
import threading
from argparse import Namespace
from pathlib import Path

from helix import build, packages, paths
from helix.report import Context, Failed, Job, single

_HERE = paths.TOP / "tests" / "proof"
_INCLUDES = ("core", "sdk", "lib", "sdk/ports", "hal", "hal/x86_64", "boot", "subsys/execution",
             "subsys/memory")
_FLAGS = ("-std=gnu17", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function",
          "-Wno-unused-variable", "-fno-common", "-fno-strict-aliasing", "-fno-stack-protector",
          "-fcf-protection=none", "-fno-pie", "-no-pie", "-ffunction-sections", "-fdata-sections",
          "-fuse-ld=lld", "-Wl,--gc-sections")
_LIMIT_S = 600  # of the processor's time: how busy the machine is with others is no verdict


def _includes(context: Context) -> list[str]:
    """What all proofs are compiled with. Headers of ports are made by the hosted build."""
    packages.need(packages.BUILD, yes=context.options.yes)
    with build.hosted_lock:
        made = build.configure_and_build("hosted", context.options.profile, targets=["ports", "port_calls"])
    folders = [_HERE / "include", made / "sdk" / "ports" / "include", made / "core" / "include",
               *(paths.TOP / name / "include" for name in _INCLUDES)]
    return ["-DHELIX_DEBUG=0", *(f"-I{folder}" for folder in folders)]


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_LIMIT_S, _LIMIT_S))


def _run(command: list[str]) -> tuple[int, str]:
    done = subprocess.run(command, cwd=paths.TOP, text=True, stdin=subprocess.DEVNULL,
                          preexec_fn=_limit, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    if done.returncode in (-signal.SIGKILL, -signal.SIGXCPU):
        raise Failed(f"no end within {_LIMIT_S} s of the processor's time")
    return done.returncode, done.stdout


def _call(command: list[str], failure: str) -> None:
    code, text = _run(command)
    if code != 0:
        raise Failed(failure, text[-8000:])


def _explore(source: Path, context: Context, _: list[str]) -> None:
    program = paths.ensure(paths.OUT / "proof") / source.stem
    files = [file.relative_to(paths.TOP)
             for file in (source, _HERE / "explore.c", _HERE / "explore_search.c")]
    _call(["clang-19", *_FLAGS, *_includes(context), *map(str, files), "-o", str(program)],
          "it does not compile")
    _call([str(program)], "refused")


_fetching = threading.Lock()


def _cbmc_command() -> list[str]:
    """cbmc of Debian 13, which brings the libraries along that it needs."""
    with _fetching:
        _call([str(paths.TOP / "third_party" / "fetch"), "cbmc"], "cbmc cannot be had")
    usr = paths.OUT / "third_party" / "cbmc" / "usr"
    libraries = usr / "x86_64-linux-gnu" / "lib"
    return [str(libraries / "ld-linux-x86-64.so.2"), "--library-path",
            f"{libraries}:{usr / 'lib'}", str(usr / "bin" / "cbmc")]


def _cbmc(source: Path, context: Context, words: list[str]) -> None:
    made = paths.ensure(paths.OUT / "proof") / f"{source.stem}.i"
    _call(["gcc", "-std=gnu17", "-E", *_includes(context), str(source.relative_to(paths.TOP)),
           "-o", str(made)], "it does not compile")
    code, text = _run([*_cbmc_command(), *words, str(made)])
    results = re.findall(r"^\[.*\] (.*): (SUCCESS|FAILURE|UNKNOWN|ERROR)$", text, re.M)
    marks = [result for name, result in results if "REACHED" in name]
    wrong = [name for name, result in results if "REACHED" not in name and result != "SUCCESS"]
    if wrong:
        raise Failed("refused", "\n".join(wrong))
    if code != 10 or not marks or "no body for function" in text:
        raise Failed("cbmc has no verdict", text[-8000:])
    if any(result != "FAILURE" for result in marks):
        raise Failed("it does not get to each REACHED(), so it says nothing", text[-8000:])


def _memcheck(source: Path, context: Context, _: list[str]) -> None:
    """Branches and addresses that depend on what was never written; with an argument, one does."""
    packages.need(packages.VALGRIND, yes=context.options.yes)
    includes = _includes(context)  # the build has fetched the sources
    program = paths.ensure(paths.OUT / "proof") / source.stem
    bearssl = paths.OUT / "third_party" / "bearssl"
    files = ["src/hash/sha2small.c", "src/hash/dig_size.c", "src/mac/hmac.c",
             "src/codec/enc32be.c", "src/codec/dec32be.c"]
    _call(["clang-19", "-std=gnu17", "-O2", "-gdwarf-4", *includes, f"-I{bearssl / 'inc'}",
           f"-I{bearssl / 'src'}", str(source), str(paths.TOP / "lib/src/hmac.c"),
           *(str(bearssl / file) for file in files), "-o", str(program)], "it does not compile")
    tool = ["valgrind", "-q", "--error-exitcode=9", str(program)]
    _call(tool, "refused")
    if _run([*tool, "leaks"])[0] != 9:
        raise Failed("memcheck sees nothing, so it says nothing")


def _spin(source: Path, context: Context, _: list[str]) -> None:
    packages.need(packages.SPIN, yes=context.options.yes)
    folder = paths.ensure(paths.OUT / "proof" / source.stem)
    for command in (["spin", "-a", str(source)], ["gcc", "-O2", "-DSAFETY", "-DCOLLAPSE", "-w", "-o", "pan", "pan.c"]):
        done = subprocess.run(command, cwd=folder, text=True, stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise Failed("it does not compile", done.stdout)
    text = _run([str(folder / "pan"), "-m1000000"])[1]
    unreached = re.findall(r"^unreached in .*\n((?:\t.*\n)+)", text, re.M)
    if "errors: 0" not in text or "search not completed" in text:
        raise Failed("refused", text[-8000:])
    if not unreached or not all(re.search(r"\(0 of \d+ states\)", part) for part in unreached):
        raise Failed("it does not get to each line of the model, so it says nothing", text[-8000:])


_BY = {"explore": _explore, "cbmc": _cbmc, "memcheck": _memcheck, "spin": _spin}


def _proof(source: Path, by: str, words: list[str]) -> Job:
    return single(f"proof/{source.stem.replace('_', '-')}",
                  lambda context: _BY[by](source, context, words), machines=False)


def jobs(_: Namespace) -> list[Job]:
    """Of each file that says who proves it."""
    found = []
    for source in sorted([*_HERE.glob("*.c"), *_HERE.glob("*.pml")]):
        words = re.search(r"^// BY: (\w+)(.*)$", source.read_text(), re.M)
        if words:
            found.append(_proof(source, words.group(1), words.group(2).split()))
    return found
