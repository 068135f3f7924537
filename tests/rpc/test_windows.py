"""Two sessions and a lossless, slow line between them: no overrun, nothing lost, and what is held stays bounded."""

from __future__ import annotations

from collections import Counter

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from recmesh.rpc import Kind, Status, frames
from recmesh.rpc.frames import DEFAULT_CALL_WINDOW, DEFAULT_CONNECTION_WINDOW, HEADER, MORE, Limits
from recmesh.rpc.session import flow
from recmesh.rpc.session.base import Session
from recmesh.rpc.session.client import ClientSession
from recmesh.rpc.session.events import (
    MessageReceived,
    StatusReceived,
)
from recmesh.rpc.session.memory import Pool
from recmesh.rpc.session.receiver import PARTIAL_MESSAGES
from recmesh.rpc.session.server import ServerSession
from recmesh.testing import message_frame, status_frame
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.line_end import End
from tests.rpc.sessions import OK, client

EVERYTHING = PLENTY = 1 << 40
LIMITS = Limits(max_frame=frames.DEFAULT_MAX_FRAME, max_message=600_000, max_concurrent_calls=12)


def header(kind: int) -> bytes:
    return wire.CallHeader(method="/a/B", kind=wire.Cardinality.Name(kind)).SerializeToString()


SIZES = st.builds(  # around a frame, a window and the most
    lambda about, more: min(about + more, LIMITS.max_message),
    st.sampled_from((0, 60_000, 65_535, DEFAULT_CALL_WINDOW - 1_000, 400_000, LIMITS.max_message)),
    st.integers(0, 2_000),
)
PIECES = st.one_of(st.integers(1, 40), st.sampled_from((1_000, 70_000, 1 << 20)))


