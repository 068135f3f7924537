"""A mesh in memory: every service played by a few lines, every process able to fail on demand."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from google.protobuf.message import Message
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from gateway.columns import pack_floats
from gateway.quality import Quality
from gateway.service import Environment, Recommender
from gateway.settings import Settings, UpstreamSettings
from gateway.upstreams import Upstreams, shard_of
from gateway.versions import Versions
from recmesh.mesh.endpoints import Connections, Surroundings
from recmesh.mesh.resolver import EndpointAddress, Static
from recmesh.ops.health import Health
from recmesh.ops.log import Logger
from recmesh.ops.registry import Registry
from recmesh.rpc import Call, Channel, Context, Handlers, Processed, RpcError, Service, Status, tx
from recmesh.v1 import retrieval_pb2
from recmesh.v1.common_pb2 import History
from recmesh.v1.embedding_rpc import EmbeddingBase
from recmesh.v1.feedback_rpc import FeedbackBase
from recmesh.v1.ranking_rpc import RankingBase
from recmesh.v1.recommender_rpc import RecommenderStub
from recmesh.v1.retrieval_rpc import RetrievalBase
from tests.gateway.fakes import DOWN, FakeEmbedding, FakeFeedback, FakeModels, FakeRanking, FakeRetrieval, Film
from tests.mesh.crowd import Changing
from tests.mesh.kit import Outcome

T = TypeVar("T")

NOW = 1_700_000_000.0  # Unix seconds


async def _forever() -> None:
    await Deferred()


async def _sleep(clock: tx.Clock, seconds: float) -> None:
    await clock.sleep(seconds)


@dataclass(slots=True)
class Wire:
    """Leads to one process. `fails`: every call is answered so; `hangs`: none is answered, and each ends at its
    deadline, which a connection keeps; `late`: so many seconds later than usual."""

    handlers: Handlers
    clock: tx.Clock
    fails: RpcError | None = None
    hangs: bool = False
    late: float = 0.0
    state: str = "ready"
    contexts: list[Context] = field(default_factory=list)

    async def __call__(self, call: Call) -> Message:
        self.contexts.append(call.context)
        if self.hangs or self.late:
            assert call.context.deadline is not None
            waiting = _forever() if self.hangs else _sleep(self.clock, self.late)
            await self.clock.within(call.context.deadline - self.clock.seconds(), waiting)
        if self.fails:
            raise self.fails
        request = call.method.request.FromString(call.request.SerializeToString())
        if call.streams:
            return await self.handlers(call)
        reply = await self.handlers(replace(call, request=request))
        decoded: Message = call.method.reply.FromString(reply.SerializeToString())
        return decoded


class Mesh:
    """Every process, and a gateway before them. Processes are called embedding, ranking, feedback, and "0-1" for the
    replica 1 of shard 0."""

    def __init__(self, films: Iterable[Film] = (), shards: int = 2, replicas: int = 1, **settings: float) -> None:
        self.clock = Clock()
        self.wires: dict[str, Wire] = {}
        self.models: dict[str, FakeModels] = {}
        self.films = {film.id: film for film in films}
        self.embedding = FakeEmbedding(self.films)
        self.feedback = FakeFeedback()
        self.ranking = FakeRanking()
        self.retrieval: dict[str, FakeRetrieval] = {}
        for name, base in (("embedding", self.embedding), ("ranking", self.ranking), ("feedback", self.feedback)):
            self._join(f"{name}:1", base, FakeModels())
        for shard in range(shards):
            for replica in range(replicas):
                own = [film for film in self.films.values() if shard_of(film.id, shards) == shard]
                address = f"{shard}-{replica}:1"
                self.retrieval[address.removesuffix(":1")] = FakeRetrieval(own)
                self._join(address, self.retrieval[address.removesuffix(":1")], FakeModels(shard, shards))
        self._serve(shards, replicas, settings)

    def _join(
        self, address: str, base: EmbeddingBase | RankingBase | FeedbackBase | RetrievalBase, models: FakeModels
    ) -> None:
        handlers = Handlers()
        base.register(handlers)
        models.register(handlers)
        name = address.removesuffix(":1")
        service = name.title() if name in ("embedding", "ranking", "feedback") else "Retrieval"
        health = Health()
        health.serve([f"recmesh.v1.{service}"])
        health.register(handlers)
        self.wires[name], self.models[name] = Wire(handlers, tx.Clock(self.clock)), models

    def _serve(self, shards: int, replicas: int, settings: Mapping[str, float]) -> None:
        told = UpstreamSettings(
            embedding=("embedding:1",),
            ranking=("ranking:1",),
            feedback=("feedback:1",),
            retrieval=tuple(tuple(f"{shard}-{replica}:1" for replica in range(replicas)) for shard in range(shards)),
        )
        self.settings = Settings(listen="127.0.0.1:0", upstreams=told, **settings)  # type: ignore[arg-type]
        clock, rng = tx.Clock(self.clock), random.Random(1)
        self.resolvers: list[Changing] = []  # of embedding, ranking, feedback and retrieval
        given_out = Surroundings(clock, rng, Registry())
        self.upstreams = Upstreams(self.settings, Connections(self._connect), given_out, self._resolve)
        self.versions = Versions(self.upstreams, clock, Logger("tests.gateway"))
        self.poll()
        self.away: list[str] = []
        self.full = 0.0
        self.admitted: list[Call] = []
        self.no_room: list[int] = []  # milliseconds after which the refused may come back, one a refusal
        self.quality = Quality(
            clock, self.settings.quality_target_seconds, self.settings.quality_least_share, lambda: self.full
        )
        given = Environment(
            clock, lambda: NOW, rng, lambda stage, error: self.away.append(stage), self.quality, self.admit
        )
        handlers = Handlers()
        self.gateway = Recommender(self.settings, self.upstreams, self.versions, given)
        self.gateway.register(handlers)
        self.ask = RecommenderStub(Channel(Wire(handlers, tx.Clock(self.clock))))

    def _resolve(self, shards: Sequence[Sequence[str]]) -> Changing:
        self.resolvers.append(Changing(*Static.of(*shards).snapshot()))
        return self.resolvers[-1]

    async def admit(self, call: Call, service: Service) -> Message:
        """Of the pages of those who watch."""
        self.admitted.append(call)
        if self.no_room:
            raise RpcError(Status.UNAVAILABLE, "no room", processed=Processed.REFUSED, pushback_ms=self.no_room.pop())
        return await service(call)

    def _connect(self, endpoint: EndpointAddress) -> Wire:
        return self.wires[endpoint.address.removesuffix(":1")]

    def poll(self) -> None:
        self.answer(self.versions.poll())

    def start(self, work: Awaitable[T]) -> Outcome[T]:
        return Outcome(work)

    def outcome(self, work: Awaitable[T]) -> Outcome[T]:
        """How the call ended; time passes until it has."""
        outcome = Outcome(work)
        for _ in range(1_000):
            if not outcome.pending:
                return outcome
            self.clock.advance(0.01)
        raise AssertionError("the call does not end")

    def answer(self, work: Awaitable[T]) -> T:
        return self.outcome(work).result()

    def error(self, work: Awaitable[Any]) -> RpcError:
        return self.outcome(work).error()

    def down(self, *names: str) -> None:
        """These processes cannot be reached; "0" means every replica of shard 0."""
        for name, wire in self.wires.items():
            if any(name == each or name.startswith(f"{each}-") for each in names):
                wire.fails = DOWN

    def history(self, user_id: str, *item_ids: str) -> None:
        """What the user took, newest first."""
        self.feedback.histories[user_id] = History(
            item_ids=item_ids,
            weights=pack_floats(1.0 for _ in item_ids),
            timestamps=b"".join(b"\0" * 8 for _ in item_ids),
        )

    def searches(self) -> list[retrieval_pb2.SearchRequest]:
        return [search for fake in self.retrieval.values() for search in fake.searches]
