"""The vocabulary of calls: Kind, Method, Context, Call, Service, Filter, stack, Handlers.

A Service answers a call. A Filter answers it with the help of the service behind it. Both are coroutine functions
that await only each other and the injected Clock; so they run under Twisted, asyncio and a test's clock alike.
A stream is one call too, from its beginning to its end: the service sends its replies to `Call.replies`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import FunctionType
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError, Message

from recmesh.rpc.scope import current
from recmesh.rpc.status import NO_METADATA, Origin, Processed, RpcError, Status

Req = TypeVar("Req", bound=Message)
Rep = TypeVar("Rep", bound=Message)

MARGIN_SHARE, MARGIN_LEAST, MARGIN_MOST = 0.02, 0.001, 0.020
"""What a hop keeps of the time left, so that its own answer still arrives: 2 %, within 1 to 20 ms."""

ENDED: Final = Empty()
"""What the service of a call that has `replies` returns: they were sent there."""


class Kind(IntEnum):
    """Which ends of a call send more than one message; the numbers are wire.Cardinality's."""

    UNARY = 0
    CLIENT_STREAM = 1
    SERVER_STREAM = 2
    BIDI = 3

    @property
    def asks_many(self) -> bool:
        return bool(self & 1)

    @property
    def answers_many(self) -> bool:
        return bool(self & 2)


@dataclass(frozen=True, slots=True)
class Method(Generic[Req, Rep]):
    """One rpc of a .proto service."""

    path: str  # "/recmesh.v1.Retrieval/Search"
    request: type[Req]
    reply: type[Rep]
    idempotent: bool = False  # running it twice does no harm
    read_only: bool = False  # running it changes nothing, so that it may also be hedged
    kind: Kind = Kind.UNARY


# By convention frozen: made for every call, and freezing it would triple what that costs.
@dataclass(slots=True, unsafe_hash=True)
class Context:
    """What travels beside a request. Nobody changes one that was given to them; the methods make another."""

    deadline: float | None = None  # on the process's monotonic clock
    metadata: Mapping[str, str | bytes] = field(default_factory=lambda: NO_METADATA)
    trace: bytes = b""  # 16 bytes of trace id, 8 of span id, 1 of flags
    tracestate: str = ""
    criticality: int = 0
    attempt: int = 0
    hedge: bool = False
    peer: str = ""  # in a handler: the caller's address
    principal: str = ""  # in a handler: who calls, as its certificate says; nothing that a caller writes sets it
    # Metadata of the answer: what a handler puts here leaves with the status; what a caller gives is filled with it.
    trailers: dict[str, str | bytes] | None = field(default=None, hash=False)

    def child(self, now: float) -> Context:
        """For a call made on behalf of this one: the same trace, criticality and principal, a little less time."""
        deadline = self.deadline
        if deadline is not None:
            left = deadline - now
            deadline -= min(MARGIN_MOST, max(MARGIN_LEAST, left * MARGIN_SHARE))
        return Context(deadline, NO_METADATA, self.trace, self.tracestate, self.criticality, principal=self.principal)

    def by(self, deadline: float) -> Context:
        """The same, to be answered no later than `deadline`."""
        if self.deadline is not None and self.deadline <= deadline:
            return self
        copy = self._copy()
        copy.deadline = deadline
        return copy

    def traced(self, trace: bytes) -> Context:
        """The same, as another span."""
        # Every hop does this; spelt out it takes half the time of a copy that is changed.
        return Context(
            self.deadline,
            self.metadata,
            trace,
            self.tracestate,
            self.criticality,
            self.attempt,
            self.hedge,
            self.peer,
            self.principal,
            self.trailers,
        )

    def repeated(self, attempt: int, *, hedge: bool = False) -> Context:
        """The same, for another attempt."""
        copy = self._copy()
        copy.attempt, copy.hedge = attempt, hedge
        return copy

    def _copy(self) -> Context:
        # dataclasses.replace would cost five times as much, several times a call.
        return Context(
            self.deadline,
            self.metadata,
            self.trace,
            self.tracestate,
            self.criticality,
            self.attempt,
            self.hedge,
            self.peer,
            self.principal,
            self.trailers,
        )


NO_CONTEXT = Context()


