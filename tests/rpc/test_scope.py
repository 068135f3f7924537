"""On whose behalf a call is made: contexts inherited, children cancelled with their parent, writes shielded from it."""

from __future__ import annotations

import pytest
from google.protobuf.wrappers_pb2 import BytesValue, Int32Value
from twisted.internet.defer import CancelledError, Deferred

from recmesh.rpc import Channel, Context, Handlers, Method, RpcError, Status, shield
from recmesh.rpc.scope import current
from recmesh.testing import Begun, FakeClock, Wire, begin
from tests.rpc.streams import Stub, Test

FRONT = Method("/test.Front/Do", BytesValue, BytesValue)
TRACE = bytes(range(25))


class Chain:
    """A front server whose handler calls a back server, over two connections on one clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.back = Test()
        self.to_back = Wire(self.back.handlers(), clock=self.clock)
        self.stub = Stub(self.to_back.client)
        self.late: list[Deferred[object]] = []
        self.failures: list[BaseException] = []
        handlers = Handlers()
        handlers.add(FRONT, self.front)
        self.to_front = Wire(handlers, clock=self.clock)
        self.move()

    async def front(self, request: BytesValue, context: Context) -> BytesValue:
        match request.value:
            case b"await":
                return BytesValue(value=await self.stub.reverse(b"ab"))
            case b"begin":
                self.late.append(Deferred.fromCoroutine(self.stub.reverse(b"ab")))
                await Deferred()
            case b"shield":
                await shield(self.stub.reverse(b"ab"))
            case b"clean up":
                try:
                    await Deferred()
                finally:
                    await self._try_a_call()
        return BytesValue()

    async def _try_a_call(self) -> None:
        try:
            await self.stub.reverse(b"ab")
        except RpcError as error:
            self.failures.append(error)

    def ask(self, how: bytes, context: Context | None = None) -> Begun[BytesValue]:
        return begin(Channel(self.to_front.client).call(FRONT, BytesValue(value=how), context))

    def move(self) -> None:
        for _ in range(3):
            self.to_front.move()
            self.to_back.move()


def test_a_call_inherits_time_trace_and_criticality_less_a_margin() -> None:
    chain = Chain()
    seen = list[Context]()

    async def note(request: Int32Value, context: Context) -> Int32Value:
        seen.append(context)
        return Int32Value()

    method = Method("/test.Back/Note", Int32Value, Int32Value)
    chain.to_back.server._handlers.add(method, note)

    async def front(request: BytesValue, context: Context) -> BytesValue:
        await Channel(chain.to_back.client).call(method, Int32Value())
        return BytesValue()

    chain.to_front.server._handlers.add(FRONT, front)
    now = chain.clock.seconds()
    asking = chain.ask(b"", Context(now + 0.5, trace=TRACE, criticality=3))
    chain.move()
    assert asking.done
    (context,) = seen
    assert context.deadline == pytest.approx(now + 0.49)
    assert (context.trace, context.criticality) == (TRACE, 3)


def test_outside_of_a_handler_nothing_is_inherited() -> None:
    chain = Chain()
    asking = begin(chain.stub.reverse(b"ab"))
    chain.move()
    assert asking.result() == b"ba" and current.get() is None


@pytest.mark.parametrize("how", [b"await", b"begin"])
def test_d05_a_cancel_reaches_the_leaf_and_frees_every_slot(how: bytes) -> None:
    chain = Chain()
    chain.back.pause = Deferred()
    asking = chain.ask(how)
    chain.move()
    assert chain.to_back.server.in_flight == 1
    asking.cancel()
    chain.move()
    for wire in (chain.to_front, chain.to_back):
        assert wire.client.in_flight == wire.server.in_flight == 0
        assert not wire.server._calls.busy
    for each in chain.late:
        failure = begin(_outcome(each)).result()
        assert isinstance(failure, RpcError) and failure.status is Status.CANCELLED


async def _outcome(late: Deferred[object]) -> object:
    try:
        return await late
    except RpcError as error:
        return error


def test_a_deadline_cancels_what_was_begun_under_the_call() -> None:
    chain = Chain()
    chain.back.pause = Deferred()
    asking = chain.ask(b"begin", Context(chain.clock.seconds() + 1.0))
    chain.move()
    chain.clock.advance(1.1)
    chain.move()
    assert asking.done and chain.to_back.server.in_flight == 0
    (failure,) = [begin(_outcome(each)).result() for each in chain.late]
    assert isinstance(failure, RpcError)


def test_shielded_work_goes_on_and_the_call_keeps_its_slot() -> None:
    chain = Chain()
    chain.back.pause = Deferred()
    asking = chain.ask(b"shield")
    chain.move()
    asking.cancel()
    chain.move()
    assert chain.to_back.server.in_flight == 1
    assert chain.to_front.server.in_flight == 1 and chain.to_front.server._calls.busy
    chain.back.pause.callback(None)
    chain.move()
    assert chain.to_back.server.in_flight == chain.to_front.server.in_flight == 0
    assert not chain.to_front.server._calls.busy


def test_shielded_work_that_fails_when_nobody_waits_for_it_any_more_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chain = Chain()
    chain.back.pause = Deferred()
    asking = chain.ask(b"shield")
    chain.move()
    asking.cancel()
    chain.move()
    assert not caplog.text
    chain.back.pause.errback(RpcError(Status.ABORTED, "the write was lost"))
    chain.move()
    assert "shielded work failed" in caplog.text and "the write was lost" in caplog.text
    assert chain.to_front.server.in_flight == 0


def test_a_call_keeps_its_slot_for_shielded_work_however_its_handler_ends() -> None:
    chain = Chain()
    chain.back.pause = Deferred()

    async def front(request: BytesValue, context: Context) -> BytesValue:
        try:
            await shield(chain.stub.reverse(b"ab"))
        except CancelledError as error:
            raise RpcError(Status.CANCELLED, "given up") from error
        return BytesValue()

    chain.to_front.server._handlers.add(FRONT, front)
    asking = chain.ask(b"")
    chain.move()
    asking.cancel()
    chain.move()
    assert chain.to_front.server.in_flight == chain.to_back.server.in_flight == 1
    chain.back.pause.callback(None)
    chain.move()
    assert chain.to_front.server.in_flight == chain.to_back.server.in_flight == 0


def test_shielded_work_that_is_not_cancelled_gives_its_result() -> None:
    chain = Chain()
    asking = chain.ask(b"shield")
    chain.move()
    assert asking.result() == BytesValue()


def test_a_cancelled_handler_begins_no_other_call() -> None:
    chain = Chain()
    asking = chain.ask(b"clean up")
    chain.move()
    asking.cancel()
    chain.move()
    (failure,) = chain.failures
    assert isinstance(failure, RpcError) and failure.status is Status.CANCELLED
    assert not chain.back.contexts and chain.to_front.server.in_flight == 0


def test_outside_of_a_handler_shield_awaits() -> None:
    async def work() -> int:
        return 1

    assert begin(shield(work())).result() == 1
    waiting: Deferred[int] = Deferred()

    async def wait() -> int:
        return await waiting

    shielded = begin(shield(wait()))
    shielded.cancel()
    with pytest.raises(CancelledError):
        shielded.result()
