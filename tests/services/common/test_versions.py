"""Which bundle versions a process has loaded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock

from models.bundle import Bundle, BundleError
from recmesh.rpc import Channel, Handlers, tx
from recmesh.rpc.status import Status
from recmesh.v1 import models_pb2 as pb
from recmesh.v1.models_rpc import ModelsStub
from services.common.models import Models
from services.common.versions import MOST_LOADED, Versions
from services.common.workers import Workers
from tests.services.kit import Turning, workers_at_once
from tests.services.tiny import write_bundle


class Loader:
    """Versions whose models are the paths they were built from."""

    def __init__(self, path: Path, workers: Workers | None = None) -> None:
        self.built: list[str] = []
        self.published: list[str] = []
        publish: Callable[..., None] = lambda loaded: self.published.append(loaded.version)  # noqa: E731
        self.versions = Versions(path, self.build, workers or workers_at_once(), publish)
        handlers = Handlers()
        Models(self.versions, shard=1, shards=2).register(handlers)
        self.stub = ModelsStub(Channel(handlers))

    def build(self, bundle: Bundle) -> Path:
        self.built.append(bundle.version)
        return bundle.path

    def open(self) -> Loader:
        Turning().result(self.versions.open())
        return self

    def loaded(self) -> list[str]:
        return [model.version for model in Turning().result(self.stub.list(pb.ListModelsRequest())).models]

    def load(self, version: str) -> pb.Model:
        return Turning().result(self.stub.load(pb.LoadModelRequest(version=version))).model

    def unload(self, version: str) -> None:
        Turning().result(self.stub.unload(pb.UnloadModelRequest(version=version)))


def test_newest_of_a_folder_is_loaded_at_start(two_versions: tuple[Path, Path]) -> None:
    old, new = two_versions
    assert Loader(old.parent).open().loaded() == [new.name]
    assert Loader(old.parent.parent).open().loaded() == [new.name]
    assert Loader(old).open().loaded() == [old.name]


def test_list_tells_name_time_and_shard(bundle: Path) -> None:
    listed = Turning().result(Loader(bundle).open().stub.list(pb.ListModelsRequest()))
    assert (listed.shard, listed.shards) == (1, 2)
    assert listed.models[0] == pb.Model(name="tiny", version=bundle.name, created=1_000.0)


def test_a_request_is_answered_by_the_version_it_names(two_versions: tuple[Path, Path]) -> None:
    old, new = two_versions
    loader = Loader(old).open()
    assert loader.load(new.name).version == new.name
    assert loader.loaded() == [new.name, old.name]
    assert loader.versions.get("").model == new
    assert loader.versions.get(old.name).model == old
    assert loader.published == [old.name, new.name]


def test_a_version_that_is_not_loaded_is_refused_with_the_loaded_ones(bundle: Path) -> None:
    loader = Loader(bundle).open()

    async def get() -> None:
        loader.versions.get("abc")

    message = Turning().refusal(get(), Status.FAILED_PRECONDITION)
    assert message == f"bundle version 'abc' is not loaded; loaded: {bundle.name}"


@pytest.mark.parametrize("version", ["..", "../x", "/etc", "a/b", "", ".hidden", "a\0b", "x" * 200])
def test_a_version_is_a_name_and_never_a_path(bundle: Path, version: str) -> None:
    loader = Loader(bundle).open()
    for work in (
        loader.stub.load(pb.LoadModelRequest(version=version)),
        loader.stub.unload(pb.UnloadModelRequest(version=version)),
    ):
        assert "is no name of a bundle version" in Turning().refusal(work, Status.INVALID_ARGUMENT)
    assert loader.built == [bundle.name]


def test_a_missing_version_is_not_found(bundle: Path) -> None:
    work = Loader(bundle).open().stub.load(pb.LoadModelRequest(version="0123"))
    assert "no bundle version '0123' beside" in Turning().refusal(work, Status.NOT_FOUND)


def test_an_altered_version_is_refused_by_the_name_of_its_file(tmp_path: Path) -> None:
    old = write_bundle(tmp_path)
    new = write_bundle(tmp_path, seed=1)
    array = next(new.glob("item_factors*"))
    array.write_bytes(array.read_bytes()[:-1] + b"x")
    loader = Loader(old).open()
    work = loader.stub.load(pb.LoadModelRequest(version=new.name))
    assert array.name in Turning().refusal(work, Status.FAILED_PRECONDITION)
    assert loader.loaded() == [old.name]


def test_a_folder_that_belies_its_version_is_refused(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path)
    shutil.copytree(bundle, bundle.parent / "copy")
    loader = Loader(bundle).open()
    work = loader.stub.load(pb.LoadModelRequest(version="copy"))
    assert "holds bundle version" in Turning().refusal(work, Status.FAILED_PRECONDITION)


def test_the_only_version_stays(two_versions: tuple[Path, Path]) -> None:
    old, new = two_versions
    loader = Loader(old).open()
    work = loader.stub.unload(pb.UnloadModelRequest(version=old.name))
    assert "is the only version loaded" in Turning().refusal(work, Status.FAILED_PRECONDITION)
    loader.load(new.name)
    loader.unload(old.name)
    loader.unload(old.name)
    assert loader.loaded() == [new.name]


def test_loaded_versions_are_bounded(tmp_path: Path) -> None:
    bundles = [write_bundle(tmp_path, seed=seed) for seed in range(MOST_LOADED + 1)]
    loader = Loader(bundles[0]).open()
    for bundle in bundles[1:MOST_LOADED]:
        loader.load(bundle.name)
    work = loader.stub.load(pb.LoadModelRequest(version=bundles[-1].name))
    assert "unload one first" in Turning().refusal(work, Status.FAILED_PRECONDITION)


def test_a_load_nobody_waits_for_is_finished_and_not_done_twice(two_versions: tuple[Path, Path]) -> None:
    jobs: list[tuple[Deferred[Any], Callable[[], Any]]] = []

    def later(work: Callable[[], Any]) -> Deferred[Any]:
        jobs.append((Deferred(), work))
        return jobs[-1][0]

    def finish() -> None:
        done, work = jobs.pop(0)
        execute(work).chainDeferred(done)

    old, new = two_versions
    loader = Loader(old, Workers(later, tx.Clock(Clock())))
    opened = Deferred.fromCoroutine(loader.versions.open())
    finish()
    assert opened.called
    impatient = Deferred.fromCoroutine(loader.versions.load(new.name))
    patient = Deferred.fromCoroutine(loader.versions.load(new.name))
    impatient.addErrback(lambda failure: None)
    impatient.cancel()
    finish()
    assert not jobs and patient.called
    assert loader.built == [old.name, new.name] and loader.loaded() == [new.name, old.name]


def test_a_missing_bundle_is_a_bundle_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        Loader(tmp_path / "none").open()


def test_a_bundle_the_models_do_not_understand_is_named_with_the_remedy(bundle: Path) -> None:
    def build(bundle: Bundle) -> None:
        raise TypeError("unexpected keyword argument 'prior'")

    with pytest.raises(BundleError, match=r"made by another version of this program \(TypeError.*; fit it again"):
        Turning().result(Versions(bundle, build, workers_at_once()).open())
