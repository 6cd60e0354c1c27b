# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rules: what must not compile, link or configure does not, and fails for the expected reason.

tests/rules/NAME.c holds both sides: with BREAK_RULE it breaks the rule, without it it must be taken.
It is compiled as the sources in PART are, with the real flags. Its first lines say:
  // PART: core/          where the sources whose flags it gets are
  // FAILS: REGEX         each error must match it
  // HOW: link            what refuses it: `compile` (if nothing is said), `link` as a part of the
                          kernel, or `symbols`, the check of what a module may call
tests/rules/NAME.cmake is the same for a description of a part. Rules about text are in this file.
tests/rules/NAME.check is read by ./helix check as if it were at the path behind PATH:, which must then
say what stands behind EXPECT:.
"""

import json
import re
import shlex
import subprocess
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from helix import build, check, contract, coverage_page, numbers_page, packages, paths, ratchets
from helix.report import Context, Failed, Job, Verdict

_HERE = paths.TOP / "tests" / "rules"
_ERROR = re.compile(r"^.*\berror: .*$", re.M | re.I)


@dataclass(frozen=True)
class Rule:
    source: Path
    part: str
    fails: str
    how: str

    @property
    def name(self) -> str:
        return f"rules/{self.source.stem.replace('_', '-')}"


def _rule(source: Path) -> Rule:
    words = dict(re.findall(r"^(?://|#) (PART|FAILS|HOW): (.*)$", source.read_text(), re.M))
    how = "configure" if source.suffix == ".cmake" else words.get("HOW", "compile")
    return Rule(source, words.get("PART", ""), words["FAILS"], how)


@cache
def _rules() -> tuple[Rule, ...]:
    return tuple(_rule(source) for source in sorted(_HERE.iterdir())
                 if source.suffix in (".c", ".cmake"))


def _call(command: list[str], folder: Path) -> tuple[bool, str]:
    done = subprocess.run(command, cwd=folder, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode == 0, done.stdout


class Tools:
    """The commands of a kernel build that was made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scratch = paths.ensure(paths.OUT / "tmp" / "rules")
        self._entries = json.loads((folder / "compile_commands.json").read_text())

    def compile(self, rule: Rule, breaks: bool) -> tuple[bool, str]:
        """Compiles to an object; success and what the compiler said."""
        words = self._command(rule.part)
        at = words.index("-o")
        words[at + 1] = str(self.object(rule, breaks))
        words[words.index("-c") + 1] = str(rule.source)
        extra = ["-iquote", str(paths.TOP / rule.part), *(["-DBREAK_RULE"] if breaks else [])]
        return _call([*words[:at], *extra, *words[at:]], self.folder)

    def object(self, rule: Rule, breaks: bool) -> Path:
        return self.scratch / f"{rule.source.stem}{'-broken' if breaks else ''}.o"

    def _command(self, part: str) -> list[str]:
        """The words that compile some C file of the folder."""
        start = str(paths.TOP / part)
        for entry in self._entries:
            if entry["file"].startswith(start) and entry["file"].endswith(".c"):
                return shlex.split(entry["command"])
        raise Failed(f"nothing in {part} is compiled")

    def link(self, extra: Path) -> tuple[bool, str]:
        """Links the kernel with one object more."""
        good, text = _call(["ninja", "-t", "commands", "helix.elf"], self.folder)
        if not good:
            raise Failed("ninja does not know how the kernel is linked", text)
        words = shlex.split(text.splitlines()[-1].split("&&")[1])
        words[words.index("-o") + 1] = str(extra.with_suffix(".elf"))
        return _call([*words, str(extra)], self.folder)

    def undefined(self, file: Path) -> set[str]:
        """The names that an object or archive needs from elsewhere."""
        return self._symbols(file, "--undefined-only") - self.defined(file)

    def defined(self, file: Path) -> set[str]:
        return self._symbols(file, "--defined-only", "--extern-only")

    def _symbols(self, file: Path, *which: str) -> set[str]:
        good, text = _call(["llvm-nm-19", "--just-symbol-name", "--quiet", *which, str(file)],
                           self.folder)
        if not good:
            raise Failed("llvm-nm failed", text)
        return {line for line in text.split() if not line.endswith(":")}

    def may_call(self) -> set[str]:
        """What a module may call: the SDK, lib, and what the compiler itself adds."""
        names = {"__stack_chk_fail", "__stack_chk_guard"}
        for header in (paths.TOP / "sdk" / "include").rglob("*.h"):
            names |= set(re.findall(r"\b(hx_\w+)\(", header.read_text()))
        return names | self.defined(self.folder / "lib" / "liblib.a")

    def check_calls(self, file: Path) -> tuple[bool, str]:
        wrong = sorted(self.undefined(file) - self.may_call())
        return not wrong, "".join(f"error: a module may not call {name}\n" for name in wrong)


