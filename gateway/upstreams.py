"""The services behind the gateway, each behind its policies."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.settings import Settings
from recmesh.mesh.backend import Backend, backends
from recmesh.mesh.endpoints import Connections, Surroundings
from recmesh.mesh.replica import Replica
from recmesh.mesh.resolver import Resolver, Static
from recmesh.mesh.timeout import Timeout
from recmesh.rpc import Channel, stack
from recmesh.v1.embedding_rpc import EmbeddingStub
from recmesh.v1.feedback_rpc import FeedbackStub
from recmesh.v1.health_rpc import HealthStub
from recmesh.v1.models_rpc import ModelsStub
from recmesh.v1.ranking_rpc import RankingStub
from recmesh.v1.retrieval_rpc import RetrievalStub


@dataclass(frozen=True, slots=True)
class Process:
    """One process of a service, asked for itself."""

    backend: Backend
    replica: Replica
    models: ModelsStub
    health: HealthStub

    def __str__(self) -> str:
        shard = f" {self.backend.shard}" if self.backend.name == "retrieval" else ""
        return f"{self.backend.name}{shard} at {self.replica.where.address}"


class Shard:
    """One part of the catalogue: any of its replicas answers, all of them are told of changes."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.retrieval = RetrievalStub(Channel(backend))
        self._stubs = dict[Replica, RetrievalStub]()

    @property
    def replicas(self) -> Sequence[RetrievalStub]:
        self._stubs = {each: self._stubs.get(each) or self._stub(each) for each in self.backend.replicas}
        return list(self._stubs.values())

    def _stub(self, replica: Replica) -> RetrievalStub:
        return RetrievalStub(Channel(self.backend.only(replica)))

    def __str__(self) -> str:
        addresses = ", ".join(replica.where.address for replica in self.backend.replicas)
        return f"shard {self.backend.shard} ({addresses})"


class Upstreams:
    """Typed stubs of every service, and the backends behind them for whoever wants to look."""

    def __init__(
        self,
        settings: Settings,
        connections: Connections,
        given: Surroundings,
        resolve: Callable[[Sequence[Sequence[str]]], Resolver] = lambda shards: Static.of(*shards),
    ) -> None:
        """`resolve`: from what the settings say of each shard of a service."""
        self._clock, self._seconds = given.clock, settings.attempt_seconds

        def to(name: str, *shards: Sequence[str]) -> tuple[Backend, ...]:
            return backends(name, resolve(shards), connections, given, settings.policy(name), len(shards))

        told = settings.upstreams
        (embedding,), (ranking,) = to("embedding", told.embedding), to("ranking", told.ranking)
        (feedback,) = to("feedback", told.feedback)
        retrieval = to("retrieval", *told.retrieval)
        self.backends: Sequence[Backend] = (embedding, *retrieval, ranking, feedback)
        self.embedding = EmbeddingStub(Channel(embedding))
        self.ranking = RankingStub(Channel(ranking))
        self.feedback = FeedbackStub(Channel(feedback))
        self.shards: Sequence[Shard] = tuple(Shard(each) for each in retrieval)

    def processes(self) -> Iterator[Process]:
        """Asked beside the policies, so that what requests met is not mixed up with what asking met."""
        for each in self.backends:
            for replica in each.replicas:
                aside = Channel(stack(Timeout(self._clock, self._seconds), to=replica.endpoint))
                yield Process(each, replica, ModelsStub(aside), HealthStub(aside))

    def by_shard(self, item_ids: Iterable[str]) -> Mapping[int, list[str]]:
        """The ids, each once, under the shard that owns them."""
        owned = dict[int, list[str]]()
        for item_id in dict.fromkeys(item_ids):
            owned.setdefault(shard_of(item_id, len(self.shards)), []).append(item_id)
        return owned


def shard_of(item_id: str, shards: int) -> int:
    """The shard that owns an item; retrieval divides the catalogue by the same rule."""
    return zlib.crc32(item_id.encode()) % shards
