"""Channel: the typed front of a service; and Stream: the replies of a call, taken one at a time."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Coroutine, Generator, Iterable
from inspect import CORO_CREATED, getcoroutinestate
from types import TracebackType, coroutine
from typing import Any, Generic, TypeAlias, TypeVar

from google.protobuf.message import Message

from recmesh.rpc.call import NO_CONTEXT, Call, Context, Method, Rep, Req, Service
from recmesh.rpc.scope import inherited
from recmesh.rpc.status import RpcError, Status

T = TypeVar("T")
Many: TypeAlias = AsyncIterable[T] | Iterable[T]


class StreamLeft(BaseException):
    """Raised where a service waits, when the reader of its replies has left."""


class Channel:
    """Generated stubs call through it. A call without a context is made in that of the handler that runs."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def call(self, method: Method[Req, Rep], request: Req, context: Context | None = None) -> Rep:
        """The reply; raises RpcError."""
        reply = await self._service(Call(method, request, context or inherited() or NO_CONTEXT))
        return reply if isinstance(reply, method.reply) else _typed(method, reply)

    async def client_stream(self, method: Method[Req, Rep], requests: Many[Req], context: Context | None = None) -> Rep:
        """The reply to all of `requests`, which are taken as the server has room for them; raises RpcError."""
        call = Call(method, method.request(), context or inherited() or NO_CONTEXT, requests=_each(requests))
        return _typed(method, await self._service(call))

    def server_stream(self, method: Method[Req, Rep], request: Req, context: Context | None = None) -> Stream[Rep]:
        return Stream(self._service, Call(method, request, context or inherited() or NO_CONTEXT))

    def bidi(self, method: Method[Req, Rep], requests: Many[Req], context: Context | None = None) -> Stream[Rep]:
        call = Call(method, method.request(), context or inherited() or NO_CONTEXT, requests=_each(requests))
        return Stream(self._service, call)


class Stream(Generic[Rep]):
    """The replies of one call, in order: an async iterator that raises RpcError where the call fails.

    The call begins with the first reply asked for, and moves only while one is asked for: whoever does not read is sent
    no more than the window of a call. Leaving (`async with`, `aclose`, dropping the stream) cancels the call.
    """

    def __init__(self, service: Service, call: Call) -> None:
        # The service knows the passage and not the stream: so a stream that is dropped is gone, and its call with it.
        self._passage = call.replies = _Passage()
        self._work: Coroutine[Any, Any, Message] | None = _answer(service, call)
        self._reply: type[Rep] = call.method.reply
        self._path = call.method.path
        self._reading = False

    def __aiter__(self) -> AsyncIterator[Rep]:
        return self

    async def __anext__(self) -> Rep:
        if self._reading:
            raise RuntimeError(f"the replies of {self._path} have a reader already: let one read, and share what came")
        self._reading = True
        try:
            message: Message = await self._next()
        finally:
            self._reading = False
        if isinstance(message, self._reply):
            return message
        await self.aclose()
        raise RpcError(Status.INTERNAL, f"{self._path} was answered with a {type(message).__name__}")

    async def aclose(self) -> None:
        self._leave()

    def __del__(self) -> None:
        self._leave()

    def _leave(self) -> None:
        work, self._work = self._work, None
        if work is None:
            return
        try:
            if getcoroutinestate(work) != CORO_CREATED:
                # Not GeneratorExit: up to Python 3.12 that does not reach an async generator that is awaited.
                work.throw(StreamLeft())
        except (StreamLeft, StopIteration, RpcError):
            return
        work.close()

    async def __aenter__(self) -> Stream[Rep]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @coroutine
    def _next(self) -> Generator[object, Any, Message]:
        """Runs the service until it sends. What else it waits for is passed up, to the loop that runs the reader."""
        work = self._work
        if work is None:
            raise StopAsyncIteration
        passage: object = self._passage
        value: Any = None
        failure: BaseException | None = None
        try:
            while True:
                awaited = work.send(value) if failure is None else work.throw(failure)
                if awaited is passage:
                    return self._passage.take()
                value = failure = None
                try:
                    value = yield awaited
                except GeneratorExit:
                    self._leave()
                    raise
                except BaseException as error:  # of what was awaited, or the reader's own cancellation
                    failure = error
        except StopIteration:
            self._work = None
        except BaseException:
            self._work = None
            raise
        raise StopAsyncIteration


class _Passage:
    """Between a service, as its call's `replies`, and the reader who runs it."""

    def __init__(self) -> None:
        self.sent = 0
        self._message: Message | None = None

    async def send(self, message: Message, /) -> None:
        """Hands a message to the reader, and waits until the next one is asked for."""
        self.sent += 1
        self._message = message
        await self._turn()

    def take(self) -> Message:
        message, self._message = self._message, None
        assert message is not None
        return message

    @coroutine
    def _turn(self) -> Generator[object, None, None]:
        yield self  # to `Stream._next`, which runs the service


def _typed(method: Method[Any, Rep], reply: Message) -> Rep:
    if not isinstance(reply, method.reply):
        raise RpcError(Status.INTERNAL, f"{method.path} was answered with a {type(reply).__name__}")
    return reply


async def _answer(service: Service, call: Call) -> Message:
    return await service(call)


async def _each(many: Many[T]) -> AsyncIterator[T]:
    if isinstance(many, AsyncIterable):
        async for each in many:
            yield each
    else:
        for each in many:
            yield each