def _try(tools: Tools, rule: Rule, breaks: bool) -> tuple[bool, str]:
    if rule.how == "configure":
        return _configure(rule, breaks)
    good, text = tools.compile(rule, breaks)
    if rule.how == "compile":
        return good, text
    if not good:
        raise Failed("it must compile", text)
    file = tools.object(rule, breaks)
    return tools.link(file) if rule.how == "link" else tools.check_calls(file)


_PROJECT = """cmake_minimum_required(VERSION 3.25)
project(rule LANGUAGES NONE)
set(HELIX_ARCH none)
file(WRITE ${{CMAKE_BINARY_DIR}}/arch-none.cmake "")
file(READ {helix} text)
string(REPLACE "\\${{CMAKE_CURRENT_LIST_DIR}}/arch-" "\\${{CMAKE_BINARY_DIR}}/arch-" text "${{text}}")
string(REGEX REPLACE "target_compile_features[^\\n]*" "" text "${{text}}")
file(WRITE ${{CMAKE_BINARY_DIR}}/helix.cmake "${{text}}")
include(${{CMAKE_BINARY_DIR}}/helix.cmake)
include({rule})
"""


def _configure(rule: Rule, breaks: bool) -> tuple[bool, str]:
    """Configures an empty project that knows our build's words."""
    folder = paths.ensure(paths.OUT / "tmp" / "rules" / rule.source.stem)
    helix = paths.TOP / "build" / "helix.cmake"
    text = _PROJECT.format(helix=helix, rule=rule.source)
    (folder / "CMakeLists.txt").write_text(text)
    good, said = _call(["cmake", "-G", "Ninja", f"-DBREAK_RULE={'ON' if breaks else 'OFF'}",
                        "-S", ".", "-B", "made"], folder)
    # What cmake says in a block after "CMake Error at FILE:" becomes one line.
    joined = re.sub(r"CMake Error at [^\n]*:\n((?:  [^\n]*\n)+)",
                    lambda found: "error: " + " ".join(found.group(1).split()) + "\n", said)
    return good, joined


def _check(tools: Tools, rule: Rule) -> None:
    good, text = _try(tools, rule, False)
    if not good:
        raise Failed("the side that keeps the rule is refused", text)
    good, text = _try(tools, rule, True)
    if good:
        raise Failed("the side that breaks the rule is taken")
    errors = _ERROR.findall(text)
    other = [line for line in errors if not re.search(rule.fails, line)]
    if not errors or other:
        raise Failed(f"it fails for another reason than /{rule.fails}/", text)


@dataclass(frozen=True)
class TextRule:
    """No line of the files may match, but in the folders that are excepted."""

    name: str
    pattern: str
    files: str  # a regular expression on the path
    excepted: str
    bad: str  # a line that breaks it
    good: str  # a line like it that does not

    def broken_by(self, line: str) -> bool:
        return re.search(self.pattern, line) is not None


_PROGRAMS = "tests/|bench/|user/|third_party/"  # they run on Linux too
_TEXT_RULES = (
    TextRule("rules/text-architecture", r"^\s*#\s*(if|ifdef|ifndef|elif)\b.*(__x86_64|__i386|"
             r"__amd64|__aarch64|__arm|__riscv|HELIX_ARCH)", r"\.[chS]$", f"hal/|boot/|{_PROGRAMS}",
             "#if defined(__x86_64__)", "#if HELIX_DEBUG"),
    TextRule("rules/text-instructions", r"\b(asm|__asm__)\b(\s+volatile)?\s*\(\s*\"[^\"]",
             r"\.[ch]$", f"hal/|boot/|{_PROGRAMS}", '__asm__ volatile("cli");',
             '__asm__ volatile("" : : : "memory");'),
    TextRule("rules/text-machine-headers", r"^\s*#\s*include\s*[<\"]hal_arch/", r"\.[chS]$", "hal/",
             "#include <hal_arch/cpu.h>", "#include <hal/cpu.h>"),
    TextRule("rules/text-include-sideways", r'^\s*#\s*include\s+"(\.\./)+(sdk|lib|boot|hal|core|'
             r'subsys|runtime|services|policy|interface)/', r"\.[chS]$", _PROGRAMS,
             '#include "../../subsys/vfs/src/name.h"', '#include "../name.h"'),
    TextRule("rules/text-data-only", r"^\s*(if|set|foreach|function|macro)\s*\(",
             r"^.+/CMakeLists\.txt$", "third_party/", "if(HELIX_DEBUG)", "helix_module(NAME a"),
)


