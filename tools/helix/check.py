# SPDX-License-Identifier: MIT OR Apache-2.0
"""./helix check: what a reviewer would see at once: format, lint, ratchets, layers, and whether the
second compiler takes the code too."""

import ast
import json
import os
import re
import subprocess
from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from helix import build, contract, coverage_page, numbers_page, packages, paths, programs, ratchets, ui

Problems = Iterator[str]


def _git(*words: str) -> list[str]:
    done = subprocess.run(["git", *words], cwd=paths.TOP, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False)
    return done.stdout.splitlines()


def _files() -> list[str]:
    """What is in the repository or about to be, without what third parties wrote."""
    names = _git("ls-files", "--cached", "--others", "--exclude-standard")
    if not names:
        raise ui.Failure("check needs git and a checkout with files")
    return [name for name in names if (paths.TOP / name).is_file()]


def _changed() -> set[str]:
    """What differs from the last commit but one, and what is not committed."""
    committed = _git("diff", "--name-only", "HEAD~1") or _files()
    return {*committed, *_git("ls-files", "--others", "--exclude-standard")}


def _sources(files: list[str]) -> list[str]:
    return [name for name in files if name.endswith((".c", ".h"))]


def _format(options: Namespace, files: list[str]) -> Problems:
    how = ["-i"] if options.fix else ["--dry-run", "-Werror"]
    done = subprocess.run(["clang-format-19", *how, *_sources(files)], cwd=paths.TOP, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    seen = sorted({line.split(":")[0] for line in done.stdout.splitlines() if "error:" in line})
    yield from (f"{name}: not as clang-format writes it (--fix does it)" for name in seen)


def texts() -> dict[str, str]:
    """The text of each file, by its path."""
    return {name: (paths.TOP / name).read_text(errors="replace") for name in _files()}


def _ratchets(_: Namespace, files: list[str]) -> Problems:
    for name in files:
        try:
            text = (paths.TOP / name).read_text()
        except UnicodeDecodeError:
            yield f"{name}: is not UTF-8"
            continue
        yield from ratchets.problems(name, text)
    yield from ratchets.folder_problems(files)
    yield from contract.problems(texts())


def _scripts(_: Namespace, files: list[str]) -> Problems:
    """Python and shell files parse; Python functions are annotated and short."""
    for name in files:
        path = paths.TOP / name
        if name.endswith(".py"):
            yield from _python(name, path.read_text())
        elif name.endswith(".sh") or name in ("helix", ".ci/run", "third_party/fetch"):
            done = subprocess.run(["bash", "-n", str(path)], text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, check=False)
            if done.returncode != 0:
                yield f"{name}: {done.stdout.strip()}"


def _python(name: str, text: str) -> Problems:
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        yield f"{name}:{error.lineno}: {error.msg}"
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef):
            continue
        if node.returns is None and node.name != "__init__":
            yield f"{name}:{node.lineno}: {node.name}() does not say what it returns"
        if (node.end_lineno or 0) - node.lineno >= 60:
            yield f"{name}:{node.lineno}: {node.name}() is over 60 lines"


