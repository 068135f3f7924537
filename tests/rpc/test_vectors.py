"""The golden vectors are what the ends do, byte for byte, however the bytes arrive; and they leave nothing out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import recmesh.rpc
from recmesh.rpc import Processed, Status, frames
from recmesh.rpc.frames import HEADER, PREFACE
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.vectors.reading import from_hex, split
from tests.rpc.vectors.record import end_of, file_of, held, outcome, text_of
from tests.rpc.vectors.scripts import TOPICS

ALL = {f"{topic}-{each['name']}": each for topic in TOPICS for each in held(topic)}


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("name", ALL)
def test_an_end_does_what_the_vector_says(name: str, cut: bool) -> None:
    told = ALL[name]
    end = end_of(told)
    for step in told["steps"]:
        came = outcome(end, step, cut)
        assert {key: step.get(key) for key in ("events", "send", "close")} == {"close": None} | came, step


@pytest.mark.parametrize("topic", TOPICS)
def test_the_files_are_those_that_the_scripts_tell(topic: str) -> None:
    """`python -m tests.rpc.vectors` writes them anew."""
    assert file_of(topic).read_text(encoding="utf-8") == text_of(topic)


# That they leave nothing out.


def frames_in(key: str) -> Iterator[tuple[int, int, bytes]]:
    """Type, flags and metadata of every frame that is received, or sent."""
    for told in ALL.values():
        for step in told["steps"]:
            for data in (each for chunk in step.get(key, []) for each in split(from_hex(chunk["hex"]))):
                whole = len(data) >= HEADER.size and len(data) == HEADER.size + int.from_bytes(data[:4], "big")
                if whole and data != PREFACE:
                    _, kind, flags, meta_size, _, _ = HEADER.unpack_from(data)
                    yield kind, flags, data[HEADER.size : HEADER.size + meta_size]


def events() -> Iterator[dict[str, Any]]:
    for told in ALL.values():
        for step in told["steps"]:
            yield from step["events"]


TYPES = {*range(frames.HELLO, frames.GOAWAY + 1), frames.STATE}
FLAGS = {frames.END_STREAM, frames.MORE, frames.CRC, frames.ACK}


def test_every_type_and_flag_is_received_and_sent() -> None:
    assert {kind for kind, _, _ in frames_in("receive")} > TYPES  # and some that are not known
    assert {kind for kind, _, _ in frames_in("send")} == TYPES
    for key in ("receive", "send"):
        assert {flag for _, flags, _ in frames_in(key) for flag in FLAGS if flags & flag} == FLAGS


def test_every_kind_of_call_and_every_event_occurs() -> None:
    kinds = {wire.CallHeader.FromString(meta).kind for kind, _, meta in frames_in("send") if kind == frames.CALL}
    assert kinds == {0, 1, 2, 3}
    names = {re.sub(r"(?<!^)(?=[A-Z])", "_", each).lower() for each in event_names()} - {"reply"}
    assert names <= {each["event"] for each in events()}


def event_names() -> list[str]:
    source = (SOURCES / "session" / "events.py").read_text(encoding="utf-8")
    return [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]


# Every reason that the code gives, as it stands in the code.

SOURCES = Path(recmesh.rpc.__file__).parent
SPEAKERS = (
    *("call", "frames", "session/base", "session/client", "session/server", "session/flow", "session/receiver"),
    *("session/headers", "connection/base", "connection/server", "connection/answers", "connection/running"),
)
GIVEN_BY = {"ProtocolError", "RpcError", "library_status", "unsent", "ended_here", "_refused", "_unsendable"}
UNHEARD = {
    "nobody waits for the answer any more",  # raised in a handler that sends on
    "the server is going away: {}",  # the client's word for what a GOAWAY says; the vectors have it with its reason
}


def reasons() -> Iterator[tuple[str, ast.expr]]:
    """By module, the texts that become the reason of a GOAWAY, the message of a status, or of an RpcError."""
    for name in SPEAKERS:
        for node in ast.walk(ast.parse((SOURCES / f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in GIVEN_BY:
                yield from ((name, each) for each in node.args)
            elif isinstance(node, ast.Assign) and _is_name(node.targets[0], "reason", "message", "STOPPED"):
                yield name, node.value
            elif (
                isinstance(node, ast.Tuple) and len(node.elts) == 2 and ast.unparse(node.elts[0]).startswith("Status.")
            ):
                yield name, node.elts[1]


def _is_name(node: ast.expr, *names: str) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def text_and_pattern(node: ast.expr) -> tuple[str, str] | None:
    """What a literal says, `{}` where it fills something in; and what matches it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value, re.escape(node.value)
    if isinstance(node, ast.JoinedStr):
        parts = [str(each.value) if isinstance(each, ast.Constant) else None for each in node.values]
        return "".join("{}" if each is None else each for each in parts), "".join(
            ".+" if each is None else re.escape(each) for each in parts
        )
    return None


def test_every_reason_occurs() -> None:
    heard = {str(each.get("message", "")) for each in events()}
    heard |= {each["status"].get("message", "") for each in events() if each["event"] == "status_received"}
    for kind, _, meta in frames_in("send"):
        if kind == frames.GOAWAY:
            heard.add(wire.GoAway.FromString(meta).reason)
        elif kind == frames.STATUS:
            heard.add(wire.CallStatus.FromString(meta).message)
    told = {said for _, node in reasons() if (said := text_and_pattern(node)) is not None}
    assert len(told) > 40
    missing = {text for text, pattern in told if not any(re.fullmatch(f"(.*: )?{pattern}", each) for each in heard)}
    assert missing == UNHEARD & missing, missing - UNHEARD


def test_every_code_of_the_library_occurs_with_how_far_the_call_came() -> None:
    sent = [wire.CallStatus.FromString(meta) for kind, _, meta in frames_in("send") if kind == frames.STATUS]
    assert {(each.code, each.processed) for each in sent if each.origin == wire.SERVER} >= {
        (Status.UNIMPLEMENTED, Processed.REFUSED),
        (Status.INTERNAL, Processed.REFUSED),
        (Status.RESOURCE_EXHAUSTED, Processed.REFUSED),
        (Status.UNAVAILABLE, Processed.REFUSED),
        (Status.DEADLINE_EXCEEDED, Processed.REFUSED),
        (Status.DEADLINE_EXCEEDED, Processed.YES),
        (Status.RESOURCE_EXHAUSTED, Processed.YES),
        (Status.INTERNAL, Processed.YES),
        (Status.UNAVAILABLE, Processed.YES),
        (Status.UNKNOWN, Processed.YES),
    }
    assert {(each["code"], each["processed"]) for each in events() if each["event"] == "failed"} >= {
        (Status.DEADLINE_EXCEEDED, Processed.NOT_SENT),
        (Status.RESOURCE_EXHAUSTED, Processed.NOT_SENT),
        (Status.UNAVAILABLE, Processed.NOT_SENT),
        (Status.UNAVAILABLE, Processed.REFUSED),
        (Status.UNAVAILABLE, Processed.MAYBE),
        (Status.DEADLINE_EXCEEDED, Processed.MAYBE),
        (Status.CANCELLED, Processed.MAYBE),
        (Status.INTERNAL, Processed.YES),
    }
    goaways = [wire.GoAway.FromString(meta).code for kind, _, meta in frames_in("send") if kind == frames.GOAWAY]
    assert set(goaways) == {
        Status.OK,
        Status.DEADLINE_EXCEEDED,
        Status.RESOURCE_EXHAUSTED,
        Status.UNIMPLEMENTED,
        Status.INTERNAL,
    }
