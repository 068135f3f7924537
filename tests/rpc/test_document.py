"""The bytes that docs/protocol.md shows are the bytes that are spoken."""

from __future__ import annotations

import re
from pathlib import Path

from recmesh.rpc.events import CallReceived, Greeted, StatusReceived
from recmesh.rpc.frames import DEFAULTS
from recmesh.rpc.session_client import ClientSession
from recmesh.rpc.session_server import ServerSession
from recmesh.v1.health_rpc import HEALTH_CHECK
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.kit import SERVING

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"


def shown(speaker: str) -> bytes:
    """The bytes of the example's block for one of the two ends."""
    (block,) = re.findall(rf"```{speaker}\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    bytes_of = (re.match(r" *((?:[0-9a-f]{2} )*[0-9a-f]{2})(?= {2}|$)", line) for line in block.splitlines())
    return b"".join(bytes.fromhex(match[1]) for match in bytes_of if match)


def test_a_server_understands_the_client_of_the_example() -> None:
    greeted, called = ServerSession(DEFAULTS).receive(shown("client"), 1.0)
    assert greeted == Greeted(wire.Hello(version_min=1, version_max=1, node_id="me"))
    assert called == CallReceived(1, wire.CallHeader(method=HEALTH_CHECK.path, timeout_us=2_000_000), b"", 1.0)


def test_a_client_understands_the_server_of_the_example() -> None:
    session = ClientSession(DEFAULTS)
    session.call(b"", b"")
    _, answered = session.receive(shown("server"), 1.0)
    status = wire.CallStatus(origin=wire.APP, processed=wire.YES, service_us=9)
    assert answered == StatusReceived(1, status, SERVING.SerializeToString())