class Windows(RuleBasedStateMachine):
    """Opens calls of every kind, sends, reads and carries bytes in any order; in the end everything has arrived."""

    @initialize(crc=st.booleans())
    def connect(self, crc: bool) -> None:
        limits = Limits(
            max_frame=LIMITS.max_frame,
            max_message=LIMITS.max_message,
            max_concurrent_calls=LIMITS.max_concurrent_calls,
            crc=crc,
        )
        self.caller, self.answerer = ClientSession(limits, pool=Pool(PLENTY)), ServerSession(limits, pool=Pool(PLENTY))
        self.near, self.far = End(self.caller), End(self.answerer)
        self.kinds: dict[int, int] = {}
        self.asking: set[int] = set()  # client streams that are not ended
        self.answered: set[int] = set()
        self.cancelled: set[int] = set()
        self.requests: dict[int, list[bytes]] = {}
        self.replies: dict[int, list[bytes]] = {}

    def some(self, call_id: int, size: int) -> bytes:
        """A message that tells its call and its place in it."""
        place = len(self.requests[call_id]) + len(self.replies[call_id])
        return bytes([call_id, place % 251]) * (size // 2) + b"!" * (size % 2)

    @precondition(lambda self: len(self.kinds) < LIMITS.max_concurrent_calls)
    @rule(kind=st.sampled_from(Kind), size=SIZES)
    def call(self, kind: Kind, size: int) -> None:
        call_id = 2 * len(self.kinds) + 1
        self.kinds[call_id], self.requests[call_id], self.replies[call_id] = kind, [], []
        message = b"" if kind.asks_many else self.some(call_id, size)
        opened, data = self.caller.call(header(kind), message, kind)
        assert opened == call_id
        self.near.line += data
        if kind.asks_many:
            self.asking.add(call_id)
        else:
            self.requests[call_id].append(message)
        if not kind.answers_many:
            self.near.unary.add(call_id)

    @precondition(lambda self: self.asking)
    @rule(data=st.data(), size=SIZES)
    def ask_more(self, data: st.DataObject, size: int) -> None:
        call_id = data.draw(st.sampled_from(sorted(self.asking)))
        message = self.some(call_id, size)
        self.requests[call_id].append(message)
        self.near.line += self.caller.message(call_id, message)

    @precondition(lambda self: self.asking)
    @rule(data=st.data())
    def end_requests(self, data: st.DataObject) -> None:
        self.end_of(data.draw(st.sampled_from(sorted(self.asking))))

    def end_of(self, call_id: int) -> None:
        self.asking.remove(call_id)
        self.near.line += self.caller.end(call_id)

    def answerable(self) -> list[int]:
        return sorted(self.far.asked - self.answered)

    @precondition(lambda self: any(self.kinds[each].answers_many for each in self.answerable()))
    @rule(data=st.data(), size=SIZES)
    def answer_more(self, data: st.DataObject, size: int) -> None:
        streams = [each for each in self.answerable() if self.kinds[each] & Kind.SERVER_STREAM]
        call_id = data.draw(st.sampled_from(streams))
        message = self.some(call_id, size)
        self.replies[call_id].append(message)
        self.far.line += self.answerer.message(call_id, message)

    @precondition(lambda self: self.answerable())
    @rule(data=st.data(), size=SIZES)
    def answer(self, data: st.DataObject, size: int) -> None:
        self.answer_of(data.draw(st.sampled_from(self.answerable())), size)

    def answer_of(self, call_id: int, size: int) -> None:
        self.answered.add(call_id)
        message = self.some(call_id, size)
        if message or not self.kinds[call_id] & Kind.SERVER_STREAM:  # a stream's STATUS carries a message or none
            self.replies[call_id].append(message)
        self.far.line += self.answerer.status(call_id, OK, message)

    @precondition(lambda self: self.kinds)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        call_id = data.draw(st.sampled_from(sorted(self.kinds)))
        said = self.caller.cancel(call_id, wire.Cancel.CALLER)
        assert bool(said) == (call_id not in self.cancelled and not self.near.ended[call_id])
        if said:
            self.near.line += said
            self.cancelled.add(call_id)
            self.asking.discard(call_id)

    @rule(of_caller=st.booleans(), most=st.sampled_from((1, 100_000, EVERYTHING)))
    def pull(self, of_caller: bool, most: int) -> None:
        end = self.near if of_caller else self.far
        end.line += end.session.pull(most)

    @rule(upwards=st.booleans(), size=PIECES)
    def carry(self, upwards: bool, size: int) -> None:
        source, to = (self.near, self.far) if upwards else (self.far, self.near)
        data = bytes(source.line[:size])
        del source.line[:size]
        to.hear(data)

    @rule(of_caller=st.booleans(), data=st.data())
    def read(self, of_caller: bool, data: st.DataObject) -> None:
        end = self.near if of_caller else self.far
        if end.unread:
            end.read(data.draw(st.integers(0, len(end.unread) - 1)))

    @invariant()
    def what_is_held_is_bounded(self) -> None:
        for end in (self.near, self.far):
            messages = PARTIAL_MESSAGES * LIMITS.max_message
            frame = LIMITS.max_frame + HEADER.size
            assert end.session.held <= messages + frame + (1 << 20)  # and what was carried last
            assert end.session.held + end.waiting <= DEFAULT_CONNECTION_WINDOW + messages + frame + (1 << 20)
            by_call: Counter[int] = Counter()
            for call_id, size in end.unread:
                by_call[call_id] += size
            assert all(size <= DEFAULT_CALL_WINDOW + LIMITS.max_message for size in by_call.values())

    def settle(self) -> None:
        """Everybody sends, carries and reads until nothing moves any more."""
        moved = True
        while moved:
            moved = False
            for end, other in ((self.near, self.far), (self.far, self.near)):
                end.line += end.session.pull(EVERYTHING)
                while end.unread:
                    end.read(0)
                moved = moved or bool(end.line)
                data = bytes(end.line)
                end.line.clear()
                other.hear(data)

    def teardown(self) -> None:
        if not hasattr(self, "kinds"):
            return
        for call_id in sorted(self.asking):
            self.end_of(call_id)
        self.settle()
        for call_id in self.answerable():
            self.answer_of(call_id, 1_000)
        self.settle()
        whole = set(self.kinds) - self.cancelled
        assert self.near.ended == Counter(dict.fromkeys(whole, 1))
        for call_id in whole:
            assert self.far.came[call_id] == self.requests[call_id]
            assert self.near.came.get(call_id, []) == self.replies[call_id]
        assert not self.answerer.busy and not self.caller.held and not self.answerer.held
        for sender, receiver in ((self.caller, self.answerer), (self.answerer, self.caller)):
            allowance = receiver._allowance  # no credit of the connection was lost, nor made
            assert sender._flow.window == allowance.left == DEFAULT_CONNECTION_WINDOW - allowance.due


TestWindows = Windows.TestCase
TestWindows.settings = settings(
    max_examples=60,
    stateful_step_count=60,
    deadline=None,
    phases=(Phase.reuse, Phase.generate),  # to make such a failure small takes minutes
)


# What the model found, and what it is too small to find.


def test_many_large_requests_over_a_slow_line_are_all_taken() -> None:
    """Credit comes late, so that each message stands still again and again; only four have begun at any time."""
    limits = Limits(max_message=DEFAULT_CALL_WINDOW * 4)
    near, far = ClientSession(limits, pool=Pool(PLENTY)), End(ServerSession(limits, pool=Pool(PLENTY)))
    near.receive(far.session.hello(), 0.0)
    line, seen = near.hello(), set[int]()
    for _ in range(20):
        line += near.call(b"", b"x" * limits.max_message)[1]
    while line:
        far.line.clear()
        far.hear(line)
        seen |= {len(_unfinished(far.session))}
        near.receive(bytes(far.line), 0.0)
        line = near.pull(EVERYTHING)
    assert len(far.asked) == 20 and max(seen) == flow.INTERLEAVED


def _unfinished(session: Session) -> list[int]:
    assert isinstance(session, ServerSession)
    return [call_id for call_id, intake in session._arriving.items() if intake.data]


def test_a_stream_that_fails_inside_a_message_hands_none_of_it_on() -> None:
    session = client()
    session.call(b"", b"", Kind.SERVER_STREAM)
    said = message_frame(1, b"whole") + message_frame(1, b"half of", MORE) + status_frame(1, Status.DEADLINE_EXCEEDED)
    whole, ended = session.receive(said, 0.0)
    assert whole == MessageReceived(1, b"whole")
    assert isinstance(ended, StatusReceived) and ended.status.code == Status.DEADLINE_EXCEEDED
    assert session.held == 0


def test_a_stream_that_nobody_reads_stops_after_a_message_and_a_window() -> None:
    near, far = ClientSession(LIMITS, pool=Pool(PLENTY)), End(ServerSession(LIMITS, pool=Pool(PLENTY)))
    near.receive(far.session.hello(), 0.0)
    call_id, data = near.call(header(Kind.CLIENT_STREAM), b"", Kind.CLIENT_STREAM)
    line = near.hello() + data
    for _ in range(20):
        line += near.message(call_id, b"x" * LIMITS.max_message)
    while line:
        far.line.clear()
        far.hear(line)
        near.receive(bytes(far.line), 0.0)
        line = near.pull(EVERYTHING)
    held = far.session.held + far.waiting
    assert LIMITS.max_message <= far.waiting and held <= LIMITS.max_message + DEFAULT_CALL_WINDOW
