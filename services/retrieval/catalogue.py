"""The shard's items: every loaded bundle version with the stored changes on top, kept in step with the log.

An item that was put stands in the spaces of the bundle versions its vectors were made for. In any other version it has
no place in them and is found by its title alone, until it is put again with that version's vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np

from models.bundle import Bundle
from models.catalogue import ItemRecord
from models.data import Float32
from models.sasrec import Network
from models.shard import ItemShard
from recmesh.v1 import common_pb2
from services.common.columns import FLOAT32
from services.common.versions import Loaded, Versions
from services.retrieval.changes import Change, ChangeLog
from services.retrieval.records import to_info

PAGE: Final = 1_000  # changes read at a time where all are, so that memory stays bounded


@dataclass(slots=True)
class Replica:
    """The shard as one bundle version knows it."""

    version: str
    items: ItemShard
    factor_dimension: int
    content_dimension: int
    sequence_dimension: int
    applied: int = 0  # up to here, by sequence number, it was given the log

    def apply(self, changes: Sequence[Change]) -> int:
        """In their order. How many of the items that were deleted had been there."""
        removed = 0
        for deleted, run in groupby(changes, key=lambda change: change.deleted):
            if deleted:
                removed += self.items.delete([change.item_id for change in run])
            else:
                self.items.put([self._record(change) for change in run])
        self.applied = max([self.applied, *(change.sequence for change in changes)])
        return removed

    def _record(self, change: Change) -> ItemRecord:
        factors, content = change.vectors.get(self.version, (b"", b""))
        info = to_info(common_pb2.Item.FromString(change.item))
        return ItemRecord(info, _vector(factors, self.factor_dimension), _vector(content, self.content_dimension))


def _vector(data: bytes, dimension: int) -> Float32:
    """Zeros where there is none of this length."""
    if len(data) != dimension * FLOAT32.itemsize:
        return np.zeros(dimension, np.float32)
    return np.frombuffer(data, FLOAT32).astype(np.float32)


def build_replica(bundle: Bundle, log: ChangeLog, shard: int, shards: int) -> Replica:
    """The bundle's items of this shard and the changes stored so far. For a worker thread."""
    dimensions = [int(bundle.array(name).shape[1]) for name in ("item_factors", "item_contents")]
    network = Network.of(bundle)
    dimensions.append(network.dimension if network is not None else 0)
    replica = Replica(bundle.version, ItemShard(bundle, shard, shards), *dimensions)
    reader = log.reader()
    try:
        while changes := log.after(replica.applied, replica.version, PAGE, reader):
            replica.apply(changes)
    finally:
        reader.close()
    return replica


def bring_up_to_date(loaded: Loaded[Replica], log: ChangeLog) -> None:
    """Applies what was stored while the replica was built. For the reactor's thread, where changes are applied."""
    loaded.model.apply(log.after(loaded.model.applied, loaded.version))


class Catalogue:
    """Puts and deletes: in the log first, then in all loaded versions."""

    def __init__(self, log: ChangeLog, versions: Versions[Replica]) -> None:
        self.log = log
        self.versions = versions

    async def change(self, changes: Sequence[Change], cursor: tuple[str, str, int] | None = None) -> int:
        """Returns when they are on disk and can be found: how many items the newest version has lost."""
        removed = 0

        def committed(held: Sequence[Change]) -> None:
            nonlocal removed
            counts = [loaded.model.apply(held) for loaded in self.versions]
            removed = counts[0]

        await self.log.write(changes, committed, cursor)
        return removed
