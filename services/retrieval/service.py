"""The Retrieval service."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from models.filters import FilterError
from models.shard import Candidates, Query
from models.sources import SOURCES, SURFACES
from recmesh.rpc.call import Context
from recmesh.rpc.status import RpcError, Status
from recmesh.v1 import common_pb2
from recmesh.v1 import retrieval_pb2 as pb
from recmesh.v1.retrieval_rpc import RetrievalBase
from services.common.checks import (
    MOST_EXCLUDED,
    check_count,
    check_different,
    check_ids,
    check_text,
    invalid,
    shown,
    up_to,
)
from services.common.columns import history, packed, packed_int32, vector
from services.common.versions import Loaded
from services.common.workers import Workers
from services.retrieval.catalogue import Catalogue, Replica
from services.retrieval.catchup import change_of
from services.retrieval.changes import Change
from services.retrieval.records import check_shard, to_message

MOST_COUNT: Final = 1_000  # candidates a source; the contract's
MOST_ITEMS: Final = 1_000  # ids, records or changes of one call
LONGEST_QUERY: Final = 4_096  # bytes; the gateway's contract
LONGEST_FILTER: Final = 16_384  # bytes: what the characters a filter may have can take
ANSWER_BYTES: Final = 3 << 20  # of records in one answer; a whole message may have a megabyte more
MOST_TITLES: Final = 1 << 18  # characters of one answer: a quarter of a message at most
MOST_AHEAD: Final = 300.0  # seconds: a change from further ahead would keep honest ones out for as long


class Retrieval(RetrievalBase):
    """Finds and keeps the items of one shard."""

    def __init__(
        self, catalogue: Catalogue, shard: int, shards: int, workers: Workers, now: Callable[[], float] = time.time
    ) -> None:
        self._catalogue = catalogue
        self._shard = shard
        self._shards = shards
        self._workers = workers
        self._now = now

    async def search(self, request: pb.SearchRequest, context: Context) -> pb.SearchResponse:
        """On the reactor's thread: a search takes less than the two ways through a thread."""
        loaded = self._catalogue.versions.get(request.bundle_version)
        query = _query(request, loaded.model)
        try:
            found = loaded.model.items.search(query)
        except FilterError as error:
            raise invalid("filter", str(error)) from error
        return _answer(found, loaded.version, self._shard)

    async def put_items(self, request: pb.PutShardItemsRequest, context: Context) -> pb.PutShardItemsResponse:
        check_count("records", request.records, MOST_ITEMS)
        check_different("records", [record.item.id for record in request.records])
        loaded = self._catalogue.versions.get(request.bundle_version)
        await self._catalogue.change([self._change(record, loaded) for record in request.records])
        return pb.PutShardItemsResponse(stored=len(request.records))

    async def delete_items(self, request: pb.DeleteShardItemsRequest, context: Context) -> pb.DeleteShardItemsResponse:
        check_ids("item_ids", request.item_ids, MOST_ITEMS)
        check_different("item_ids", request.item_ids)
        changed = self._when("changed", request.changed)
        for place, item_id in enumerate(request.item_ids):
            check_shard(f"item_ids[{place}]", item_id, self._shard, self._shards)
        deleted = await self._catalogue.change([Change(each, changed, deleted=True) for each in request.item_ids])
        return pb.DeleteShardItemsResponse(deleted=deleted)

    async def get_items(self, request: pb.GetItemsRequest, context: Context) -> pb.GetItemsResponse:
        if request.changes:
            return await self._changes(request, context)
        check_ids("item_ids", request.item_ids, MOST_ITEMS)
        loaded = self._catalogue.versions.get(request.bundle_version)
        records = [
            to_message(record, text=request.include_text, vectors=request.include_vectors)
            for record in loaded.model.items.get(request.item_ids)
        ]
        if len(up_to(ANSWER_BYTES, records)) < len(records):
            message = "these items do not fit into one answer; ask for fewer, or without text and vectors"
            raise RpcError(Status.RESOURCE_EXHAUSTED, message)
        return pb.GetItemsResponse(bundle_version=loaded.version, records=records)

    async def _changes(self, request: pb.GetItemsRequest, context: Context) -> pb.GetItemsResponse:
        """Of any version: a peer may have loaded one that this replica has not, and its vectors are kept here too."""
        if request.limit > MOST_ITEMS:
            raise invalid("limit", f"at most {MOST_ITEMS:,}")
        version = request.bundle_version or self._catalogue.versions.get("").version
        log, after, limit = self._catalogue.log, request.after_sequence, request.limit or MOST_ITEMS

        def read() -> Sequence[pb.ItemRecord]:
            reader = log.reader()
            try:
                return up_to(
                    ANSWER_BYTES, (_record(each, version) for each in log.after(after, version, limit, reader))
                )
            finally:
                reader.close()

        nothing = after >= log.last_sequence()
        records = () if nothing else await self._workers.run(read, context.deadline)
        return pb.GetItemsResponse(bundle_version=version, records=records)

    def _change(self, record: pb.ItemRecord, loaded: Loaded[Replica]) -> Change:
        vector("factors", record.factors, loaded.model.factor_dimension)
        vector("content", record.content, loaded.model.content_dimension)
        record.changed = self._when("changed", record.changed)
        return change_of(record, loaded.version, self._shard, self._shards)

    def _when(self, field: str, changed: float) -> float:
        now = self._now()
        if not (math.isfinite(changed) and 0 <= changed <= now + MOST_AHEAD):
            raise invalid(field, f"{changed:g} is no Unix time up to now")
        return changed or now


