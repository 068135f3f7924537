"""Ranking: candidates in their final order, by the ranking service or, while that is away, by plain means."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.candidates import Candidates
from gateway.columns import INT, floats, ints
from gateway.run import Run
from recmesh.rpc import RpcError, Status
from recmesh.v1.common_pb2 import History, SourceScores
from recmesh.v1.ranking_pb2 import RankRequest

RANKING_SHARE: Final = 0.75
"""Of the time left. Ranking takes most of a page's time and only the titles come after it: while one replica does the
work of two, an answer that comes later is worth more than a plain one."""

NEW: Final = "new"  # the source of items that came after the bundle: it proposes, the other sources judge

ABOVE_ZERO: Final = frozenset({"itemknn", "transitions", "ease", "rp3beta", "popularity", "trending", "title", "words"})
"""Sources that count what speaks for an item: they propose only what has a score above zero."""

PLAIN_SOURCES: Final[Mapping[str, frozenset[str]]] = {
    "recommend": frozenset({"ials", "itemknn", "transitions", "popularity", "title", "words"}),
    "similar": frozenset({"ials", "itemknn", "transitions", "content"}),
    "search": frozenset({"content", "title", "words"}),
}
"""Who has a say while ranking is away: on each surface the sources that propose for it."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates in order."""

    order: Sequence[int]  # indices into the candidates, best first
    scores: Sequence[float]  # in that order
    contributions: Mapping[str, Sequence[float]]  # what each source added to these scores, in that order


async def rank(
    run: Run, surface: str, candidates: Candidates, count: int, depths: Sequence[int], history: History | None = None
) -> Ranked:
    """The best `count` (0: all): those among each source's best `depths[0]` over all shards, and behind them those
    among its best `depths[1]` where there is such a number. `history`: what the candidates were searched with."""
    ranked = await _rank(run, surface, candidates, count, depths[0], history)
    if len(depths) == 1 or len(ranked.order) >= count > 0:
        return ranked
    return followed(ranked, await _rank(run, surface, candidates, 0, depths[1], history))


def followed(first: Ranked, second: Ranked) -> Ranked:
    """All of `first`, then what only `second` has. Its scores are lowered together until none is above those before."""
    taken = set(first.order)
    rest = [rank for rank, place in enumerate(second.order) if place not in taken]
    best = second.scores[rest[0]] if rest else 0.0
    lowered = max(0.0, best - first.scores[-1]) if first.scores else 0.0
    nothing = [0.0] * len(first.order)
    return Ranked(
        [*first.order, *(second.order[rank] for rank in rest)],
        [*first.scores, *(second.scores[rank] - lowered for rank in rest)],
        {
            source: [*first.contributions.get(source, nothing), *(column[rank] for rank in rest)]
            for source, column in second.contributions.items()
        },
    )


async def _rank(
    run: Run, surface: str, candidates: Candidates, count: int, candidates_per_source: int, history: History | None
) -> Ranked:
    request = RankRequest(
        bundle_version=run.version,
        surface=surface,
        item_ids=candidates.item_ids,
        sources=[SourceScores(source=source, scores=scores) for source, scores in candidates.scores.items()],
        count=count,
        candidates_per_source=candidates_per_source,
        history=history,
    )
    ranked = await run.unless_away("ranking", _ask(run, request))
    return plain(surface, candidates, count, candidates_per_source) if ranked is None else ranked


async def _ask(run: Run, request: RankRequest) -> Ranked:
    try:
        answer = await run.upstreams.ranking.rank(request, run.context(RANKING_SHARE))
    except RpcError as error:
        if error.status is not Status.INVALID_ARGUMENT:
            raise
        # What a caller has asked for was taken by the stages before: this is about what they answered.
        raise RpcError(Status.INTERNAL, f"ranking refused the candidates: {error.message}") from error
    sizes = {len(answer.order), len(answer.scores), *(len(column.scores) for column in answer.contributions)}
    if len(sizes) > 1 or len(answer.order) % INT:
        raise RpcError(Status.INTERNAL, f"ranking answered columns of {sorted(sizes)} bytes")
    order, amount = ints(answer.order), len(request.item_ids)
    if order and not 0 <= min(order) <= max(order) < amount:
        raise RpcError(Status.INTERNAL, f"ranking answered places that are none of the {amount} candidates'")
    contributions = {column.source: floats(column.scores) for column in answer.contributions}
    return Ranked(order, floats(answer.scores), contributions)


def plain(surface: str, candidates: Candidates, count: int, candidates_per_source: int) -> Ranked:
    """By the mean over the sources of 1 for a source's best candidate, down to 0 for what it does not propose."""
    item_ids = candidates.item_ids
    votes = {
        source: _votes(source, floats(column), item_ids, candidates_per_source)
        for source, column in candidates.scores.items()
        if source in PLAIN_SOURCES[surface]
    }
    mean = dict[int, float]()
    for given in votes.values():
        for place, vote in given.items():
            mean[place] = mean.get(place, 0.0) + vote / len(votes)
    order = sorted(mean, key=lambda place: (-mean[place], item_ids[place]))[: count or None]
    contributions = {source: [given.get(place, 0.0) / len(votes) for place in order] for source, given in votes.items()}
    return Ranked(order, [mean[place] for place in order], contributions)


def _votes(source: str, scores: Sequence[float], item_ids: Sequence[str], most: int) -> Mapping[int, float]:
    least = 0.0 if source in ABOVE_ZERO else -math.inf
    proposed = [place for place, score in enumerate(scores) if score > least]  # never NaN
    best = sorted(proposed, key=lambda place: (-scores[place], item_ids[place]))[:most]
    return {place: 1.0 - rank / len(best) for rank, place in enumerate(best)}
