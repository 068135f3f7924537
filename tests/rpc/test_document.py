"""The bytes that docs/protocol.md shows are the bytes that are spoken, and its tables say what the code does."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from recmesh.rpc import Kind, Processed, Status, frames
from recmesh.rpc.frames import DEFAULTS, END_STREAM, HEADER, MAX_CALL_ID, MORE, Limits, encode
from recmesh.rpc.session import flow, memory, receiver
from recmesh.rpc.session.client import ClientSession
from recmesh.rpc.session.events import (
    CallReceived,
    GoingAway,
    Greeted,
    MessageReceived,
    Ponged,
    RequestsEnded,
    StatusReceived,
)
from recmesh.rpc.session.server import ServerSession
from recmesh.testing import (
    call_frame,
    goaway_frame,
    greeting,
    hello_frame,
    message_frame,
    ping_frame,
    status_frame,
)
from recmesh.v1.health_rpc import HEALTH_CHECK
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.kit import SERVING
from tests.rpc.sessions import client, server
from tests.rpc.vectors.reading import from_hex, split
from tests.rpc.vectors.record import held
from tests.rpc.vectors.scripts import TOPICS

TEXT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
ANSWERED: dict[str, Any] = {"origin": wire.APP, "processed": wire.YES}

SHOWN = {
    "client": greeting(node_id="me") + call_frame(1, HEALTH_CHECK.path, timeout_us=2_000_000),
    "server": hello_frame(node_id="me") + status_frame(1, 0, SERVING.SerializeToString(), **ANSWERED, service_us=9),
    "crc": encode(frames.PING, payload=b"12345678", crc=True),
    "client-stream": call_frame(3, "/a.Chat/Talk", flags=0, kind=wire.BIDI)
    + message_frame(3, b"\x0a\x02hi")
    + message_frame(3, b"")
    + message_frame(3, b"", END_STREAM),
    "server-stream": message_frame(3, b"\x0a\x05hel", MORE) + message_frame(3, b"lo") + status_frame(3, **ANSWERED),
    "drain": goaway_frame(MAX_CALL_ID, reason="drain") + ping_frame(b"drained?") + goaway_frame(3, reason="drain"),
}


def shown(name: str) -> bytes:
    """The bytes of one of the examples."""
    (block,) = re.findall(rf"```{name}\n(.*?)```", TEXT, re.DOTALL)
    bytes_of = (re.match(r" *((?:[0-9a-f]{2} )*[0-9a-f]{2})(?= {2}|$)", line) for line in block.splitlines())
    return b"".join(bytes.fromhex(match[1]) for match in bytes_of if match)


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose first column has this heading."""
    (table,) = re.findall(rf"^\| {heading}.*\n\|[-|]+\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


# The dumps.


def test_each_dump_is_what_is_spoken() -> None:
    assert {name: shown(name) for name in re.findall(r"^```(\S+)$", TEXT, re.MULTILINE)} == SHOWN


def test_a_server_understands_the_client_of_the_example() -> None:
    greeted, called = ServerSession(DEFAULTS).receive(shown("client"), 1.0)
    assert greeted == Greeted(wire.Hello(version_min=1, version_max=1, node_id="me"))
    assert called == CallReceived(1, wire.CallHeader(method=HEALTH_CHECK.path, timeout_us=2_000_000), b"", 1.0)


def test_a_client_understands_the_server_of_the_example() -> None:
    session = ClientSession(DEFAULTS)
    session.call(b"", b"")
    _, answered = session.receive(shown("server"), 1.0)
    assert answered == StatusReceived(1, wire.CallStatus(**ANSWERED, service_us=9), SERVING.SerializeToString())


def test_both_ends_understand_the_stream_of_the_example() -> None:
    called, *rest = server().receive(shown("client-stream"), 0.0)
    assert isinstance(called, CallReceived) and called.header.kind == wire.BIDI
    assert rest == [MessageReceived(3, b"\x0a\x02hi"), MessageReceived(3, b""), RequestsEnded(3)]
    caller = client(calls=1)
    assert caller.call(called.header.SerializeToString(), b"", Kind.BIDI)[0] == 3
    said = caller.message(3, b"\x0a\x02hi") + caller.pull(100) + caller.message(3, b"") + caller.end(3)
    assert shown("client-stream").endswith(said)
    answer, ended = caller.receive(shown("server-stream"), 0.0)
    assert answer == MessageReceived(3, b"\x0a\x05hello")
    assert ended == StatusReceived(3, wire.CallStatus(**ANSWERED), b"")


def test_the_drain_of_the_example() -> None:
    going, _, gone = client(calls=3).receive(shown("drain"), 0.0)
    assert going == GoingAway(0, "drain", ()) and gone == GoingAway(0, "drain", (5,))
    ponged = client(Limits(crc=True), crc=True).receive(encode(frames.PING, 0, b"", b"12345678", frames.ACK), 0.0)
    assert ponged == [Ponged(b"12345678")]


# The tables.


def test_the_limits_are_those_of_the_code() -> None:
    ours, cells = asdict(DEFAULTS), {row[0]: (row[1], row[2]) for row in rows("limit")}
    said = {re.sub(r"[`,;].*", "", limit.strip("`")): numbers for limit, numbers in cells.items()}
    defaults = {
        "max_frame": frames.DEFAULT_MAX_FRAME,
        "max_message": frames.DEFAULT_MAX_MESSAGE,
        "max_concurrent_calls": frames.DEFAULT_MAX_CALLS,
        "call_window": frames.DEFAULT_CALL_WINDOW,
        "connection_window": frames.DEFAULT_CONNECTION_WINDOW,
    }
    assert {name: said[name] for name in defaults} == {
        name: (str(default), str(ours[name])) for name, default in defaults.items()
    }
    assert {name: numbers[0] for name, numbers in said.items() if name not in defaults} == {
        "metadata of a frame": str(frames.MAX_META),
        "pairs of metadata of a call": str(frames.MAX_PAIRS),
        "unfinished messages of a peer": str(receiver.PARTIAL_MESSAGES),
        "empty messages of a stream that wait": str(receiver.EMPTY_MESSAGES),
        "large messages that one end has under way": str(flow.INTERLEAVED),
        "bytes of a frame of a message that needs several": str(flow.SLICE),
        "messages and incomplete frames of all connections of a process": str(memory.PROCESS.most),
        "call ids": str(MAX_CALL_ID),
    }


def test_the_types_and_flags_are_those_of_the_code() -> None:
    types = {name: int(kind.strip("`"), 16) for kind, name, *_ in rows("type")}
    assert types == {name: getattr(frames, name) for name in types} and len(types) == 9
    flags = {name: int(bit, 16) for bit, name in re.findall(r"`(0x\d\d)` ([A-Z_]+)[,;]", TEXT)}
    assert flags == {name: getattr(frames, name) for name in ("END_STREAM", "MORE", "CRC", "ACK")}


@pytest.mark.parametrize("row", rows("what happened"), ids=lambda row: row[0])
def test_each_outcome_in_the_table_is_in_a_vector(row: list[str]) -> None:
    what, code, processed = row
    if code == "that status":
        code = "NOT_FOUND"  # as the vectors' service raises it
    name = code.partition(",")[0]
    assert (Status[name], Processed[processed]) in ended_by_servers(), what


def ended_by_servers() -> set[tuple[int, int]]:
    """Code and processed of every STATUS that a server sends in a vector."""
    ended = set()
    for told in (each for topic in TOPICS for each in held(topic) if each["role"].startswith("server")):
        for chunk in (chunk for step in told["steps"] for chunk in step["send"]):
            for data in split(from_hex(chunk["hex"])):
                if data[4:5] == bytes([frames.STATUS]):
                    meta_size = int.from_bytes(data[6:8], "big")
                    status = wire.CallStatus.FromString(data[HEADER.size : HEADER.size + meta_size])
                    ended.add((status.code, int(status.processed)))
    return ended
