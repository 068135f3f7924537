"""The gateway's settings, from files and from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings import Settings
from recmesh.mesh.backend import Policy
from recmesh.mesh.ejection import EjectionPolicy
from recmesh.ops.settings import SettingsError, load

LEAST = """
listen = "127.0.0.1:7000"

[upstreams]
embedding = ["127.0.0.1:7100"]
ranking = ["127.0.0.1:7300"]
feedback = ["127.0.0.1:7400"]
retrieval = [["127.0.0.1:7200", "127.0.0.1:7201"], ["127.0.0.1:7202"]]
"""


def settings(folder: Path, text: str, **environ: str) -> Settings:
    path = folder / "gateway.toml"
    path.write_text(text)
    return load(Settings, str(path), environ)


def test_upstreams_are_all_that_has_to_be_told(tmp_path: Path) -> None:
    told = settings(tmp_path, LEAST)
    assert told.upstreams.retrieval == (("127.0.0.1:7200", "127.0.0.1:7201"), ("127.0.0.1:7202",))
    assert (told.candidates_per_source, told.fresh_share, told.admission.most) == (200, 0.1, 256)
    assert (told.usual_seconds, told.longest_seconds) == (2.0, 30.0)


def test_the_environment_holds_over_the_file(tmp_path: Path) -> None:
    told = settings(
        tmp_path,
        LEAST,
        RECMESH_UPSTREAMS_RETRIEVAL="a:1,b:1;c:1",
        RECMESH_UPSTREAMS_RANKING="d:1",
        RECMESH_FRESH_SHARE="0",
    )
    assert told.upstreams.retrieval == (("a:1", "b:1"), ("c:1",))
    assert told.upstreams.ranking == ("d:1",) and told.fresh_share == 0.0


def test_endpoints_may_come_from_elsewhere_and_each_service_be_called_in_its_own_way(tmp_path: Path) -> None:
    text = LEAST.replace('"127.0.0.1:7100"', '"dns:embedding.mesh:7100", "127.0.0.1:7100"')
    text = text.replace('["127.0.0.1:7202"]', '["kubernetes:mesh/retrieval-1:wire"]')
    text += "[calls.retrieval]\ncall_seconds = 0.4\nattempts = 2\nhedging = false\neject_in_a_row = 3\n"
    told = settings(tmp_path, text)
    assert told.upstreams.embedding == ("dns:embedding.mesh:7100", "127.0.0.1:7100")
    usual, retrieval = told.policy("embedding"), told.policy("retrieval")
    assert usual == Policy(seconds=1.0, attempt_seconds=0.5, attempts=3)
    assert retrieval == Policy(0.4, 0.5, attempts=2, hedging=False, ejection=EjectionPolicy(in_a_row=3))


def test_a_gateway_keeps_its_own_least_whatever_else_is_said_of_admission(tmp_path: Path) -> None:
    told = settings(tmp_path, LEAST + "[admission]\nmost = 100\n", RECMESH_ADMISSION_TOLERANCE="2")
    assert (told.admission.least, told.admission.most, told.admission.tolerance) == (20, 100, 2.0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('ranking = ["127.0.0.1:7300"]', "", "ranking is missing"),
        ('ranking = ["127.0.0.1:7300"]', "ranking = []", "ranking names no address"),
        ("127.0.0.1:7300", "127.0.0.1", 'ranking = "127.0.0.1" is no address'),
        ('["127.0.0.1:7202"]', "[]", "retrieval has a shard without an address"),
        ("127.0.0.1:7202", "127.0.0.1:7200", "retrieval names an address twice"),
        ("127.0.0.1:7300", "127.0.0.1:7100", "ranking names 127.0.0.1:7100, which embedding names as well"),
        ('[["127.0.0.1:7200", "127.0.0.1:7201"], ["127.0.0.1:7202"]]', "[]", "retrieval names no address"),
        ("ranking", "rankin", "did you mean 'ranking'"),
        ("[upstreams]", "candidates = 5\n[upstreams]", "did you mean 'candidates_per_source'"),
        ("[upstreams]", "candidates_per_source = 0\n[upstreams]", "candidates_per_source = 0 is outside 1 to 1000"),
        ("[upstreams]", "quota_per_second = -1\n[upstreams]", "quota_per_second = -1 is outside 0 to"),
        ("[upstreams]", "fresh_share = 1.5\n[upstreams]", "fresh_share = 1.5 is outside 0 to 1"),
        ("[upstreams]", "usual_seconds = 0\n[upstreams]", "usual_seconds = 0 is outside 0.001 to 3600"),
        ("127.0.0.1:7300", "dns:ranking", "ranking: 'dns:ranking' is no source of endpoints; write dns:name:port"),
        ('"127.0.0.1:7202"', '"file:/x", "file:/x"', "retrieval names an address twice"),
        ("[upstreams]", "[calls.ranking]\nattempts = 0\n[upstreams]", "attempts = 0 is outside 1 to 10"),
        ("[upstreams]", "[calls.ranking]\neject_most_share = 2\n[upstreams]", "eject_most_share = 2 is outside 0 to 1"),
        ("[upstreams]", "[calls.ranks]\nattempts = 1\n[upstreams]", "did you mean 'ranking'"),
        ("[upstreams]", "attempts = 0\n[upstreams]", "attempts = 0 is outside 1 to 10"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path, LEAST.replace(old, new, 1))
    assert message in str(caught.value) and "gateway.toml" in str(caught.value)