@cache
def _texts() -> dict[str, str]:
    """The text files of the checkout, by their paths."""
    wanted = (".c", ".h", ".S", ".txt")
    folders = [folder for folder in paths.TOP.iterdir()
               if folder.is_dir() and folder.name != "out" and not folder.name.startswith(".")]
    return {str(file.relative_to(paths.TOP)): file.read_text()
            for folder in folders for file in folder.rglob("*")
            if file.suffix in wanted and file.is_file()}


def _check_text(rule: TextRule) -> None:
    if not rule.broken_by(rule.bad) or rule.broken_by(rule.good):
        raise Failed("the rule's own examples show that it does not work")
    wrong, seen = [], 0
    for path, text in sorted(_texts().items()):
        if not re.search(rule.files, path) or re.match(rule.excepted, path):
            continue
        seen += 1
        wrong += [f"{path}:{number}: {line}" for number, line in enumerate(text.splitlines(), 1)
                  if rule.broken_by(line)]
    if not seen:
        raise Failed("there is no file that the rule is about")
    if wrong:
        raise Failed(f"{len(wrong)} lines break it", "\n".join(wrong))


def _check_modules(tools: Tools) -> None:
    """No module calls more than the SDK and lib."""
    archives = sorted((tools.folder / "services").rglob("lib*.a"))
    if not archives:
        raise Failed("there is no module")
    wrong = ""
    for archive in archives:
        good, text = tools.check_calls(archive)
        wrong += "" if good else f"{archive.name}:\n{text}"
    if wrong:
        raise Failed("modules call what they may not", wrong)


def _check_segments(tools: Tools) -> None:
    """No part of the image is both writable and executable."""
    good, text = _call(["llvm-readelf-19", "--program-headers", "--wide", "helix.elf"],
                       tools.folder)
    rights = re.findall(r"^\s*LOAD\s+(?:0x\w+\s+){5}([RWE ]{3})", text, re.M)
    if not good or not any("E" in right for right in rights):
        raise Failed("the image has no executable segment", text)
    if any("W" in right and "E" in right for right in rights):
        raise Failed("a segment is writable and executable", text)


def _check_hal_symbols(tools: Tools) -> None:
    """What the other parts of the kernel need from hal is in the contract, and all hal_ names are."""
    hal = tools.folder / "hal" / "libhal.a"
    promised = contract.functions(check.texts()).keys()
    defined = tools.defined(hal)
    needed = set().union(*(tools.undefined(archive) for archive in tools.folder.rglob("lib*.a")
                           if archive != hal))
    if not needed & defined & promised:
        raise Failed("nobody needs anything from hal")
    named = {name for name in defined if name.startswith("hal_")}
    wrong = sorted(((needed & defined) | named) - promised)
    if wrong:
        raise Failed("hal defines what is not in the contract", "\n".join(wrong))


# One line of the tree, what is wrong instead, and what must be said about that.
_CONTRACT_BREAKS = (
    ("hal/include/hal/io.h", "// Writes one; nothing happens where the machine has no ports. As above.\n",
     "", "hal_port_write8() has no comment"),
    ("hal/include/hal/io.h", "NORETURN void hal_restart(void);",
     "NORETURN void hal_restart(void);\n// New.\nvoid hal_new(void);", "nobody outside hal uses hal_new()"),
    ("hal/hosted/uart.c", "uint8_t hal_port_read8(", "uint8_t hosted_port_read8(",
     "hal/hosted does not define hal_port_read8()"),
    ("hal/x86_64/switch.S", "FUNCTION hal_switch", "FUNCTION x86_switch",
     "hal/x86_64 does not define hal_switch()"),
    ("hal/x86_64/include/hal_arch/cpu.h", "#define X86_GS_SELF", "#define HAL_GS_SELF",
     "HAL_GS_SELF is not in the contract"),
    ("hal/x86_64/include/hal_arch/cpu.h", "#define X86_GS_SELF", "#define GS_SELF",
     "GS_SELF begins neither with"),
    ("hal/hosted/include/hal_arch/linux_stat.h", "#define HAL_O_DIRECT ", "#define HOSTED_DIRECT ",
     "linux_stat.h does not define HAL_O_DIRECT"),
    ("docs/porting.md", "`hal/README.md`", "`hal/READ.md`", "names hal/READ.md, which does not exist"),
    ("docs/porting.md", "`build/arch-ARCH.cmake`", "its flags", "does not name build/arch-x86_64.cmake"),
    ("docs/porting.md", "`tools/helix/suite_tree.py`", "its tests",
     "does not name tools/helix/suite_tree.py, which says the name of a machine"),
    ("core/irq.c", "static void irq_thread(", "static const char riscv_name[];\nstatic void irq_thread(",
     "does not name core/irq.c, which says the name of a machine"),
)