def _query(request: pb.SearchRequest, replica: Replica) -> Query:
    if not 1 <= request.count <= MOST_COUNT:
        raise invalid("count", f"1 to {MOST_COUNT:,}, not {request.count:,}")
    if unknown := sorted(set(request.sources) - set(SOURCES)):
        raise invalid("sources", f"{shown(unknown[0])} is none of {', '.join(SOURCES)}")
    if request.surface and request.surface not in SURFACES:
        raise invalid("surface", f"{shown(request.surface)} is none of {', '.join(SURFACES)}")
    check_text("text", request.text, LONGEST_QUERY)
    check_text("filter", request.filter, LONGEST_FILTER)
    exclude = list(request.exclude_item_ids)
    check_ids("exclude_item_ids", exclude, MOST_EXCLUDED)
    return Query(
        factors=vector("factors", request.factors, replica.factor_dimension),
        content=vector("content", request.content, replica.content_dimension),
        sequence=vector("sequence", request.sequence, replica.sequence_dimension),
        history=history("history", request.history) if request.HasField("history") else None,
        text=request.text,
        surface=request.surface,
        count=request.count,
        sources=frozenset(request.sources) or None,
        exclude=exclude,
        filter=request.filter,
        explain=request.explain,
        titles=request.titles,
    )


def _answer(found: Candidates, version: str, shard: int) -> pb.SearchResponse:
    return pb.SearchResponse(
        bundle_version=version,
        shard=shard,
        item_ids=found.item_ids,
        sources=[
            common_pb2.SourceScores(
                source=source,
                scores=packed(scores),
                because=packed_int32(found.because[source]) if source in found.because else b"",
            )
            for source, scores in found.scores.items()
        ],
        is_new=packed(found.is_new, np.dtype(np.uint8)),
        titles=found.titles if sum(map(len, found.titles)) <= MOST_TITLES else (),
    )


def _record(change: Change, version: str) -> pb.ItemRecord:
    item = common_pb2.Item.FromString(change.item)
    item.id = change.item_id
    factors, content = change.vectors.get(version, (b"", b""))
    return pb.ItemRecord(
        item=item,
        factors=factors,
        content=content,
        is_new=not change.deleted,
        deleted=change.deleted,
        changed=change.changed,
        sequence=change.sequence,
    )
