"""A shard finds the best of its own items, and what is put or deleted counts at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models import catalogue
from models.blend import PROPOSERS
from models.data import Float32, ItemInfo
from models.encoder import item_text
from models.filters import FilterError
from models.shard import Candidates, ItemRecord, ItemShard, Query, shard_of
from models.sources import SOURCES
from tests.models.worlds import colour_of, fitted, history, item


def shard() -> ItemShard:
    return ItemShard(fitted().parts)


def record(info: ItemInfo) -> ItemRecord:
    factors, contents = fitted().recommender.encoder.embed_texts([item_text(info)])
    return ItemRecord(info, factors[0], contents[0])


def user(*item_ids: str) -> Query:
    """The query of someone with this history, newest first."""
    factors, contents = fitted().recommender.encoder.embed_histories([history(*item_ids)])
    return Query(factors[0], contents[0], history(*item_ids), count=3)


def scores(found: Candidates, source: str) -> dict[str, float]:
    return dict(zip(found.item_ids, found.scores[source].tolist(), strict=True))


NEW = ItemInfo(
    "new", "The Knight of the Castle", "A black story of a knight and a castle.", ("black",), {"year": 2025.0}
)


def test_items_belong_to_the_shard_of_their_crc32() -> None:
    assert [shard_of(item_id, 4) for item_id in ("1", "ü", "tt0078748")] == [3, 1, 2]
    shards = [ItemShard(fitted().parts, number, 3) for number in range(3)]
    assert sum(map(len, shards)) == 12
    for number, one in enumerate(shards):
        ids = one.search(Query(count=100)).item_ids
        assert ids and all(shard_of(item_id, 3) == number for item_id in ids)


def test_every_candidate_carries_every_sources_score() -> None:
    found = shard().search(user("0", "2"))
    silent = {"title", "words", "trending", "sequence"}
    assert set(found.scores) == set(SOURCES) - silent, "no text, no times, no network"
    assert list(found.item_ids) == sorted(found.item_ids)
    assert all(len(column) == len(found.item_ids) == len(found.is_new) for column in found.scores.values())
    assert not found.is_new.any() and np.isnan(found.scores["new"]).all()


def test_sources_that_are_not_asked_keep_silent() -> None:
    found = shard().search(replace(user("0"), sources=frozenset({"itemknn", "popularity"})))
    assert set(found.scores) == {"itemknn", "popularity"}


def test_on_a_surface_only_its_proposers_propose_and_the_others_have_an_opinion() -> None:
    asked = replace(user("0", "2"), count=2)
    found, of_all = shard().search(replace(asked, surface="recommend")), shard().search(asked)
    assert set(found.scores) == set(of_all.scores)
    proposers = frozenset(PROPOSERS["recommend"])
    assert found.item_ids == shard().search(replace(asked, sources=proposers)).item_ids
    assert scores(found, "content") == {item: scores(of_all, "content")[item] for item in found.item_ids}
    alone = replace(asked, sources=frozenset({"content"}))
    assert shard().search(alone).item_ids and not shard().search(replace(alone, surface="recommend")).item_ids


def test_titles_stand_beside_the_ids_where_they_are_wanted() -> None:
    one, asked = shard(), user("0", "2")
    one.put([record(NEW)])
    found = one.search(replace(asked, titles=True))
    assert found.titles == [each.info.title for each in one.get(found.item_ids)] and NEW.title in found.titles
    assert not one.search(asked).titles


def test_a_count_beyond_the_catalogue_gives_everything_there_is() -> None:
    assert len(shard().search(Query(count=10**6)).item_ids) == 12


def test_excluded_items_leave_their_places_to_others() -> None:
    everything = shard().search(Query(count=12)).item_ids
    first = shard().search(Query(count=3)).item_ids
    other = shard().search(Query(count=3, exclude=set(first)))
    assert len(other.item_ids) == 3 and not set(other.item_ids) & set(first)
    assert shard().search(Query(count=3, exclude=set(everything))).item_ids == []


def test_a_filter_applies_before_the_search() -> None:
    found = shard().search(replace(user("0", "2"), filter='categories has "white" and year > 1905'))
    assert set(found.item_ids) == {"7", "9", "11"}
    assert shard().search(Query(filter="year > 3000")).item_ids == []


def test_a_filter_sees_what_was_put_and_deleted() -> None:
    some = shard()
    asked = Query(filter="year > 1909", count=100)
    assert some.search(asked).item_ids == ["10", "11"]
    some.put([record(NEW), record(replace(item(0), attributes={"year": 1999.0}))])
    some.delete(["11"])
    new = replace(asked, content=record(NEW).content)
    assert some.search(new).item_ids == ["0", "10", "new"]


def test_more_filters_than_are_kept_work() -> None:
    some = shard()
    for year in range(1900, 1900 + 2 * catalogue.FILTERS_KEPT):
        found = some.search(Query(filter=f"year = {year}", count=100))
        assert list(found.item_ids) == ([str(year - 1900)] if year < 1912 else [])


def test_a_wrong_filter_is_told() -> None:
    with pytest.raises(FilterError):
        shard().search(Query(filter="year >"))


def test_among_equals_the_smaller_ids_are_taken() -> None:
    # All were taken equally often: the ids decide, as text.
    assert shard().search(Query(count=3, sources=frozenset({"popularity"}))).item_ids == ["0", "1", "10"]


def test_the_reason_is_the_entry_that_spoke_most() -> None:
    found = shard().search(replace(user("1", "unknown", "2"), count=100, explain=True))
    assert set(found.because) == {"itemknn", "transitions", "rp3beta"}, "the others do not look at single entries"
    for source, entries in found.because.items():
        because = dict(zip(found.item_ids, entries.tolist(), strict=True))
        assert because["4"] == 2 and because["3"] == 0
        for item_id, entry in because.items():
            assert (entry == (2, 0)[colour_of(item_id)]) == (scores(found, source)[item_id] > 0) or entry == -1
    assert shard().search(user("2")).because == {}


def test_what_nothing_speaks_for_has_no_reason() -> None:
    found = shard().search(replace(user("2"), count=100, explain=True))
    because = dict(zip(found.item_ids, found.because["itemknn"].tolist(), strict=True))
    assert because["4"] == 0 and because["5"] == -1


def test_a_disliked_entry_is_no_reason() -> None:
    query = Query(history=history("2", weights=[-1.0]), explain=True, sources=frozenset({"itemknn", "popularity"}))
    found = shard().search(query)
    assert set(found.because["itemknn"].tolist()) == {-1}
    assert min(scores(found, "itemknn").values()) < 0


def test_a_put_item_is_found_at_once() -> None:
    some = shard()
    some.put([record(NEW)])
    assert len(some) == 13
    found = some.search(replace(user("0", "2"), text="knight castle", count=20))
    place = found.item_ids.index("new")
    assert found.is_new.tolist() == [item_id == "new" for item_id in found.item_ids]
    assert found.scores["title"][place] > 0
    assert found.scores["new"][place] == found.scores["ials"][place] > 0
    assert found.scores["content"][place] > 0.5
    for source in ("itemknn", "transitions", "popularity"):
        assert np.isnan(found.scores[source][place]), "nobody could take it yet"


def test_new_items_are_sought_by_content_where_there_are_no_factors() -> None:
    some = shard()
    some.put([record(NEW)])
    found = some.search(Query(content=record(NEW).content, sources=frozenset({"new"})))
    assert found.item_ids == ["new"] and found.scores["new"][0] == pytest.approx(1.0, abs=1e-5)


def test_a_put_item_without_a_place_in_the_spaces_is_found_by_its_title_alone() -> None:
    some = shard()
    nowhere: Float32 = np.zeros(8, np.float32)
    some.put([ItemRecord(NEW, nowhere, nowhere)])
    assert "new" not in some.search(replace(user("0"), count=100)).item_ids
    assert some.search(Query(text="castle knight", sources=frozenset({"title"}), count=1)).item_ids == ["new"]


def test_a_put_replaces_what_an_item_of_the_bundle_is_but_not_what_users_taught() -> None:
    some = shard()
    before = some.search(replace(user("2"), count=100))
    other = replace(item(0), title="Zebra", text="A white story of a bride and a garden.", categories=("white",))
    some.put([record(other)])
    assert len(some) == 12
    after = some.search(replace(user("2"), count=100, text="zebra"))
    for source in ("ials", "itemknn", "transitions", "popularity"):
        assert scores(before, source)["0"] == scores(after, source)["0"]
    assert scores(before, "content")["0"] != scores(after, "content")["0"]
    assert scores(after, "title")["0"] == pytest.approx(1.0)
    assert not after.is_new.any()
    (held,) = some.get(["0"])
    assert held.info == other and not held.is_new
    np.testing.assert_array_equal(held.factors, fitted().parts.arrays["item_factors"][0])


def test_the_last_put_of_an_item_counts() -> None:
    some = shard()
    some.put([record(NEW), record(replace(NEW, title="First")), record(replace(NEW, title="Second"))])
    some.put([record(replace(NEW, title="Third"))])
    assert len(some) == 13
    assert [found.info.title for found in some.get(["new"])] == ["Third"]
    for title, expected in (("second", 0), ("third", 1)):
        assert len(some.search(Query(text=title, sources=frozenset({"title"}))).item_ids) == expected


def test_a_deleted_item_is_gone_and_can_come_back() -> None:
    some = shard()
    some.put([record(NEW)])
    assert some.delete(["0", "new", "0", "unknown"]) == 2
    assert len(some) == 11 and [found.info.id for found in some.get(["0", "new", "1"])] == ["1"]
    assert not {"0", "new"} & set(some.search(replace(user("2"), count=100)).item_ids)
    some.put([record(item(0))])
    found = some.search(replace(user("2"), count=100))
    assert "0" in found.item_ids and scores(found, "itemknn")["0"] > 0 and not found.is_new.any()


def test_items_come_back_as_they_were_put() -> None:
    some = shard()
    given = record(replace(NEW, attributes={"year": 2025.0, "tags": ("a", "b"), "seen": None}, created=5.0))
    some.put([given])
    (found, known) = some.get(["new", "unknown", "3"])
    assert found.info == given.info and found.is_new and known.info == item(3)
    np.testing.assert_array_equal(found.factors, given.factors)
    np.testing.assert_array_equal(found.content, given.content)


def test_memory_of_replaced_items_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "DEAD_KEPT", 5)
    kept, some = shard(), shard()
    for one in (kept, some):
        one.put([record(NEW)])
        one.delete(["3"])
    for year in range(100):
        some.put([record(replace(item(0), attributes={"year": float(year)})), record(NEW)])
        assert len(some._catalogue.infos) <= catalogue.DEAD_FACTOR * len(some) + 5 + 2
    kept.put([record(replace(item(0), attributes={"year": 99.0}))])
    asked = replace(user("2", "4"), count=100, text="knight", explain=True, filter="year >= 99")
    first, second = kept.search(asked), some.search(asked)
    assert first.item_ids == second.item_ids
    for source, column in first.scores.items():
        np.testing.assert_array_equal(column, second.scores[source])
    np.testing.assert_array_equal(first.because["itemknn"], second.because["itemknn"])


def test_an_item_of_another_shard_is_refused() -> None:
    other = next(number for number in range(3) if number != shard_of("new", 3))
    with pytest.raises(ValueError, match=f"item 'new' does not belong to shard {other} of 3"):
        ItemShard(fitted().parts, other, 3).put([record(NEW)])


@pytest.mark.parametrize("vector", [np.ones(7, np.float32), np.full(8, np.nan, np.float32)])
def test_vectors_of_another_space_are_refused(vector: Float32) -> None:
    some = shard()
    for wrong in (replace(record(NEW), factors=vector), replace(record(NEW), content=vector)):
        with pytest.raises(ValueError, match="8 finite ones are needed"):
            some.put([record(item(0)), wrong])
    assert len(some) == 12 and some.get(["new"]) == []
    assert "0" in some.search(Query(count=100, text="knight")).item_ids, "the items before it were not put either"
    with pytest.raises(ValueError, match="8 finite ones are needed"):
        shard().search(Query(factors=vector))


def test_queries_that_cannot_be_asked_are_refused() -> None:
    with pytest.raises(ValueError, match="count is 0"):
        shard().search(Query(count=0))
    with pytest.raises(ValueError, match=r"unknown sources \['tea'\]"):
        shard().search(Query(sources=frozenset({"tea", "ials"})))


def test_a_shard_may_be_empty() -> None:
    empty = next(ItemShard(fitted().parts, number, 200) for number in range(200) if not _owns(number))
    assert len(empty) == 0 and empty.get(["0"]) == []
    assert empty.search(replace(user("0"), text="castle", explain=True)).item_ids == []


def _owns(number: int) -> bool:
    return any(shard_of(str(item_id), 200) == number for item_id in range(12))


def test_colours_stay_apart() -> None:
    found = shard().search(replace(user("0", "2"), count=4, sources=frozenset({"ials", "itemknn", "transitions"})))
    assert {colour_of(item_id) for item_id in found.item_ids} == {0}
