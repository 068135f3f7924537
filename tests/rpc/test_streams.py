"""Streams over a connection in memory: every kind, their windows, their turns, and each way they can end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from twisted.internet.defer import CancelledError, Deferred

from recmesh.rpc import Channel, Context, Kind, Method, RpcError, Status, frames
from recmesh.rpc.frames import MORE, Limits
from recmesh.testing import Wire, begin, frames_of
from tests.rpc.streams import COUNT, Stub, Test, numbers, parts, values

LARGE = Limits(max_message=16 << 20)


class Talk:
    """A stub and its service, joined."""

    def __init__(self, client_limits: Limits = frames.DEFAULTS, server_limits: Limits = frames.DEFAULTS) -> None:
        self.test = Test()
        self.wire = Wire(self.test.handlers(), client_limits=client_limits, server_limits=server_limits)
        self.stub = Stub(self.wire.client)
        self.wire.move()

    def idle(self) -> bool:
        """Whether nothing is left of any call."""
        client, server = self.wire.client, self.wire.server
        held = [
            each._flow._lanes or each._intakes or each._pooled or each._flow.held
            for each in (client._calls, server._calls)
        ]
        in_flight = client.in_flight or server.in_flight or server._calls.busy
        return not (in_flight or any(held) or client._calls._open or server._inboxes)


# Each kind.


def test_a_server_stream_gives_every_message_and_then_ends() -> None:
    talk = Talk()
    trailers: dict[str, str | bytes] = {}
    reading = begin(numbers(talk.stub.count(3, Context(trailers=trailers))))
    talk.wire.move()
    assert reading.result() == [0, 1, 2] and trailers == {"sent": "3"}
    assert talk.idle()


def test_a_client_stream_is_answered_once() -> None:
    talk = Talk()
    asking = begin(talk.stub.join(parts(b"a", b"", b"bc")))
    talk.wire.move()
    assert asking.result() == b"abc" and talk.test.got == [b"a", b"", b"bc"]
    assert talk.idle()


def test_messages_of_both_ends_cross() -> None:
    talk = Talk()
    more: Deferred[BytesValue] = Deferred()

    async def asked() -> AsyncIterator[BytesValue]:
        yield BytesValue(value=b"first")
        yield await more

    stream = talk.stub.echo(asked())
    first = begin(anext(stream))
    talk.wire.move()
    assert first.result().value == b"first"
    second = begin(anext(stream))
    talk.wire.move()
    assert not second.done
    more.callback(BytesValue(value=b"second"))
    talk.wire.move()
    assert second.result().value == b"second"
    last = begin(values(stream))
    talk.wire.move()
    assert last.result() == [] and talk.idle()


def test_empty_messages_are_messages_and_streams_may_be_empty() -> None:
    talk = Talk()
    echoing, joining, counting = (
        begin(values(talk.stub.echo(parts(b"", b"")))),
        begin(talk.stub.join([])),
        begin(numbers(talk.stub.count(0))),
    )
    talk.wire.move()
    assert (echoing.result(), joining.result(), counting.result()) == ([b"", b""], b"", [])


def test_a_method_called_as_another_kind_is_not_served() -> None:
    talk = Talk()
    wrong = Method(COUNT.path, COUNT.request, COUNT.reply)
    asking = begin(Channel(talk.wire.client).call(wrong, COUNT.request()))
    talk.wire.move()
    with pytest.raises(RpcError, match="is SERVER_STREAM, and was called as UNARY") as caught:
        asking.result()
    assert caught.value.status is Status.UNIMPLEMENTED


# Failures.


def test_a_failure_comes_after_the_messages_before_it_with_its_metadata() -> None:
    talk = Talk()
    talk.test.fail_after = 2
    stream, seen = talk.stub.count(5), list[int]()

    async def read() -> None:
        async for each in stream:
            seen.append(each.value)

    reading = begin(read())
    talk.wire.move()
    with pytest.raises(RpcError, match="ABORTED: enough") as caught:
        reading.result()
    assert seen == [0, 1] and caught.value.metadata == {"after": "2"}
    assert talk.idle()


def test_what_the_callers_own_iterator_raises_ends_the_call_and_reaches_the_caller() -> None:
    def broken() -> BytesValue:
        raise KeyError("mine")

    talk = Talk()
    talk.test.pause = Deferred()
    asking = begin(talk.stub.join(broken() if index else BytesValue() for index in range(2)))
    talk.wire.move()
    with pytest.raises(KeyError, match="mine"):
        asking.result()
    talk.wire.move()
    assert talk.test.ended == 1 and talk.idle()


def test_a_handler_need_not_read_every_request() -> None:
    talk = Talk()
    talk.test.reads = False
    asking = begin(talk.stub.join(parts(*[b"x" * 50_000] * 200)))  # far over the window of the connection
    talk.wire.move()
    assert asking.result() == b"" and talk.idle()
    again = begin(talk.stub.reverse(b"y" * 1_000_000))
    talk.wire.move()
    assert len(again.result()) == 1_000_000


@pytest.mark.parametrize("message", [b"x" * 100_001, b"x" * (17 << 20)])
def test_a_message_over_the_servers_limit_is_not_sent(message: bytes) -> None:
    talk = Talk(server_limits=Limits(max_message=100_000))
    asking = begin(talk.stub.join(parts(b"small", message)))
    talk.wire.move()
    with pytest.raises(RpcError, match="RESOURCE_EXHAUSTED: a request is over the 100000 bytes"):
        asking.result()
    assert talk.idle()


def test_a_reply_over_the_callers_limit_fails_the_stream() -> None:
    talk = Talk(client_limits=Limits(max_message=100_000))
    talk.test.piece = b"x" * 100_001
    reading = begin(values(talk.stub.many(2)))
    talk.wire.move()
    with pytest.raises(RpcError, match="RESOURCE_EXHAUSTED: the response is over the 100000 bytes"):
        reading.result()
    assert talk.idle() and talk.test.ended == 1


# Windows.


def test_a_reader_that_stops_is_sent_a_window_and_no_more() -> None:
    talk = Talk()
    stream = talk.stub.many(1_000)
    first = begin(anext(stream))
    talk.wire.move()
    assert first.result().value == talk.test.piece
    ahead = talk.test.sent
    assert frames.DEFAULT_CALL_WINDOW // 10_000 <= ahead <= frames.DEFAULT_CALL_WINDOW // 10_000 + 2
    for _ in range(50):
        begin(anext(stream)).result()
        talk.wire.move()
    assert 51 + ahead // 2 - 1 <= talk.test.sent <= 51 + ahead + 1
    rest = begin(values(stream))
    talk.wire.move()
    assert len(rest.result()) == 949 and talk.idle()


def test_a_handler_that_does_not_read_is_sent_a_window_and_no_more() -> None:
    talk = Talk()
    talk.test.pause = Deferred()
    taken = 0

    def endless() -> AsyncIterator[BytesValue]:
        async def each() -> AsyncIterator[BytesValue]:
            nonlocal taken
            for _ in range(500):
                taken += 1
                yield BytesValue(value=b"x" * 10_000)

        return each()

    asking = begin(talk.stub.join(endless()))
    talk.wire.move()
    assert taken <= frames.DEFAULT_CALL_WINDOW // 10_000 + 2
    talk.test.pause.callback(None)
    talk.wire.move()
    assert taken == 500
    with pytest.raises(RpcError, match="the response is over"):  # all of it together
        asking.result()


def test_messages_larger_than_any_window_pass_one_after_another() -> None:
    talk = Talk(server_limits=LARGE, client_limits=LARGE)
    sent = [bytes([n]) * (6 << 20) for n in range(4)]
    echoing = begin(values(talk.stub.echo(parts(*sent))))
    talk.wire.move()
    assert echoing.result() == sent and talk.idle()


def test_a_window_that_never_opens_ends_at_the_deadline() -> None:
    talk = Talk()
    talk.test.pause = Deferred()
    now = talk.wire.clock.seconds()
    asking = begin(talk.stub.join(parts(*[b"x" * 100_000] * 10), Context(deadline=now + 1.0)))
    talk.wire.move()
    assert not asking.done
    talk.wire.clock.advance(1.1)
    talk.wire.move()
    with pytest.raises(RpcError, match="DEADLINE_EXCEEDED"):
        asking.result()
    assert talk.test.ended == 1 and talk.idle() and not [t for t in talk.wire.clock.timers if t.getTime() < 3]


def test_a_large_stream_does_not_starve_small_calls() -> None:
    """Counted in frames: a small call that comes while 64 MiB wait for the socket stands behind no frame of theirs that
    has not left."""
    talk, room = Talk(), 64 << 10
    talk.wire.up.most = room
    talk.test.discards = True
    streaming = begin(talk.stub.join(parts(*[b"x" * (1 << 20)] * 64)))
    small = []
    while not streaming.done:
        small.append(begin(talk.stub.reverse(b"s" * 64)))
        waiting = frames_of(bytes(talk.wire.up.written))
        assert waiting[-1][0] == frames.CALL  # right behind what the socket has room for
        assert sum(len(payload) for _, _, call_id, _, payload in waiting if call_id == 1) <= 2 * room
        talk.wire.hop()
    assert all(each.result() == b"s" * 64 for each in small) and len(small) > 500
    assert talk.idle()


def test_messages_of_several_calls_take_turns_four_at_a_time() -> None:
    talk = Talk()
    talk.wire.up.most = 0
    for _ in range(6):
        begin(talk.stub.reverse(b"x" * 200_000))
    talk.wire.up.take()
    talk.wire.up.most = 1 << 30
    talk.wire.up.take_more()
    sent = frames_of(bytes(talk.wire.up.written))
    assert [call_id for _, _, call_id, _, _ in sent][:8] == [1, 3, 5, 7] * 2
    assert [call_id for _, flags, call_id, _, _ in sent if not flags & MORE] == [1, 3, 5, 7, 9, 11]


# Cancel, deadline, and the end of the connection.


def test_leaving_a_stream_cancels_its_handler() -> None:
    talk = Talk()
    talk.test.pause = Deferred()
    stream = talk.stub.count(5)
    reading = begin(anext(stream))
    talk.wire.move()
    reading.cancel()
    talk.wire.move()
    with pytest.raises(CancelledError):
        reading.result()
    assert talk.test.ended == 1 and talk.idle()


def test_a_second_reader_of_a_stream_is_told_so_and_the_first_reads_on() -> None:
    talk = Talk()
    stream = talk.stub.count(2)
    first = begin(anext(stream))
    with pytest.raises(RuntimeError, match="have a reader already"):
        begin(anext(stream)).result()
    talk.wire.move()
    assert first.result().value == 0
    rest = begin(numbers(stream))
    talk.wire.move()
    assert rest.result() == [1]


def test_a_stream_that_is_dropped_cancels_its_handler() -> None:
    talk = Talk()

    async def first() -> int:
        async for each in talk.stub.count(100_000):
            return each.value
        return -1

    reading = begin(first())
    talk.wire.move()
    assert reading.result() == 0
    talk.wire.move()
    assert talk.test.ended == 1 and talk.idle()


def test_a_cancel_while_messages_wait_drops_them_and_frees_the_window() -> None:
    talk = Talk()
    for _ in range(30):  # more than the connection's window together
        one = begin(anext(talk.stub.many(40)))
        talk.wire.move()
        assert one.done
        del one
        talk.wire.move()
    reading = begin(values(talk.stub.many(40)))
    talk.wire.move()
    assert len(reading.result()) == 40 and talk.idle()


def test_a_deadline_ends_a_stream_at_both_ends_and_what_was_unread_is_dropped() -> None:
    talk = Talk()
    now = talk.wire.clock.seconds()
    stream = talk.stub.many(1_000, Context(deadline=now + 1.0))
    first = begin(anext(stream))
    talk.wire.move()
    assert first.result()
    talk.wire.clock.advance(1.1)
    talk.wire.move()
    with pytest.raises(RpcError, match="DEADLINE_EXCEEDED"):
        begin(anext(stream)).result()
    assert talk.test.ended == 1 and talk.idle()


def test_a_connection_that_is_lost_ends_streams_once() -> None:
    talk = Talk()
    talk.test.pause = Deferred()
    reading, asking = begin(numbers(talk.stub.count(3))), begin(talk.stub.join(parts(b"a")))
    talk.wire.move()
    talk.wire.cut("cut")
    for each in (reading, asking):
        with pytest.raises(RpcError, match="UNAVAILABLE: the connection was lost: cut"):
            each.result()
    assert talk.test.ended == 2 and not talk.wire.clock.timers


def test_a_drain_lets_open_streams_finish() -> None:
    talk = Talk()
    talk.test.pause = Deferred()
    reading = begin(numbers(talk.stub.count(3)))
    talk.wire.move()
    talk.wire.server.drain(10.0)
    talk.wire.move()
    assert not reading.done
    talk.test.pause.callback(None)
    talk.test.pause = None
    talk.wire.move()
    assert reading.result() == [0, 1, 2] and talk.wire.server.ended


def test_an_early_status_stops_the_requests() -> None:
    talk = Talk()
    talk.test.pause = Deferred()
    taken = 0

    async def endless() -> AsyncIterator[BytesValue]:
        nonlocal taken
        while True:
            taken += 1
            yield BytesValue(value=b"x" * 10_000)

    asking = begin(talk.stub.join(endless()))
    talk.wire.move()
    talk.test.reads = False
    talk.test.pause.callback(None)
    talk.wire.move()
    assert asking.result() == b"" and taken < 60 and talk.idle()


def test_state_is_told_to_the_caller() -> None:
    talk = Talk()
    assert talk.wire.client.serving
    talk.wire.server.announce(False)
    talk.wire.move()
    assert not talk.wire.client.serving


def test_unary_kinds_are_numbered_as_on_the_wire() -> None:
    assert [kind.value for kind in Kind] == [0, 1, 2, 3]
    assert [(kind.asks_many, kind.answers_many) for kind in Kind] == [
        (False, False),
        (True, False),
        (False, True),
        (True, True),
    ]
