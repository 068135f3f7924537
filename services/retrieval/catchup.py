"""What this replica missed while it was away, from its peers: their changes after the last one it has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from twisted.internet.defer import CancelledError

from recmesh.ops.log import Logger
from recmesh.rpc.clock import Clock
from recmesh.rpc.status import RpcError
from recmesh.v1 import retrieval_pb2 as pb
from recmesh.v1.retrieval_rpc import RetrievalStub
from services.retrieval.catalogue import Catalogue
from services.retrieval.changes import Change
from services.retrieval.records import check_item, check_shard

PAGE: Final = 200  # changes applied at once; of these the reactor is busy for a few milliseconds


class CatchUp:
    """Asks every peer in turn, for each loaded version: the vectors of an item come with the version they belong to."""

    def __init__(
        self, clock: Clock, catalogue: Catalogue, peers: Mapping[str, RetrievalStub], shard: int, shards: int
    ) -> None:
        self._clock = clock
        self._catalogue = catalogue
        self._peers = peers
        self._shard = shard
        self._shards = shards
        self._away: set[str] = set()
        self._log = Logger("services.retrieval")

    async def run(self, every: float) -> None:
        """Until it is cancelled."""
        while True:
            await self._clock.sleep(every)
            try:
                await self.once()
            except CancelledError:
                raise
            except Exception as error:
                self._log.error("catching up failed", error)

    async def once(self) -> None:
        """A peer that does not answer is asked again the next time."""
        for peer, stub in self._peers.items():
            try:
                for loaded in list(self._catalogue.versions):
                    await self._read(peer, stub, loaded.version)
                self._answered(peer)
            except RpcError as error:
                self._did_not_answer(peer, error)

    async def _read(self, peer: str, stub: RetrievalStub, version: str) -> None:
        after = self._catalogue.log.cursor(peer, version)
        while True:
            request = pb.GetItemsRequest(bundle_version=version, changes=True, after_sequence=after, limit=PAGE)
            records = (await stub.get_items(request)).records
            if not records or records[-1].sequence <= after:
                return
            after = records[-1].sequence
            changes = self._changes(peer, version, records)
            await self._catalogue.change(changes, (peer, version, after))

    def _changes(self, peer: str, version: str, records: Sequence[pb.ItemRecord]) -> Sequence[Change]:
        changes: list[Change] = []
        for record in records:
            try:
                changes.append(change_of(record, version, self._shard, self._shards))
            except RpcError as error:  # of a peer that is another shard's: one bad record must not stop the rest
                self._log.warning("a peer's change is left out", peer=peer, error=error.message)
        return changes

    def _answered(self, peer: str) -> None:
        if peer in self._away:
            self._away.remove(peer)
            self._log.info("caught up with a peer that was away", peer=peer)

    def _did_not_answer(self, peer: str, error: RpcError) -> None:
        if peer not in self._away:
            self._away.add(peer)
            self._log.warning("a peer does not tell what this replica missed", peer=peer, error=str(error))


def change_of(record: pb.ItemRecord, version: str, shard: int, shards: int) -> Change:
    """RpcError INVALID_ARGUMENT for an item this shard cannot hold."""
    check_item("records", record.item)
    check_shard("records", record.item.id, shard, shards)
    if record.deleted:
        return Change(record.item.id, record.changed, True)
    vectors = {version: (record.factors, record.content)} if record.factors or record.content else {}
    return Change(record.item.id, record.changed, False, record.item.SerializeToString(deterministic=True), vectors)
