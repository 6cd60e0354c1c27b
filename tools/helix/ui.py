# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the user sees: messages, questions, a line of progress, and the one way to fail."""

import shutil
import sys
import threading
from pathlib import Path


class Failure(Exception):
    """Ends the command with one clear line. `detail` (a log) is shown above it."""

    status = 1

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class WrongWords(Failure):
    """A call that cannot be understood."""

    status = 2


def output(name: str) -> Path:
    """The file that -o names, if it can be written; to be asked before the work, not behind it."""
    path = Path(name)
    if not path.absolute().parent.is_dir():
        raise WrongWords(f"-o {name}: there is no folder {path.parent}")
    if path.is_dir():
        raise WrongWords(f"-o {name}: it is a folder")
    return path


_lock = threading.Lock()
_progress_shown = False


def _erase_progress() -> None:
    global _progress_shown
    if _progress_shown:
        sys.stderr.write("\r\033[K")
        _progress_shown = False


def say(message: str) -> None:
    """A line on the standard error; the standard output belongs to results."""
    with _lock:
        _erase_progress()
        print(message, file=sys.stderr, flush=True)


def result(message: str) -> None:
    """A line of a result on the standard output."""
    with _lock:
        _erase_progress()
        print(message, flush=True)


def progress(message: str) -> None:
    """A line that the next one replaces; nothing where nobody looks."""
    global _progress_shown
    if not sys.stderr.isatty():
        return
    width = shutil.get_terminal_size().columns - 1
    with _lock:
        sys.stderr.write("\r\033[K" + message[:width])
        sys.stderr.flush()
        _progress_shown = True


def stage(message: str) -> None:
    """Something long begins: a line of progress, or a line that stays where no terminal is."""
    if sys.stderr.isatty():
        progress(message)
    else:
        say(f"helix: {message}")


def progress_done() -> None:
    """Removes the line of progress."""
    with _lock:
        _erase_progress()
        sys.stderr.flush()


def agree(question: str, yes: bool) -> bool:
    """Asks; `yes` answers beforehand. Without a terminal and without `yes` the answer is no."""
    if yes:
        return True
    if not sys.stdin.isatty():
        return False
    progress_done()
    answer = input(f"helix: {question} [Y/n] ").strip().lower()
    return answer in ("", "y", "yes")
