"""Items of the catalogue by id, from the shards that own them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.run import Run
from recmesh.mesh.scatter import scatter
from recmesh.v1.retrieval_pb2 import GetItemsRequest, ItemRecord


async def fetch(run: Run, item_ids: Iterable[str], vectors: bool = False) -> Mapping[str, ItemRecord]:
    """By id; without those that nobody has and those whose shard is away."""
    owned = run.upstreams.by_shard(item_ids)
    context = run.context()
    questions = [
        run.upstreams.shards[shard].retrieval.get_items(
            GetItemsRequest(bundle_version=run.version, item_ids=ids, include_vectors=vectors), context
        )
        for shard, ids in owned.items()
    ]
    gathered = await scatter(run.clock, questions, context.deadline)
    for error in gathered.failures.values():
        run.do_without("retrieval", error)
    return {record.item.id: record for answer in gathered.answers.values() for record in answer.records}
