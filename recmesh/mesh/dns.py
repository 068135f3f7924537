"""What DNS says of a service's endpoints: addresses of one name, or SRV records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from recmesh.mesh.resolver import EndpointAddress
from recmesh.rpc.address import join_address

SECONDS: Final = 10.0  # between two questions: as long as clusters let their answers live
SPREAD: Final = 0.2


@dataclass(frozen=True, slots=True)
class Record:
    """An SRV record."""

    priority: int
    weight: int
    port: int
    target: str


def of_addresses(addresses: Iterable[str], port: int) -> Sequence[EndpointAddress]:
    """A and AAAA records: an endpoint's address is its only name."""
    named = sorted({join_address(each, port) for each in addresses})
    return [EndpointAddress(each, each) for each in named]


def of_records(records: Iterable[Record]) -> Sequence[EndpointAddress]:
    """Those of the first priority; the others are for when it has none. The target's name stays when it moves.

    Weights are relative: their mean becomes 1. One of 0 gets little, as RFC 2782 wants it.
    """
    every = list(records)
    first = min((each.priority for each in every), default=0)
    chosen = sorted({each.target.rstrip("."): each for each in every if each.priority == first}.items())
    mean = sum(each.weight for _, each in chosen) / max(1, len(chosen))
    return [
        EndpointAddress(f"{host}:{each.port}", join_address(host, each.port), weight=max(each.weight / mean, 0.01))
        if mean
        else EndpointAddress(f"{host}:{each.port}", join_address(host, each.port))
        for host, each in chosen
    ]
