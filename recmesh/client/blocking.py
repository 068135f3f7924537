"""Client for code that just waits: its methods return the results. Needs no event loop and no thread.

with Client("127.0.0.1:7000") as client:
    answer = client.recommend("42", count=10)
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from recmesh.client import core
from recmesh.client.gateways import connecting
from recmesh.rpc.blocking import Clock, Endpoint, each, run
from recmesh.rpc.tls import Tls

P = ParamSpec("P")
R = TypeVar("R")


def _awaited(
    method: Callable[Concatenate[core.Client, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Client, P], R]:
    @wraps(method)
    def call(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return run(method(self._core, *args, **kwargs))

    return call


def _iterated(
    method: Callable[Concatenate[core.Client, P], AsyncIterator[R]],
) -> Callable[Concatenate[Client, P], Iterator[R]]:
    @wraps(method)
    def call(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        return each(method(self._core, *args, **kwargs))

    return call


class Client:
    """The mesh behind one gateway, or several of which each call takes one; "host:port", "unix:/path".

    Connects at the first call. `timeout`: seconds a call may take. `tls`: the files of a gateway that requires TLS.
    A client makes one call at a time: give each thread its own.
    """

    def __init__(self, *gateways: str, timeout: float = core.TIMEOUT, tenant: str = "", tls: Tls | None = None) -> None:
        connect = connecting(Endpoint, tls)
        self._core = core.Client(gateways, connect, Clock(), random.Random(), timeout=timeout, tenant=tenant)

    recommend = _awaited(core.Client.recommend)
    watch = _iterated(core.Client.watch)
    similar = _awaited(core.Client.similar)
    search = _awaited(core.Client.search)
    record = _awaited(core.Client.record)
    put_items = _awaited(core.Client.put_items)
    delete_items = _awaited(core.Client.delete_items)
    delete_user = _awaited(core.Client.delete_user)
    history = _awaited(core.Client.history)
    status = _awaited(core.Client.status)
    close = _awaited(core.Client.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
