# SPDX-License-Identifier: MIT OR Apache-2.0
"""Words for gdb on a Helix kernel: hx-log, hx-trace, hx-threads, hx-stack."""

from collections.abc import Iterator

import gdb

_STATES = ("new", "ready", "running", "blocked", "stopped", "dead")


def _number(expression: str) -> int:
    return int(gdb.parse_and_eval(expression))


def _atomic(value: gdb.Value) -> int:
    return int(value.cast(gdb.lookup_type("unsigned long")))


def _processors() -> Iterator[gdb.Value]:
    table = gdb.parse_and_eval("cpu_table")
    low, high = table.type.range()
    for index in range(low, high + 1):
        if int(table[index]):
            yield table[index].dereference()


def _threads() -> Iterator[gdb.Value]:
    head = gdb.parse_and_eval("&all_threads")
    thread = gdb.lookup_type("struct thread")
    offset = next(field.bitpos // 8 for field in thread.fields() if field.name == "all_link")
    link = head["next"]
    while int(link) != int(head):
        yield gdb.Value(int(link) - offset).cast(thread.pointer()).dereference()
        link = link["next"]


class Log(gdb.Command):
    """The kernel's log, as far as it is still there."""

    def __init__(self) -> None:
        super().__init__("hx-log", gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:
        end, capacity = _number("ring.end"), _number("ring.capacity")
        start = max(0, end - capacity)
        address = _number("(unsigned long)ring.bytes")
        memory = gdb.selected_inferior().read_memory(address, capacity).tobytes()
        text = bytes(memory[at % capacity] for at in range(start, end))
        gdb.write(text.decode(errors="replace"))


class Trace(gdb.Command):
    """hx-trace [N]: the last N (32) trace events of all processors, oldest first."""

    def __init__(self) -> None:
        super().__init__("hx-trace", gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:
        names = gdb.lookup_type("enum trace_type").fields()
        events = []
        for cpu in _processors():
            slots = cpu["trace_slots"]
            for index in range(int(cpu["trace_mask"]) + 1):
                time = _atomic(slots[index]["time"])
                if time:
                    words = [_atomic(slots[index]["words"][k]) for k in range(3)]
                    events.append((time, int(cpu["id"]), words))
        for time, number, words in sorted(events)[-int(argument or 32):]:
            kind = (words[0] >> 16) & 0xffff
            name = names[kind].name if kind < len(names) else str(kind)
            gdb.write(f"{time:>16} cpu {number} thread {words[0] >> 32:<6} "
                      f"{name.removeprefix('TRACE_'):<16} {words[1]:#x} {words[2]:#x}\n")


class Threads(gdb.Command):
    """All threads, with what they do."""

    def __init__(self) -> None:
        super().__init__("hx-threads", gdb.COMMAND_STATUS)

    def invoke(self, argument: str, from_tty: bool) -> None:
        for thread in _threads():
            state = _atomic(thread["state"])
            name = thread["name"].string(errors="replace")
            word = _STATES[state] if state < len(_STATES) else str(state)
            gdb.write(f"{int(thread['id']):>6} cpu {_atomic(thread['cpu'])} {word:<8} {name:<20} "
                      f"(struct thread *){int(thread.address):#x}\n")


class Stack(gdb.Command):
    """hx-stack ID: the backtrace of a thread that does not run, by its frame pointers."""

    def __init__(self) -> None:
        super().__init__("hx-stack", gdb.COMMAND_STACK)

    def invoke(self, argument: str, from_tty: bool) -> None:
        for thread in _threads():
            if int(thread["id"]) == int(argument):
                self._walk(thread)
                return
        raise gdb.GdbError(f"there is no thread {argument}")

    def _walk(self, thread: gdb.Value) -> None:
        """Prints every word of the stack that points into the kernel's code."""
        low, high = _number("(unsigned long)&image_start"), _number("(unsigned long)&image_text_end")
        address, top = int(thread["context"]["sp"]), int(thread["stack_top"])
        memory = gdb.selected_inferior().read_memory(address, top - address).tobytes()
        for at in range(0, len(memory) - 7, 8):
            word = int.from_bytes(memory[at:at + 8], "little")
            if low <= word < high:
                gdb.execute(f"info symbol {word:#x}")


for command in (Log, Trace, Threads, Stack):
    command()
