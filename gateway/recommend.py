"""Recommend: the items a user most probably wants next.

feedback (history) -> embedding (vectors) -> retrieval (candidates of every shard) -> ranking -> page, titles, reasons
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway import candidates, histories, vectors
from gateway.page import Wanted, turn_to
from gateway.quality import affordable
from gateway.run import Run
from gateway.validate import (
    QUERY_BYTES,
    check_bytes,
    check_history,
    check_id,
    check_page,
    check_range,
    check_selection,
    count_of,
    invalid,
)
from gateway.vectors import Vectors
from recmesh.v1.common_pb2 import History
from recmesh.v1.recommender_pb2 import RecommendRequest, RecommendResponse
from recmesh.v1.retrieval_pb2 import SearchRequest


def check(request: RecommendRequest) -> None:
    if not request.user_id and not request.history:
        raise invalid("user_id is empty; give a user_id of 1 to 256 bytes, or a history")
    if request.user_id:
        check_id("user_id", request.user_id)
    check_history(request.history)
    check_page(request.offset, count_of(request))
    check_selection(request.filter, request.exclude_item_ids)
    check_bytes("query_text", request.query_text, QUERY_BYTES)
    check_range("diversity", request.diversity, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Recommend:
    """Answers a request that `check` let pass."""

    candidates_per_source: int
    fresh_share: float
    wall_time: Callable[[], float]
    new_id: Callable[[], str]

    async def __call__(self, run: Run, request: RecommendRequest) -> RecommendResponse:
        history = await self._history(run, request)
        query = histories.for_query(history)
        taste = await vectors.of_history(run, query) if query.item_ids else Vectors()
        if query.item_ids and taste == Vectors():
            taste = await vectors.of_new_items(run, query)
        asked = await vectors.of_text(run, request.query_text) if request.query_text else None
        wanted = affordable(run, self._wanted(request))
        search = _search(request, wanted, query, taste, asked)
        if request.exclude_seen or not request.HasField("exclude_seen"):
            search.exclude_item_ids.extend(history.item_ids)
        found = await candidates.search(run, search)
        items = await turn_to(run, wanted, found, query, asked=bool(request.query_text))
        return RecommendResponse(
            items=items,
            bundle_version=run.version,
            degraded=run.degraded,
            shards_total=found.shards_total,
            shards_answered=found.shards_answered,
            impression_id=self.new_id(),
            personalized=bool(query.item_ids) and (taste is None or taste != Vectors()),
        )

    async def _history(self, run: Run, request: RecommendRequest) -> History:
        if request.history:
            return histories.given(request.history, self.wall_time)
        return await histories.stored(run, request.user_id)

    def _wanted(self, request: RecommendRequest) -> Wanted:
        return Wanted(
            surface="recommend",
            offset=request.offset,
            count=count_of(request),
            candidates_per_source=self.candidates_per_source,
            diversity=request.diversity,
            fresh_share=self.fresh_share,
            explain=request.explain,
        )


def _search(
    request: RecommendRequest, wanted: Wanted, query: History, taste: Vectors | None, asked: Vectors | None
) -> SearchRequest:
    """Every source is asked that has its part of the query. A text stands for what the user's items are about, and
    for the taste of a user nobody knows."""
    taste, asked = taste or Vectors(), asked or Vectors()
    return SearchRequest(
        surface=wanted.surface,
        count=wanted.depths[-1],
        factors=taste.factors or asked.factors,
        content=asked.content if request.query_text else taste.content,
        sequence=taste.sequence,
        history=query,
        text=request.query_text,
        exclude_item_ids=request.exclude_item_ids,
        filter=request.filter,
        explain=wanted.explain,
        titles=not wanted.explain,
    )
