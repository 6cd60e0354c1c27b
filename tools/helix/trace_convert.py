# SPDX-License-Identifier: MIT OR Apache-2.0
"""From what user/trace/recorder.c prints to Chrome's trace format, which Perfetto reads, too.

A pure function on bytes: whatever they are, it gives a trace; what it cannot use is counted. The format:
docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU (Trace Event Format). Times are kept
in nanoseconds and written in microseconds, as it wants them."""

import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_EVENT = struct.Struct("<QHHIQQ")  # time, cpu, type, thread, payload: struct trace_event
_WHY_MOVED = 1 << 4  # SCHED_MOVE: no wake
_NUMBERS = 1 << 63  # counters and numbers of events are below it

_LONGEST = 1 << 52  # nanoseconds: 52 days, and microseconds as floats are exact to the nanosecond

# What has no number of its own among Linux's processes; these are larger than any.
KERNEL, PROCESSORS = 4194305, 4194306

_INTERRUPTS = {"IRQ": "irq {0}", "TIMER": "timer", "IPI": "ipi {0}"}
_BEGIN = {"CALL": "CALL_END", "METHOD": "METHOD_END"}
_END = {end: begin for begin, end in _BEGIN.items()}
_QUIET = {"NAME", "TASK", "SWITCH", "WAKE", "BOOT", "INTERRUPT_END"}

Json = dict[str, Any]
Track = tuple[int, int]  # pid, tid


@dataclass
class Event:
    time: int  # in nanoseconds since the first
    cpu: int
    kind: str
    thread: int
    payload: tuple[int, int]


@dataclass
class Span:
    kind: str
    number: int
    start: int
    args: Json = field(default_factory=dict)


@dataclass
class Recording:
    """What the recorder printed, taken apart."""

    hz: int = 1_000_000_000
    kinds: dict[int, str] = field(default_factory=dict)
    numbers: dict[tuple[str, int], str] = field(default_factory=dict)  # of calls and methods
    tasks: dict[int, Track] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    lost: Counter[int] = field(default_factory=Counter)  # by processor
    gaps: list[tuple[int, int]] = field(default_factory=list)  # where in `events`, processor
    unusable: int = 0  # lines and bytes that mean nothing


def _name_of(payload: tuple[int, int]) -> str:
    raw = struct.pack("<QQ", *payload).split(b"\0")[0]
    return "".join(c if c.isprintable() else "?" for c in raw.decode(errors="replace"))


def _task(thread: int, pid: int, tid: int) -> Track:
    return (pid, tid) if 0 < pid < KERNEL else (KERNEL, thread)


def _read_line(into: Recording, line: str) -> None:
    words = line.split(" ", 3)
    if words[0] == "counter_hz" and len(words) == 2 and 0 < int(words[1]) < _NUMBERS:
        into.hz = int(words[1])
    elif words[0] == "type" and len(words) == 3:
        into.kinds[int(words[1])] = words[2]
    elif words[0] in ("call", "method") and len(words) == 3:
        into.numbers[words[0].upper(), int(words[1])] = words[2]
    elif words[0].isdigit() and len(words) == 4:
        thread = int(words[0]) & 0xffffffff
        pid, tid = int(words[1]), int(words[2])
        into.tasks[thread] = _task(thread, pid, tid)
        into.names[thread] = words[3]
    else:
        raise ValueError(line)


def _read_text(into: Recording, text: str) -> None:
    for line in text.splitlines():
        try:
            _read_line(into, line)
        except ValueError:
            into.unusable += len(line)


