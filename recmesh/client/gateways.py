"""The way of a call to one of the gateways: which policies it meets, in which order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from google.protobuf.message import Message

from recmesh.mesh.balancer import Endpoint, Replica, RoundRobin
from recmesh.mesh.budget import Budget
from recmesh.mesh.resolver import Static
from recmesh.mesh.retry import Retry
from recmesh.mesh.timeout import Timeout
from recmesh.rpc import Call, Clock, Processed, RpcError, Service, Status, stack
from recmesh.rpc.address import split_address

MOST_SECONDS: Final = 3600.0  # a bound on what a caller may ask for, so that a forgotten call ends
ATTEMPTS: Final = 3  # the first, one elsewhere, and one after a pause
SHARE: Final = 0.5  # of the time left goes to an attempt while another gateway could still be asked


class Gateway(Endpoint, Protocol):
    """What leads to one gateway, for example `recmesh.rpc.aio.Endpoint`."""

    async def close(self) -> None: ...


class Gateways:
    """The gateways of one mesh; each can answer every call. Is a Service."""

    def __init__(
        self, addresses: Sequence[str], connect: Callable[[str], Gateway], clock: Clock, rng: random.Random
    ) -> None:
        if not addresses:
            raise ValueError('a client needs the address of a gateway, for example "127.0.0.1:7000"')
        for address in addresses:
            split_address(address)  # a wrong one is told at once, and not by the first call
        known = Static.of(dict.fromkeys(addresses)).snapshot()
        self._addresses = [each.address for each in known]
        self._endpoints = [connect(address) for address in self._addresses]
        self._policies = (
            Timeout(clock, MOST_SECONDS),  # over all attempts and the pauses between them
            Retry(
                clock, rng, Budget(clock), ATTEMPTS
            ),  # above the balancer, which sends each attempt to another gateway
        )
        per_attempt = _Share(clock, len(known))
        self._balancer = RoundRobin(
            "the gateway",
            [
                Replica(where, endpoint, stack(per_attempt, to=endpoint))
                for where, endpoint in zip(known, self._endpoints, strict=True)
            ],
        )

    async def __call__(self, call: Call) -> Message:
        failures: list[RpcError] = []
        service = stack(*self._policies, _Collect(failures), to=self._balancer)
        try:
            return await service(call)
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


class _Collect:
    """Keeps what the attempts of one call failed with."""

    def __init__(self, failures: list[RpcError]) -> None:
        self._failures = failures

    async def __call__(self, call: Call, service: Service) -> Message:
        try:
            return await service(call)
        except RpcError as error:
            self._failures.append(error)
            raise


class _Share:
    """Keeps time for the other gateways in case the first one hangs."""

    def __init__(self, clock: Clock, gateways: int) -> None:
        self._clock = clock
        self._gateways = gateways

    async def __call__(self, call: Call, service: Service) -> Message:
        deadline = call.context.deadline
        if deadline is not None and len(call.tried) < self._gateways:
            now = self._clock.seconds()
            call = replace(call, context=call.context.by(now + (deadline - now) * SHARE))
        return await service(call)
