"""Peers that send anything: `make fuzz SECONDS=60`.

Both sessions and both connections are fed frames that are right, nearly right, or bytes, while the application at
their end does what it may do. Nothing raises, what is held stays bounded, whatever is sent is well formed, and a peer
that breaks the protocol is told so with a GOAWAY before the connection closes.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from recmesh.rpc import RpcError, frames
from recmesh.rpc.connection.sniff import UPGRADE_REQUIRED
from recmesh.rpc.frames import HEADER, PREFACE, Limits
from recmesh.rpc.session.base import Session
from recmesh.rpc.session.client import ClientSession
from recmesh.rpc.session.events import Broken, Event, MessageReceived, Reply
from recmesh.rpc.session.memory import PROCESS, Pool
from recmesh.rpc.session.receiver import PARTIAL_MESSAGES
from recmesh.rpc.session.server import ServerSession
from recmesh.testing import frames_of
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.peers import Peer, peers
from tests.rpc.vectors.processes import ClientProcess, Process, ServerProcess
from tests.rpc.vectors.reading import split

LIMITS = Limits(max_frame=frames.DEFAULT_MAX_FRAME, max_message=100_000, max_concurrent_calls=5)
ROUND = 200  # examples between two looks at the clock

# What the application does, and what must hold.

KINDS = (wire.UNARY, wire.CLIENT_STREAM, wire.SERVER_STREAM, wire.BIDI)


def act(session: Session, what: int, call_id: int, size: int) -> bytes:
    try:
        if isinstance(session, ClientSession):
            return _client_act(session, what, call_id, size)
        assert isinstance(session, ServerSession)
        return _server_act(session, what, call_id, size)
    except RpcError:  # says that it does not send this
        return b""


def _client_act(session: ClientSession, what: int, call_id: int, size: int) -> bytes:
    if what < 2:
        header = wire.CallHeader(method="/a/B", kind=KINDS[call_id % 4])
        return session.call(header.SerializeToString(), bytes(size), header.kind)[1]
    if what == 2:
        return session.message(call_id, bytes(size))
    return session.end(call_id) if what == 3 else session.cancel(call_id, wire.Cancel.CALLER)


def _server_act(session: ServerSession, what: int, call_id: int, size: int) -> bytes:
    if what < 2:
        return session.status(call_id, wire.CallStatus(), bytes(size))
    if what == 2:
        return session.message(call_id, bytes(size))
    return session.give_up(call_id, wire.CallStatus(code=4)) if what == 3 else session.state(True)


def try_session(serving: bool, peer: Peer) -> None:
    session: Session
    session = (ServerSession if serving else ClientSession)(LIMITS, pool=Pool(1 << 40))
    sent, acts, unread = bytearray(session.hello()), list(peer.acts), list[tuple[int, int]]()
    bound = LIMITS.max_frame + HEADER.size + PARTIAL_MESSAGES * LIMITS.max_message
    for data in peer.pieces():
        events = session.receive(data, 0.0)
        sent += b"".join(event.data for event in events if isinstance(event, Reply))
        unread += [(event.call_id, len(event.payload)) for event in events if isinstance(event, MessageReceived)]
        assert session.held <= bound + len(data)
        assert sum(size for _, size in unread) + session.held <= bound + len(data) + LIMITS.connection_window
        if session.broken:
            _check_goaway(events, data)
            assert session.receive(b"more", 0.0) == []
            break
        assert not any(isinstance(event, Broken) for event in events)
        if acts:
            sent += act(session, *acts.pop()) + session.pull(100_000)
            if unread and acts:
                sent += session.took(*unread.pop())
    _check_sent(sent)


def _check_sent(sent: bytearray) -> None:
    """Whole frames, and nothing else."""
    for data in split(bytes(sent)):
        assert data == PREFACE or len(data) == HEADER.size + int.from_bytes(data[:4], "big")


def _check_goaway(events: list[Event], data: bytes) -> None:
    reply, broken = events[-2:]
    assert isinstance(reply, Reply) and isinstance(broken, Broken), data
    ((kind, _, _, meta, _),) = frames_of(reply.data)
    assert kind == frames.GOAWAY
    goaway = wire.GoAway.FromString(meta)
    assert (goaway.code, goaway.reason) == (broken.error.code, broken.error.reason) and goaway.code


def try_server(peer: Peer) -> None:
    """A server with handlers."""
    try_connection(ServerProcess(LIMITS, 0), peer, lambda size: None)


def try_client(peer: Peer) -> None:
    """A client that makes calls meanwhile; each ends, at the latest with its connection."""
    end = ClientProcess(LIMITS, 0)
    try_connection(end, peer, lambda size: end.do_say("x" * size, 9.0))
    end.settle()
    assert not end.begun


def try_connection(end: Process, peer: Peer, use: Callable[[int], None]) -> None:
    """Time goes on, and the connection is used, as the peer's `acts` say."""
    acts, sent, held = list(peer.acts), bytearray(), PROCESS.held
    for data in peer.pieces():
        if end.closed:
            break
        end.connection.data_received(data)
        if acts:
            what, seconds, size = acts.pop()
            use(size) if what < 3 else end.clock.advance(seconds / 2)
        sent += end.transport.take()
    assert end.closed or not end.connection._session.broken
    if not sent.startswith(UPGRADE_REQUIRED):
        _check_sent(sent)
    end.transport.abort()
    end.connection.connection_lost("the end")
    end.clock.advance(60.0)
    assert not end.clock.timers
    assert PROCESS.held == held


TARGETS: dict[str, tuple[Callable[..., None], Any]] = {
    "a session that serves": (lambda peer: try_session(True, peer), peers(True)),
    "a session that calls": (lambda peer: try_session(False, peer), peers(False)),
    "a connection that serves": (try_server, peers(True)),
    "a connection that calls": (try_client, peers(False)),
}


def run(name: str, number: int, examples: int = ROUND) -> None:
    """New examples for one target, always the same for one `number`."""
    target, strategy = TARGETS[name]
    several = settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    seed(number)(several(given(strategy)(target)))()


def main() -> int:
    parser = argparse.ArgumentParser(description="Feed both ends of the wire with anything.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first round; each takes the next")
    given_ = parser.parse_args()
    logging.disable(logging.CRITICAL)  # handlers fail here on purpose
    end, rounds = time.monotonic() + given_.seconds, 0
    while time.monotonic() < end:
        for name in TARGETS:
            try:
                run(name, given_.seed + rounds)
            except BaseException:
                sys.stdout.write(f"failed: {name}; again with --seed {given_.seed + rounds}\n")
                raise
        rounds += 1
        sys.stdout.write(
            f"{rounds * ROUND * len(TARGETS)} examples, seeds {given_.seed} to {given_.seed + rounds - 1}\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