def _check_contract(_: Tools) -> None:
    files = check.texts()
    wrong = list(contract.problems(files))
    if wrong:
        raise Failed("the porting contract is broken", "\n".join(wrong))
    for path, before, after, expected in _CONTRACT_BREAKS:
        if before not in files[path]:
            raise Failed(f"{path} has no line '{before.strip()}' to break")
        broken = {**files, path: files[path].replace(before, after)}
        if not any(expected in problem for problem in contract.problems(broken)):
            raise Failed(f"nobody says '{expected}'")


def _checks() -> dict[str, Path]:
    return {f"rules/check-{source.stem.replace('_', '-')}": source
            for source in sorted(_HERE.glob("*.check"))}


def _refused_by_check(source: Path) -> None:
    text = source.read_text()
    words = dict(re.findall(r"^// (PATH|EXPECT): (.*)$", text, re.M))
    found = list(ratchets.problems(words["PATH"], text))
    if not any(words["EXPECT"] in problem for problem in found):
        raise Failed(f"check does not say '{words['EXPECT']}'", "\n".join(found))


_PAGES = ("sdk/include/helix/types.h", "sdk/include/helix/status.h", "tools/gdb/helpers.py", "docs/debug.md",
          "docs/STATUS.md")


def _check_pages(_: Tools) -> None:
    """What a page says and is not so any more is noticed."""
    from helix import status_table  # which knows all suites, this one too
    types, status, helpers, words, table = ((paths.TOP / name).read_text() for name in _PAGES)
    numbers = numbers_page.made(types, status)
    renamed = table.replace("`unit/rng_test`", "`unit/no_test`")
    calls = coverage_page.read()
    coverage = coverage_page.made(calls)
    noticed = {
        "a right has another number": numbers_page.made(types.replace("<< 7)", "<< 12)"), status) != numbers,
        "a status has another number": numbers_page.made(types, status.replace(" -5,", " -6,")) != numbers,
        "a word of gdb is not listed": list(check.gdb_words(helpers.replace('"hx-log"', '"hx-logs"'), words)) != [],
        "a system call is not there any more": "| getcwd | x a r | unknown |" in coverage_page.made(
            replace(calls, functions=calls.functions.replace("sys_getcwd(", "sys_getcwd_not("))),
        "a system call is always refused": "| seccomp | x a r | refused (ENOSYS) |" in coverage,
        "a test makes a system call": "| rseq | x a r | works | call | `scenario/rseq` |" in coverage,
        "a test in a row is none": renamed != table and "unit/no_test" in status_table.unknown(renamed),
    }
    missed = [what for what, is_noticed in noticed.items() if not is_noticed]
    if missed:
        raise Failed(f"nobody notices that {', '.join(missed)}")


_OF_BUILD: dict[str, Callable[[Tools], None]] = {"rules/pages-are-current": _check_pages,
                                                 "rules/modules-call-sdk": _check_modules,
                                                 "rules/image-segments": _check_segments,
                                                 "rules/hal-symbols": _check_hal_symbols,
                                                 "rules/hal-contract": _check_contract}


def _bodies(tools: Tools) -> dict[str, Callable[[], None]]:
    bodies: dict[str, Callable[[], None]] = {}
    for rule in _rules():
        bodies[rule.name] = lambda rule=rule: _check(tools, rule)
    for text_rule in _TEXT_RULES:
        bodies[text_rule.name] = lambda rule=text_rule: _check_text(rule)
    for name, source in _checks().items():
        bodies[name] = lambda source=source: _refused_by_check(source)
    for name, body in _OF_BUILD.items():
        bodies[name] = lambda body=body: body(tools)
    return bodies


def _run(context: Context, names: list[str]) -> Iterator[Verdict]:
    packages.need(packages.BUILD, yes=context.options.yes)
    options = context.options
    bodies = _bodies(Tools(build.kernel(options.arch, options.profile, options.yes).parent))
    for name in names:
        try:
            bodies[name]()
            yield Verdict(name)
        except Failed as failed:
            yield Verdict(name, str(failed), failed.detail)


def jobs(_: Namespace) -> list[Job]:
    names = [rule.name for rule in _rules()] + [rule.name for rule in _TEXT_RULES]
    return [Job([*names, *_checks(), *_OF_BUILD], _run, machines=False)]
