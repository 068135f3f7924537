"""Bytes as the vectors write them, and what a frame says in words."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, TypeVar

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message

from recmesh.rpc import frames
from recmesh.rpc.frames import HEADER, PREFACE, ProtocolError
from recmesh.rpc.session.events import Event
from recmesh.wire.v1 import wire_pb2 as wire

T = TypeVar("T")

RUN = 32  # bytes; so many alike are written once, with their number

TYPES = {
    frames.HELLO: ("HELLO", wire.Hello),
    frames.CALL: ("CALL", wire.CallHeader),
    frames.MESSAGE: ("MESSAGE", None),
    frames.STATUS: ("STATUS", wire.CallStatus),
    frames.CANCEL: ("CANCEL", wire.Cancel),
    frames.WINDOW: ("WINDOW", None),
    frames.PING: ("PING", None),
    frames.GOAWAY: ("GOAWAY", wire.GoAway),
    frames.STATE: ("STATE", wire.PeerState),
}
FLAGS = {frames.END_STREAM: "END_STREAM", frames.MORE: "MORE", frames.CRC: "CRC", frames.ACK: "ACK"}


def to_hex(data: bytes) -> str:
    """Hexadecimal; a run of equal bytes is `78*70000`, set off by blanks."""
    parts, plain = [], ""
    for byte, alike in groupby(data):
        count = sum(1 for _ in alike)
        if count < RUN:
            plain += f"{byte:02x}" * count
            continue
        parts += [plain, f"{byte:02x}*{count}"]
        plain = ""
    return " ".join(part for part in (*parts, plain) if part)


def pieces(text: str) -> Iterator[bytes]:
    """What `to_hex` wrote, a part at a time."""
    for part in text.split():
        digits, _, count = part.partition("*")
        yield bytes.fromhex(digits) * int(count or 1)


def from_hex(text: str) -> bytes:
    return b"".join(pieces(text))


def plain(message: Message) -> dict[str, Any]:
    """In Protobuf's own JSON, with the names of the .proto file."""
    return dict(MessageToDict(message, preserving_proto_field_name=True))


def split(data: bytes) -> Iterator[bytes]:
    """The preface, then frame by frame, then what is left."""
    if data.startswith(PREFACE):
        yield PREFACE
        data = data[len(PREFACE) :]
    while len(data) >= HEADER.size and len(data) >= (size := HEADER.size + int.from_bytes(data[:4], "big")):
        yield data[:size]
        data = data[size:]
    if data:
        yield data


def describe(data: bytes) -> str:
    """One frame for people."""
    if data == PREFACE:
        return "the preface"
    if len(data) < HEADER.size or len(data) != HEADER.size + int.from_bytes(data[:4], "big"):
        return f"{len(data)} bytes that are no whole frame"
    size, kind, flags, meta_size, call_id, _ = HEADER.unpack_from(data)
    if meta_size > size:
        return f"a frame of {size} bytes with metadata of {meta_size}"
    meta, payload = data[HEADER.size : HEADER.size + meta_size], data[HEADER.size + meta_size :]
    name, message = TYPES.get(kind, (f"type {kind:#04x}", None))
    names = [FLAGS.get(bit, f"{bit:#04x}") for bit in (1 << place for place in range(8)) if flags & bit]
    words = [name, *([str(call_id)] if call_id else []), *names]
    if meta:
        words.append(_meta(message, meta))
    if kind == frames.WINDOW and len(payload) == 4:
        words.append(f"credit {int.from_bytes(payload, 'big')}")
    elif payload:
        words.append(f"payload of {len(payload)} bytes")
    return " ".join(words)


def _meta(message: type[Message] | None, meta: bytes) -> str:
    try:
        return json.dumps(plain(message.FromString(meta))) if message else f"metadata of {len(meta)} bytes"
    except DecodeError:
        return "malformed metadata"


def written(chunks: Iterable[bytes]) -> list[dict[str, Any]]:
    """Bytes as a vector has them."""
    return [
        {"hex": to_hex(chunk), "is": describe(chunk)} | ({"times": times} if times > 1 else {})
        for chunk, times in in_a_row(chunks)
    ]


def in_a_row(things: Iterable[T]) -> Iterator[tuple[T, int]]:
    """Each with how often it comes without another between."""
    return ((thing, sum(1 for _ in alike)) for thing, alike in groupby(things))


def event_of(event: Event) -> dict[str, Any]:
    """An event under its own name, in words of JSON."""
    said: dict[str, Any] = {"event": re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()}
    for field in dataclasses.fields(event):
        if field.name != "since":
            said[field.name] = _value(getattr(event, field.name))
    return said


def _value(value: Any) -> Any:
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, Message):
        return plain(value)
    if isinstance(value, ProtocolError):
        return {"code": int(value.code), "reason": value.reason}
    return list(value) if isinstance(value, tuple) else value
