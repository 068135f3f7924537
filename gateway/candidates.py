"""Candidates: what the shards of the catalogue propose, joined."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.columns import FLOAT, INT, NO_ENTRY, NO_OPINION
from gateway.run import Run, away
from gateway.upstreams import Shard
from recmesh.mesh.scatter import scatter
from recmesh.rpc import Context, RpcError, Status
from recmesh.v1.common_pb2 import SourceScores
from recmesh.v1.retrieval_pb2 import SearchRequest, SearchResponse

DEVIATIONS: Final = 6  # above the mean


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items that some source proposed, with every source's opinion of each, as columns."""

    item_ids: Sequence[str]
    scores: Mapping[str, bytes]  # float32 by source; NaN: no opinion
    because: Mapping[str, bytes]  # int32 by source: the entry of the history that spoke most for it
    is_new: bytes  # one byte each
    shards_total: int
    shards_answered: int
    titles: Sequence[Sequence[str]] = ()  # of the items, shard by shard; empty: not told

    def title(self, place: int) -> str:
        """Of few items: most are never shown."""
        for titles in self.titles:
            if place < len(titles):
                return titles[place]
            place -= len(titles)
        raise IndexError(place)

    def of(self, source: str) -> Candidates:
        """The same with the opinions of one source alone."""
        scores = {source: self.scores[source]} if source in self.scores else {}
        return replace(self, scores=scores, because={})


async def search(run: Run, request: SearchRequest) -> Candidates:
    """Asks every shard. Some may be away; UNAVAILABLE where all are, and what a shard has against the request.

    `request.count`: how many candidates of each source there are to be of all shards together, at least.
    """
    shards, context = run.upstreams.shards, run.context()
    request.bundle_version = run.version
    request.count = of_each(request.count, len(shards))
    gathered = await scatter(run.clock, [_ask(shard, request, context) for shard in shards], context.deadline, quorum=0)
    for error in gathered.failures.values():
        run.do_without("retrieval", error)
    if not gathered.answers:
        failures = "; ".join(f"{shards[shard]}: {error}" for shard, error in gathered.failures.items())
        raise away(f"no part of the catalogue answers: {failures}")
    return _join(list(gathered.answers.values()), gathered.total)


def of_each(count: int, shards: int) -> int:
    """How many of a source's best each shard is asked for, so that the best `count` of all shards are among them.

    An item's shard is a hash of its id, so the number of the best that one shard holds is binomial. It exceeds its mean
    by more than this once in a hundred million times, and then the last of `count` is missing.
    """
    mean = count / shards
    return min(count, math.ceil(mean + DEVIATIONS * math.sqrt(mean * (1 - 1 / shards)) + DEVIATIONS))


async def _ask(shard: Shard, request: SearchRequest, context: Context) -> SearchResponse:
    answer = await shard.retrieval.search(request, context)
    amount = len(answer.item_ids)
    sizes = [(column.source, len(column.scores), amount * FLOAT) for column in answer.sources]
    sizes += [(column.source, len(column.because), amount * INT) for column in answer.sources if column.because]
    sizes += [("is_new", len(answer.is_new), amount)] if answer.is_new else []
    for name, size, expected in sizes:
        if size != expected:  # one short column would give every later candidate another's score
            message = f"{shard} answered a column {name!r} of {size} bytes instead of {expected}"
            raise RpcError(Status.INTERNAL, message)
    return answer


def _join(answers: Sequence[SearchResponse], total: int) -> Candidates:
    """The columns of all shards one after the other; a shard that says nothing of a source has no opinion."""
    by_source = [{column.source: column for column in answer.sources} for answer in answers]
    amounts = [len(answer.item_ids) for answer in answers]
    scores, because = dict[str, bytes](), dict[str, bytes]()
    for source in dict.fromkeys(source for columns in by_source for source in columns):
        columns = [columns.get(source, SourceScores()) for columns in by_source]
        scores[source] = _column((column.scores for column in columns), amounts, NO_OPINION)
        if any(column.because for column in columns):
            because[source] = _column((column.because for column in columns), amounts, NO_ENTRY)
    return Candidates(
        item_ids=[item_id for answer in answers for item_id in answer.item_ids],
        scores=scores,
        because=because,
        is_new=_column((answer.is_new for answer in answers), amounts, b"\0"),
        shards_total=total,
        shards_answered=len(answers),
        titles=[answer.titles for answer in answers] if all(map(_titled, answers)) else (),
    )


def _titled(answer: SearchResponse) -> bool:
    return len(answer.titles) == len(answer.item_ids)


def _column(parts: Iterable[bytes], amounts: Iterable[int], filler: bytes) -> bytes:
    return b"".join(part or filler * amount for part, amount in zip(parts, amounts, strict=True))
