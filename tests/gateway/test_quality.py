"""Quality: less work for each page before any request is refused."""

from __future__ import annotations

import pytest

from gateway.page import Wanted
from gateway.quality import FORGET_SECONDS, LEAST_CANDIDATES, NOTICEABLE, Quality, affordable
from gateway.run import Run
from recmesh.rpc import Context
from recmesh.testing import FakeClock
from recmesh.v1.recommender_pb2 import RecommendRequest, SearchItemsRequest, SimilarItemsRequest, StatusRequest
from tests.gateway.kit import Mesh
from tests.gateway.test_recommend import MANY

TARGET = 0.25


class Pages:
    """Tells a quality of pages that were made."""

    def __init__(self, least: float = 0.25) -> None:
        self.clock = FakeClock()
        self.full = 0.0
        self.quality = Quality(self.clock, TARGET, least, lambda: self.full)

    def window(self, latency: float, slow: int = 0) -> None:
        """Twenty pages in half a second, `slow` of them over the target."""
        for page in range(20):
            self.quality.page_took(2 * TARGET if page < slow else latency)
            self.clock.advance(0.03)

    def windows(self, count: int, latency: float, slow: int = 0) -> float:
        for _ in range(count):
            self.window(latency, slow)
        return self.quality.factor


def test_it_falls_while_pages_take_too_long_and_comes_back() -> None:
    pages = Pages()
    assert pages.windows(5, 0.1) == 1.0
    falling = [pages.windows(1, 0.3) for _ in range(12)]
    assert falling == sorted(falling, reverse=True) and falling[-1] == 0.25
    rising = [pages.windows(1, 0.1) for _ in range(20)]
    assert rising == sorted(rising) and rising[-1] == 1.0


def test_one_slow_page_in_twenty_is_within_the_target_and_two_are_not() -> None:
    assert Pages().windows(5, 0.1, slow=1) == 1.0
    assert Pages().windows(5, 0.1, slow=2) < 0.5


def test_it_falls_when_the_gateway_is_full_and_stays_while_it_is_nearly() -> None:
    pages = Pages()
    pages.full = 1.0
    fallen = pages.windows(3, 0.01)
    assert fallen == pytest.approx(0.85**3)
    pages.full = 0.9
    assert pages.windows(3, 0.01) == fallen
    pages.full = 0.2
    assert pages.windows(3, 0.01) > fallen


def test_what_was_long_ago_says_nothing_of_now() -> None:
    pages = Pages()
    assert pages.windows(12, 0.3) == 0.25
    pages.clock.advance(FORGET_SECONDS + 0.1)
    assert pages.quality.factor == 1.0


def test_few_pages_change_nothing() -> None:
    pages = Pages()
    for _ in range(9):
        pages.quality.page_took(9.0)
        pages.clock.advance(0.4)
    assert pages.quality.factor == 1.0


WANTED = Wanted("recommend", 0, 10, 200, diversity=0.5, explain=True)


def made(factor: float, wanted: Wanted = WANTED) -> tuple[Wanted, list[str]]:
    mesh = Mesh(MANY)
    run = Run(mesh.upstreams, FakeClock(), Context(), "v1", quality=factor)
    return affordable(run, wanted), run.degraded


def test_at_full_quality_everything_is_made_as_it_was_wanted() -> None:
    assert made(1.0) == (WANTED, [])


def test_first_there_are_fewer_candidates_then_the_answer_is_plain_and_says_so() -> None:
    fewer, said = made(NOTICEABLE)
    assert (fewer.candidates_per_source, fewer.explain, fewer.diversity, said) == (100, True, 0.5, [])
    plain, said = made(0.25)
    assert (plain.candidates_per_source, plain.explain, plain.diversity, said) == (50, False, 0.0, ["quality"])
    assert made(0.01)[0].candidates_per_source == LEAST_CANDIDATES


@pytest.mark.parametrize(("offset", "count"), [(0, 150), (100, 50), (0, 200), (400, 100)])
def test_the_page_is_filled_all_the_same(offset: int, count: int) -> None:
    wanted = Wanted("recommend", offset, count, 200)
    least, _ = made(0.1, wanted)
    assert least.last <= least.depths[-1] and len(least.depths) == len(wanted.depths)


def test_no_more_is_made_than_is_configured() -> None:
    assert made(0.9, Wanted("recommend", 0, 10, 20))[0].candidates_per_source == 20


def mesh_of_quality(factor: float) -> Mesh:
    mesh = Mesh(MANY)
    mesh.quality._factor = factor
    return mesh


def test_every_page_is_made_with_less() -> None:
    mesh = mesh_of_quality(0.25)
    recommended = mesh.answer(mesh.ask.recommend(RecommendRequest(user_id="ripley", explain=True)))
    similar = mesh.answer(mesh.ask.similar_items(SimilarItemsRequest(item_id="film-000", explain=True)))
    found = mesh.answer(mesh.ask.search_items(SearchItemsRequest(query="Film 7", explain=True)))
    for answer in (recommended, similar, found):
        assert answer.degraded == ["quality"]
        assert not any(item.reasons for item in answer.items)
    assert len(recommended.items) == 10
    assert {search.count for search in mesh.searches()} == {50}
    assert {request.candidates_per_source for request in mesh.ranking.requests} == {50}


def test_a_large_page_is_full_at_the_least_quality() -> None:
    mesh = mesh_of_quality(0.25)
    answer = mesh.answer(mesh.ask.recommend(RecommendRequest(user_id="ripley", count=200)))
    assert len(answer.items) == 200


def test_status_shows_it() -> None:
    mesh = mesh_of_quality(0.4)
    assert mesh.answer(mesh.ask.status(StatusRequest())).quality == 0.4


def test_pages_that_take_too_long_are_heard_of() -> None:
    mesh = Mesh(MANY)
    mesh.wires["ranking"].hangs = True
    for _ in range(12):
        mesh.answer(mesh.ask.recommend(RecommendRequest(user_id="ripley"), Context(mesh.clock.seconds() + 2.0)))
    assert mesh.quality.factor < 1.0
