"""Items of the catalogue by id, from the shards that own them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from gateway.run import Run
from recmesh.mesh.scatter import scatter
from recmesh.v1.retrieval_pb2 import GetItemsRequest, ItemRecord

MOST_IDS: Final = 1_000  # of one call to a shard


async def fetch(run: Run, item_ids: Iterable[str], vectors: bool = False) -> Mapping[str, ItemRecord]:
    """By id; without those that nobody has and those whose shard is away."""
    context = run.context()
    questions = [
        run.upstreams.shards[shard].retrieval.get_items(
            GetItemsRequest(
                bundle_version=run.version, item_ids=ids[begin : begin + MOST_IDS], include_vectors=vectors
            ),
            context,
        )
        for shard, ids in run.upstreams.by_shard(item_ids).items()
        for begin in range(0, len(ids), MOST_IDS)
    ]
    gathered = await scatter(run.clock, questions, context.deadline, quorum=0)
    for error in gathered.failures.values():
        run.do_without("retrieval", error)
    return {record.item.id: record for answer in gathered.answers.values() for record in answer.records}
