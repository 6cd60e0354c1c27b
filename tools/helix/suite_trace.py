# SPDX-License-Identifier: MIT OR Apache-2.0
"""tool/trace*: what ./helix trace writes is a trace that viewers take, and tells what happened."""

import json
import random
import struct
from collections import defaultdict
from collections.abc import Iterator

from helix import guest, qemu, rootfs, trace, trace_convert
from helix.report import Context, Failed, Job, single

_COMMAND = ["sh", "-c", "echo one; sleep 0.05; echo three | cat; exit 3"]
_SMP = 4

_NAMES = b"""counter_hz 1000
type 1 SWITCH
type 2 WAKE
type 3 TIMER
type 4 INTERRUPT_END
type 5 TASK
type 6 NAME
type 7 CALL
type 8 CALL_END
type 9 METHOD
type 10 METHOD_END
type 11 LOST
type 12 THREAD_EXIT
type 13 FAULT
call 1 write
method 4294967297 fs.lookup
7 0 0 worker
"""
_TYPES = {line.split()[2].decode(): int(line.split()[1])
          for line in _NAMES.splitlines() if line.startswith(b"type")}


def _event(time: int, kind: str, thread: int = 20, first: int = 0, second: int = 0, cpu: int = 0) -> bytes:
    return struct.pack("<QHHIQQ", time, cpu, _TYPES[kind], thread, first, second)


def _name(thread: int, name: bytes, time: int = 1) -> bytes:
    return _event(time, "NAME", thread, *struct.unpack("<QQ", name.ljust(16, b"\0")))


# ---- what any trace must be ------------------------------------------------------------------------


def _ns(value: object) -> int:
    assert isinstance(value, (int, float))
    return round(value * 1000)


def _nesting(events: list[dict]) -> Iterator[str]:
    tracks = defaultdict(list)
    for event in events:
        if event["ph"] != "M":
            tracks[event["pid"], event["tid"]].append(event)
    for track, row in tracks.items():
        times = [_ns(event["ts"]) for event in row]
        if times != sorted(times) or (times and times[0] < 0):
            yield f"the times of track {track} go backwards"
        ends: list[int] = []
        for event in row:
            if event["ph"] != "X":
                continue
            start, end = _ns(event["ts"]), _ns(event["ts"]) + _ns(event["dur"])
            while ends and ends[-1] <= start:
                ends.pop()
            if end < start or (ends and end > ends[-1]):
                yield f"{event['name']} at {event['ts']} on {track} does not nest"
            ends.append(end)


def _labels(events: list[dict]) -> Iterator[str]:
    named = {(event["name"], event["pid"], event["tid"]) for event in events if event["ph"] == "M"}
    for pid, tid in {(event["pid"], event["tid"]) for event in events if event["ph"] != "M"}:
        if ("process_name", pid, 0) not in named or ("thread_name", pid, tid) not in named:
            yield f"process {pid}, thread {tid} has no name"


def _arrows(events: list[dict]) -> Iterator[str]:
    starts = {event["id"]: event for event in events if event["ph"] == "s"}
    ends = {event["id"]: event for event in events if event["ph"] == "f"}
    if set(starts) != set(ends):
        yield "an arrow has one end only"
    for number in set(starts) & set(ends):
        if starts[number]["ts"] > ends[number]["ts"]:
            yield f"arrow {number} goes back in time"


def problems(converted: dict) -> list[str]:
    text = json.dumps(converted, allow_nan=False)
    events = json.loads(text)["traceEvents"]
    return [*_nesting(events), *_labels(events), *_arrows(events)]


def _convert(data: bytes) -> list[dict]:
    converted = trace_convert.convert(data)
    found = problems(converted)
    if found:
        raise Failed(found[0], "\n".join(found[:50]))
    events = converted["traceEvents"]
    assert isinstance(events, list)
    return events


def _spans(events: list[dict], name: str) -> list[tuple]:
    return [(event["pid"], event["tid"], _ns(event["ts"]), _ns(event["dur"]))
            for event in events if event["ph"] == "X" and event["name"] == name]


def _same(found: object, expected: object) -> None:
    if found != expected:
        raise Failed(f"{found} instead of {expected}")


# ---- the converter -------------------------------------------------------------------------------


def _recording(*events: bytes) -> bytes:
    return _NAMES + b"events\n" + b"".join(events)


def _tells(_: Context) -> None:
    """A recording made by hand: one tick is a millisecond."""
    events = _convert(_recording(
        _event(1, "TASK", 7, 20, 5 | 6 << 32), _name(20, b"prog"),
        _event(2, "SWITCH", 7, 20), _event(3, "CALL", 20, 1, 1),
        _event(4, "METHOD", 20, 4294967297), _event(5, "TIMER", 20),
        _event(6, "WAKE", 20, 7, 1), _event(7, "INTERRUPT_END", 20),
        _event(8, "METHOD_END", 20, 4294967297, (1 << 64) - 2), _event(9, "CALL_END", 20, 1, 12),
        _event(9, "FAULT", 20, 4096), _event(10, "SWITCH", 20, 0),
        _event(10, "SWITCH", 8, 7, cpu=1), _event(12, "SWITCH", 7, 0, cpu=1)))
    ms = 1000000
    _same(_spans(events, "write"), [(5, 6, 2 * ms, 6 * ms)])
    _same(_spans(events, "fs.lookup"), [(5, 6, 3 * ms, 4 * ms)])
    _same(_spans(events, "prog 6"), [(trace_convert.PROCESSORS, 0, ms, 8 * ms)])
    _same(_spans(events, "worker"), [(trace_convert.PROCESSORS, 1, 9 * ms, 2 * ms)])
    _same(_spans(events, "timer"), [(trace_convert.PROCESSORS, 0, 4 * ms, 2 * ms)])
    by_name = {event["name"]: event for event in events if event["ph"] in "Xi"}
    _same((by_name["write"]["args"]["result"], by_name["fs.lookup"]["args"]["result"]), (12, -2))
    _same(_ns(by_name["fault"]["ts"]), 8 * ms)
    _same([(event["ph"], event["tid"], _ns(event["ts"])) for event in events if event["ph"] in "sf"],
          [("s", 0, 5 * ms), ("f", 1, 9 * ms)])


