"""The connection behind an address: made at the first call, made again when lost, and the waits between attempts."""

from __future__ import annotations

import random
from typing import Any

import pytest

from recmesh.rpc import Context, Processed, RpcError, Status, endpoint
from recmesh.rpc.connection.client import ClientConnection
from recmesh.rpc.frames import DEFAULTS, MAX_CALL_ID
from recmesh.rpc.session.server import ServerSession
from recmesh.testing import FakeClock, Loop, MemoryTransport, begin, frames_of, goaway_frame, status_frame
from recmesh.wire.v1 import wire_pb2 as wire
from tests.rpc.kit import SERVING, ask, stub

ANSWER = SERVING.SerializeToString()


class Dialed(endpoint.Endpoint):
    """An endpoint whose attempts to connect the test decides on."""

    def __init__(self, clock: FakeClock) -> None:
        loop: Any = Loop(clock)
        super().__init__(loop, "there:7000", DEFAULTS, "me", chance=random.Random(1))
        self.attempts = 0
        self.hung_up = False
        self.transport = MemoryTransport()

    def _dial(self) -> None:
        self.attempts += 1

    def _hang_up(self) -> None:
        self.hung_up = True

    def connect(self) -> ClientConnection:
        """The attempt succeeds, and the server says HELLO."""
        self.transport = MemoryTransport()
        connection = self._opened(self.transport)
        connection.data_received(ServerSession(DEFAULTS, "server").hello())
        return connection

    def refuse(self) -> None:
        self._unreachable("connection refused")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def there(clock: FakeClock) -> Dialed:
    return Dialed(clock)


def call(there: Dialed, deadline: float | None = None) -> Any:
    return begin(stub(there).check(ask(), Context(deadline=deadline)))


def error_of(asked: Any) -> RpcError:
    with pytest.raises(RpcError) as caught:
        asked.result()
    return caught.value


def test_nothing_is_dialed_before_the_first_call(there: Dialed) -> None:
    assert (there.state, there.attempts, there.peer, there.in_flight) == ("idle", 0, None, 0)


def test_calls_wait_for_one_attempt_and_share_its_connection(there: Dialed) -> None:
    asked = [call(there) for _ in range(3)]
    assert (there.state, there.attempts, there.in_flight) == ("connecting", 1, 3)
    connection = there.connect()
    assert (there.state, there.attempts, there.in_flight) == ("ready", 1, 3)
    assert there.peer is not None and there.peer.node_id == "server"
    connection.data_received(b"".join(status_frame(call_id, payload=ANSWER) for call_id in (1, 3, 5)))
    assert [each.result() for each in asked] == [SERVING] * 3 and there.in_flight == 0


def test_a_failed_attempt_fails_the_waiting_calls_as_not_sent(there: Dialed) -> None:
    asked = call(there)
    there.refuse()
    error = error_of(asked)
    assert (error.status, error.processed) == (Status.UNAVAILABLE, Processed.NOT_SENT)
    assert error.message == "there:7000 cannot be reached: connection refused"


def test_while_backing_off_calls_fail_at_once(there: Dialed) -> None:
    call(there)
    there.refuse()
    assert there.state == "backing off"
    assert error_of(call(there)).processed == Processed.NOT_SENT and there.attempts == 1


def test_attempts_back_off_by_a_factor_with_a_spread_up_to_a_limit(there: Dialed, clock: FakeClock) -> None:
    call(there)
    expected = 0.1
    for attempt in range(1, 30):
        there.refuse()
        (timer,) = clock.timers
        delay = timer.getTime() - clock.seconds()
        assert 0.8 * expected <= delay <= 1.2 * expected
        clock.advance(delay)
        assert (there.state, there.attempts) == ("connecting", attempt + 1)
        expected = min(10.0, expected * 1.6)


def test_two_endpoints_do_not_come_back_at_once(clock: FakeClock) -> None:
    first, second = Dialed(clock), Dialed(clock)
    second._chance = random.Random(2)
    for each in (first, second):
        call(each)
        each.refuse()
    assert len({timer.getTime() for timer in clock.timers}) == 2


def test_a_call_gives_up_waiting_for_a_connection_at_its_deadline(there: Dialed, clock: FakeClock) -> None:
    hurried, patient = call(there, clock.seconds() + 0.5), call(there, clock.seconds() + 5.0)
    clock.advance(0.5)
    error = error_of(hurried)
    assert (error.status, error.processed) == (Status.DEADLINE_EXCEEDED, Processed.NOT_SENT)
    assert not patient.done and there.in_flight == 1


def test_a_cancelled_call_waits_no_more(there: Dialed) -> None:
    asked = call(there)
    asked.cancel()
    assert asked.done and there.in_flight == 0
    there.connect()
    assert [frame[0] for frame in frames_of(there.transport.take())] == [1]  # HELLO alone


