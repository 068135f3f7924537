"""Which bundle version answers, and Status."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from recmesh.rpc import Context, RpcError, Status
from recmesh.v1.recommender_pb2 import RecommendRequest, StatusRequest
from recmesh.v1.retrieval_pb2 import SearchRequest, SearchResponse
from tests.gateway.fakes import DOWN, FakeRetrieval
from tests.gateway.kit import Mesh
from tests.gateway.test_recommend import FILMS
from tests.mesh.kit import Outcome

ASK = RecommendRequest(user_id="u")


def load(mesh: Mesh, version: str, created: float, *names: str) -> None:
    for name in names or mesh.models:
        mesh.models[name].versions[version] = created
    mesh.poll()


def version_of(mesh: Mesh, asked: str = "") -> str:
    return mesh.answer(mesh.ask.recommend(RecommendRequest(user_id="u", bundle_version=asked))).bundle_version


def test_the_newest_version_that_every_process_has_answers() -> None:
    mesh = Mesh(FILMS, replicas=2)
    others = [name for name in mesh.models if name != "1-1"]
    load(mesh, "a-newer", 2.0, *others)
    assert version_of(mesh) == "v1"
    load(mesh, "a-newer", 2.0, "1-1")
    assert version_of(mesh) == "a-newer"


def test_an_older_version_may_be_asked_for_while_all_have_it() -> None:
    mesh = Mesh(FILMS)
    load(mesh, "v2", 2.0)
    assert version_of(mesh, "v1") == "v1"
    assert {search.bundle_version for search in mesh.searches()} == {"v1"}


def test_a_version_that_is_not_loaded_everywhere_is_refused_and_those_that_are_named() -> None:
    mesh = Mesh(FILMS)
    load(mesh, "v2", 2.0)
    load(mesh, "v3", 3.0, "ranking")
    for wanted in ("v3", "nonsense"):
        error = mesh.error(mesh.ask.recommend(RecommendRequest(user_id="u", bundle_version=wanted)))
        assert error.status is Status.FAILED_PRECONDITION
        assert error.message == f"bundle_version '{wanted}' is not loaded by every service; these are: v2, v1"


def test_without_a_common_version_the_answer_says_who_has_what() -> None:
    mesh = Mesh(FILMS)
    mesh.models["ranking"].versions = {"v2": 2.0}
    mesh.down("0")
    mesh.poll()
    error = mesh.error(mesh.ask.recommend(ASK))
    assert error.status is Status.UNAVAILABLE
    assert "embedding embedding:1 has v1" in error.message and "ranking ranking:1 has v2" in error.message
    assert "retrieval 0-0:1 does not answer (UNAVAILABLE: connection refused)" in error.message


def test_a_process_that_never_answered_has_no_say() -> None:
    mesh = Mesh(FILMS)
    fresh = Mesh(FILMS)
    fresh.wires["ranking"].fails = DOWN
    fresh.versions = type(mesh.versions)(fresh.upstreams, fresh.versions._clock, fresh.versions._log)
    fresh.poll()
    assert fresh.versions.current == "v1"


def test_a_process_that_fell_silent_keeps_its_say_while_a_version_is_left() -> None:
    mesh = Mesh(FILMS)
    mesh.wires["ranking"].fails = DOWN
    load(mesh, "v2", 2.0, "embedding", "feedback", "0-0", "1-0")
    assert mesh.versions.current == "v1"


def test_a_process_that_fell_silent_does_not_block_a_change_of_all_others() -> None:
    mesh = Mesh(FILMS)
    mesh.wires["ranking"].fails = DOWN
    for name in ("embedding", "feedback", "0-0", "1-0"):
        mesh.models[name].versions = {"v2": 2.0}
    mesh.poll()
    assert mesh.versions.current == "v2"


def test_a_process_of_another_shard_than_configured_is_not_trusted() -> None:
    mesh = Mesh(FILMS)
    mesh.models["1-0"].shard = 0
    mesh.poll()
    error = mesh.error(mesh.ask.recommend(ASK))
    assert "1-0:1 is shard 0 of 2, and the gateway's configuration has it as shard 1 of 2" in error.message


def test_a_single_shard_need_not_call_itself_one() -> None:
    mesh = Mesh(FILMS, shards=1)
    mesh.models["0-0"].shards = 0
    mesh.poll()
    assert version_of(mesh) == "v1"


def test_versions_are_asked_for_again_and_again() -> None:
    mesh = Mesh(FILMS)
    polling = mesh.start(mesh.versions.keep_polling(2.0))
    for model in mesh.models.values():
        model.versions["v2"] = 2.0
    mesh.clock.advance(1.99)
    assert mesh.versions.current == "v1"
    mesh.clock.advance(0.01)
    assert mesh.versions.current == "v2"
    polling.cancel()
    assert not mesh.clock.getDelayedCalls()


class Starting:
    """A gateway that starts before its services do."""

    def __init__(self, *late: str, replicas: int = 2) -> None:
        self.mesh = Mesh(FILMS, replicas=replicas)
        self.mesh.down(*late)
        self.start = self.mesh.start(self.mesh.versions.begin(30.0))

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            self.mesh.clock.advance(0.1)


def test_a_start_ends_at_once_when_every_process_answers() -> None:
    assert not Starting().start.pending


def test_a_start_waits_for_a_service_that_is_late() -> None:
    starting = Starting("ranking")
    starting.wait(20.0)
    assert starting.start.pending
    starting.mesh.wires["ranking"].fails = None
    starting.wait(0.2)
    assert not starting.start.pending


def test_a_start_waits_a_little_for_the_last_replicas() -> None:
    starting = Starting("0-1")
    starting.wait(2.8)
    assert starting.start.pending
    starting.wait(0.4)
    assert not starting.start.pending


def test_a_start_goes_on_without_a_service_in_the_end() -> None:
    starting = Starting("ranking")
    starting.wait(30.5)
    assert not starting.start.pending
    assert starting.mesh.versions.current == "v1"


def test_status_shows_every_endpoint() -> None:
    mesh = Mesh(FILMS, replicas=2)
    mesh.down("0-1")
    mesh.answer(mesh.ask.recommend(ASK))
    mesh.answer(mesh.ask.recommend(ASK))
    mesh.wires["0-1"].state = "backing off"
    mesh.poll()
    mesh.clock.advance(5.0)
    status = mesh.answer(mesh.ask.status(StatusRequest()))
    assert (status.bundle_version, status.serving, status.uptime_seconds) == ("v1", True, 5.0)
    assert [(each.service, each.shard) for each in status.upstreams] == [
        ("embedding", 0),
        ("retrieval", 0),
        ("retrieval", 1),
        ("ranking", 0),
        ("feedback", 0),
    ]
    alive, dead = status.upstreams[1].endpoints
    assert (alive.address, alive.state, alive.failures, alive.last_error) == ("0-0:1", "ready", 0, "")
    assert (dead.address, dead.state) == ("0-1:1", "backing off")
    assert 0 < dead.failures == dead.calls < 5 and dead.last_error == "UNAVAILABLE: connection refused"
    assert alive.calls > 0 and list(alive.bundle_versions) == ["v1"]


class Restarted(FakeRetrieval):
    """A replica that has lost every version but v1."""

    async def search(self, request: SearchRequest, context: Context) -> SearchResponse:
        if request.bundle_version != "v1":
            message = f"bundle version {request.bundle_version!r} is not loaded; loaded: v1"
            raise RpcError(Status.FAILED_PRECONDITION, message)
        return await super().search(request, context)


def restarted(replicas: int) -> Mesh:
    """A mesh that answered from v2, of which one replica came back with v1 alone and was not asked since."""
    mesh = Mesh(FILMS, replicas=replicas)
    load(mesh, "v2", 2.0)
    assert mesh.versions.current == "v2"
    del mesh.models["1-0"].versions["v2"]
    Restarted(mesh.retrieval["1-0"].films.values()).register(mesh.wires["1-0"].handlers)
    return mesh


def wait_for(mesh: Mesh, *outcomes: Outcome[Any]) -> None:
    while any(each.pending for each in outcomes):
        mesh.clock.advance(0.01)


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_process_that_came_back_without_the_version_costs_no_call(replicas: int) -> None:
    mesh = restarted(replicas)
    answers = [mesh.start(mesh.ask.recommend(ASK)) for _ in range(16)]
    wait_for(mesh, *answers)
    assert all(each.result().items and not each.result().degraded for each in answers)
    assert mesh.versions.current == "v1"


def test_a_version_that_was_asked_for_by_name_is_never_exchanged() -> None:
    mesh = restarted(1)
    error = mesh.error(mesh.ask.recommend(RecommendRequest(user_id="u", bundle_version="v2")))
    assert error.status is Status.FAILED_PRECONDITION and "is not loaded" in error.message


def test_those_who_meet_it_at_the_same_time_ask_once() -> None:
    mesh = restarted(1)
    mesh.wires["ranking"].hangs = True
    mesh.wires["embedding"].contexts.clear()
    wait_for(mesh, *[mesh.start(mesh.versions.refresh()) for _ in range(100)])
    assert len(mesh.wires["embedding"].contexts) == 2  # its versions and its health


def test_status_says_what_is_wrong_now_and_how_long_ago_a_failure_was() -> None:
    mesh = Mesh(FILMS, replicas=2)
    mesh.down("0-1", "ranking")
    mesh.answer(mesh.ask.recommend(ASK))
    mesh.poll()
    mesh.wires["ranking"].fails = None
    mesh.models["1-0"].shard = 0
    mesh.clock.advance(60.0)
    mesh.poll()
    upstreams = mesh.answer(mesh.ask.status(StatusRequest())).upstreams
    problems = {each.address: each.problem for upstream in upstreams for each in upstream.endpoints}
    assert problems == {
        "embedding:1": "",
        "0-0:1": "",
        "0-1:1": "does not answer: UNAVAILABLE: connection refused",
        "1-0:1": "1-0:1 is shard 0 of 2, and the gateway's configuration has it as shard 1 of 2",
        "1-1:1": "",
        "ranking:1": "",
        "feedback:1": "",
    }
    ranking = upstreams[3].endpoints[0]
    assert ranking.last_error and 59.0 < ranking.last_error_age_seconds < 62.0


def test_a_process_that_goes_and_comes_back_is_two_lines_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    mesh = Mesh(FILMS)
    mesh.down("1-0")
    for _ in range(20):
        mesh.poll()
    mesh.wires["1-0"].fails = None
    mesh.poll()
    mesh.poll()
    lines = [(each.levelname, each.getMessage(), vars(each)["fields"]) for each in caplog.records[1:]]
    assert [line[:2] for line in lines] == [("WARNING", "a process does not answer"), ("INFO", "a process answers")]
    assert str(lines[0][2]["process"]) == "retrieval 1 at 1-0:1" and lines[0][2]["reason"] == str(DOWN)


def test_an_address_of_another_service_is_told_and_counts_as_away() -> None:
    mesh = Mesh(FILMS)
    mesh.wires["ranking"].handlers = mesh.wires["embedding"].handlers
    mesh.poll()
    ranking = mesh.answer(mesh.ask.status(StatusRequest())).upstreams[3].endpoints[0]
    told = "does not answer: NOT_FOUND: this is another service, not ranking; correct upstreams.ranking"
    assert ranking.problem == told
    assert mesh.versions.current == "v1"


def test_status_answers_while_nothing_else_does() -> None:
    mesh = Mesh(FILMS)
    mesh.versions.current = ""
    mesh.down(*mesh.wires)
    status = mesh.answer(mesh.ask.status(StatusRequest()))
    assert not status.serving and status.bundle_version == ""


@pytest.mark.parametrize("method", ["recommend", "similar_items", "search_items", "get_history"])
def test_no_version_no_answer(method: str) -> None:
    from tests.gateway.test_validate import METHODS

    kind = next(each for each, call in METHODS.items() if call.__name__ == method)
    fields = {"query": "x"} if method == "search_items" else {"item_id": "alien"} if method == "similar_items" else {}
    mesh = Mesh(FILMS)
    mesh.versions.current = ""
    request = kind(**fields) if fields else kind(user_id="u")
    assert mesh.error(getattr(mesh.ask, method)(request)).status is Status.UNAVAILABLE
