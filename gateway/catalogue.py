"""PutItems and DeleteItems: changes of the catalogue, told to every replica of the shards that own the items."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from google.protobuf.struct_pb2 import Value

from gateway.run import ANSWERS, Run, away
from gateway.validate import DELETED_ITEMS, TEXT_BYTES, check_ids, check_items
from recmesh.mesh.scatter import scatter
from recmesh.rpc import Context, RpcError, Status
from recmesh.v1.common_pb2 import Item
from recmesh.v1.embedding_pb2 import EmbedTextRequest
from recmesh.v1.recommender_pb2 import DeleteItemsRequest, DeleteItemsResponse, PutItemsRequest, PutItemsResponse
from recmesh.v1.retrieval_pb2 import DeleteShardItemsRequest, ItemRecord, PutShardItemsRequest
from recmesh.v1.retrieval_rpc import RetrievalStub

T = TypeVar("T")

REPEATS: Final = 3  # of title and categories, as in training


def check_put(request: PutItemsRequest) -> None:
    check_items(request.items)


def check_delete(request: DeleteItemsRequest) -> None:
    check_ids("item_ids", request.item_ids, DELETED_ITEMS)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Changes items. A change holds once a replica of each shard it concerns has it on disk; the others of the shard
    take it over from there."""

    wall_time: Callable[[], float]

    async def put(self, run: Run, request: PutItemsRequest) -> PutItemsResponse:
        records = {record.item.id: record for record in await _embedded(run, request.items, self.wall_time())}
        owned = run.upstreams.by_shard(records)

        def tell(shard: int, replica: RetrievalStub, context: Context) -> Coroutine[Any, Any, Any]:
            part = [records[item_id] for item_id in owned[shard]]
            return replica.put_items(PutShardItemsRequest(bundle_version=run.version, records=part), context)

        told = await _tell(run, owned, tell)
        return PutItemsResponse(stored=len(records), replicas_asked=told.asked, replicas_acknowledged=told.acknowledged)

    async def delete(self, run: Run, request: DeleteItemsRequest) -> DeleteItemsResponse:
        owned, changed = run.upstreams.by_shard(request.item_ids), self.wall_time()

        def tell(shard: int, replica: RetrievalStub, context: Context) -> Coroutine[Any, Any, Any]:
            return replica.delete_items(DeleteShardItemsRequest(item_ids=owned[shard], changed=changed), context)

        told = await _tell(run, owned, tell)
        return DeleteItemsResponse(
            # A replica may lag behind its peers: the one that had the most had them all.
            deleted=sum(max(answer.deleted for answer in answers) for answers in told.answers.values()),
            replicas_asked=told.asked,
            replicas_acknowledged=told.acknowledged,
        )


@dataclass(frozen=True, slots=True)
class _Told(Generic[T]):
    """Which replicas took a change."""

    asked: int
    answers: Mapping[int, Sequence[T]]  # by shard, one or more

    @property
    def acknowledged(self) -> int:
        return sum(map(len, self.answers.values()))


async def _tell(
    run: Run,
    shards: Mapping[int, object],
    tell: Callable[[int, RetrievalStub, Context], Coroutine[Any, Any, T]],
) -> _Told[T]:
    """Tells every replica of the shards; raises unless one of each took it."""
    context = run.context()
    told = [(shard, replica) for shard in shards for replica in run.upstreams.shards[shard].replicas]
    gathered = await scatter(
        run.clock,
        [tell(shard, replica, context) for shard, replica in told],
        context.deadline,
        patience=1.0,
        quorum=0,
    )
    answers: dict[int, list[T]] = {shard: [] for shard in shards}
    failures: dict[int, list[RpcError]] = {shard: [] for shard in shards}
    for place, answer in gathered.answers.items():
        answers[told[place][0]].append(answer)
    for place, error in gathered.failures.items():
        failures[told[place][0]].append(error)
    for shard in shards:
        if not answers[shard]:
            raise _not_taken(run, shard, failures[shard])
    return _Told(gathered.total, answers)


def _not_taken(run: Run, shard: int, failures: Sequence[RpcError]) -> RpcError:
    for error in failures:
        if error.status in ANSWERS:
            return RpcError(error.status, error.message)
    reasons = "; ".join(map(str, failures))
    return away(
        f"no replica of {run.upstreams.shards[shard]} took the change: {reasons}. "
        "Items of other shards may have changed; repeating the call does no harm",
        next((error for error in failures if error.status is Status.RESOURCE_EXHAUSTED), None),
    )


async def _embedded(run: Run, items: Sequence[Item], changed: float) -> list[ItemRecord]:
    """The items and where they stand in both spaces. All replicas are told the same time of the change."""
    if not items:
        return []
    request = EmbedTextRequest(bundle_version=run.version, texts=[item_text(item) for item in items])
    try:
        answer = await run.upstreams.embedding.embed_text(request, run.context())
    except RpcError as error:
        run.do_without("embedding", error)
        raise away(f"nothing was stored, because embedding is away: {error}", error) from error
    factors, contents = _rows(answer.factors, len(items)), _rows(answer.contents, len(items))
    return [
        ItemRecord(item=item, factors=row, content=content, is_new=True, changed=changed)
        for item, row, content in zip(items, factors, contents, strict=True)
    ]


def _rows(matrix: bytes, count: int) -> list[bytes]:
    width = len(matrix) // count
    return [matrix[row * width : (row + 1) * width] for row in range(count)]


def item_text(item: Item) -> str:
    """The text an item is embedded from, as in training; no longer than embedding takes."""
    lines = [item.title, " ".join(item.categories)] * REPEATS
    values = (" ".join(_words(item.attributes.fields[name])) for name in sorted(item.attributes.fields))
    text = "\n".join(filter(None, [*lines, item.text, *values]))
    return text.encode()[:TEXT_BYTES].decode(errors="ignore")


def _words(value: Value) -> Iterator[str]:
    """Numbers and truths describe nothing in words."""
    if value.HasField("string_value"):
        yield value.string_value
    elif value.HasField("list_value"):
        for each in value.list_value.values:
            if each.HasField("string_value"):
                yield each.string_value
