# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a person does: ./helix run in a pseudo-terminal, keys typed, the screen read. Nothing waits
for a span of time: each step waits for what it expects to see. A key that sends a signal is typed when its
receiver has shown that it is in the foreground: in a subshell, as the shell itself goes on for a
moment before that."""

import os
import pty
import re
import select
import signal
import struct
import sys
import termios
from argparse import Namespace
from collections.abc import Callable, Iterator
from fcntl import ioctl

from helix import paths, rootfs, targets
from helix.report import Context, Failed, Job, Verdict

_GUARD_S = 90
_SENT_BYTES = 16  # by a driver, before it looks again whether there is room
_HEALTH = "/proc/helix/health"
_PROMPT = r"[~/\w]* # \x1b\[6n$"  # busybox asks for the cursor behind its prompt, if nothing is typed
CTRL_C, CTRL_D, CTRL_U, CTRL_Z, ESCAPE, ERASE = b"\x03", b"\x04", b"\x15", b"\x1a", b"\x1b", b"\x7f"


class Screen:
    """A terminal with ./helix run in it."""

    def __init__(self, command: list[str], in_ring_3: bool) -> None:
        self.in_ring_3 = in_ring_3  # the driver of its line
        self._pid, self._line = pty.fork()
        if self._pid == 0:
            os.environ["TERM"] = "linux"
            os.execvp(command[0], command)
        ioctl(self._line, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._all = ""
        self._seen = 0  # where the next expectation starts
        self._asked = 0

    def _answer(self) -> None:
        """A terminal that is asked for the place of its cursor says it, as real ones do."""
        while (at := self._all.find("\x1b[6n", self._asked)) >= 0:
            asked_for_size = self._all[max(0, at - 10):at].endswith("\x1b[999;999H")
            os.write(self._line, b"\x1b[24;80R" if asked_for_size else b"\x1b[1;1R")
            self._asked = at + 4

    def _more(self) -> bool:
        """Reads once. False: the command has ended."""
        ready, _, _ = select.select([self._line], [], [], _GUARD_S)
        if not ready:
            raise Failed(f"nothing on the screen for {_GUARD_S} s", self.tail())
        try:
            data = os.read(self._line, 65536)
        except OSError:
            data = b""
        self._all += data.decode(errors="replace").replace("\r", "")
        self._answer()
        return bool(data)

    def expect(self, pattern: str) -> str:
        """Waits until the pattern is on the screen, behind what was expected before."""
        while True:
            found = re.compile(pattern).search(self._all, self._seen)
            if found:
                self._seen = found.end()
                return found.group()
            if not self._more():
                raise Failed(f"the machine ended; expected /{pattern}/", self.tail())

    def exactly(self, text: str) -> None:
        """Waits for the text, with nothing in front of it."""
        while len(self._all) < self._seen + len(text):
            if not self._more():
                break
        found = self._all[self._seen:self._seen + len(text)]
        if found != text:
            raise Failed(f"expected {text[:100]!r}, found {found[:100]!r}", self.tail())
        self._seen += len(text)

    def with_repeats(self, text: str, most: int) -> None:
        """Waits for the text and a prompt behind it; one piece of it, of so many bytes, may have come twice."""
        start = self._seen
        self.prompt()
        found = re.sub(_PROMPT, "", self._all[start:self._seen])
        same = next((at for at, (a, b) in enumerate(zip(found, text)) if a != b), min(len(found), len(text)))
        again = len(found) - len(text)
        if not 0 <= again <= most or found[same:] != text[same - again:]:
            raise Failed(f"expected {text[:100]!r}, found {found[:100]!r}", self.tail())

    def keys(self, data: bytes | str) -> None:
        os.write(self._line, data.encode() if isinstance(data, str) else data)

    def line(self, text: str) -> None:
        self.keys(text + "\r")

    def prompt(self) -> None:
        """Waits for the prompt, and that nothing stands behind it."""
        self.expect(_PROMPT)

    def ask(self, text: str, pattern: str) -> None:
        """A command, what it prints, the prompt."""
        self.line(text)
        self.expect(pattern)
        self.prompt()

    def end(self) -> int:
        """Waits until the command has ended; its exit status."""
        while self._more():
            pass
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        return os.waitstatus_to_exitcode(status)

    def tail(self) -> str:
        return self._all[-3000:].replace("\x1b", "^[")

    def close(self) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGTERM)
            self.keys(b"\x01x")  # QEMU's way out
            os.close(self._line)
            os.waitpid(self._pid, 0)
        else:
            os.close(self._line)


def _runs_commands(screen: Screen) -> None:
    screen.ask("echo a$((1+1))b", r"a2b\n")
    screen.ask("ls /bin/busybox && pwd", r"/bin/busybox\n/root\n")
    screen.ask("tty; echo $((40+2))", rf"/dev/{targets.current().console}\n42\n")


def _edits_lines(screen: Screen) -> None:
    screen.keys("echo worng" + "\x7f" * 4 + "ight$((5*5))\r")
    screen.expect(r"wight25\n")
    screen.prompt()
    screen.keys("echo $((6*7))ab\x1b[D" + "\x7f" + "x\r")  # one to the left, erase, another
    screen.expect(r"42xb\n")
    screen.prompt()
    screen.keys(b"not run" + CTRL_C)
    screen.prompt()
    screen.keys(b"this is thrown away" + CTRL_U + b"echo k$((3+4))ept\r")
    screen.expect(r"k7ept\n")
    screen.prompt()
    screen.keys("\x1b[A\r")  # the last command again
    screen.expect(r"k7ept\n")
    screen.prompt()


def _canonical_input(screen: Screen) -> None:
    """cat reads lines that the terminal edits: erase, kill, end of input."""
    screen.line("echo rea$((1))dy; cat; echo ended$((1+1))")
    screen.expect(r"rea1dy\n")
    screen.keys(b"abcX" + ERASE + b"d\r")
    screen.expect(r"abcX\x08 \x08d\nabcd\n")
    screen.keys(b"gone" + CTRL_U + b"kept\r")
    screen.expect(r"\nkept\n")
    screen.keys(b"no end of line" + CTRL_D)
    screen.expect(r"no end of lineno end of line")
    screen.keys(CTRL_D)
    screen.expect(r"ended2\n")
    screen.prompt()


def _interrupts(screen: Screen) -> None:
    screen.line("(echo rea$((1))dy; exec sleep 1000)")
    screen.expect(r"rea1dy\n")
    screen.keys(CTRL_C)
    screen.expect(r"\^C")
    screen.prompt()
    screen.ask("echo $?", r"130\n")
    screen.line("echo rea$((2))dy; while :; do :; done")
    screen.expect(r"rea2dy\n")
    screen.keys(CTRL_C)
    screen.prompt()
    screen.line("cat | cat | (echo rea$((3))dy; sleep 1000)")
    screen.expect(r"rea3dy\n")
    screen.keys(CTRL_C)
    screen.prompt()
    screen.line("(trap '' INT; echo rea$((1))dy; cat)")
    screen.expect(r"rea1dy\n")
    screen.keys(CTRL_C)  # without effect
    screen.keys(b"alive\r")
    screen.expect(r"alive\nalive\n")
    screen.keys(CTRL_D)
    screen.prompt()


def _stops_and_goes_on(screen: Screen) -> None:
    screen.line("(echo rea$((1))dy; exec cat)")
    screen.expect(r"rea1dy\n")
    screen.keys(b"first\r")
    screen.expect(r"first\nfirst\n")
    screen.keys(CTRL_Z)
    screen.expect(r"Stopped")
    screen.prompt()
    screen.ask("jobs", r"\[1\]\+\s+Stopped\s+\(echo")
    screen.line("fg")
    screen.expect(r"cat\)\n")
    screen.keys(b"second\r")
    screen.expect(r"second\nsecond\n")
    screen.keys(CTRL_D)
    screen.prompt()
    screen.ask("jobs | wc -l", r"0\n")


def _background(screen: Screen) -> None:
    screen.ask("sleep 1000 &", r"\[?1?\]?")
    screen.ask("sleep 2000 & echo $((8*8))", r"64\n")
    screen.ask("jobs", r"\[2\].*sleep 2000\n\[1\].*sleep 1000\n")
    screen.line("fg %1")
    screen.expect(r"sleep 1000\n")
    screen.keys(CTRL_Z)
    screen.expect(r"Stopped")
    screen.prompt()
    screen.ask("bg %1", r"sleep 1000")
    screen.ask("kill %1 %2; wait; echo gone$((1+2))", r"gone3\n")
    screen.ask("cat & wait $!; echo $((100+28+21))", r"(149|Stopped)")  # reads: stopped
    screen.line("kill -9 %1; wait; echo ki$((0))lled")
    screen.expect(r"ki0lled\n")
    screen.prompt()


def _pipes_and_here_documents(screen: Screen) -> None:
    screen.line("cat <<END | tr a-z A-Z")
    screen.expect(r"> \x1b\[6n")
    screen.line("here is")
    screen.expect(r"> \x1b\[6n")
    screen.line("text $((2*2))")
    screen.expect(r"> \x1b\[6n")
    screen.line("END")
    screen.expect(r"HERE IS\nTEXT 4\n")
    screen.prompt()
    screen.ask("seq 1 100000 | grep 7 | sort -rn | head -2 | tail -1", r"\n99987|99979\n")


def _edits_a_file(screen: Screen) -> None:
    screen.line("vi /tmp/letter")
    screen.expect(r"letter 1/1")
    # Text is drawn in as many pieces as the keys arrive in: only the line of state is looked at.
    screen.keys(b"iHelo world\rsecond line" + ESCAPE)
    screen.expect(r"- /tmp/letter \[Modified\] 2/2")
    screen.keys(b"1G0lllil" + ESCAPE)  # what follows an escape at once is taken for one key with it
    screen.expect(r"I /tmp/letter \[Modified\] 1/2")
    screen.expect(r"- /tmp/letter \[Modified\] 1/2")
    screen.keys(b"yyGp")
    screen.expect(r"Put 1 lines")
    screen.keys(b":wq\r")
    screen.prompt()
    screen.ask("cat /tmp/letter", r"Hello world\nsecond line\nHello world\n")


def _shows_processes(screen: Screen) -> None:
    screen.line("top")
    screen.expect(r"Mem: \d+K used")
    screen.expect(r"PID\s+PPID\s+USER")
    screen.keys(b"q")
    screen.prompt()
    screen.ask("stty size; stty -a | grep -c 'icanon'", r"1\n")


def _keeps_the_log_away(screen: Screen) -> None:
    """After the boot only warnings and worse come to the console; dmesg has all."""
    screen.ask("cat /proc/sys/kernel/printk", r"\n5\s")
    screen.line("echo \"<6>in$((1+1))fo\" >/dev/kmsg; echo do$((1))ne")
    screen.expect(r"\)ne\ndo1ne\n")  # and nothing between
    screen.prompt()
    screen.ask("dmesg | grep -c in2fo", r"\n1\n")
    screen.ask("echo \"<4>wa$((1+2))rn\" >/dev/kmsg", r"wa3rn\n")
    screen.ask("dmesg -n 7; cat /proc/sys/kernel/printk", r"\n7\s")
    screen.ask("dmesg -n 5; dmesg | grep -c 'Run /init'", r"\n1\n")


def _hears_after_refusals(screen: Screen) -> None:
    """A line whose interrupt handler could not be called calls it again: no key is lost. What is
    printed meanwhile may be, so it is printed until it is answered."""
    screen.line("f=/proc/helix/faults; echo method 2 >$f; x=0; until [ $x = end ]; do "
                "echo \"=$x=\"; read -r -t 1 y && x=$y; done; until echo method 0 >$f; do :; done")
    for number in range(10):  # each is typed when the one before has come: by an interrupt of its own
        screen.expect(f"={number}=")
        screen.keys(f"{number + 1}\r")
    screen.expect("=10=")
    screen.keys("end\r")
    screen.prompt()  # what is typed before it may come in front of the cursor's place, or behind it
    screen.ask("echo over$((1+1))", "over2")


def _driver() -> str:
    return "pl011" if targets.current().console.startswith("ttyAMA") else "uart16550"


def _outlives_its_driver(screen: Screen) -> None:
    """The driver of the line dies while it writes, hears and waits: every byte comes, once, in its order. In ring 3
    each access to a register is a call that it may die behind: a byte that it has sent then, and not reported, is
    sent again; and it dies before it has taken a byte from the line, since what it took goes with it."""
    kinds = ("null", "jump", "copy", "undefined", "divide", "assert")
    screen.ask(f"k() {{ echo kill {_driver()} $* > {_HEALTH}; }}; dmesg -n 1; echo de$((1+1))f", "de2f\n")  # deaths: log
    numbers = "".join(f"{number}\n" for number in range(1, 301))
    for death in range(12):
        screen.line(f"k {kinds[death % 6]} {death % 4 + 1}; seq 300; sleep 0.2")
        screen.expect(r"sleep 0\.2\n")
        screen.with_repeats(numbers, _SENT_BYTES if screen.in_ring_3 else 0)
    for death in range(12):
        kill = f"k {kinds[death % 6]} {death % 2 + 1 if screen.in_ring_3 else death + 1}"
        ready = "echo rea$((1))dy"
        screen.line("; ".join([*((ready, kill) if screen.in_ring_3 else (kill, ready)), "head -n 1; sleep 0.2"]))
        screen.expect(r"rea1dy\n")
        screen.keys(f"a line of {death}\r")
        screen.with_repeats(f"a line of {death}\n" * 2, _SENT_BYTES if screen.in_ring_3 else 0)
    screen.line(f"until grep '{_driver()}.* runs' {_HEALTH}; do sleep 0.1; done; dmesg -n 7")
    state, deaths, restarts = screen.expect(rf"{_driver()} +\w+ +\d+ +\d+\s").split()[1:]
    if state != "runs" or deaths != restarts or int(deaths) < 12:
        raise Failed(f"{deaths} deaths, {restarts} restarts, then it {state}", screen.tail())
    screen.prompt()


_VERSIONS = ("next", "start", "test", "fault", "hang", "dies")  # tests/modules/uart_*.c


def _is_swapped(screen: Screen) -> None:
    """The driver is swapped, for itself and for versions that cannot take over, under a reader, which stays blocked
    and then reads; what is written comes, once."""
    driver = _driver()
    versions = _VERSIONS if driver == "uart16550" else ()  # there are none of the other one
    refused = 0
    screen.ask(f"r() {{ grep '{driver}.* runs' {_HEALTH} >/dev/null; }}; dmesg -n 1; echo de$((1+1))f", "de2f\n")
    for name in (driver, *(f"uart_{version}" for version in versions), driver):
        screen.line(f"(hxmod swap {driver} /lib/helix/{name}.hxm 2>&1 | cut -c1-90; seq 20; until r; do sleep 0.1; done; "
                    "echo swa$((1))pped)& head -n 1; wait")
        screen.expect(r"wait\n")
        text = screen.expect(r"(?s).*?swa1pped\n")
        refused += "expected that it" in text
        if "".join(f"{number}\n" for number in range(1, 21)) not in text:
            raise Failed(f"{name}: not all of what was written came", screen.tail())
        screen.keys(f"a line for {name}\r")
        screen.expect(rf"a line for {name}\na line for {name}\n")
        screen.prompt()
    if refused != 4 * (driver == "uart16550"):
        raise Failed(f"{refused} of 4 versions were refused", screen.tail())
    screen.ask("dmesg -n 7; echo ove$((1+1))r", "ove2r\n")


def _goes_on_without_it(screen: Screen) -> None:
    """Of a line whose driver is given up, programs hear nothing; what they write goes nowhere, without a wait."""
    screen.line(f"dmesg -n 7; echo doom {_driver()} assert 1 > {_HEALTH}; seq 9000; exit")
    screen.expect("it died too often; its slots refuse until it is swapped")
    _ends_itself(screen)


def _ends_itself(screen: Screen) -> None:
    status = screen.end()
    if status != 0:
        raise Failed(f"./helix run ended with {status}", screen.tail())


def _ends(screen: Screen) -> None:
    screen.line("exit")
    _ends_itself(screen)


_STEPS: dict[str, Callable[[Screen], None]] = {
    "commands": _runs_commands, "line-editing": _edits_lines, "canonical": _canonical_input,
    "interrupt": _interrupts, "stop-and-continue": _stops_and_goes_on, "background": _background,
    "pipes": _pipes_and_here_documents, "vi": _edits_a_file, "top": _shows_processes,
    "log": _keeps_the_log_away, "refusals": _hears_after_refusals, "driver-dies": _outlives_its_driver, "driver-swapped": _is_swapped, "exit": _ends,
}
_ALONE = {"driver-given-up": _goes_on_without_it}  # a machine for each


def _command(context: Context, smp: int) -> list[str]:
    words = [sys.executable, "-m", "helix", "run", "--yes", "--arch", context.options.arch, "--smp", str(smp),
             "--profile", context.options.profile, "--kernel", str(context.kernel), "--test-packages"]
    return ["env", f"PYTHONPATH={paths.TOP / 'tools'}", "PYTHONDONTWRITEBYTECODE=1", *words]


def _run(context: Context, smp: int, names: list[str]) -> Iterator[Verdict]:
    """One shell for all; a step that failed gets a fresh machine for the next."""
    screen: Screen | None = None
    for name in names:
        step = (_STEPS | _ALONE)[name.removeprefix("terminal/").partition("@")[0]]
        try:
            if screen is None:
                isolated = rootfs.profile_modules(context.options.profile, "ISOLATED")
                screen = Screen(_command(context, smp), f"drv/{_driver()}" in isolated)
                screen.prompt()
            step(screen)
            yield Verdict(name)
        except Failed as failed:
            yield Verdict(name, str(failed), failed.detail)
            if screen:
                screen.close()
            screen = None
    if screen:
        screen.close()


def jobs(_: Namespace) -> list[Job]:
    return [Job([f"terminal/{step}@{smp}" for step in steps],
                lambda context, chosen, smp=smp: _run(context, smp, chosen))
            for smp in (1, 4) for steps in (list(_STEPS), *([step] for step in _ALONE))]
