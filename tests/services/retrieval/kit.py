"""Retrieval replicas in one process: real disk, real writer threads, a reactor that the test turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from twisted.internet.task import Clock

from recmesh.rpc import Channel, Handlers, tx
from recmesh.v1 import retrieval_pb2 as pb
from recmesh.v1.common_pb2 import Item
from recmesh.v1.models_pb2 import LoadModelRequest
from recmesh.v1.models_rpc import ModelsStub
from recmesh.v1.retrieval_rpc import RetrievalStub
from services.common.models import Models
from services.common.versions import Versions
from services.retrieval.catalogue import Catalogue, bring_up_to_date, build_replica
from services.retrieval.catchup import CatchUp
from services.retrieval.changes import ChangeLog
from services.retrieval.service import Retrieval
from tests.services.kit import Turning, workers_at_once
from tests.services.tiny import CONTENT, FACTORS

NOW = 5_000.0


class Replica:
    """One retrieval service over one folder."""

    def __init__(self, folder: Path, bundle: Path, shard: int = 0, shards: int = 1) -> None:
        self.turning, self.clock, self.now = Turning(), Clock(), NOW
        folder.mkdir(exist_ok=True)
        self.shard, self.shards = shard, shards
        self.log = ChangeLog(folder, self.turning, lambda: self.now, shard, shards)
        build = partial(build_replica, log=self.log, shard=shard, shards=shards)
        self.versions = Versions(bundle, build, workers_at_once(), partial(bring_up_to_date, log=self.log))
        self.turning.result(self.versions.open())
        self.catalogue = Catalogue(self.log, self.versions)
        handlers = Handlers()
        Retrieval(self.catalogue, shard, shards, workers_at_once(), lambda: self.now).register(handlers)
        Models(self.versions, shard, shards).register(handlers)
        self.channel = Channel(handlers)
        self.stub = RetrievalStub(self.channel)

    def load(self, version: str) -> None:
        self.turning.result(ModelsStub(self.channel).load(LoadModelRequest(version=version)))

    def search(self, **fields: Any) -> pb.SearchResponse:
        return self.turning.result(self.stub.search(pb.SearchRequest(**{"count": 100, **fields})))

    def found(self, text: str, **fields: Any) -> list[str]:
        return list(self.search(text=text, sources=["title"], **fields).item_ids)

    def put(self, *records: pb.ItemRecord, version: str = "") -> int:
        request = pb.PutShardItemsRequest(bundle_version=version, records=records)
        return self.turning.result(self.stub.put_items(request)).stored

    def delete(self, *item_ids: str, changed: float = 0.0) -> int:
        request = pb.DeleteShardItemsRequest(item_ids=item_ids, changed=changed)
        return self.turning.result(self.stub.delete_items(request)).deleted

    def get(self, *item_ids: str, **fields: Any) -> Sequence[pb.ItemRecord]:
        return self.turning.result(self.stub.get_items(pb.GetItemsRequest(item_ids=item_ids, **fields))).records

    def titles(self, *item_ids: str) -> list[str]:
        return [record.item.title for record in self.get(*item_ids)]

    def changes(self, after: int = 0, limit: int = 0, version: str = "") -> Sequence[pb.ItemRecord]:
        request = pb.GetItemsRequest(bundle_version=version, changes=True, after_sequence=after, limit=limit)
        return self.turning.result(self.stub.get_items(request)).records

    def catch_up(self, peers: Mapping[str, RetrievalStub]) -> None:
        work = CatchUp(tx.Clock(self.clock), self.catalogue, peers, self.shard, self.shards)
        self.turning.result(work.once())

    def close(self) -> None:
        self.turning.result(self.log.close())


def record(item_id: str, title: str = "", changed: float = 0.0, vectors: bool = True, **fields: Any) -> pb.ItemRecord:
    """An item that stands at (1, 0, ..) in both spaces."""
    made = pb.ItemRecord(item=Item(id=item_id, title=title or item_id, **fields), changed=changed)
    if vectors:
        made.factors, made.content = unit(FACTORS), unit(CONTENT)
    return made


def unit(dimension: int, axis: int = 0) -> bytes:
    return bytes(np.eye(dimension, dtype="<f4")[axis])
