"""What the gateway can be told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recmesh.mesh.door import USUAL, Admission
from recmesh.ops.settings import ProcessSettings, check_address, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSettings:
    """Addresses, host:port, of the services behind the gateway."""

    embedding: tuple[str, ...]
    ranking: tuple[str, ...]
    feedback: tuple[str, ...]
    retrieval: tuple[tuple[str, ...], ...]  # the replicas of each shard, in the order of the shards

    def __post_init__(self) -> None:
        owner = dict[str, str]()
        for key, addresses in self._groups():
            if not addresses:
                raise ValueError(f"{key} names no address; write at least one host:port")
            for address in addresses:
                check_address(key, address)
            if len(set(addresses)) < len(addresses):
                raise ValueError(f"{key} names an address twice")
            for address in addresses:
                if address in owner:
                    raise ValueError(f"{key} names {address}, which {owner[address]} names as well")
                owner[address] = key

    def _groups(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield from (("embedding", self.embedding), ("ranking", self.ranking), ("feedback", self.feedback))
        if not all(self.retrieval):
            raise ValueError("retrieval has a shard without an address; write a list of host:port for each shard")
        yield "retrieval", tuple(address for shard in self.retrieval for address in shard)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ProcessSettings):
    """The gateway's settings."""

    upstreams: UpstreamSettings
    candidates_per_source: int = 200  # as in training, so that a page is the one that was evaluated
    fresh_share: float = 0.1  # of the places, kept for items that came after the bundle was made
    usual_seconds: float = 2.0  # for a request that comes without a deadline
    longest_seconds: float = 30.0  # for any request
    call_seconds: float = 1.0  # for a call to another service, retries included
    attempt_seconds: float = 0.5  # for one attempt of it
    attempts: int = 2
    version_poll_seconds: float = 2.0  # how often the services are asked which bundles they have
    start_seconds: float = 30.0  # how long a start waits for services that do not answer yet
    trusted: tuple[str, ...] = ()  # principals whose criticality and x-recmesh- metadata are believed
    quality_target: float = 0.25  # seconds for 95 % of the pages; over it, and when full, each gets less work
    quality_least: float = 0.25  # of the candidates; 1: always all
    admission: Admission = USUAL

    def __post_init__(self) -> None:
        ProcessSettings.__post_init__(self)  # super() does not work in a slotted dataclass
        check_range("candidates_per_source", self.candidates_per_source, 1, 1_000)
        check_range("fresh_share", self.fresh_share, 0.0, 1.0)
        check_range("attempts", self.attempts, 1, 10)
        check_range("quality_target", self.quality_target, 0.001, 60.0)
        check_range("quality_least", self.quality_least, 0.05, 1.0)
        check_range("start_seconds", self.start_seconds, 0.0, 3_600.0)
        for key in ("usual_seconds", "longest_seconds", "call_seconds", "attempt_seconds", "version_poll_seconds"):
            check_range(key, getattr(self, key), 0.001, 3_600.0)
