"""The vocabulary of calls: Method, Context, Call, Service, Filter, stack, Channel, Handlers.

A Service answers a call. A Filter answers it with the help of the service behind it. Both are coroutine functions
that await only each other and the injected Clock; so they run under Twisted, asyncio and a test's clock alike.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from google.protobuf.message import DecodeError, Message

from recmesh.rpc.status import Origin, Processed, RpcError, Status

Req = TypeVar("Req", bound=Message)
Rep = TypeVar("Rep", bound=Message)

MARGIN_SHARE, MARGIN_LEAST, MARGIN_MOST = 0.02, 0.001, 0.020
"""What a hop keeps of the time left, so that its own answer still arrives: 2 %, within 1 to 20 ms."""


@dataclass(frozen=True, slots=True)
class Method(Generic[Req, Rep]):
    """One rpc of a .proto service."""

    path: str  # "/recmesh.v1.Retrieval/Search"
    request: type[Req]
    reply: type[Rep]
    idempotent: bool = False  # running it twice does no harm
    read_only: bool = False  # running it changes nothing, so that it may also be hedged


# By convention frozen: made for every call, and freezing it would triple what that costs.
@dataclass(slots=True, unsafe_hash=True)
class Context:
    """What travels beside a request. Nobody changes one that was given to them; `replace` makes another."""

    deadline: float | None = None  # on the process's monotonic clock
    metadata: Mapping[str, str | bytes] = field(default_factory=dict[str, str | bytes])
    trace: bytes = b""  # 16 bytes of trace id, 8 of span id, 1 of flags
    tracestate: str = ""
    criticality: int = 0
    attempt: int = 0
    hedge: bool = False
    peer: str = ""  # in a handler: the caller's address

    def child(self, now: float) -> Context:
        """For a call made on behalf of this one: the same trace and criticality, a little less time."""
        deadline = self.deadline
        if deadline is not None:
            left = deadline - now
            deadline -= min(MARGIN_MOST, max(MARGIN_LEAST, left * MARGIN_SHARE))
        return Context(deadline, trace=self.trace, tracestate=self.tracestate, criticality=self.criticality)

    def by(self, deadline: float) -> Context:
        """The same, to be answered no later than `deadline`."""
        if self.deadline is not None and self.deadline <= deadline:
            return self
        return replace(self, deadline=deadline)


NO_CONTEXT = Context()


@dataclass(slots=True, unsafe_hash=True)  # by convention frozen, as Context is
class Call:
    """One request on its way to a service."""

    method: Method[Any, Any]
    request: Message
    context: Context = NO_CONTEXT
    # The ids of endpoints that attempts of this call went to: a balancer adds to it, and so a retry goes elsewhere.
    tried: set[str] = field(default_factory=set, compare=False, repr=False)


Service: TypeAlias = Callable[[Call], Awaitable[Message]]


class Filter(Protocol):
    """Answers a call with the help of the service behind it."""

    async def __call__(self, call: Call, service: Service) -> Message: ...


def stack(*filters: Filter, to: Service) -> Service:
    """A service whose calls pass `filters`, first to last, on the way `to` a service."""
    for each in reversed(filters):
        to = _before(each, to)
    return to


def _before(each: Filter, service: Service) -> Service:
    def answer(call: Call) -> Awaitable[Message]:
        return each(call, service)

    return answer


class Channel:
    """The typed front of a service: generated stubs call through it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def call(self, method: Method[Req, Rep], request: Req, context: Context | None = None) -> Rep:
        """The reply; raises RpcError."""
        reply = await self._service(Call(method, request, context or NO_CONTEXT))
        if not isinstance(reply, method.reply):
            raise RpcError(Status.INTERNAL, f"{method.path} was answered with a {type(reply).__name__}")
        return reply


class Handlers:
    """The methods a process serves, by path. Is itself a Service."""

    def __init__(self) -> None:
        self._methods: dict[str, Method[Any, Any]] = {}
        self._handlers: dict[str, Callable[[Any, Context], Awaitable[Message]]] = {}

    def add(self, method: Method[Req, Rep], handler: Callable[[Req, Context], Awaitable[Rep]]) -> None:
        self._methods[method.path] = method
        self._handlers[method.path] = handler

    def decode(self, path: str, payload: bytes, context: Context) -> Call:
        """A call from its bytes; UNIMPLEMENTED for an unknown path, INTERNAL for a request that does not parse."""
        method = self._methods.get(path)
        if method is None:
            message = f"this process does not serve {path!r}"
            raise RpcError(Status.UNIMPLEMENTED, message, processed=Processed.REFUSED, origin=Origin.SERVER)
        try:
            return Call(method, method.request.FromString(payload), context)
        except DecodeError as error:
            message = f"the request is no {method.request.DESCRIPTOR.full_name}"
            raise RpcError(Status.INTERNAL, message, processed=Processed.REFUSED, origin=Origin.SERVER) from error

    async def __call__(self, call: Call) -> Message:
        try:
            return await self._handlers[call.method.path](call.request, call.context)
        except RpcError as error:  # maybe of a call the handler made: how far that came says nothing about this one
            raise RpcError(
                error.status,
                error.message,
                processed=Processed.YES,
                origin=error.origin or Origin.APP,
                pushback_ms=error.pushback_ms,
            ) from error
