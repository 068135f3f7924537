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
from contextlib import suppress
from typing import Any, NamedTuple

from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from recmesh.rpc import Channel, Context, RpcError, frames
from recmesh.rpc.events import Broken, Event, MessageReceived, Reply
from recmesh.rpc.frames import END_STREAM, HEADER, MAX_CALL_ID, MORE, PREFACE, Limits, encode
from recmesh.rpc.memory import PROCESS, Pool
from recmesh.rpc.session import PARTIAL_MESSAGES, Session
from recmesh.rpc.session_client import ClientSession
from recmesh.rpc.session_server import ServerSession
from recmesh.testing import Wire, begin, cancel_frame, frames_of, goaway_frame, hello_frame, ping_frame
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.vectors.processes import SAY, Process, ServerProcess, Words

LIMITS = Limits(max_frame=frames.DEFAULT_MAX_FRAME, max_message=100_000, max_concurrent_calls=5)
ROUND = 200  # examples between two looks at the clock

# What a peer sends.

IDS = st.one_of(st.sampled_from((0, 1, 1, 3, 3, 5, 7, 2, MAX_CALL_ID)), st.integers(0, 2**32 - 1))
FLAGS = st.one_of(st.sampled_from((0, END_STREAM, MORE, END_STREAM | MORE, frames.ACK)), st.integers(0, 255))
SIZES = st.one_of(st.integers(0, 20), st.sampled_from((60_000, 65_000, 65_536, 70_000)))
METHODS = st.sampled_from(
    ("/vectors.Words/Say", "/vectors.Words/Join", "/vectors.Words/Spell", "/vectors.Words/Echo", "")
)
WORDS = st.sampled_from((b"", b"\x0a\x04wait", b"\x0a\x04fail", b"\x0a\x06refuse", b"\x0a\x05wrong", b"\x0a\x03abc"))
PAYLOADS = st.one_of(WORDS, st.binary(max_size=20), SIZES.map(bytes))
HEADERS = st.builds(
    lambda method, kind, timeout: wire.CallHeader(method=method, kind=kind, timeout_us=timeout).SerializeToString(),
    METHODS,
    st.integers(0, 5),
    st.sampled_from((0, 1, 1_000_000, 2**64 - 1)),
)
STATUSES = st.builds(lambda code: wire.CallStatus(code=code).SerializeToString(), st.sampled_from((0, 0, 4, 99)))
METADATA = st.one_of(st.just(b""), st.binary(max_size=20), HEADERS, STATUSES)
CREDIT = st.one_of(st.sampled_from((1, 65_536, 2**31 - 1)), st.integers(0, 2**32 - 1)).map(
    lambda n: n.to_bytes(4, "big")
)

right = st.one_of(
    st.builds(lambda i, meta, data, flags: encode(frames.CALL, i, meta, data, flags), IDS, HEADERS, PAYLOADS, FLAGS),
    st.builds(lambda i, data, flags: encode(frames.MESSAGE, i, payload=data, flags=flags), IDS, PAYLOADS, FLAGS),
    st.builds(lambda i, meta, data: encode(frames.STATUS, i, meta, data, END_STREAM), IDS, STATUSES, PAYLOADS),
    st.builds(cancel_frame, IDS),
    st.builds(lambda i, credit: encode(frames.WINDOW, i, payload=credit), IDS, CREDIT),
    st.builds(ping_frame, st.binary(min_size=8, max_size=8), ack=st.booleans()),
    st.builds(goaway_frame, st.integers(0, 9)),
    st.builds(
        lambda serving: encode(frames.STATE, meta=wire.PeerState(serving=serving).SerializeToString()), st.booleans()
    ),
)
wrong = st.builds(
    lambda kind, flags, i, meta, data: encode(kind, i, meta, data, flags),
    st.one_of(st.integers(1, 9), st.integers(0, 255)),
    FLAGS.map(lambda flags: flags & ~frames.CRC),
    IDS,
    METADATA,
    PAYLOADS,
)
damaged = st.builds(
    lambda frame, place, bit: frame[:place] + bytes([frame[place % len(frame)] ^ bit]) + frame[place + 1 :],
    right,
    st.integers(0, 40),
    st.sampled_from((1, 2, 16, 128)),
)
hellos = st.builds(
    lambda window, in_all, frame, crc: hello_frame(
        call_window=window, connection_window=in_all, max_frame=frame, crc=crc
    ),
    st.sampled_from((0, 1, 1_000, 2**32 - 1)),
    st.sampled_from((0, 1, 1_000, 2**32 - 1)),
    st.sampled_from((0, 8_191, 8_192, 2**32 - 1)),
    st.booleans(),
)
bits = st.lists(st.one_of(right, right, right, wrong, damaged, st.binary(max_size=40)), max_size=30)


class Peer(NamedTuple):
    """What it sends, cut into pieces, and what the application at this end does between them."""

    opening: bytes
    data: bytes
    cut: int
    acts: list[tuple[int, int, int]]


def peers(serving: bool) -> st.SearchStrategy[Peer]:
    opening = st.one_of(hellos.map(lambda hello: PREFACE + hello if serving else hello), st.binary(max_size=30))
    act = st.tuples(st.integers(0, 5), st.sampled_from((1, 3, 5, 7)), SIZES)
    return st.builds(Peer, opening, bits.map(b"".join), st.integers(1, 200_000), st.lists(act, max_size=30))


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
    for data in (peer.opening, *(peer.data[at : at + peer.cut] for at in range(0, len(peer.data), peer.cut))):
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
    frames_of(bytes(sent))  # raises, if that is no frames


def _check_goaway(events: list[Event], data: bytes) -> None:
    reply, broken = events[-2:]
    assert isinstance(reply, Reply) and isinstance(broken, Broken), data
    ((kind, _, _, meta, _),) = frames_of(reply.data)
    assert kind == frames.GOAWAY
    goaway = wire.GoAway.FromString(meta)
    assert (goaway.code, goaway.reason) == (broken.error.code, broken.error.reason) and goaway.code


def try_server(peer: Peer) -> None:
    """A server with handlers; time goes on by what `acts` say."""
    end = ServerProcess(LIMITS, 0)
    try_connection(end, peer, lambda _: None)


def try_client(peer: Peer) -> None:
    """A client that makes calls meanwhile; each ends, at the latest with its connection."""
    wire_ = Wire(Words(ServerProcess(LIMITS, 0)).handlers(), client_limits=LIMITS)
    begun = []

    class End(Process):
        connection = wire_.client

    end = End()
    end.clock, end.transport = wire_.clock, wire_.up
    calls = Channel(wire_.client)

    def say(size: int) -> None:
        begun.append(
            begin(calls.call(SAY, StringValue(value="x" * size), Context(deadline=end.clock.reactor.seconds() + 9)))
        )

    try_connection(end, peer, say)
    for each in begun:
        assert each.done
        with suppress(RpcError):
            each.result()


def try_connection(end: Process, peer: Peer, also: Callable[[int], None]) -> None:
    acts, sent, held = list(peer.acts), bytearray(), PROCESS.held
    for data in (peer.opening, *(peer.data[at : at + peer.cut] for at in range(0, len(peer.data), peer.cut))):
        if end.closed:
            break
        end.connection.data_received(data)
        if acts:
            what, seconds, size = acts.pop()
            also(size) if what < 3 else end.clock.advance(seconds / 2)
        sent += end.transport.take()
    if end.connection._session.broken:
        assert end.closed
    sent += end.transport.take()
    if not sent.startswith(b"HTTP/1.1 426"):
        frames_of(bytes(sent))
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
