# SPDX-License-Identifier: MIT OR Apache-2.0
"""docs/numbers.md: the rights and statuses that cross the kernel's boundary, as the SDK's headers have
them."""

import re
from collections.abc import Iterator

from helix import paths, ui

PAGE = paths.TOP / "docs/numbers.md"
_TYPES = "sdk/include/helix/types.h"
_STATUS = "sdk/include/helix/status.h"
_RIGHT = re.compile(r"^#define (HX_RIGHT_\w+)\s+\(\(rights_t\)1 << (\d+)\) +// (.+)$", re.M)
_ROW = re.compile(r'^ {4}X\((HX_\w+), (-?\d+), (\w+), "([^"]+)"\)', re.M)
_HEAD = f"""# Rights and statuses

Made from `{_TYPES}` and `{_STATUS}`: change those. `docs/native.md` has the calls.

## Rights

A handle has a set of them (`rights_t`), which `hx_handle_derive()` can only make smaller; `HX_RIGHTS_ALL` stands for all.
A method of a port may ask for others than a call does: its page says which.

| name | value | what it allows |
| --- | --- | --- |
"""
_MIDDLE = """
## Statuses

What functions and calls return (`enum hx_status`). `hx_status_name()` is the text, with the name behind it. A POSIX call gives the
errno instead, but for calls that have a reason for another one.

| name | value | errno | text |
| --- | --- | --- | --- |
"""


def _rights(text: str) -> Iterator[str]:
    for name, bit, meaning in _RIGHT.findall(text):
        yield f"| `{name}` | {1 << int(bit):#x} | {meaning} |"


def _statuses(text: str) -> Iterator[str]:
    for name, value, errno, words in _ROW.findall(text):
        yield f"| `{name}` | {value} | {'' if errno == '0' else errno} | {words} |"


def made(types: str, status: str) -> str:
    """The page of these two headers. ui.Failure: one has a right or a status that cannot be read."""
    rights, statuses = list(_rights(types)), list(_statuses(status))
    if len(rights) != len(re.findall(r"^#define HX_RIGHT_", types, re.M)):
        raise ui.Failure(f"{_TYPES}: a right has no comment behind it that says what it allows")
    if len(statuses) != len(re.findall(r"^ {4}X\(", status, re.M)):
        raise ui.Failure(f"{_STATUS}: a row of the table is not on one line")
    return _HEAD + "\n".join(rights) + "\n" + _MIDDLE + "\n".join(statuses) + "\n"


def current() -> str:
    """The page as it ought to be."""
    return made((paths.TOP / _TYPES).read_text(), (paths.TOP / _STATUS).read_text())
