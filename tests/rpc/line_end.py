"""One end of a line between two sessions, as its owner sees it."""

from __future__ import annotations

from collections import Counter, deque

from recmesh.rpc import Kind, Status, frames
from recmesh.rpc.session.base import Session
from recmesh.rpc.session.events import (
    Broken,
    CallReceived,
    Event,
    MessageReceived,
    Reply,
    RequestsEnded,
    StatusReceived,
    Withdrawn,
)
from recmesh.rpc.session.server import ServerSession
from recmesh.testing import frames_of
from tests.rpc.sessions import OK


class End:
    """A session, what it has read and not dealt with, and the bytes on their way from it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.line = bytearray(session.hello())
        self.unread: deque[tuple[int, int]] = deque()  # call and size of messages that wait for their reader
        self.came: dict[int, list[bytes]] = {}  # by call, the messages
        self.unary: set[int] = set()  # those whose requests are no stream
        self.asked: set[int] = set()  # calls whose requests are complete
        self.ended: Counter[int] = Counter()  # statuses by call

    @property
    def waiting(self) -> int:
        return sum(size for _, size in self.unread)

    def hear(self, data: bytes) -> None:
        for event in self.session.receive(data, 0.0):
            self._on(event)

    def _on(self, event: Event) -> None:
        assert not isinstance(event, Broken), event
        if isinstance(event, Reply):
            self.line += event.data
            for kind, _, _, meta, _ in frames_of(event.data):
                assert kind == frames.WINDOW, (kind, meta)
        elif isinstance(event, CallReceived):
            many = event.header.kind & Kind.CLIENT_STREAM
            self.came[event.call_id] = [] if many else [event.payload]
            if not many:
                self.asked.add(event.call_id)
        elif isinstance(event, MessageReceived):
            self.came.setdefault(event.call_id, []).append(event.payload)
            self.unread.append((event.call_id, len(event.payload)))
        elif isinstance(event, RequestsEnded):
            self.asked.add(event.call_id)
        elif isinstance(event, Withdrawn):  # the handler ends at once
            assert isinstance(self.session, ServerSession)
            assert self.session.status(event.call_id, OK) == b""
            self.asked.discard(event.call_id)
        elif isinstance(event, StatusReceived):
            assert event.status.code == Status.OK, event.status.message
            self.ended[event.call_id] += 1
            if event.call_id in self.unary:
                self.came[event.call_id] = [event.payload]

    def read(self, place: int) -> None:
        self.unread.rotate(-place)
        self.line += self.session.took(*self.unread.popleft())
        self.unread.rotate(place)
