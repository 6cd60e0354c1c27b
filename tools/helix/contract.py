# SPDX-License-Identifier: MIT OR Apache-2.0
"""The porting contract, hal/include/hal, as text: whether it says all and only what machines and the
rest of the kernel have with each other, and whether docs/porting.md names what a port touches."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath

Texts = Mapping[str, str]  # by paths from the top of the tree

_CONTRACT = "hal/include/hal/"
_USERS = ("core/", "subsys/", "runtime/", "services/", "policy/", "interface/", "boot/", "lib/", "sdk/")
_GUIDE = "docs/porting.md"
# A machine's own, or a test that takes one of the machines for an example.
_ELSEWHERE = re.compile(r"(hal|boot|docs|tests/mutants)/|(?!tests/).*/(tests|fuzz)/")
_PROTOTYPE = re.compile(r"^[a-zA-Z][\w *]*\b(hal_\w+)\(")
_DEFINED = re.compile(r"^[a-zA-Z][^;{}]*\b(\w+)\([^;{}]*\)\s*\{|^struct\b[^;{}]*?\b(\w+) \{|"
                      r"^#define\s+(\w+)|^extern\b[^;]*\b(\w+);|^enum (\w+) \{", re.M)
_PUBLIC = ("hal_", "HAL_", "linux_")


def _code(text: str) -> str:
    return re.sub(r"//.*", "", text)


def _headers(files: Texts) -> dict[str, str]:
    return {path: text for path, text in files.items() if path.startswith(_CONTRACT)}


def machines(files: Texts) -> list[str]:
    return sorted({PurePath(path).parts[1] for path in files
                   if re.match(r"hal/\w+/include/hal_arch/", path)})


def functions(files: Texts) -> dict[str, tuple[str, bool]]:
    """Each function of the contract: where it is declared, and whether a comment stands above it."""
    found: dict[str, tuple[str, bool]] = {}
    for path, text in _headers(files).items():
        lines = text.splitlines()
        for number, line in enumerate(lines):
            match = _PROTOTYPE.match(line)
            if match and not line.startswith("typedef"):
                found[match.group(1)] = (f"{path}:{number + 1}", lines[number - 1].startswith("// "))
    return found


def _defined(text: str) -> set[str]:
    """Names that a C header or source, or an assembly file, defines."""
    found = {next(filter(None, match.groups())) for match in _DEFINED.finditer(_code(text))}
    return found | set(re.findall(r"^(?:FUNCTION )?(\w+):?$", text, re.M))


def _shared(files: Texts, machine: str) -> set[str]:
    """The files of hal/firmware that a machine is made of."""
    sources = files.get(f"hal/{machine}/sources.cmake", "")
    return {f"hal/{name}" for name in re.findall(r"\bfirmware/[\w./]+", sources)}


def _function_problems(files: Texts) -> Iterator[str]:
    used = {name for path, text in files.items() if path.startswith(_USERS)
            for name in re.findall(r"\bhal_\w+", _code(text))}
    common = set().union(*map(_defined, _headers(files).values()))
    defined = {machine: common.union(*(_defined(text) for path, text in files.items()
                                       if path.startswith(f"hal/{machine}/") or path in _shared(files, machine)))
               for machine in machines(files)}
    for name, (place, has_comment) in functions(files).items():
        if not has_comment:
            yield f"{place}: {name}() has no comment of its own"
        if name not in used:
            yield f"{place}: nobody outside hal uses {name}()"
        for machine, names in defined.items():
            if name not in names:
                yield f"{place}: hal/{machine} does not define {name}()"


def _with_shared(files: Texts, text: str) -> str:
    """A header of the machine's, and what it includes of those that several machines share."""
    shared = re.findall(r"^#include <(hal/linux_generic\w+\.h)>", text, re.M)
    return "\n".join([text, *(files.get(f"hal/include/{name}", "") for name in shared)])


def _machine_names(files: Texts, machine: str) -> dict[str, str]:
    """What a machine's part of the contract defines, and the header that does."""
    here = f"hal/{machine}/include/hal_arch/"
    return {name: path.removeprefix(here) for path, text in files.items() if path.startswith(here)
            for name in _defined(_with_shared(files, text))}


def _machine_problems(files: Texts) -> Iterator[str]:
    contract = "\n".join(_headers(files).values())
    public: dict[str, set[tuple[str, str]]] = {}
    for machine in machines(files):
        prefix = machine.split("_")[0]
        names = _machine_names(files, machine)
        public[machine] = {(name, header) for name, header in names.items()
                           if name.startswith(_PUBLIC)}
        for name, header in names.items():
            where = f"hal/{machine}/include/hal_arch/{header}"
            if name.startswith(_PUBLIC) and not re.search(rf"\b{name}\b", contract):
                yield f"{where}: {name} is not in the contract"
            elif not name.startswith(_PUBLIC) and not name.lower().startswith(prefix):
                yield f"{where}: {name} begins neither with hal_ nor with {prefix}_"
    everything = set().union(*public.values())
    for machine, known in public.items():
        for name, header in sorted(everything - known):
            yield f"hal/{machine}/include/hal_arch/{header} does not define {name}"


def problems(files: Texts) -> Iterator[str]:
    yield from _function_problems(files)
    yield from _machine_problems(files)
    yield from guide_problems(files)


# ---- docs/porting.md -------------------------------------------------------------------------------


def _exists(files: Texts, named: str) -> bool:
    """A file or folder; ARCH stands for some machine that is there."""
    candidates = {named.replace("ARCH", machine) for machine in machines(files)}
    return any(path == one or path.startswith(f"{one.rstrip('/')}/")
               for one in candidates for path in files)


def _plain(path: str, text: str) -> str:
    """What a file says, without its comments."""
    if path.endswith((".c", ".h")):
        return _code(text)
    return re.sub(r"(?m)(^|\s)#.*$|\"\"\"[\s\S]*?\"\"\"", "", text)


def _content_problems(files: Texts, named: set[str]) -> Iterator[str]:
    """Who says the name of a machine that is one of several (hosted, where the tools' own tests run, is
    none of them) has something in it that a port may have to say, too."""
    names = "|".join(machine.removesuffix("64") for machine in machines(files) if machine != "hosted")
    for path, text in sorted(files.items()):
        if not path.endswith((".py", ".c", ".h", ".cmake")) or path in named or _ELSEWHERE.match(path):
            continue
        if re.search(names, _plain(path, text), re.I) and not any(machine in path for machine in machines(files)):
            yield f"{_GUIDE} does not name {path}, which says the name of a machine"


def guide_problems(files: Texts) -> Iterator[str]:
    guide = files.get(_GUIDE, "")
    quoted = set(re.findall(r"`([^`\s]+)`", guide))
    named = {word.rstrip("/") for word in quoted if not word.startswith("out/")
             and re.fullmatch(r"[\w.\-/]*/[\w.\-/]*|\w+\.(json|md|txt)", word)}
    for word in sorted(named):
        if not _exists(files, word):
            yield f"{_GUIDE} names {word}, which does not exist"
    for path in sorted(files):
        for machine in machines(files):
            if machine not in path or path.startswith(("hal/", "boot/", "docs/")):
                continue
            places = {f"{place}" for place in (PurePath(path), *PurePath(path).parents)
                      if machine in f"{place}"}
            if not (places | {place.replace(machine, "ARCH") for place in places}) & named:
                yield f"{_GUIDE} does not name {path}"
    yield from _content_problems(files, named)
