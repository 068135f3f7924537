"""Bundles and running meshes under the same measure as a fit, and the baselines beside them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from models.bundle import Bundle, find_bundle
from models.data import History
from models.pipeline import LocalRecommender
from recmesh.client import RpcError, Status
from recmesh.client.blocking import Client
from tests.training.planted import write_planted
from training import measuring
from training.commands import main
from training.contenders import Mesh, has_not_seen
from training.protocols import Cut


def run(*arguments: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return main([str(one) for one in arguments], out, err), out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_planted(tmp_path_factory.mktemp("data") / "planted")


@pytest.fixture(scope="module")
def learnt(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that has not seen what leave-one-out holds out."""
    out = tmp_path_factory.mktemp("models")
    code, _, err = run("fit", dataset, "--out", out, "--protocol", "leave-one-out")
    assert code == 0, err
    return find_bundle(out)


class Answering:
    """Stands for the client of a mesh that serves a bundle."""

    def __init__(self, bundle: Bundle, complete: bool = True) -> None:
        self._recommender = LocalRecommender(bundle)
        self._complete = complete
        self.histories: list[list[tuple[str, float]]] = []

    def __enter__(self) -> Answering:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def recommend(self, history: list[tuple[str, float]], count: int) -> Any:
        self.histories.append(history)
        ids, weights = zip(*reversed(history), strict=True)
        told = History(list(ids), np.array(weights, np.float32), np.zeros(len(ids)))
        items = [SimpleNamespace(id=item) for item, _ in self._recommender.recommend(told, count)]
        return SimpleNamespace(items=items, bundle_version="v1", complete=self._complete)


def test_a_bundle_and_a_mesh_that_serves_it_get_the_same_figures(
    dataset: Path, learnt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "Client", lambda gateway: Answering(Bundle.open(learnt), complete=False))
    figures, shown = tmp_path / "figures.json", tmp_path / "page.html"
    code, out, err = run(
        *("evaluate", dataset, "--protocol", "leave-one-out", "--cutoffs", "5", "--bundle", learnt),
        *("--gateway", "here:1", "--json", figures, "--html", shown),
    )
    assert code == 0, err
    assert "may have learnt" not in err
    found = json.loads(figures.read_text())
    values = {(one["model"], one["metric"]): one["value"] for one in found["results"]}
    bundle = f"planted {learnt.name}"
    assert list(dict.fromkeys(model for model, _ in values)) == ["popularity", "itemknn", bundle, "mesh"]
    assert values["mesh", "ndcg"] == values[bundle, "ndcg"] > values["popularity", "ndcg"]
    assert values[bundle, "ndcg"] > 0.5
    (same,) = [one for one in found["differences"] if one["above"] == bundle]
    assert (same["mean"], same["p"]) == (0, 1)
    assert "the mesh answered from v1" in out and "60 of its answers had to do without something" in out
    assert shown.read_text().count("<svg") == 3


def test_a_bundle_that_saw_everything_is_measured_with_a_warning(dataset: Path, learnt: Path) -> None:
    code, _, err = run("evaluate", dataset, "--protocol", "temporal", "--bundle", learnt, "--users", 10)
    assert code == 0
    assert "may have learnt from what is held out" in err and "--protocol temporal" in err


def test_a_bundle_tells_what_it_has_not_seen(learnt: Path) -> None:
    bundle, how = Bundle.open(learnt), Cut("leave-one-out")
    assert has_not_seen(bundle, how)
    assert not has_not_seen(bundle, replace(how, protocol="temporal"))
    assert not has_not_seen(bundle, replace(how, as_sets=True))


@pytest.mark.parametrize("arguments", [("--as-sets",), ("--protocol", "given")])
def test_fit_refuses_what_it_would_not_heed(dataset: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    code, _, err = run("fit", dataset, "--out", tmp_path, *arguments)
    assert code == 2
    assert "--protocol" in err


def test_a_history_goes_to_the_mesh_oldest_first_with_its_weights(learnt: Path) -> None:
    client = Answering(Bundle.open(learnt))
    mesh = Mesh(cast(Client, client))
    newest_first = History(["harbour-2", "harbour-1"], np.array([1, -0.5], np.float32), np.array([9.0, 1.0]))
    assert len(mesh.recommend(newest_first, 3)) == 3
    assert client.histories == [[("harbour-1", -0.5), ("harbour-2", 1.0)]]
    assert (mesh.versions, mesh.degraded) == ({"v1"}, 0)
    assert mesh.recommend(None, 3) == []


def test_a_mesh_that_is_not_there_is_one_line(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away(Answering):
        def __init__(self, gateway: str) -> None:
            pass

        def recommend(self, history: list[tuple[str, float]], count: int) -> Any:
            raise RpcError(Status.UNAVAILABLE, "nobody listens")

    monkeypatch.setattr(measuring, "Client", Away)
    code, _, err = run("evaluate", dataset, "--gateway", "here:1")
    assert code == 2
    assert "error: here:1: " in err and "is a mesh running there?" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--protocol", "given"), "--protocol given and --held-out DATASET go together"),
        (("--held-out", "x"), "--protocol given and --held-out DATASET go together"),
        (("--cutoffs", "ten"), "write whole numbers with commas between"),
        (("--cutoffs", "0"), "cut-offs are 1 or more"),
        (("--users", "-1"), "users 0 or more"),
        (("--protocol", "random", "--fraction", "1.5"), "the fraction lies between 0 and 1"),
        (("--protocol", "cold-users", "--events", "0"), "events is 1 or more"),
    ],
)
def test_wrong_arguments_are_one_line(dataset: Path, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = run("evaluate", dataset, *arguments)
    assert code == 2
    assert message in err
