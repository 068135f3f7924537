"""SearchItems: items that match a text, by meaning, by title and by their words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway import candidates, vectors
from gateway.degradation import EMBEDDING
from gateway.page import Wanted, turn_to
from gateway.quality import affordable
from gateway.run import Run
from gateway.validate import check_page, check_query, check_selection, count_of
from gateway.vectors import Vectors
from recmesh.v1.recommender_pb2 import SearchItemsRequest, SearchItemsResponse
from recmesh.v1.retrieval_pb2 import SearchRequest


def check(request: SearchItemsRequest) -> None:
    check_query("query", request.query)
    check_page(request.offset, count_of(request))
    check_selection(request.filter, request.exclude_item_ids)


@dataclass(frozen=True, slots=True)
class Search:
    """Answers a request that `check` let pass."""

    candidates_per_source: int
    new_id: Callable[[], str]

    async def __call__(self, run: Run, request: SearchItemsRequest) -> SearchItemsResponse:
        meaning = await vectors.of_text(run, request.query) or Vectors()
        count, each = count_of(request), self.candidates_per_source
        wanted = affordable(run, Wanted("search", request.offset, count, each, explain=request.explain))
        search = SearchRequest(
            count=wanted.depths[-1],
            content=meaning.content,
            text=request.query,
            exclude_item_ids=request.exclude_item_ids,
            filter=request.filter,
        )
        found = await candidates.search(run, search)
        matching = await turn_to(run, wanted, found, asked=True)
        if not matching and run.lacks(EMBEDDING):  # which knows what the words mean: better popular items than none
            matching = await turn_to(run, replace(wanted, surface="recommend"), found.of("popularity"))
        return SearchItemsResponse(
            items=matching,
            bundle_version=run.version,
            degraded=run.degraded,
            shards_total=found.shards_total,
            shards_answered=found.shards_answered,
            impression_id=self.new_id(),
        )
