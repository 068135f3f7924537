"""SimilarItems: items like a given one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway import candidates, items
from gateway.columns import pack_doubles, pack_floats
from gateway.degradation import EMBEDDING, RANKING, RETRIEVAL
from gateway.page import Wanted, turn_to
from gateway.quality import affordable
from gateway.run import Run
from gateway.validate import check_id, check_page, check_selection, count_of
from recmesh.rpc import RpcError, Status
from recmesh.v1.common_pb2 import History
from recmesh.v1.recommender_pb2 import SimilarItemsRequest, SimilarItemsResponse
from recmesh.v1.retrieval_pb2 import ItemRecord, SearchRequest


def check(request: SimilarItemsRequest) -> None:
    check_id("item_id", request.item_id)
    check_page(request.offset, count_of(request))
    check_selection(request.filter, request.exclude_item_ids)


@dataclass(frozen=True, slots=True)
class Similar:
    """Answers a request that `check` let pass."""

    candidates_per_source: int
    new_id: Callable[[], str]

    async def __call__(self, run: Run, request: SimilarItemsRequest) -> SimilarItemsResponse:
        item = await _find(run, request.item_id)
        count, each = count_of(request), self.candidates_per_source
        wanted = affordable(run, Wanted("similar", request.offset, count, each, explain=request.explain))
        found = await candidates.search(run, _search(request, wanted, item))
        similar = await turn_to(run, wanted, found, History(item_ids=[request.item_id]))
        if not similar and run.lacks(EMBEDDING, RANKING, RETRIEVAL):  # what would tell: better popular items than none
            similar = await turn_to(run, replace(wanted, surface="recommend"), found.of("popularity"))
        return SimilarItemsResponse(
            items=similar,
            bundle_version=run.version,
            degraded=run.degraded,
            shards_total=found.shards_total,
            shards_answered=found.shards_answered,
            impression_id=self.new_id(),
            title=item.item.title,
        )


async def _find(run: Run, item_id: str) -> ItemRecord:
    """The item with its vectors; an empty record where the shard that owns it is away."""
    records = await items.fetch(run, [item_id], vectors=True)
    if item_id in records:
        return records[item_id]
    if run.lacks(RETRIEVAL):
        return ItemRecord()
    raise RpcError(Status.NOT_FOUND, f"no item {item_id!r} is in the catalogue; put it first, or check the id")


def _search(request: SimilarItemsRequest, wanted: Wanted, item: ItemRecord) -> SearchRequest:
    """As for somebody who took this one item and nothing else."""
    return SearchRequest(
        count=wanted.depths[-1],
        factors=item.factors,
        content=item.content,
        history=History(item_ids=[request.item_id], weights=pack_floats([1.0]), timestamps=pack_doubles([0.0])),
        exclude_item_ids=[request.item_id, *request.exclude_item_ids],
        filter=request.filter,
        explain=wanted.explain,
    )
