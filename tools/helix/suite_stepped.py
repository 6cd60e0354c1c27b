# SPDX-License-Identifier: MIT OR Apache-2.0
"""A module that faults at each instruction that its calls run: `native/stepped-keep`. The machine is stepped through calls of
the module from outside. Where one comes to an instruction at which no call has died yet, the processor
is sent to an address where no code is; so each call dies a step later than the one before.
tests/stepped/keep.c is the client, which looks at what is left each time."""

import tempfile
import threading
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from helix import bench_profile, gdbstub, guest, paths, qemu, suite_scenario, targets
from helix.report import Context, Job, Verdict

_NAME = "native/stepped-keep"
_NOWHERE = 64  # an address without code
_STEPS_MOST = 400  # from the entry of a gate to the module's method
_STACK_BYTES = 4096
_METHODS = 2  # of it: a client of a character device calls read and write
_QUIET = 8  # more than there are kinds of calls in a round of tests/stepped/keep.c: steps are slow
_LEAST = 200  # deaths; of fewer than that some were missed


class _Stepper(threading.Thread):
    """Kills the module of a package in calls of the first slot that one has."""

    def __init__(self, stub: gdbstub.Stub, symbols: dict[str, int]) -> None:
        super().__init__(daemon=True)
        self._stub = stub
        self._entry = symbols["hal_gate_call"]
        self._image = range(symbols["image_start"], symbols["image_end"])
        self._gate = 0
        self._methods: set[int] = set()
        self._others: set[int] = set()
        self._done: set[int] = set()  # instructions
        self._quiet: Counter[int] = Counter()  # calls of a method at whose instructions all have died
        self._is_over = threading.Event()
        self.deaths = 0

    def _is_module(self, pc: int) -> bool:
        return pc >> 63 == 1 and pc not in self._image

    def _into(self) -> bool:
        """From the entry of a gate to the module's first instruction. False: it is not a package's. Another thread is
        never stepped: the idle one waits for an interrupt, and none comes while somebody steps."""
        entry = self._stub.sp
        for _ in range(_STEPS_MOST):
            if self._is_module(self._stub.step()):
                return True
            if not entry - _STACK_BYTES < self._stub.sp <= entry + 8:
                break
        return False

    def _run_to(self, address: int) -> bool:
        """What is on its way there may wait, or call another module, meanwhile. False: the call has ended, and the
        machine is at the next one, or it is over."""
        self._stub.breakpoint(address)
        self._stub.resume()
        while not self._is_over.is_set():
            if not self._stub.stopped(1):
                continue
            if self._stub.pc == address or self._stub.pc in self._methods:
                self._stub.breakpoint(address, there=False)
                return self._stub.pc == address
            self._stub.step()
            self._stub.resume()
        self._stub.interrupt()
        self._stub.breakpoint(address, there=False)
        return False

    def _through(self) -> None:
        """From the module's first instruction to the one that it dies at, or to its return."""
        pc = self._stub.pc
        while not self._is_over.is_set():
            if not self._is_module(pc):
                back = self._stub.caller  # if it was a call that left the module
                if not self._is_module(back) or not self._run_to(back):
                    return
                pc = back
            if pc not in self._done:
                self._done.add(pc)
                self.deaths += 1
                self._stub.jump(_NOWHERE)
                return
            pc = self._stub.step()

    def _kill(self) -> None:
        """The machine is at the first instruction of a method."""
        method, before = self._stub.pc, self.deaths
        if self._quiet[method] >= _QUIET:
            self._stub.step()
            return
        self._through()
        self._quiet[method] = self._quiet[method] + 1 if self.deaths == before else 0

    def _learn(self) -> None:
        """The machine is at the entry of a gate. Once all methods are known, only they stop it."""
        gate = self._stub.argument
        if gate in self._others or gate not in self._image:  # a copy of one is used by who had to wait
            self._stub.step()
        elif not self._into():
            self._others.add(gate)
        elif self._gate in (0, gate):
            self._gate = gate
            self._methods.add(self._stub.pc)
            if len(self._methods) == _METHODS:
                self._stub.breakpoint(self._entry, there=False)
                for method in self._methods:
                    self._stub.breakpoint(method)
            self._kill()

    def run(self) -> None:
        try:
            self._stub.breakpoint(self._entry)
            self._stub.resume()
            while not self._is_over.is_set():
                if not self._stub.stopped(0.1):
                    continue
                if self._stub.pc in self._methods:
                    self._kill()
                else:
                    self._learn()
                self._stub.resume()
            self._stub.interrupt()
            if len(self._methods) < _METHODS:
                self._stub.breakpoint(self._entry, there=False)
            for method in self._methods:
                self._stub.breakpoint(method, there=False)
            self._stub.resume()
        except gdbstub.Gone:
            pass

    def finish(self) -> None:
        """The machine goes on without breakpoints."""
        self._is_over.set()
        self.join()


def _judge(program: suite_scenario.Program, inside: guest.Guest, stepper: _Stepper) -> Verdict:
    outcome = inside.run([program.inside], limit_s=program.limit_s, folder="/tmp")
    stepper.finish()
    shown = (outcome.out + outcome.err)[-8000:].decode(errors="replace")
    if outcome.timed_out or outcome.code:
        return Verdict(_NAME, f"exit status {outcome.code}", shown)
    if f"deaths: {stepper.deaths}\n" not in shown or stepper.deaths < _LEAST:
        return Verdict(_NAME, f"{stepper.deaths} faults were made, at least {_LEAST} expected", shown)
    return Verdict(_NAME)


def _run(context: Context) -> Iterator[Verdict]:
    program = suite_scenario.Program(paths.TOP / "tests/stepped/keep.c", "musl", 600, ())
    arch = context.options.arch
    assert context.kernel is not None
    elf = context.kernel.with_name("helix.elf")
    symbols = {name: at for at, name in bench_profile.elf_symbols(elf)}
    with (qemu.Initrd(suite_scenario.initrd([program], context.kernel)) as data,
          tempfile.TemporaryDirectory() as folder):
        line = Path(folder) / "gdb"
        append = qemu.append_for(context.kernel, "/sbin/runner")
        # Where waiting takes no time, the machine goes to its next timer while it waits for the host; and where that is
        # one of the emulator's that is off, no timer is right from then on.
        sleep = "on" if targets.current().far_timers else "off"
        machine = qemu.Machine(context.kernel, data, append, 1, "128M",
                               extra=["-icount", f"shift=0,sleep={sleep}", "-gdb", f"unix:{line},server=on,wait=off"])
        with guest.Guest(machine, qemu.log_file(f"{_NAME}-{arch}")) as inside:
            try:
                inside.wait_ready()
                inside.run(["hxmod", "load", "/lib/helix/keep.hxm"])
                stub = gdbstub.Stub(line, arch)
                stepper = _Stepper(stub, symbols)
                stepper.start()
                yield _judge(program, inside, stepper)
                inside.power_off()
                stub.close()
            except guest.Died as died:
                yield Verdict(_NAME, str(died), inside.report())


def jobs(options: Namespace) -> list[Job]:
    if options.kernel or options.arch == "hosted":
        return []
    return [Job([_NAME], lambda context, _: _run(context))]