def test_too_many_waiting_calls_are_refused(there: Dialed) -> None:
    waiting = [call(there) for _ in range(endpoint.MAX_WAITING)]
    error = error_of(call(there))
    assert (error.status, error.processed) == (Status.UNAVAILABLE, Processed.NOT_SENT)
    assert not waiting[0].done


def test_a_lost_connection_is_made_again_at_once(there: Dialed, clock: FakeClock) -> None:
    asked = call(there)
    connection = there.connect()
    clock.advance(2.0)
    connection.connection_lost("reset")
    assert error_of(asked).processed == Processed.MAYBE
    assert (there.state, there.attempts) == ("connecting", 2)


def test_a_server_that_drops_every_connection_is_not_hammered(there: Dialed, clock: FakeClock) -> None:
    call(there)
    waits = []
    for _ in range(4):
        there.connect().connection_lost("dropped")
        assert there.state == "backing off"
        start = clock.seconds()
        while there.state == "backing off":
            clock.advance(0.01)
        waits.append(clock.seconds() - start)
    assert waits == sorted(waits) and waits[-1] > 3 * waits[0]


def test_a_connection_without_hello_counts_as_a_failed_attempt(there: Dialed, clock: FakeClock) -> None:
    call(there)
    connection = there._opened(MemoryTransport())
    clock.advance(3.0)
    connection.connection_lost("closed")
    assert there.state == "backing off"


def test_after_goaway_the_next_call_gets_a_connection_of_its_own(there: Dialed, clock: FakeClock) -> None:
    before = call(there)
    old = there.connect()
    old_transport = there.transport
    old.data_received(goaway_frame(MAX_CALL_ID, reason="drain"))
    assert (there.state, there.in_flight) == ("draining", 1)
    after = call(there)
    assert there.attempts == 2
    new = there.connect()
    new.data_received(status_frame(1, payload=ANSWER))
    assert after.result() == SERVING and not before.done and not old_transport.closed
    old.data_received(status_frame(1, payload=ANSWER))
    assert before.result() == SERVING and old_transport.closed
    old.connection_lost("closed")
    assert (there.state, there.attempts) == ("ready", 2)


def test_a_drained_connection_without_calls_is_closed_and_another_made(there: Dialed, clock: FakeClock) -> None:
    asked = call(there)
    connection = there.connect()
    connection.data_received(status_frame(1, payload=ANSWER))
    clock.advance(60.0)
    connection.data_received(goaway_frame(MAX_CALL_ID))
    assert asked.done and there.transport.closed
    connection.connection_lost("closed")
    assert there.state == "connecting"


def test_calls_above_the_last_id_of_goaway_are_refused(there: Dialed) -> None:
    first, second = call(there), call(there)
    there.connect().data_received(goaway_frame(1, reason="drain"))
    assert error_of(second).processed == Processed.REFUSED and not first.done


def test_a_connection_out_of_ids_is_replaced(there: Dialed) -> None:
    asked = call(there)
    there.connect()._calls._next_id = MAX_CALL_ID + 2  # two billion calls later
    other = call(there)
    assert (there.state, there.attempts) == ("connecting", 2)
    there.connect().data_received(status_frame(1, payload=ANSWER))
    assert other.result() == SERVING and not asked.done


def test_close_ends_calls_timers_and_attempts(there: Dialed, clock: FakeClock) -> None:
    asked = call(there)
    connection = there.connect()
    closing = begin(there.close())
    assert error_of(asked).status == Status.CANCELLED and there.transport.closed and not closing.done
    (*_, goaway) = frames_of(there.transport.take())
    assert wire.GoAway.FromString(goaway[3]).reason == "the client leaves"
    connection.connection_lost("closed")
    closing.result()
    error = error_of(call(there))
    assert (error.status, error.processed) == (Status.CANCELLED, Processed.NOT_SENT)
    assert not clock.timers and there.attempts == 1


def test_close_while_connecting_hangs_up(there: Dialed, clock: FakeClock) -> None:
    asked = call(there)
    begin(there.close()).result()
    assert there.hung_up and error_of(asked).processed == Processed.NOT_SENT and not clock.timers
    there.refuse()
    assert not clock.timers


def test_close_while_backing_off_makes_no_other_attempt(there: Dialed, clock: FakeClock) -> None:
    call(there)
    there.refuse()
    begin(there.close()).result()
    clock.advance(60.0)
    assert there.attempts == 1


def test_closing_twice_is_closing(there: Dialed) -> None:
    call(there)
    connection = there.connect()
    closings = [begin(there.close()) for _ in range(2)]
    connection.connection_lost("closed")
    assert all(each.done for each in closings)
