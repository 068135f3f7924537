"""The parts of a page alone: fresh places, diversity, the plain order, reasons, columns; and what models agree to."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import histories, items, ranking, validate
from gateway.candidates import Candidates
from gateway.columns import NO_OPINION, floats, ints, pack_floats, pack_ints
from gateway.diversity import WINDOW_MOST, rearrange, unit_vectors, window_of
from gateway.fresh import proposed, with_fresh
from gateway.ranking import plain
from gateway.reasons import Explaining, topics_of
from gateway.settings import Settings
from models import sources
from models.blend import PROPOSERS
from models.histories import HISTORY_LIMIT, SEEN_LIMIT
from models.pipeline import CANDIDATES_PER_SOURCE
from recmesh.v1.common_pb2 import Item
from recmesh.v1.retrieval_pb2 import ItemRecord
from services.common import checks
from services.feedback import events
from services.retrieval import records
from services.retrieval import service as retrieval

NAN = math.nan


def candidates(is_new: Sequence[bool] = (), **scores: Sequence[float]) -> Candidates:
    columns = {source: pack_floats(column) for source, column in scores.items()}
    count = max([len(is_new), *(len(column) for column in scores.values())])
    ids = [f"item-{place:03}" for place in range(count)]
    return Candidates(ids, columns, {}, bytes(is_new) or bytes(count), 1, 1)


def test_the_numbers_that_models_and_gateway_share() -> None:
    [asked] = [each.default for each in fields(Settings) if each.name == "candidates_per_source"]
    assert asked == CANDIDATES_PER_SOURCE
    assert histories.QUERY_LIMIT >= HISTORY_LIMIT
    assert validate.HISTORY_ITEMS == SEEN_LIMIT
    assert validate.HISTORY_ITEMS + validate.EXCLUDED_ITEMS <= checks.MOST_EXCLUDED
    assert (validate.ID_BYTES, validate.TEXT_BYTES) == (checks.LONGEST_ID, checks.MOST_TEXT)
    assert (validate.QUERY_BYTES, validate.FILTER_BYTES) == (retrieval.LONGEST_QUERY, retrieval.LONGEST_FILTER)
    assert validate.TITLE_BYTES == records.LONGEST_TITLE
    assert (validate.CATEGORIES, validate.ATTRIBUTE_BYTES) == (records.MOST_CATEGORIES, records.MOST_ATTRIBUTE_BYTES)
    assert validate.EVENTS == events.MOST_EVENTS
    assert items.MOST_IDS == retrieval.MOST_ITEMS and validate.PAGE_ITEMS == retrieval.MOST_COUNT


def test_the_sources_that_models_and_gateway_name() -> None:
    assert ranking.ABOVE_ZERO == sources.ABOVE_ZERO
    assert set(ranking.PLAIN_SOURCES) == set(sources.SURFACES)
    for surface, names in ranking.PLAIN_SOURCES.items():
        assert names <= set(PROPOSERS[surface]) and ranking.NEW in PROPOSERS[surface]


@given(st.lists(st.floats(width=32)), st.lists(st.integers(-(2**31), 2**31 - 1)))
def test_columns_come_back_as_they_were(numbers: list[float], whole: list[int]) -> None:
    assert pack_floats(floats(pack_floats(numbers))) == pack_floats(numbers)
    assert list(ints(pack_ints(whole))) == whole
    assert len(NO_OPINION) == 4 and math.isnan(floats(NO_OPINION)[0])
    assert pack_floats([1.0]) == b"\0\0\x80\x3f"  # little-endian on any machine


def test_only_new_items_that_suit_are_proposed_best_first() -> None:
    found = candidates(is_new=[True, False, True, True, True], new=[0.5, 9.0, NAN, 0.7, -0.1])
    assert proposed(found) == [3, 0]


@given(
    st.lists(st.booleans(), min_size=1, max_size=60),
    st.floats(0.01, 1.0),
    st.randoms(use_true_random=False),
)
def test_fresh_places(is_new: list[bool], share: float, rng: random.Random) -> None:
    found = candidates(is_new=is_new)
    order = rng.sample(range(len(is_new)), len(is_new))
    fresh = [place for place in order if is_new[place]]
    rng.shuffle(fresh)
    whole = with_fresh(order, found, fresh, share, len(order))
    assert sorted(whole) == sorted(order)  # nothing lost, nothing twice
    for length in range(len(order)):
        assert with_fresh(order, found, fresh, share, length) == whole[:length]  # pages fit together
    old = [place for place in order if not is_new[place]]
    assert [place for place in whole if not is_new[place]] == old  # and the others keep their order
    standing = [place for place in order[:2] if is_new[place]]
    assert [place for place in whole[:2] if is_new[place]] == standing or len(old) < 2
    if len(old) >= 10 and fresh:
        first = math.ceil(1 / share)
        assert any(is_new[place] for place in whole[: max(3, first)]) or len(old) + 1 < max(3, first)


def test_at_most_the_share_of_the_places_is_taken() -> None:
    found = candidates(is_new=[False] * 50 + [True] * 50)
    placed = with_fresh(range(50), found, range(50, 100), 0.1, 50)
    assert [place for place, each in enumerate(placed, 1) if each >= 50] == [10, 20, 30, 40, 50]


def test_new_items_that_stand_by_themselves_use_up_the_share() -> None:
    found = candidates(is_new=[True, *[False] * 20, True])
    placed = with_fresh(range(21), found, [21], 0.1, 15)
    assert 21 not in placed


def test_where_nothing_else_is_left_fresh_items_follow() -> None:
    found = candidates(is_new=[False, True, True])
    assert with_fresh([0], found, [1, 2], 0.1, 10) == [0, 1, 2]


def test_windows_lie_three_pages_long_and_end_to_end() -> None:
    assert [window_of(count) for count in (1, 10, 1000)] == [3, 30, WINDOW_MOST]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0, 1), st.randoms(use_true_random=False))
def test_rearranging_moves_and_never_drops(relevance: list[float], diversity: float, rng: random.Random) -> None:
    relevance.sort(reverse=True)
    vectors = [(math.cos(a), math.sin(a)) for a in (rng.uniform(0, 6) for _ in relevance)]
    order = rearrange(relevance, vectors, diversity)
    assert sorted(order) == list(range(len(relevance)))
    assert order[0] == 0 or diversity == 1.0 or relevance[order[0]] == relevance[0]


def test_without_diversity_the_order_stays() -> None:
    assert rearrange([3.0, 2.0, 1.0], [(1.0, 0.0)] * 3, 0.0) == [0, 1, 2]


def test_with_diversity_what_resembles_the_best_comes_last() -> None:
    vectors = [(1.0, 0.0), (1.0, 0.0), (0.8, 0.6), (0.0, 1.0)]
    assert rearrange([4.0, 3.9, 3.8, 3.7], vectors, 1.0) == [0, 3, 2, 1]


def test_vectors_are_those_of_taste_or_where_there_is_none_of_meaning() -> None:
    def record(taste: Sequence[float], meaning: Sequence[float]) -> ItemRecord:
        return ItemRecord(factors=pack_floats(taste), content=pack_floats(meaning))

    tasted = {"a": record((3.0, 4.0), (1.0, 0.0)), "b": record((0.0, 0.0), (1.0, 0.0))}
    assert [list(each) for each in unit_vectors(["a", "b", "lost"], tasted)] == [pytest.approx([0.6, 0.8]), [], []]
    described = {"a": record((0.0, 0.0), (0.0, 2.0))}
    assert [list(each) for each in unit_vectors(["a"], described)] == [[0.0, 1.0]]


def test_the_plain_order_is_the_mean_of_the_places_in_each_source() -> None:
    found = candidates(ials=[0.1, 0.9, -2.0], popularity=[5.0, 0.0, NAN], content=[9.0, 9.0, 9.0])
    ranked = plain("recommend", found, 0, 200)
    assert list(ranked.order) == [0, 1, 2]
    assert list(ranked.scores) == pytest.approx([(2 / 3 + 1) / 2, 1 / 2, 1 / 6])
    assert set(ranked.contributions) == {"ials", "popularity"}  # content does not propose on this surface
    assert list(ranked.contributions["popularity"]) == [0.5, 0.0, 0.0]


def test_the_plain_order_keeps_each_sources_best_and_breaks_ties_by_id() -> None:
    found = candidates(ials=[0.5, 0.7, 0.7, 0.1], itemknn=[0.0, 0.0, 0.0, 1.0])
    assert list(plain("recommend", found, 0, 1).order) == [1, 3]
    assert list(plain("recommend", found, 1, 4).order) == [3]


RECOMMEND = Explaining("recommend", ["alien"], because={"itemknn": [0, -1], "transitions": [0, -1]})
ASKED = Explaining("recommend", asked=True)
KNOWN_AND_ASKED = Explaining("recommend", ["alien"], asked=True)
OF_DISLIKES = Explaining("recommend", ["alien"], [-1.0], because={"transitions": [0]})
OF_BOTH = Explaining("recommend", ["alien", "toys"], [-1.0, 1.0], because={"transitions": [0, 1]})
SIMILAR = Explaining("similar", ["alien"])
SEARCH = Explaining("search", asked=True)


@pytest.mark.parametrize(
    ("explaining", "place", "source", "text"),
    [
        (RECOMMEND, 0, "itemknn", "because you liked [alien]"),
        (RECOMMEND, 1, "itemknn", "liked by people like you"),
        (RECOMMEND, 0, "transitions", "others chose it after [alien]"),
        (RECOMMEND, 1, "transitions", "others chose it next"),
        (RECOMMEND, 0, "ials", "fits your taste"),
        (RECOMMEND, 0, "popularity", "popular with everyone"),
        (RECOMMEND, 0, "content", "its description resembles what you liked"),
        (RECOMMEND, 0, "new", "new in the catalogue"),
        (RECOMMEND, 0, "a source of tomorrow", "a source of tomorrow"),
        (ASKED, 0, "content", "its description resembles what you asked for"),
        (ASKED, 0, "ials", "liked by those who like such items"),
        (KNOWN_AND_ASKED, 0, "ials", "fits your taste"),
        (KNOWN_AND_ASKED, 0, "content", "its description resembles what you asked for"),
        (ASKED, 0, "title", "its title matches what you asked for"),
        (OF_DISLIKES, 0, "transitions", "others chose it next"),
        (OF_DISLIKES, 0, "content", "its description differs from what you disliked"),
        (OF_BOTH, 0, "transitions", "others chose it next"),
        (OF_BOTH, 1, "transitions", "others chose it after [toys]"),
        (OF_BOTH, 0, "content", "its description resembles what you liked"),
        (SIMILAR, 0, "itemknn", "liked by those who liked [alien]"),
        (SIMILAR, 0, "ials", "fits the same taste as [alien]"),
        (SIMILAR, 0, "transitions", "others chose it after [alien]"),
        (SIMILAR, 0, "content", "its description resembles that of [alien]"),
        (SEARCH, 0, "content", "its description resembles what you asked for"),
        (SEARCH, 0, "title", "its title matches what you asked for"),
        (SEARCH, 0, "words", "has words like those you asked for"),
        (SEARCH, 0, "ials", "liked by those who like such items"),
    ],
)
def test_reasons(explaining: Explaining, place: int, source: str, text: str) -> None:
    [draft] = explaining.draft(place, [source], is_new=False)
    reason = draft(lambda item_id: f"[{item_id}]")
    assert (reason.kind, reason.text) == (source, text)
    assert list(reason.item_ids) == [item_id for item_id in ("alien", "toys") if f"[{item_id}]" in text]


def test_an_item_that_is_no_longer_in_the_catalogue_is_not_named_to_people() -> None:
    [draft] = RECOMMEND.draft(0, ["transitions"], is_new=False)
    reason = draft(dict[str, str]().get)
    assert (reason.text, list(reason.item_ids)) == ("others chose it next", ["alien"])


def test_an_item_without_a_title_is_named_by_its_id() -> None:
    [draft] = RECOMMEND.draft(0, ["transitions"], is_new=False)
    assert draft({"alien": ""}.get).text == "others chose it after alien"


def test_a_description_that_resembles_another_says_what_both_are_about() -> None:
    [draft] = SIMILAR.draft(0, ["content"], is_new=False)
    title = {"alien": "Alien"}.get
    assert (
        draft(title, {"alien": "space, ship"}.__getitem__).text
        == "its description resembles that of Alien (space, ship)"
    )
    [draft] = SIMILAR.draft(0, ["itemknn"], is_new=False)
    assert draft(title, {"alien": "space, ship"}.__getitem__).text == "liked by those who liked Alien"


def test_topics_are_an_attribute() -> None:
    item = Item(id="a")
    assert topics_of(item) == []
    item.attributes.update({"topics": ["space, ship", "war, world"]})
    assert topics_of(item) == ["space, ship", "war, world"]
    item.attributes.update({"topics": "one text"})
    assert topics_of(item) == []


def test_what_matches_a_search_is_told_before_that_it_is_popular() -> None:
    assert [draft.kind for draft in SEARCH.draft(0, ["popularity", "words", "content"], is_new=False)] == [
        "words",
        "content",
    ]
    assert [draft.kind for draft in SEARCH.draft(0, ["popularity", "words"], is_new=False)] == ["words", "popularity"]


def test_a_reason_that_names_an_item_is_among_them_and_first() -> None:
    drafts = RECOMMEND.draft(0, ["ials", "popularity", "itemknn"], is_new=False)
    assert [draft.kind for draft in drafts] == ["itemknn", "ials"]
    drafts = RECOMMEND.draft(0, ["transitions", "ials", "itemknn"], is_new=False)
    assert [draft.kind for draft in drafts] == ["transitions", "itemknn"]


def test_two_reasons_are_enough_and_new_comes_first() -> None:
    drafts = Explaining("recommend").draft(0, ["ials", "popularity", "content"], is_new=False)
    assert [draft.kind for draft in drafts] == ["ials", "popularity"]
    drafts = Explaining("recommend").draft(0, ["ials", "popularity", "new"], is_new=True)
    assert [draft.kind for draft in drafts] == ["new", "ials"]


def test_a_title_with_braces_is_a_title() -> None:
    [draft] = Explaining("recommend", ["x"], because={"itemknn": [0]}).draft(0, ["itemknn"], is_new=False)
    assert draft(lambda item_id: "{0} {}").text == "because you liked {0} {}"
