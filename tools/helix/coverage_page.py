# SPDX-License-Identifier: MIT OR Apache-2.0
"""docs/posix-coverage.md: each system call of Linux that a machine's table names, with what becomes of it
here, the ways there, and the tests that make it. All of it is read from the sources."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from helix import paths

PAGE = paths.TOP / "docs/posix-coverage.md"
_GENERIC = "hal/include/hal/linux_generic.h"
_TABLES = {"x": ["hal/x86_64/include/hal_arch/syscall_numbers.h"],
           "a": [_GENERIC, "hal/aarch64/include/hal_arch/syscall_numbers.h"],
           "r": [_GENERIC, "hal/riscv64/include/hal_arch/syscall_numbers.h"]}
_ROW = re.compile(r"\bX\((\w+), \d+\)")
_FUNCTION = re.compile(r"^enum hx_status sys_(\w+)\(struct call \*call\) \{\n(.*?)^\}", re.M | re.S)
_STATUS = re.compile(r"^ {4}X\((HX_\w+), -?\d+, (\w+),", re.M)
_TESTS_SHOWN = 3

# Under which names C programs make a call, if not, or not only, under its own.
_C_NAMES = {
    "clock_nanosleep": "nanosleep", "clone": "machine_clone machine_start", "clone3": "",
    "epoll_create1": "epoll_create1", "exit": "pthread_exit", "exit_group": "_exit", "fadvise64": "posix_fadvise",
    "fcntl": "lockf", "futex": "pthread_join pthread_cond_wait", "getdents64": "readdir", "mq_getsetattr": "mq_getattr",
    "mq_timedreceive": "mq_receive", "mq_timedsend": "mq_send", "newfstatat": "fstatat stat lstat",
    "openat": "open", "pread64": "pread", "prlimit64": "prlimit getrlimit setrlimit", "pselect6": "pselect",
    "pwrite64": "pwrite", "rt_sigaction": "sigaction signal", "rt_sigpending": "sigpending",
    "rt_sigprocmask": "sigprocmask pthread_sigmask", "rt_sigqueueinfo": "sigqueue", "rt_sigreturn": "machine_sigreturn",
    "rt_sigsuspend": "sigsuspend", "rt_sigtimedwait": "sigtimedwait sigwaitinfo sigwait", "signalfd4": "signalfd",
    "tgkill": "raise pthread_kill", "umount2": "umount", "wait4": "waitpid wait check_wait",
}

_HEAD = """# System calls of Linux, one by one

Made by `./helix check --fix` from the tables of calls (`HAL_SYSCALL_TABLE`), the functions in `interface/posix` and the test programs:
change those. {counts} `docs/STATUS.md` has what a call that works leaves out.

- **on**: the machines that have it: x86_64, aarch64, riscv64.
- **state**: *works*: there is a function for it. *nothing to do*: it succeeds, and changes nothing. *refused*: it is known, and always
  fails with this errno. *unknown*: there is no function (ENOSYS, and a line in the log for each program's first).
- **route**: *vDSO*, *libposix_x*: where that can answer, the kernel is not entered; else the call.
- **made by**: the programs in `tests/scenario` and `tests/native` that make it most often. A program that mentions it need not be its
  test, and a call that only a C library makes is not found.

| call | on | state | route | made by |
| --- | --- | --- | --- | --- |
"""


@dataclass(frozen=True)
class Sources:
    tables: dict[str, str]  # of each machine's letter
    functions: str          # of interface/posix
    status: str             # <helix/status.h>
    vdso: str
    own: set[str]           # what libposix_x has of its own
    tests: dict[str, str]   # by name


def read() -> Sources:
    """The sources as they are."""
    def text(name: str) -> str:
        return (paths.TOP / name).read_text()
    tests = {f"{suite}/{source.stem}": re.sub(r"//.*", "", source.read_text())
             for suite in ("scenario", "native") for source in sorted((paths.TOP / "tests" / suite).glob("*.c"))}
    functions = "".join(source.read_text() for source in sorted((paths.TOP / "interface/posix").rglob("*.c")))
    return Sources({letter: "".join(map(text, names)) for letter, names in _TABLES.items()}, functions,
                   text("sdk/include/helix/status.h"), text("user/vdso/vdso.c"),
                   {source.stem for source in (paths.TOP / "user/posix-x/src").rglob("*.c")}, tests)


def _state(body: str | None, errnos: dict[str, str]) -> str:
    if body is None:
        return "unknown"
    always = re.fullmatch(r"\s*\(void\)call;\s*return (HX_\w+);(?: //.*)?\s*", body)
    if always is None:
        return "works"
    return "nothing to do" if always[1] == "HX_OK" else f"refused ({errnos[always[1]]})"


def _route(name: str, sources: Sources) -> str:
    ways = [word for word, is_one in (("vDSO", f"VISIBLE int VDSO_NAME({name})" in sources.vdso
                                       or f"VISIBLE int64_t VDSO_NAME({name})" in sources.vdso),
                                      ("libposix_x", name in sources.own)) if is_one]
    return ", ".join([*ways, "call"])


def _makers(name: str, tests: dict[str, str]) -> Iterator[str]:
    names = "|".join([name, *_C_NAMES.get(name, "").split()])
    called = re.compile(rf"\bSYS_{name}\b|(?<![\w.>])(?:{names})\(")
    counts = {test: len(called.findall(text)) for test, text in tests.items()}
    for test in sorted((test for test in counts if counts[test]), key=lambda test: -counts[test])[:_TESTS_SHOWN]:
        yield f"`{test}`"


def made(sources: Sources) -> str:
    """The page of these sources."""
    on: dict[str, str] = {}
    for letter, table in sources.tables.items():
        for name in _ROW.findall(table):
            on[name] = on.get(name, "") + letter
    bodies = dict(_FUNCTION.findall(sources.functions))
    errnos = dict(_STATUS.findall(sources.status))
    states = {name: _state(bodies.get(name), errnos) for name in sorted(on)}
    unknown, refused = (sum(state.startswith(word) for state in states.values()) for word in ("unknown", "refused"))
    text = f"Of {len(states)} calls {refused} are always refused, and {unknown} are unknown."
    return _HEAD.format(counts=text) + "".join(
        f"| {name} | {' '.join(letter if letter in on[name] else '·' for letter in _TABLES)} | {state} "
        f"| {'' if state == 'unknown' else _route(name, sources)} | {', '.join(_makers(name, sources.tests))} |\n"
        for name, state in states.items())


def current() -> str:
    """The page as it ought to be."""
    return made(read())
