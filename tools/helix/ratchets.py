# SPDX-License-Identifier: MIT OR Apache-2.0
"""What ./helix check says about a file by looking at its text. Limits only ever get tighter."""

import re
from collections.abc import Iterator
from pathlib import Path

from helix import paths

FILE_LINES = 1000
FUNCTION_LINES = 100
_SOURCES = {".c", ".h", ".S", ".py", ".sh"}
_SPDX = "SPDX-License-Identifier: MIT OR Apache-2.0"
_ARCH = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif)\b.*"
                   r"(__x86_64|__aarch64|__riscv|__i386|__amd64|HELIX_ARCH|CONFIG_X86|CONFIG_ARM)")
_PLACEMENT = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif)\b.*HELIX_(ISOLATED|PLACEMENT|IN_KERNEL)")
_ERRNO = re.compile(r"\bE(NOENT|INVAL|AGAIN|ACCES|PERM|EXIST|NOMEM|INTR|NOSYS|BADF|FAULT|PIPE|IO)\b")
_UNREASONED = re.compile(r"\b(TODO|FIXME|XXX)\b(?!.*\w{3,}.*\w{3,})")
# Places of one machine or one workplace have no business here.
_PRIVATE = re.compile(r"(/hom[e]/\w|/User[s]/\w|/wor[k]/(main|shared)|deb\.debian\.or[g])")
_STORE = re.compile(r"^[^;]*\batomic_store(\(|_explicit\([^;]*memory_order_seq_cst\);)")
_DECISIONS = Path("docs/decisions")


def _functions(lines: list[str]) -> Iterator[tuple[str, int]]:
    """Names and lengths; clang-format puts a function's end at the start of a line."""
    start, name = 0, ""
    for number, line in enumerate(lines):
        found = re.match(r"[a-z].*?(\w+)\(", line)
        if found and not line.rstrip().endswith(";"):
            start, name = number, found.group(1)
        if line.rstrip() == "}" and name:
            yield name, number - start + 1
            name = ""


def _c_problems(path: str, lines: list[str]) -> Iterator[str]:
    top = path.split("/")[0]
    kernel = top in ("sdk", "lib", "core", "subsys", "runtime", "services", "policy")
    for number, line in enumerate(lines, 1):
        if top not in ("hal", "boot", "tests", "bench", "user") and _ARCH.match(line):
            yield f"{path}:{number}: #if on an architecture outside hal/ and boot/"
        if top != "runtime" and _PLACEMENT.match(line):
            yield f"{path}:{number}: #if on placement outside runtime/"
        code = re.sub(r'"[^"]*"|//.*', "", line)
        if kernel and _STORE.search(" ".join(lines[number - 1:number + 2])) and "store" in code and not re.search("/(tests|fuzz)/", path):
            yield f"{path}:{number}: a seq_cst store; exchange instead (decision 026)"
        if kernel and not path.endswith("status.h") and _ERRNO.search(code):
            yield f"{path}:{number}: errno names outside interface/posix"
    for name, length in _functions(lines):
        if length > FUNCTION_LINES:
            yield f"{path}: {name}() is over {FUNCTION_LINES} lines ({length})"


def problems(path: str, text: str) -> Iterator[str]:
    """What is wrong with a file; `path` counts from the top of the tree."""
    lines = text.splitlines()
    suffix = Path(path).suffix
    if suffix in _SOURCES and not any(_SPDX in line for line in lines[:2]):
        yield f"{path}: the first line is no SPDX line"
    if suffix in _SOURCES and len(lines) > FILE_LINES:
        yield f"{path} is over {FILE_LINES} lines ({len(lines)})"
    for number, line in enumerate(lines, 1):
        if suffix in _SOURCES and path != "tools/helix/ratchets.py" and _UNREASONED.search(line):
            yield f"{path}:{number}: a TODO without a reason"
        if _PRIVATE.search(line):
            yield f"{path}:{number}: names a private place"
    if suffix in (".c", ".h", ".S"):
        yield from _c_problems(path, lines)


def folder_problems(files: list[str]) -> Iterator[str]:
    """Each folder that holds sources itself, not only other folders, says what it is: top folders,
    and each part that the build knows."""
    here = {Path(file).parent for file in files if Path(file).name != "README.md"}
    for folder in sorted(here):
        top = len(folder.parts) == 1 and not folder.parts[0].startswith(".")
        part = (paths.TOP / folder / "CMakeLists.txt").exists() and folder.parts
        if (top or part) and not (paths.TOP / folder / "README.md").exists():
            yield f"{folder}/: has no README.md"
    yield from _decision_problems(sorted(file for file in files if Path(file).parent == _DECISIONS))


def _decision_problems(pages: list[str]) -> Iterator[str]:
    """Others name a decision by its number: it is its own, and its title says it."""
    known: dict[str, str] = {}
    for page in pages:
        number, _, name = Path(page).stem.partition("-")
        if not name:
            continue  # README.md
        if known.setdefault(number, page) != page:
            yield f"{page}: {known[number]} has its number; take the next free one"
        if not (paths.TOP / page).read_text().startswith(f"# {number}: "):
            yield f"{page}: does not begin with '# {number}: '"
