"""The services behind the gateway, each played by a few lines."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from google.protobuf.message import Message

from gateway.columns import floats, pack_floats, pack_ints
from models.blend import Blend
from recmesh.ops.bell import Bell
from recmesh.rpc import Context, Processed, RpcError, Status
from recmesh.v1 import common_pb2, embedding_pb2, feedback_pb2, models_pb2, ranking_pb2, retrieval_pb2
from recmesh.v1.common_pb2 import History, Item, SourceScores
from recmesh.v1.embedding_rpc import EmbeddingBase
from recmesh.v1.feedback_rpc import FeedbackBase
from recmesh.v1.models_rpc import ModelsBase
from recmesh.v1.ranking_rpc import RankingBase
from recmesh.v1.retrieval_rpc import RetrievalBase

DOWN = RpcError(Status.UNAVAILABLE, "connection refused", processed=Processed.NOT_SENT)
NO_VECTOR = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Film:
    """An item of the scripted catalogue; tastes and meanings have two dimensions."""

    id: str
    title: str = ""
    popularity: float = 0.0
    taste: tuple[float, float] = NO_VECTOR
    meaning: tuple[float, float] = NO_VECTOR
    neighbours: tuple[str, ...] = ()  # whoever took one of these takes this one
    is_new: bool = False

    def record(self, vectors: bool) -> retrieval_pb2.ItemRecord:
        record = retrieval_pb2.ItemRecord(item=Item(id=self.id, title=self.title), is_new=self.is_new)
        if vectors:
            record.factors, record.content = pack_floats(self.taste), pack_floats(self.meaning)
        return record


class FakeModels(ModelsBase):
    def __init__(self, shard: int = 0, shards: int = 0) -> None:
        self.versions: dict[str, float] = {"v1": 1.0}
        self.shard, self.shards = shard, shards

    async def list(self, request: models_pb2.ListModelsRequest, context: Context) -> models_pb2.ListModelsResponse:
        models = [models_pb2.Model(name="b", version=name, created=made) for name, made in self.versions.items()]
        return models_pb2.ListModelsResponse(models=models, shard=self.shard, shards=self.shards)

    async def load(self, request: models_pb2.LoadModelRequest, context: Context) -> models_pb2.LoadModelResponse:
        raise NotImplementedError

    async def unload(self, request: models_pb2.UnloadModelRequest, context: Context) -> models_pb2.UnloadModelResponse:
        raise NotImplementedError


class FakeEmbedding(EmbeddingBase):
    """The mean of the films taken; a text means what `meanings` says."""

    def __init__(self, films: Mapping[str, Film]) -> None:
        self.films = films
        self.meanings: dict[str, tuple[float, float]] = {}
        self.requests: list[Message] = []

    async def embed_history(
        self, request: embedding_pb2.EmbedHistoryRequest, context: Context
    ) -> embedding_pb2.EmbedHistoryResponse:
        self.requests.append(request)
        known = [self.films[each] for each in request.histories[0].item_ids if each in self.films]
        taste = [sum(film.taste[axis] for film in known) for axis in (0, 1)]
        meaning = [sum(film.meaning[axis] for film in known) for axis in (0, 1)]
        return embedding_pb2.EmbedHistoryResponse(
            bundle_version=request.bundle_version,
            factor_dimension=2,
            factors=pack_floats(taste),
            content_dimension=2,
            contents=pack_floats(meaning),
            sequence_dimension=2,
            sequences=pack_floats(taste[::-1]),
        )

    async def embed_text(
        self, request: embedding_pb2.EmbedTextRequest, context: Context
    ) -> embedding_pb2.EmbedTextResponse:
        self.requests.append(request)
        rows = [number for text in request.texts for number in self.meanings.get(text, NO_VECTOR)]
        return embedding_pb2.EmbedTextResponse(
            bundle_version=request.bundle_version,
            factor_dimension=2,
            factors=pack_floats(rows),
            content_dimension=2,
            contents=pack_floats(rows),
        )


class FakeFeedback(FeedbackBase):
    def __init__(self) -> None:
        self.happened = Bell()
        self.told: list[common_pb2.Event] = []
        self.fail = False
        self.subscribers = 0
        self.histories: dict[str, History] = {}
        self.events: list[feedback_pb2.AppendRequest] = []
        self.past: dict[str, feedback_pb2.HistoryResponse] = {}
        self.requests: list[feedback_pb2.HistoryRequest] = []

    async def append(self, request: feedback_pb2.AppendRequest, context: Context) -> feedback_pb2.AppendResponse:
        self.events.append(request)
        return feedback_pb2.AppendResponse(appended=len(request.events))

    async def history(self, request: feedback_pb2.HistoryRequest, context: Context) -> feedback_pb2.HistoryResponse:
        self.requests.append(request)
        if request.user_id in self.past:
            return self.past[request.user_id]
        history = self.histories.get(request.user_id)
        return feedback_pb2.HistoryResponse(history=history, known=history is not None)

    async def subscribe(
        self, request: feedback_pb2.SubscribeRequest, context: Context
    ) -> AsyncIterator[feedback_pb2.SubscribeResponse]:
        place = len(self.told) if request.after_offset == 2**64 - 1 else request.after_offset
        self.subscribers += 1
        try:
            if request.after_offset == 2**64 - 1:
                yield feedback_pb2.SubscribeResponse(offset=place)
            while not self.fail:
                for event in self.told[place:]:
                    place += 1
                    yield feedback_pb2.SubscribeResponse(offset=place, event=event)
                await self.happened.heard()
            raise DOWN
        finally:
            self.subscribers -= 1

    async def delete_user(
        self, request: feedback_pb2.DeleteUserEventsRequest, context: Context
    ) -> feedback_pb2.DeleteUserEventsResponse:
        known = self.histories.pop(request.user_id, None)
        return feedback_pb2.DeleteUserEventsResponse(events_deleted=len(known.item_ids) if known else 0)


JUDGES = {
    "recommend": {"ials", "itemknn", "popularity", "content", "title"},
    "similar": {"ials", "itemknn", "content"},
    "search": {"content", "title"},
}


class FakeRanking(RankingBase):
    """Adds up the scores of the sources that count on the surface, each times `factor`."""

    def __init__(self) -> None:
        self.requests: list[ranking_pb2.RankRequest] = []
        self.factor = 1.0
        self.blend: Blend | None = None
        """Ranks instead, as the service does."""

    async def rank(self, request: ranking_pb2.RankRequest, context: Context) -> ranking_pb2.RankResponse:
        self.requests.append(request)
        if self.blend:
            return self._blended(self.blend, request)
        columns = {
            column.source: [0.0 if math.isnan(score) else score * self.factor for score in floats(column.scores)]
            for column in request.sources
            if column.source in JUDGES[request.surface]
        }
        total = [sum(scores) for scores in zip(*columns.values(), strict=True)]
        order = sorted(range(len(total)), key=lambda place: (-total[place], request.item_ids[place]))
        order = order[: request.count or None]
        return ranking_pb2.RankResponse(
            bundle_version=request.bundle_version,
            order=pack_ints(order),
            scores=pack_floats(total[place] for place in order),
            contributions=[
                SourceScores(source=source, scores=pack_floats(scores[place] for place in order))
                for source, scores in columns.items()
            ],
        )

    def _blended(self, blend: Blend, request: ranking_pb2.RankRequest) -> ranking_pb2.RankResponse:
        scores = {column.source: np.array(floats(column.scores), np.float32) for column in request.sources}
        depth = request.candidates_per_source
        ranked = blend.rank(request.surface, request.item_ids, scores, request.count, depth)
        return ranking_pb2.RankResponse(
            bundle_version=request.bundle_version,
            order=pack_ints(ranked.order),
            scores=pack_floats(ranked.scores),
            contributions=[
                SourceScores(source=source, scores=pack_floats(added)) for source, added in ranked.contributions.items()
            ],
        )


class FakeRetrieval(RetrievalBase):
    """A shard's replica: scores by popularity, inner product, neighbours and words of the title."""

    def __init__(self, films: Iterable[Film]) -> None:
        self.films = {film.id: film for film in films}
        self.searches: list[retrieval_pb2.SearchRequest] = []
        self.puts: list[retrieval_pb2.PutShardItemsRequest] = []
        self.deletions: list[retrieval_pb2.DeleteShardItemsRequest] = []
        self.fetches: list[retrieval_pb2.GetItemsRequest] = []
        self.tells_titles = True  # with the candidates

    async def search(self, request: retrieval_pb2.SearchRequest, context: Context) -> retrieval_pb2.SearchResponse:
        self.searches.append(request)
        if request.filter == "wrong":
            raise RpcError(Status.INVALID_ARGUMENT, "filter: at character 0: expected a comparison")
        opinions = self._opinions(request)
        proposed = {film_id for scores in opinions.values() for film_id in _best(scores, request.count)}
        ids = sorted(proposed)
        return retrieval_pb2.SearchResponse(
            bundle_version=request.bundle_version,
            item_ids=ids,
            sources=[
                SourceScores(
                    source=source,
                    scores=pack_floats(scores.get(each, math.nan) for each in ids),
                    because=self._because(source, request, ids),
                )
                for source, scores in opinions.items()
            ],
            is_new=bytes(self.films[each].is_new for each in ids),
            titles=[self.films[each].title for each in ids] if request.titles and self.tells_titles else (),
        )

    def _opinions(self, request: retrieval_pb2.SearchRequest) -> dict[str, dict[str, float]]:
        films = [film for film in self.films.values() if film.id not in request.exclude_item_ids]
        taste, meaning = floats(request.factors), floats(request.content)
        opinions = {"popularity": {film.id: film.popularity for film in films if not film.is_new}}
        if taste:
            opinions["ials"] = {film.id: _dot(film.taste, taste) for film in films}
        if meaning:
            opinions["content"] = {film.id: _dot(film.meaning, meaning) for film in films}
        if taste or meaning:
            opinions["new"] = {
                film.id: _dot(film.taste, taste) if taste else _dot(film.meaning, meaning)
                for film in films
                if film.is_new
            }
        if request.history.item_ids:
            took = request.history.item_ids
            opinions["itemknn"] = {film.id: float(len(set(film.neighbours) & set(took))) for film in films}
        if request.text:
            opinions["title"] = {film.id: float(request.text in film.title) for film in films}
        return opinions

    def _because(self, source: str, request: retrieval_pb2.SearchRequest, ids: Sequence[str]) -> bytes:
        if source != "itemknn" or not request.explain:
            return b""
        took = list(request.history.item_ids)
        return pack_ints(
            next((took.index(each) for each in self.films[film].neighbours if each in took), -1) for film in ids
        )

    async def put_items(
        self, request: retrieval_pb2.PutShardItemsRequest, context: Context
    ) -> retrieval_pb2.PutShardItemsResponse:
        self.puts.append(request)
        for record in request.records:
            taste, meaning = floats(record.factors), floats(record.content)
            film = Film(record.item.id, record.item.title, is_new=True)
            self.films[film.id] = replace(film, taste=(taste[0], taste[1]), meaning=(meaning[0], meaning[1]))
        return retrieval_pb2.PutShardItemsResponse(stored=len(request.records))

    async def delete_items(
        self, request: retrieval_pb2.DeleteShardItemsRequest, context: Context
    ) -> retrieval_pb2.DeleteShardItemsResponse:
        self.deletions.append(request)
        deleted = [self.films.pop(each, None) for each in request.item_ids]
        return retrieval_pb2.DeleteShardItemsResponse(deleted=sum(each is not None for each in deleted))

    async def get_items(
        self, request: retrieval_pb2.GetItemsRequest, context: Context
    ) -> retrieval_pb2.GetItemsResponse:
        self.fetches.append(request)
        if len(request.item_ids) > 1_000:
            raise RpcError(Status.INVALID_ARGUMENT, f"item_ids: {len(request.item_ids)}")
        films = [self.films[each] for each in request.item_ids if each in self.films]
        return retrieval_pb2.GetItemsResponse(records=[film.record(request.include_vectors) for film in films])


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _best(scores: Mapping[str, float], count: int) -> list[str]:
    return sorted(scores, key=lambda each: (-scores[each], each))[:count]
