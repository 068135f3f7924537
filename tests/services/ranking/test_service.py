"""What callers of the ranking service get: an order, and clear refusals."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from models.blend import Blend, Ranked
from models.data import Float32, History
from models.ranker import Ranker
from recmesh.rpc import Channel, Handlers
from recmesh.rpc.status import Status
from recmesh.v1 import ranking_pb2 as pb
from recmesh.v1.common_pb2 import History as HistoryMessage
from recmesh.v1.common_pb2 import SourceScores
from recmesh.v1.ranking_rpc import RankingStub
from services.common.columns import history_message
from services.common.versions import Versions
from services.ranking.service import RANKED_INLINE, Ranking
from tests.services.kit import Turning, workers_at_once

WEIGHTS = {"recommend": {"ials": 0.6, "popularity": 0.4}, "search": {"content": 1.0}}


class Listening(Ranker):
    """Notes the histories it is given."""

    def __init__(self) -> None:
        super().__init__(Blend(WEIGHTS))
        self.told: list[History | None] = []

    def rank(
        self,
        surface: str,
        item_ids: Sequence[str],
        scores: Mapping[str, Float32],
        count: int,
        candidates_per_source: int = 0,
        history: History | None = None,
    ) -> Ranked:
        self.told.append(history)
        return super().rank(surface, item_ids, scores, count, candidates_per_source, history)


class Service:
    def __init__(self, bundle: Path) -> None:
        self.turning, self.workers, self.ranker = Turning(), workers_at_once(), Listening()
        versions = Versions[Ranker](bundle, lambda _: self.ranker, self.workers)
        self.turning.result(versions.open())
        handlers = Handlers()
        Ranking(versions, self.workers).register(handlers)
        self.stub = RankingStub(Channel(handlers))

    def rank(self, request: pb.RankRequest) -> pb.RankResponse:
        return self.turning.result(self.stub.rank(request))


@pytest.fixture
def service(bundle: Path) -> Service:
    return Service(bundle)


def request(ids: list[str], surface: str = "recommend", **columns: list[float]) -> pb.RankRequest:
    sources = [SourceScores(source=name, scores=struct.pack(f"<{len(c)}f", *c)) for name, c in columns.items()]
    return pb.RankRequest(surface=surface, item_ids=ids, sources=sources)


def order(answer: pb.RankResponse) -> list[int]:
    return np.frombuffer(answer.order, "<i4").astype(int).tolist()  # type: ignore[no-any-return]


def test_candidates_come_best_first_with_what_each_source_added(service: Service, bundle: Path) -> None:
    answer = service.rank(request(["a", "b", "c"], ials=[1, 3, 2], popularity=[1, 1, 1]))
    assert answer.bundle_version == bundle.name and order(answer) == [1, 2, 0]
    scores = np.frombuffer(answer.scores, "<f4")
    assert (np.diff(scores) < 0).all()
    added = {each.source: np.frombuffer(each.scores, "<f4") for each in answer.contributions}
    assert set(added) == {"ials", "popularity"}
    np.testing.assert_allclose(sum(added.values()), scores, rtol=1e-6)


def test_equal_scores_are_ordered_by_id(service: Service) -> None:
    assert order(service.rank(request(["c", "a", "b"], ials=[1, 1, 1]))) == [1, 2, 0]


def test_count_cuts_the_answer(service: Service) -> None:
    cut = request(["a", "b", "c"], ials=[1, 3, 2])
    cut.count = 2
    assert order(service.rank(cut)) == [1, 2]


def test_nothing_to_rank_is_an_empty_answer(service: Service) -> None:
    assert order(service.rank(request([]))) == []


def test_many_candidates_are_ranked_by_a_worker(service: Service) -> None:
    number = RANKED_INLINE + 1
    answer = service.rank(request([str(n) for n in range(number)], ials=[float(n) for n in range(number)]))
    assert order(answer) == list(range(number))[::-1]


def test_the_ranker_is_told_the_history(service: Service) -> None:
    asked = request(["a", "b"], ials=[1, 2])
    service.rank(asked)
    taken = History(["x", "y"], np.array([1.0, -0.5], np.float32), np.array([9.0, 3.0]))
    asked.history.CopyFrom(history_message(taken))
    service.rank(asked)
    first, second = service.ranker.told
    assert first is None and second is not None
    assert second.item_ids == ["x", "y"] and second.weights.tolist() == [1.0, -0.5]


WRONG = [
    (pb.RankRequest(surface="recommend", history=HistoryMessage(item_ids=["x"])), "history.weights: 1 numbers"),
    (request(["a"], surface="frontpage"), "surface: 'frontpage' is none of recommend, similar, search"),
    (request(["a"], magic=[1]), "sources[0].source: 'magic' is none of ials"),
    (request(["a"], ials=[1, 2]), "sources[0].scores: 1 numbers of 4 bytes take 4 bytes, these are 8"),
    (request(["a"], ials=[math.inf]), "sources[0].scores: an infinite score"),
    (request(["a", "a"], ials=[1, 2]), "item_ids: 'a' is there twice"),
    (request([""], ials=[1]), "item_ids[0]: an id must not be empty"),
    (request([str(n) for n in range(50_001)]), "item_ids: at most 50,000"),
    (
        pb.RankRequest(surface="search", sources=[SourceScores(source="ials")] * 2),
        "sources[1].source: 'ials' is there t",
    ),
]


@pytest.mark.parametrize(("wrong", "problem"), WRONG)
def test_a_wrong_request_is_refused_by_its_field(service: Service, wrong: pb.RankRequest, problem: str) -> None:
    assert service.turning.refusal(service.stub.rank(wrong), Status.INVALID_ARGUMENT).startswith(problem)


def test_a_version_that_is_not_loaded_is_refused(service: Service) -> None:
    work = service.stub.rank(pb.RankRequest(bundle_version="no", surface="search"))
    assert "version 'no' is not loaded" in service.turning.refusal(work, Status.FAILED_PRECONDITION)