def _read_events(into: Recording, data: bytes) -> None:
    """In the order of time. Where a processor has a gap, all that was open there is uncertain."""
    raw = []
    gaps: dict[int, int] = {}  # processors whose next event comes behind a gap
    into.unusable += len(data) % _EVENT.size
    for time, cpu, kind, thread, *payload in _EVENT.iter_unpack(data[:len(data) // _EVENT.size * _EVENT.size]):
        name = into.kinds.get(kind)
        if name == "LOST":
            missing = payload[1] - payload[0]
            into.lost[cpu] += missing if 0 < missing < _NUMBERS else 0
            gaps[cpu] = 1
        elif name is None or not 0 < time < _NUMBERS:
            into.unusable += _EVENT.size
        else:
            raw.append((time, gaps.pop(cpu, 0), cpu, name, thread, (payload[0], payload[1])))
    raw.sort(key=lambda event: event[0])
    start = raw[0][0] if raw else 0
    for time, after_gap, cpu, name, thread, pair in raw:
        since = (time - start) * 1_000_000_000 // into.hz
        if since > _LONGEST:
            into.unusable += _EVENT.size
            continue
        if after_gap:
            into.gaps.append((len(into.events), cpu))
        into.events.append(Event(since, cpu, name, thread, pair))


def read(data: bytes) -> Recording:
    text, _, events = data.partition(b"\nevents\n")
    into = Recording()
    _read_text(into, text.decode(errors="replace"))
    _read_events(into, events)
    return into


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


class _Converter:
    def __init__(self, recording: Recording) -> None:
        self.from_ = recording
        self.out: list[tuple[int, int, Json]] = []  # start, end, event
        self.open: dict[Track, list[Span]] = {}
        self.interrupts: dict[int, list[Span]] = {}  # by processor
        self.running: dict[int, Span] = {}  # by processor; the number is the thread's
        self.woken: dict[int, tuple[int, int]] = {}  # by thread: when, on which processor
        self.flows = 0
        self.idle: set[int] = set()
        self.last = recording.events[-1].time if recording.events else 0

    # ---- what is written

    def put(self, track: Track, start: int, end: int, event: Json) -> None:
        event |= {"pid": track[0], "tid": track[1], "ts": start / 1000}
        self.out.append((start, end, event))

    def put_span(self, track: Track, name: str, span: Span, end: int, kind: str) -> None:
        self.put(track, span.start, end, {"ph": "X", "name": name, "cat": kind, "args": span.args,
                                          "dur": (end - span.start) / 1000})

    def track(self, thread: int) -> Track:
        return self.from_.tasks.get(thread, (KERNEL, thread))

    def label(self, thread: int) -> str:
        name = self.from_.names.get(thread, "idle" if thread in self.idle else f"thread {thread}")
        return f"{name} {self.track(thread)[1]}" if self.track(thread)[0] != KERNEL else name

    # ---- threads: calls and methods

    def close(self, track: Track, span: Span, end: int, cut: bool = False) -> None:
        fallback = f"{span.kind.lower()} {span.number}"
        name = self.from_.numbers.get((span.kind, span.number), fallback)
        span.args |= {"cut": True} if cut else {}
        self.put_span(track, name, span, end, span.kind.lower())

    def close_all(self, track: Track, end: int) -> None:
        for span in reversed(self.open.pop(track, [])):
            self.close(track, span, end, cut=True)

    def begin(self, event: Event) -> None:
        track = self.track(event.thread)
        args: Json = {"first": hex(event.payload[1])} if event.kind == "CALL" else {}
        if event.kind == "CALL":
            self.close_all(track, event.time)  # if the end of the one before is missing
        self.open.setdefault(track, []).append(Span(event.kind, event.payload[0], event.time, args))

    def end(self, event: Event) -> None:
        track = self.track(event.thread)
        stack = self.open.get(track, [])
        wanted = (_END[event.kind], event.payload[0])
        if wanted not in [(span.kind, span.number) for span in stack]:
            return  # it began before the recording
        while True:
            span = stack.pop()
            found = (span.kind, span.number) == wanted
            if found:
                span.args["result"] = _signed(event.payload[1])
            self.close(track, span, event.time, cut=not found)
            if found:
                return

    def instant(self, event: Event) -> None:
        args: Json = {"first": hex(event.payload[0]), "second": hex(event.payload[1])}
        self.put(self.track(event.thread), event.time, event.time,
                 {"ph": "i", "s": "t", "name": event.kind.lower(), "cat": "event", "args": args})

    # ---- processors: who runs, what interrupts, who wakes whom

    def stop_running(self, cpu: int, end: int) -> None:
        span = self.running.pop(cpu, None)
        if span and span.number not in self.idle:
            args: Json = {"thread": span.number}
            span.args |= args
            self.put_span((PROCESSORS, cpu), self.label(span.number), span, end, "run")

    def arrow(self, thread: int, cpu: int, time: int) -> None:
        """From who woke the thread, where that ran, to the thread where it runs now."""
        when, where = self.woken.pop(thread)
        self.flows += 1
        common: Json = {"name": "wake", "cat": "wake", "id": self.flows}
        self.put((PROCESSORS, where), when, when, {"ph": "s", **common})
        self.put((PROCESSORS, cpu), time, time, {"ph": "f", "bp": "e", **common})

    def switch(self, event: Event) -> None:
        self.interrupts.pop(event.cpu, None)
        self.stop_running(event.cpu, event.time)
        to = event.payload[0] & 0xffffffff
        if to:
            self.running[event.cpu] = Span("run", to, event.time)
            if to in self.woken:
                self.arrow(to, event.cpu, event.time)

    def interrupt(self, event: Event) -> None:
        self.interrupts.setdefault(event.cpu, []).append(
            Span(event.kind, event.payload[0], event.time))

    def interrupt_end(self, event: Event) -> None:
        stack = self.interrupts.get(event.cpu)
        if stack:
            span = stack.pop()
            name = _INTERRUPTS[span.kind].format(span.number)
            self.put_span((PROCESSORS, event.cpu), name, span, event.time, "interrupt")

    # ---- all

    def take(self, event: Event) -> None:
        if event.kind == "TASK":
            pid, tid = event.payload[1] & 0xffffffff, event.payload[1] >> 32
            thread = event.payload[0] & 0xffffffff
            self.from_.tasks[thread] = _task(thread, pid, tid)
        elif event.kind == "NAME":
            self.from_.names[event.thread] = _name_of(event.payload)
        elif event.kind == "SWITCH":
            self.switch(event)
        elif event.kind == "WAKE" and not event.payload[1] & _WHY_MOVED:
            self.woken.setdefault(event.payload[0] & 0xffffffff, (event.time, event.cpu))
        elif event.kind in _INTERRUPTS:
            self.interrupt(event)
        elif event.kind == "INTERRUPT_END":
            self.interrupt_end(event)
        elif event.kind in _BEGIN:
            self.begin(event)
        elif event.kind in _END:
            self.end(event)
        elif event.kind not in _QUIET:
            self.instant(event)
        if event.kind == "THREAD_EXIT":
            self.close_all(self.track(event.thread), event.time)

    def forget(self, event: Event, cpu: int) -> None:
        """Behind a gap nobody knows what ended in it."""
        self.stop_running(cpu, event.time)
        self.interrupts.pop(cpu, None)
        for track in list(self.open):
            self.close_all(track, event.time)

    def find_idle(self) -> None:
        """A processor's idle thread has no name in events: it is who runs after a switch to 0."""
        idle = set()
        for event in self.from_.events:
            if event.kind == "SWITCH" and not event.payload[0]:
                idle.add(event.cpu)
            elif event.kind == "SWITCH":
                if event.cpu in idle:
                    self.idle.add(event.thread)
                idle.discard(event.cpu)

    def metadata(self) -> list[Json]:
        made: list[Json] = []
        tracks = {(event["pid"], event["tid"]) for _, _, event in self.out}
        by_track = {self.track(thread): self.from_.names[thread] for thread in self.from_.names}
        by_track |= {(KERNEL, thread): "idle" for thread in self.idle}
        labels = {KERNEL: "kernel", PROCESSORS: "processors"}

        def name(what: str, pid: object, tid: object, label: str) -> None:
            made.append({"ph": "M", "name": what, "pid": pid, "tid": tid, "ts": 0, "args": {"name": label}})
        for pid in sorted({pid for pid, _ in tracks}):
            name("process_name", pid, 0, labels.get(pid) or by_track.get((pid, pid)) or f"process {pid}")
        for pid, tid in sorted(tracks):
            fallback = f"processor {tid}" if pid == PROCESSORS else f"thread {tid}"
            name("thread_name", pid, tid, by_track.get((pid, tid)) or fallback)
        return made

    def run(self) -> list[Json]:
        self.find_idle()
        gaps = dict(self.from_.gaps)
        for at, event in enumerate(self.from_.events):
            if at in gaps:
                self.forget(event, gaps[at])
            self.take(event)
        for cpu in list(self.running):
            self.stop_running(cpu, self.last)
        for track in list(self.open):
            self.close_all(track, self.last)
        self.out.sort(key=lambda entry: (entry[0], -entry[1]))
        return self.metadata() + [event for _, _, event in self.out]


def convert(data: bytes) -> Json:
    """The whole file, ready for json.dump()."""
    recording = read(data)
    events = _Converter(recording).run()
    about = {"events": len(recording.events), "lost": sum(recording.lost.values()),
             "unusable_bytes": recording.unusable}
    return {"traceEvents": events, "displayTimeUnit": "ns", "otherData": about}