def _types(_: Namespace, __: list[str]) -> Problems:
    """The tools call what there is, with what it takes. (What it calls "misc" is lambdas in loops,
    whose types this mypy cannot tell.)"""
    command = ["mypy", "--no-error-summary", "--no-color-output", "--disable-error-code", "misc",
               "--cache-dir", str(paths.OUT / "mypy"), "-p", "helix"]
    done = subprocess.run(command, cwd=paths.TOP / "tools", text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    yield from (f"tools/{line}" for line in done.stdout.splitlines() if ": note:" not in line)


def tidy_one(folder: Path, file: str, top: Path = paths.TOP) -> list[str]:
    done = subprocess.run(["clang-tidy-19", "--quiet", "-p", str(folder), file], text=True,
                          cwd=top, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=False)
    prefix = f"{top}/"
    found = [line.replace(prefix, "") for line in done.stdout.splitlines()
             if " warning: " in line or " error: " in line]
    return found or ([f"{file}: clang-tidy failed"] if done.returncode else [])


def _tidy(options: Namespace, _: list[str]) -> Problems:
    """Only what changed, unless all is asked for: it takes seconds a file."""
    folder = build.configure_and_build(options.arch, "minimal")
    entries = json.loads((folder / "compile_commands.json").read_text())
    names = {os.path.relpath(entry["file"], paths.TOP) for entry in entries
             if entry["file"].endswith(".c")}
    names = {name for name in names if not name.startswith("out/")}
    chosen = sorted(names if options.all else names & _changed())
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, found in enumerate(pool.map(lambda name: tidy_one(folder, name), chosen), 1):
            ui.progress(f"clang-tidy [{number}/{len(chosen)}]")
            yield from found


def gdb_words(helpers: str, page: str) -> Problems:
    """Words for gdb that docs/debug.md does not list, or lists and there are none."""
    there = set(re.findall(r'__init__\("(hx-[\w-]+)"', helpers))
    for word in sorted(there ^ set(re.findall(r"^\| `(hx-[\w-]+)", page, re.M))):
        yield f"docs/debug.md: {word} is {'missing' if word in there else 'no word of tools/gdb/helpers.py'}"


def _pages(options: Namespace, _: list[str]) -> Problems:
    """docs/native.md is what the calls say, docs/numbers.md what the headers do, docs/posix-coverage.md
    what the system calls do, and docs/STATUS.md what the tests do."""
    from helix import status_table  # which knows all suites, this one too
    page = paths.TOP / "docs/native.md"
    made = programs.made_from_calls(paths.OUT / "user" / "native.md").read_text()
    if options.fix:
        page.write_text(made)
    if not page.exists() or page.read_text() != made:
        yield "docs/native.md: not what sdk/calls/native.calls says (--fix does it)"
    for page, made, whose in ((numbers_page.PAGE, numbers_page.current(), "the SDK's headers"),
                              (coverage_page.PAGE, coverage_page.current(), "the tables of calls, their functions and the tests")):
        if options.fix:
            page.write_text(made)
        if not page.exists() or page.read_text() != made:
            yield f"docs/{page.name}: not what {whose} say (--fix does it)"
    page = paths.TOP / "docs/STATUS.md"
    made = status_table.filled(page.read_text())
    if options.fix:
        page.write_text(made)
    if page.read_text() != made:
        yield "docs/STATUS.md: its rows are not run where it says (--fix does it)"
    yield from gdb_words((paths.TOP / "tools/gdb/helpers.py").read_text(), (paths.TOP / "docs/debug.md").read_text())
    yield from (f"docs/STATUS.md: {test} is not the name of a test" for test in status_table.unknown(made))


def _second_compiler(options: Namespace, _: list[str]) -> Problems:
    try:
        build.configure_and_build("x86_64-gcc", "minimal")
    except ui.Failure as failure:
        yield f"{failure}\n{failure.detail}"


_STEPS: dict[str, Callable[[Namespace, list[str]], Problems]] = {
    "format": _format,
    "ratchets": _ratchets,
    "scripts": _scripts,
    "types": _types,
    "pages": _pages,
    "gcc": _second_compiler,
    "tidy": _tidy,
}


def problems(step: str, options: Namespace) -> list[str]:
    """What one step finds, without mending anything."""
    return sorted(set(_STEPS[step](Namespace(**{**vars(options), "fix": False}), _files())))


def command(options: Namespace) -> int:
    packages.need(packages.BUILD, packages.CHECK, yes=options.yes)
    files = _files()
    total = 0
    for name, step in _STEPS.items():
        ui.progress(f"check: {name}")
        found = sorted(set(step(options, files)))
        total += len(found)
        for problem in found:
            ui.result(f"{name}: {problem}")
        ui.result(f"{'FAIL' if found else 'ok  '} {name}")
    ui.progress_done()
    ui.result(f"{total} problems")
    return 1 if total else 0
