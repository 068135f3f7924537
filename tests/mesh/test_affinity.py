"""Affinity and Subset: the same key to the same endpoint, the same caller to the same twenty."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recmesh.mesh.affinity import from_metadata
from recmesh.mesh.rendezvous import digest, score
from recmesh.mesh.subset import subset
from recmesh.rpc import Call, Context
from tests.mesh.crowd import Crowd, named
from tests.mesh.kit import search

KEYS = [f"user-{number}" for number in range(2_000)]


def keyed(key: str) -> Call:
    call = search()
    call.context = Context(metadata={"user": key})
    return call


def places(crowd: Crowd, keys: list[str] = KEYS) -> dict[str, str]:
    """Where the call of each key goes."""
    went = {}
    for key in keys:
        call = keyed(key)
        crowd.endpoints(call).close()
        (went[key],) = call.tried
    return went


@pytest.mark.parametrize("endpoints", [2, 3, 10])
def test_l05_an_endpoint_that_leaves_moves_little_more_than_its_own_keys(endpoints: int) -> None:
    crowd = Crowd(*named(endpoints), key=from_metadata("user"))
    before = places(crowd)
    crowd.resolver.set(*named(endpoints - 1))
    after = places(crowd)
    moved = sum(before[key] != after[key] for key in KEYS)
    assert 0 < moved <= 1.2 / endpoints * len(KEYS)
    assert all(before[key] == after[key] for key in KEYS if before[key] != f"host-{endpoints - 1}")


def test_keys_are_spread_evenly_and_alike_for_every_caller() -> None:
    went = places(Crowd(*named(8), seed=1, key=from_metadata("user")))
    assert went == places(Crowd(*reversed(named(8)), seed=2, key=from_metadata("user")))
    counts = Counter(went.values())
    assert min(counts.values()) > 0.8 * len(KEYS) / 8 and max(counts.values()) < 1.2 * len(KEYS) / 8


def test_a_key_stays_where_it_is_though_the_address_changes() -> None:
    crowd = Crowd(*named(5), key=from_metadata("user"))
    before = places(crowd)
    crowd.resolver.set(*(type(each)(each.id, f"elsewhere-{each.id}:1") for each in named(5)))
    assert places(crowd) == before


def test_a_key_that_everybody_asks_for_spills_over_within_the_bound() -> None:
    crowd = Crowd(*named(4), key=from_metadata("user"))
    for _ in range(100):
        crowd.call(keyed("the same"))
    in_flight = sorted(each.in_flight for each in crowd.endpoints.replicas)
    assert sum(in_flight) == 100 and in_flight[-1] <= 32  # 1.25 x 100 / 4, rounded up
    crowd.settle()


def test_a_key_goes_elsewhere_while_its_endpoint_is_away_and_on_a_second_attempt() -> None:
    crowd = Crowd(*named(4), key=from_metadata("user"))
    (home,) = places(crowd, ["one"]).values()
    crowd.hosts[home].state = "backing off"
    assert places(crowd, ["one"])["one"] != home
    crowd.hosts[home].state = "ready"
    again = keyed("one")
    again.tried.add(home)
    crowd.endpoints(again).close()
    assert len(again.tried) == 2


def test_calls_without_a_key_go_where_they_cost_least() -> None:
    crowd = Crowd(*named(4), key=from_metadata("user"))
    crowd.hosts["host-0"].latency = 1.0
    crowd.calls_for(5.0, 100)
    assert crowd.share("host-0") < 0.15


@given(st.sets(st.text(max_size=20), min_size=2, max_size=40), st.text(max_size=20))
def test_scores_put_endpoints_in_the_same_order_whoever_asks(names: set[str], key: str) -> None:
    scores = {name: score(digest(key), digest(name)) for name in names}
    assert len(set(scores.values())) == len(names)
    winner = max(scores, key=scores.__getitem__)
    others = {name for name in names if name != winner}
    loser = min(others, key=scores.__getitem__)
    assert max(names - {loser}, key=scores.__getitem__) == winner or len(names) == 2


def test_a_subset_is_the_callers_own_and_changes_by_one_when_one_leaves() -> None:
    every = named(100)
    one, other = subset(every, "gateway-0"), subset(every, "gateway-1")
    assert len(one) == len(other) == 20 and one != other
    assert subset(every[::-1], "gateway-0") == one[::-1]
    fewer = subset([each for each in every if each != one[0]], "gateway-0")
    assert len(set(one) & set(fewer)) == 19


def test_subsets_use_all_endpoints_alike() -> None:
    used = Counter(each.id for caller in range(500) for each in subset(named(50), f"gateway-{caller}"))
    assert min(used.values()) > 150 and max(used.values()) < 250


def test_few_endpoints_are_all_used() -> None:
    assert subset(named(20), "gateway-0") == named(20)