def _admits(_: Context) -> None:
    """What is missing: losses are counted, what was open is cut and says so."""
    data = _recording(_event(1, "CALL", 20, 1), _event(0, "LOST", 0, 100, 175),
                      _event(9, "METHOD_END", 20, 1), _event(9, "CALL_END", 20, 1),
                      _event(10, "CALL", 20, 1), _event(11, "CALL", 20, 1),
                      _event(12, "THREAD_EXIT", 20)) + b"half of one"
    converted = trace_convert.convert(data)
    _same(converted["otherData"], {"events": 6, "lost": 75, "unusable_bytes": 11})
    events = _convert(data)
    _same([end for *_, end in _spans(events, "write")], [8000000, 1000000, 1000000])
    if not all(event["args"].get("cut") for event in events if event["ph"] == "X"):
        raise Failed("a span whose end is missing looks whole")


def _hostile(context: Context) -> None:
    """Cut anywhere, flipped anywhere, and nonsense: a trace, and no traceback."""
    source = random.Random(context.seed)
    kinds = list(_TYPES)
    whole = _recording(*(_event(source.randrange(200), source.choice(kinds), source.randrange(5),
                                source.randrange(9), source.randrange(9), source.randrange(3))
                         for _ in range(300)))
    for size in range(0, len(whole), 101):
        _convert(whole[:size])
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(source.randrange(1, 40)):
            data[source.randrange(len(data))] = source.randrange(256)
        _convert(bytes(data))
        _convert(source.randbytes(source.randrange(2000)))
        _convert(_recording(source.randbytes(source.randrange(4000))))


# ---- a machine ------------------------------------------------------------------------------------


def _record(context: Context, smp: int, words: list[str], parts: str = "all",
            append: str = "trace_buffer=32768",
            extra: tuple[str, ...] = ()) -> tuple[int, bytes, bytes]:
    """The command's exit status, its output, what was recorded."""
    assert context.kernel is not None
    archive = rootfs.with_runner(rootfs.base()).bytes() + rootfs.recorder_only().bytes()
    out = bytearray()
    with qemu.Initrd(archive) as initrd:
        machine = qemu.Machine(context.kernel, initrd,
                               qemu.append_for(context.kernel, "/sbin/runner", append), smp)
        machine.extra += extra
        with guest.Guest(machine, qemu.log_file("tool-trace")) as inside:
            try:
                inside.wait_ready()
                code, data = trace.record(inside, words, parts, out.extend, out.extend, guest.nothing())
                inside.power_off()
            except guest.Died as died:
                raise Failed(str(died), inside.report()) from None
    return code, bytes(out), data


def _process(events: list[dict], name: str) -> int:
    found = {event["pid"] for event in events if event["ph"] == "M" and event["name"] == "process_name"
             and event["args"]["name"] == name}
    if len(found) != 1:
        raise Failed(f"{len(found)} processes are called {name}")
    return found.pop()


def _records(context: Context) -> None:
    """A command's own calls, the processes that it starts, who ran where, who woke whom."""
    code, out, data = _record(context, _SMP, _COMMAND)
    _same((code, out), (3, b"one\nthree\n"))
    events = _convert(data)
    about = trace_convert.convert(data)["otherData"]
    assert isinstance(about, dict)
    _same((about["lost"], about["unusable_bytes"]), (0, 0))
    asleep = [span for name in ("nanosleep", "clock_nanosleep") for span in _spans(events, name)
              if span[0] == _process(events, "sleep")]
    if len(asleep) != 1 or not 50000000 <= asleep[0][3] < 5000000000:
        raise Failed(f"sleep slept {asleep}")
    writes = [event["args"]["result"] for event in events if event["ph"] == "X"
              and event["name"] == "write" and event["pid"] == _process(events, "cat")]
    _same(writes, [6])
    kinds = {event.get("cat") for event in events}
    _same(kinds & {"run", "interrupt", "call", "method", "wake"},
          {"run", "interrupt", "call", "method", "wake"})
    ran = {event["tid"] for event in events if event.get("cat") == "run"}
    if not ran <= set(range(_SMP)) or len(ran) < 2:
        raise Failed(f"processors {sorted(ran)} ran something")


def _loses(context: Context) -> None:
    """With rings that are too small, what is missing is told, and what is left is still a trace.

    Time counts instructions: on a slow host the recorder would otherwise keep up.
    """
    words = ["sh", "-c", "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); [ -e /proc/uptime$i ]; done; true"]
    code, _, data = _record(context, 1, words, append="", extra=("-icount", "shift=0"))
    _same(code, 0)
    _convert(data)
    about = trace_convert.convert(data)["otherData"]
    assert isinstance(about, dict)
    if not about["lost"]:
        raise Failed("256 events a processor were enough for everything")
    recorded = trace_convert.read(data)
    calls = sum(event.kind == "CALL" for event in recorded.events)
    if about["lost"] + calls < 3000:
        raise Failed(f"{about['lost']} events lost and {calls} calls left of 3,000 and more")


def jobs() -> list[Job]:
    return [single("tool/trace-tells", _tells, machines=False),
            single("tool/trace-admits", _admits, machines=False),
            single("tool/trace-hostile", _hostile, machines=False),
            single("tool/trace-records", _records),
            single("tool/trace-loses", _loses)]
