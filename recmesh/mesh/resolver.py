"""Resolver: which endpoints a service has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class EndpointAddress:
    """One process of a service. `id` stays when the address changes, as a pod's name does."""

    id: str
    address: str  # host:port
    shard: int = 0


class Resolver(Protocol):
    """Knows the endpoints of one service."""

    def snapshot(self) -> Sequence[EndpointAddress]: ...


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
