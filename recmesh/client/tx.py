"""Client for Twisted: its methods return Deferreds, which coroutines may await; `watch` is for `async for`.

client = Client("127.0.0.1:7000")
client.recommend("42", count=10).addCallback(lambda answer: ...)
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial, wraps
from inspect import signature
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from recmesh.client import core
from recmesh.client.gateways import connecting
from recmesh.rpc.tls import Tls
from recmesh.rpc.tx import Clock, Endpoint

P = ParamSpec("P")
R = TypeVar("R")


def _deferred(
    method: Callable[Concatenate[core.Client, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Client, P], Deferred[R]]:
    """The same call, begun at once."""

    @wraps(method)
    def call(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Deferred[R]:
        return Deferred.fromCoroutine(method(self._core, *args, **kwargs))

    given = signature(method)
    call.__signature__ = given.replace(return_annotation=f"Deferred[{given.return_annotation}]")  # type: ignore[attr-defined]
    return call


def _iterated(
    method: Callable[Concatenate[core.Client, P], AsyncIterator[R]],
) -> Callable[Concatenate[Client, P], AsyncIterator[R]]:
    @wraps(method)
    def call(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[R]:
        return method(self._core, *args, **kwargs)

    return call


def _installed() -> IReactorTime:
    from twisted.internet import reactor  # importing it installs one: not before a client asks for it

    return cast("IReactorTime", reactor)


class Client:
    """The mesh behind one gateway, or several of which each call takes one; "host:port", "unix:/path".

    Connects at the first call. `timeout`: seconds a call may take. `tls`: the files of a gateway that requires TLS.
    `reactor`: None for the one that is installed.
    """

    def __init__(
        self,
        *gateways: str,
        timeout: float = core.TIMEOUT,
        tenant: str = "",
        tls: Tls | None = None,
        reactor: IReactorTime | None = None,
    ) -> None:
        using = reactor or _installed()
        connect = connecting(partial(Endpoint, using), tls)
        self._core = core.Client(gateways, connect, Clock(using), random.Random(), timeout=timeout, tenant=tenant)

    recommend = _deferred(core.Client.recommend)
    watch = _iterated(core.Client.watch)
    similar = _deferred(core.Client.similar)
    search = _deferred(core.Client.search)
    record = _deferred(core.Client.record)
    put_items = _deferred(core.Client.put_items)
    delete_items = _deferred(core.Client.delete_items)
    delete_user = _deferred(core.Client.delete_user)
    history = _deferred(core.Client.history)
    status = _deferred(core.Client.status)
    close = _deferred(core.Client.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
