"""What the gateway can be told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from recmesh.mesh.backend import Policy
from recmesh.mesh.door import Admission
from recmesh.mesh.ejection import EjectionPolicy
from recmesh.mesh.target import KINDS, parse_target
from recmesh.ops.settings import ProcessSettings, check_address, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSettings:
    """Where the services behind the gateway are: addresses and sources of addresses."""

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
                _check_target(key, address)
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


def _check_target(key: str, text: str) -> None:
    try:
        target = parse_target(text)
    except ValueError as error:
        if text.partition(":")[0] in KINDS:
            raise ValueError(f"{key}: {error}") from None
    else:
        if target.kind != "static":
            return
    check_address(key, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings:
    """How one service is called."""

    call_seconds: float | None = None  # for a call, retries included; None: that of all services
    attempt_seconds: float | None = None  # for one attempt of it
    attempts: int | None = None  # the first included
    hedging: bool = True  # a second copy of a call that changes nothing and takes longer than 95 % of them
    most_in_flight: int = 1_024
    most_queued: int = 256
    most_endpoints: int = 20
    eject_in_a_row: int = 5
    eject_least_success_share: float = 0.8
    eject_least_results: int = 20
    eject_first_seconds: float = 1.0
    eject_most_seconds: float = 60.0
    eject_most_share: float = 0.34
    panic_share: float = 0.5

    def __post_init__(self) -> None:
        for key, value in (("call_seconds", self.call_seconds), ("attempt_seconds", self.attempt_seconds)):
            if value is not None:
                check_range(key, value, 0.001, 3_600.0)
        if self.attempts is not None:
            check_range("attempts", self.attempts, 1, 10)
        for key in ("most_in_flight", "most_endpoints", "eject_in_a_row", "eject_least_results"):
            check_range(key, getattr(self, key), 1, 1_000_000)
        check_range("most_queued", self.most_queued, 0, 1_000_000)
        for key in ("eject_least_success_share", "eject_most_share", "panic_share"):
            check_range(key, getattr(self, key), 0.0, 1.0)
        check_range("eject_first_seconds", self.eject_first_seconds, 0.001, 3_600.0)
        check_range("eject_most_seconds", self.eject_most_seconds, self.eject_first_seconds, 86_400.0)

    def ejection(self) -> EjectionPolicy:
        return EjectionPolicy(
            self.eject_in_a_row,
            self.eject_least_success_share,
            self.eject_least_results,
            self.eject_first_seconds,
            self.eject_most_seconds,
            most_share=self.eject_most_share,
            panic_share=self.panic_share,
        )


USUAL_CALLS: Final = CallSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """How each service is called."""

    embedding: CallSettings = USUAL_CALLS
    ranking: CallSettings = USUAL_CALLS
    feedback: CallSettings = USUAL_CALLS
    retrieval: CallSettings = USUAL_CALLS


ALL_USUAL: Final = Calls()


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAdmission(Admission):
    """What a gateway lets in. It mostly waits: that a service stands still must not shrink it to a few pages."""

    least: int = 20


PAGES: Final = PageAdmission()


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
    attempts: int = 3  # the first, one elsewhere, and one after a pause
    version_poll_seconds: float = 2.0  # how often the services are asked which bundles they have
    start_seconds: float = 30.0  # how long a start waits for services that do not answer yet
    trusted: tuple[str, ...] = ()  # principals whose criticality and x-recmesh- metadata are believed
    quota_per_second: float = 0.0  # requests of each principal; 0: as many as it likes
    quota_burst_seconds: float = 1.0  # for so long it may have saved them up
    zone: str = ""  # where it runs, which endpoints there are preferred for; empty: wherever
    quality_target_seconds: float = 0.5  # for 95 % of the pages; over it, and when full, each gets less work
    quality_least_share: float = 0.25  # of the candidates; 1: always all
    admission: PageAdmission = PAGES
    calls: Calls = ALL_USUAL

    def __post_init__(self) -> None:
        ProcessSettings.__post_init__(self)  # super() does not work in a slotted dataclass
        check_range("candidates_per_source", self.candidates_per_source, 1, 1_000)
        check_range("fresh_share", self.fresh_share, 0.0, 1.0)
        check_range("attempts", self.attempts, 1, 10)
        check_range("quota_per_second", self.quota_per_second, 0.0, 1_000_000.0)
        check_range("quota_burst_seconds", self.quota_burst_seconds, 0.0, 3_600.0)
        check_range("quality_target_seconds", self.quality_target_seconds, 0.001, 60.0)
        check_range("quality_least_share", self.quality_least_share, 0.05, 1.0)
        check_range("start_seconds", self.start_seconds, 0.0, 3_600.0)
        for key in ("usual_seconds", "longest_seconds", "call_seconds", "attempt_seconds", "version_poll_seconds"):
            check_range(key, getattr(self, key), 0.001, 3_600.0)

    def policy(self, service: str) -> Policy:
        told: CallSettings = getattr(self.calls, service)
        return Policy(
            told.call_seconds or self.call_seconds,
            told.attempt_seconds or self.attempt_seconds,
            attempts=told.attempts or self.attempts,
            hedging=told.hedging,
            most_in_flight=told.most_in_flight,
            most_queued=told.most_queued,
            most_endpoints=told.most_endpoints,
            ejection=told.ejection(),
        )
