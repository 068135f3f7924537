"""The way of a call to one of the gateways: the policies of every upstream, and errors that speak to a person."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Final, Protocol

from google.protobuf.message import Message

from recmesh.mesh.backend import Policy, backend
from recmesh.mesh.endpoints import Connections, Surroundings
from recmesh.mesh.metrics import Unrecorded
from recmesh.mesh.replica import Endpoint
from recmesh.mesh.resolver import EndpointAddress, Static
from recmesh.rpc import Call, Clock, Processed, RpcError, Service, Status
from recmesh.rpc.address import split_address, unix_path
from recmesh.rpc.tls import Tls
from recmesh.rpc.tls.files import Identity

MOST_SECONDS: Final = 3600.0  # a bound on what a caller may ask for, so that a forgotten call ends
ATTEMPTS: Final = 3  # the first, one elsewhere, and one after a pause
SHARE: Final = 0.5  # of the time left goes to an attempt while another gateway could still be asked

_failures: ContextVar[list[RpcError] | None] = ContextVar("recmesh.client.failures", default=None)
"""What the attempts of the call that goes on failed with."""


class Gateway(Endpoint, Protocol):
    """What leads to one gateway, for example `recmesh.rpc.aio.Endpoint`."""

    async def close(self) -> None: ...


def connecting(endpoint: Callable[..., Gateway], tls: Tls | None) -> Callable[[str], Gateway]:
    """How a client reaches an address; TlsError for files that cannot be used."""
    return endpoint if tls is None else partial(endpoint, tls=Identity(tls, server=False))


class Gateways:
    """The gateways of one mesh; each can answer every call. Is a Service."""

    def __init__(
        self, addresses: Sequence[str], connect: Callable[[str], Gateway], clock: Clock, rng: random.Random
    ) -> None:
        if not addresses:
            raise ValueError('a client needs the address of a gateway, for example "127.0.0.1:7000"')
        for address in addresses:
            unix_path(address) or split_address(address)  # a wrong one is told at once, and not by the first call
        self._addresses = tuple(dict.fromkeys(addresses))
        self._endpoints: list[Gateway] = []

        def open_(where: EndpointAddress) -> Gateway:
            self._endpoints.append(connect(where.address))
            return self._endpoints[-1]

        policy = Policy(
            seconds=MOST_SECONDS,
            attempt=_Attempt(clock, len(self._addresses)),
            attempts=ATTEMPTS,
            hedging=False,  # a gateway hedges where it helps, and knows more of its mesh than one client
        )
        given = Surroundings(clock, rng, Unrecorded())
        self._backend = backend("the gateway", Static.of(self._addresses), Connections(open_), given, policy)

    async def __call__(self, call: Call) -> Message:
        failures: list[RpcError] = []
        _failures.set(failures)
        try:
            return await self._backend(call)
        except RpcError as error:
            telling = self._telling(error, failures)
            if telling is error:
                raise
            raise telling from error

    def _telling(self, error: RpcError, failures: Sequence[RpcError]) -> RpcError:
        """What the attempts came to together: one that reached a gateway says more than one that did not."""
        if error.processed is not Processed.NOT_SENT or error.status is not Status.UNAVAILABLE:
            return error
        for failure in reversed(failures):
            if failure.processed is not Processed.NOT_SENT:
                return failure
        reason = error.message
        for address in self._addresses:
            reason = reason.removeprefix(f"{address} cannot be reached: ")
        message = (
            f"no gateway can be reached at {' or '.join(self._addresses)} ({reason}):"
            " start a mesh there, or give the address of one that runs"
        )
        return RpcError(error.status, message, processed=error.processed, origin=error.origin)

    async def close(self) -> None:
        for endpoint in self._endpoints:
            await endpoint.close()


class _Attempt:
    """Keeps time for the other gateways in case the first one hangs, and what the attempt failed with."""

    def __init__(self, clock: Clock, gateways: int) -> None:
        self._clock = clock
        self._gateways = gateways

    async def __call__(self, call: Call, service: Service) -> Message:
        deadline = call.context.deadline
        if deadline is not None and len(call.tried) < self._gateways and not call.streams:
            now = self._clock.seconds()
            call = call.within(call.context.by(now + (deadline - now) * SHARE))
        try:
            return await service(call)
        except RpcError as error:
            failures = _failures.get()
            if failures is not None:
                failures.append(error)
            raise
