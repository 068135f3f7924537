"""Page: from ranked candidates to the items of an answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from gateway import items
from gateway.candidates import Candidates
from gateway.columns import floats, ints
from gateway.diversity import rearrange, unit_vectors, window_of
from gateway.fresh import proposed, with_fresh
from gateway.ranking import NEW, Ranked, rank
from gateway.reasons import Explaining, topics_of
from gateway.run import Run
from gateway.validate import PAGE_ITEMS
from recmesh.v1.common_pb2 import History, ScoredItem


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of the list is wanted, and how it is made."""

    surface: str  # "recommend", "similar" or "search"
    offset: int
    count: int
    candidates_per_source: int
    diversity: float = 0.0
    fresh_share: float = 0.0
    explain: bool = False

    @property
    def end(self) -> int:
        return self.offset + self.count

    @property
    def window(self) -> int:
        return window_of(self.count) if self.diversity else 1

    @property
    def last(self) -> int:
        """Where the page's last window ends."""
        return self.window * math.ceil(self.end / self.window)

    @property
    def depths(self) -> Sequence[int]:
        """How many each source proposes, one number a part of the list.

        Which candidates there are decides how they are scored. So there are two numbers for all pages, and not one for
        each: otherwise an item would stand on several pages, and others on none.
        """
        each = self.candidates_per_source
        return (each,) if self.last <= each else (each, PAGE_ITEMS)


async def turn_to(
    run: Run, wanted: Wanted, candidates: Candidates, history: History | None = None, asked: bool = False
) -> list[ScoredItem]:
    """The items of the page. `history`: what the search was made with; `asked`: it was made with a text."""
    if not candidates.item_ids:
        return []
    window, last = wanted.window, wanted.last
    fresh = proposed(candidates) if wanted.fresh_share else []
    amount = 0 if fresh else last  # 0: all, for a fresh item may stand far down
    lived = history if wanted.surface == "recommend" else None  # that of a similar item is made up
    ranked = await rank(run, wanted.surface, candidates, amount, wanted.depths, lived)
    order = list(ranked.order)
    if wanted.diversity:
        first = max(0, wanted.offset - len(fresh)) // window * window  # fresh items move others down, into the page
        order[first:last] = await _diversified(run, wanted.diversity, candidates, ranked, range(first, last, window))
    places = with_fresh(order, candidates, fresh, wanted.fresh_share, wanted.end)
    return await _Page(run, wanted, candidates, ranked, history or History(), asked).items(places)


async def _diversified(run: Run, diversity: float, candidates: Candidates, ranked: Ranked, windows: range) -> list[int]:
    """The order of the windows that begin at `windows`, each of them rearranged."""
    ids = [candidates.item_ids[place] for place in ranked.order[windows.start : windows.stop]]
    vectors = unit_vectors(ids, await items.fetch(run, ids, vectors=True))
    order = list[int]()
    for begin in windows:
        span = slice(begin, begin + windows.step)
        own = slice(begin - windows.start, begin - windows.start + windows.step)
        places = ranked.order[span]
        if places:
            order += [places[each] for each in rearrange(ranked.scores[span], vectors[own], diversity)]
            await run.clock.sleep(0)  # the calls of others go on between two windows
    return order


class _Page:
    """Turns places among the candidates into items with titles, sources and reasons."""

    def __init__(
        self, run: Run, wanted: Wanted, candidates: Candidates, ranked: Ranked, history: History, asked: bool
    ) -> None:
        self._run = run
        self._wanted = wanted
        self._candidates = candidates
        self._ranked = ranked
        self._rank_of = {place: rank for rank, place in enumerate(ranked.order)}
        self._scores = {source: floats(column) for source, column in candidates.scores.items()}
        because = {source: ints(column) for source, column in candidates.because.items()}
        self._explaining = Explaining(wanted.surface, history.item_ids, floats(history.weights), asked, because)

    async def items(self, places: Sequence[int]) -> list[ScoredItem]:
        ids, is_new = self._candidates.item_ids, self._candidates.is_new
        scores = self._scores_of(places)
        page = places[self._wanted.offset :]
        sources = [self._sources_of(place, bool(is_new[place])) for place in page]
        drafts = [
            self._explaining.draft(place, spoke, bool(is_new[place])) if self._wanted.explain else []
            for place, spoke in zip(page, sources, strict=True)
        ]
        titles, topics = await self._told(page, [draft.item_id for each in drafts for draft in each if draft.item_id])

        def shared(one: str, other: str) -> str:
            return next((topic for topic in topics.get(one, ()) if topic in topics.get(other, ())), "")

        return [
            ScoredItem(
                id=ids[place],
                score=score,
                title=titles.get(ids[place], ""),
                sources=spoke,
                reasons=[draft(titles.get, partial(shared, ids[place])) for draft in why],
            )
            for place, score, spoke, why in zip(page, scores[self._wanted.offset :], sources, drafts, strict=True)
        ]

    async def _told(
        self, page: Sequence[int], named: Sequence[str]
    ) -> tuple[Mapping[str, str], Mapping[str, Sequence[str]]]:
        """Titles and topics by id. Titles that came with the candidates are enough where no reason is asked for."""
        ids = self._candidates.item_ids
        if self._candidates.titles and not self._wanted.explain:
            return {ids[place]: self._candidates.title(place) for place in page}, {}
        records = await items.fetch(self._run, [*(ids[place] for place in page), *named])
        titles = {item_id: record.item.title for item_id, record in records.items()}
        return titles, {item_id: topics_of(record.item) for item_id, record in records.items()}

    def _scores_of(self, places: Sequence[int]) -> list[float]:
        """What ranking gave. An item it left out has the score of the one it is put behind."""
        scores = list[float]()
        for place in places:
            rank = self._rank_of.get(place)
            scores.append(self._ranked.scores[rank] if rank is not None else scores[-1] if scores else 0.0)
        return scores

    def _sources_of(self, place: int, is_new: bool) -> list[str]:
        """The sources that raised the item, the strongest first; where none did, the one that harmed it least."""
        given = self._contributions_of(place)
        ordered = sorted(given, key=lambda source: (-given[source], source))
        speaking = [source for source in ordered if self._scores[source][place] > 0]
        spoke = [source for source in speaking if given[source] > 0] or speaking[:1] or ordered[:1]
        return [*spoke, NEW] if is_new else spoke

    def _contributions_of(self, place: int) -> Mapping[str, float]:
        rank = self._rank_of.get(place)
        if rank is None:
            return {}
        return {
            source: column[rank]
            for source, column in self._ranked.contributions.items()
            if source in self._scores and not math.isnan(self._scores[source][place])
        }