class Replies(Protocol):
    """Where the service of a stream sends its messages."""

    @property
    def sent(self) -> int: ...

    def send(self, message: Message, /) -> Awaitable[None]:
        """Returns when there is room for another."""
        ...


@dataclass(slots=True, unsafe_hash=True)  # by convention frozen, as Context is
class Call:
    """One request, or stream of them, on its way to a service."""

    method: Method[Any, Any]
    request: Message  # an empty one where there are `requests`
    context: Context = NO_CONTEXT
    # The ids of endpoints that attempts of this call went to: a balancer adds to it, and so a retry goes elsewhere.
    tried: set[str] = field(default_factory=set, compare=False, repr=False)
    requests: AsyncIterator[Message] | None = field(default=None, compare=False, repr=False)
    replies: Replies | None = field(default=None, compare=False, repr=False)

    @property
    def streams(self) -> bool:
        return self.requests is not None or self.replies is not None

    @property
    def repeatable(self) -> bool:
        """Whether nothing of a stream has been used yet that another attempt would need."""
        return self.requests is None and (self.replies is None or not self.replies.sent)

    def within(self, context: Context) -> Call:
        """The same, in another context."""
        return Call(self.method, self.request, context, self.tried, self.requests, self.replies)


Service: TypeAlias = Callable[[Call], Awaitable[Message]]


class Filter(Protocol):
    """Answers a call with the help of the service behind it.

    A coroutine function; or, where it has nothing to do with the answer, a function that returns what the service does,
    which saves a coroutine a call.
    """

    def __call__(self, call: Call, service: Service) -> Awaitable[Message]: ...


def stack(*filters: Filter, to: Service) -> Service:
    """A service whose calls pass `filters`, first to last, on the way `to` a service."""
    for each in reversed(filters):
        to = _before(each, to)
    return to


def _before(each: Filter, service: Service) -> Service:
    ask = each if isinstance(each, FunctionType) else each.__call__  # looked up once: Python calls a method sooner

    def answer(call: Call) -> Awaitable[Message]:
        return ask(call, service)

    return answer


class Handlers:
    """The methods a process serves, by path. Is itself a Service."""

    def __init__(self) -> None:
        self._methods: dict[str, Method[Any, Any]] = {}
        self._handlers: dict[str, Callable[[Any, Context], Any]] = {}

    def add(self, method: Method[Req, Rep], handler: Callable[[Any, Context], Any]) -> None:
        """`handler` takes a request, or an async iterator of them; it is a coroutine function, or where it answers
        many an async generator function. Generated bases see to the types.
        """
        self._methods[method.path] = method
        self._handlers[method.path] = handler

    def decode(self, path: str, kind: int, payload: bytes, context: Context) -> Call:
        """A call from its bytes; UNIMPLEMENTED for an unknown path or kind, INTERNAL for a request that is none."""
        method = self._methods.get(path)
        if method is None:
            raise _refused(Status.UNIMPLEMENTED, f"this process does not serve {path!r}")
        if method.kind != kind:
            asked = Kind(kind).name if kind in set(Kind) else f"kind {kind}"
            raise _refused(Status.UNIMPLEMENTED, f"{path} is {method.kind.name}, and was called as {asked}")
        try:
            return Call(method, method.request.FromString(payload), context)
        except DecodeError as error:
            raise _refused(Status.INTERNAL, f"the request is no {method.request.DESCRIPTOR.full_name}") from error

    async def __call__(self, call: Call) -> Message:
        scope = current.get()
        if scope is not None:
            scope.context = call.context  # as the filters before have made it
        try:
            handler = self._handlers[call.method.path]
            if not call.streams:
                reply: Message = await handler(call.request, call.context)
                return reply
            return await _stream(handler, call)
        except RpcError as error:  # maybe of a call the handler made: how far that came says nothing about this one
            raise error.of_handler() from error


async def _stream(handler: Callable[[Any, Context], Any], call: Call) -> Message:
    answer = handler(call.request if call.requests is None else call.requests, call.context)
    if call.replies is None:
        reply: Message = await answer
        return reply
    try:
        async for each in answer:
            await call.replies.send(each)
    finally:
        close = getattr(answer, "aclose", None)
        if close is not None:
            await close()
    return ENDED


def _refused(status: Status, message: str) -> RpcError:
    return RpcError(status, message, processed=Processed.REFUSED, origin=Origin.SERVER)
