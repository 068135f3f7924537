"""Resolver: which endpoints a service has, told again whenever that changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class EndpointAddress:
    """One process of a service. `id` stays when the address changes, as a pod's name does."""

    id: str
    address: str  # host:port
    shard: int = 0
    zone: str = ""
    weight: float = 1.0  # its share of the calls, against that of the others
    ready: bool = True  # by what whoever runs it says


Told: TypeAlias = Callable[[Sequence[EndpointAddress]], None]


class Resolver(Protocol):
    """Knows the endpoints of one service."""

    def watch(self, told: Told) -> None:
        """Calls `told` at once with what is known, and with all of it again whenever that changes."""
        ...


class Static:
    """Endpoints that are written in the configuration."""

    def __init__(self, endpoints: Iterable[EndpointAddress]) -> None:
        self._endpoints = tuple(endpoints)

    @classmethod
    def of(cls, *shards: Iterable[str]) -> Static:
        """From the addresses of each shard; a service without shards has one."""
        return cls(EndpointAddress(each, each, shard) for shard, addresses in enumerate(shards) for each in addresses)

    def snapshot(self) -> tuple[EndpointAddress, ...]:
        return self._endpoints

    def watch(self, told: Told) -> None:
        told(self._endpoints)


class Together:
    """What several resolvers know, as one. Is a Resolver.

    `shard`: the one that all of it belongs to; None: each endpoint says so itself.
    """

    def __init__(self, resolvers: Sequence[Resolver], shard: int | None = None) -> None:
        self._resolvers = tuple(resolvers)
        self._shard = shard

    def watch(self, told: Told) -> None:
        parts: list[Sequence[EndpointAddress]] = [()] * len(self._resolvers)
        began = False

        def tell(place: int, endpoints: Sequence[EndpointAddress]) -> None:
            parts[place] = endpoints
            if began:
                told([each for part in parts for each in map(self._own, part)])

        for place, resolver in enumerate(self._resolvers):
            resolver.watch(partial(tell, place))
        began = True
        told([each for part in parts for each in map(self._own, part)])

    def _own(self, endpoint: EndpointAddress) -> EndpointAddress:
        return endpoint if self._shard is None else replace(endpoint, shard=self._shard)
