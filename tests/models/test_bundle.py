"""A bundle opens whole or is refused with the name of the file and the remedy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from models.bundle import MANIFEST, Bundle, BundleError, find_bundle, settings_of
from models.ials import IalsConfig
from models.writer import BundleWriter, Parts

CONFIG = {"ials": {"dimension": 2}}


def write(directory: Path, name: str = "films", now: float = 100.0, value: float = 1.0) -> Path:
    with BundleWriter(name, directory) as writer:
        writer.add_array("factors", np.full((3, 2), value, np.float32))
        writer.add_table("items", pa.table({"id": ["a", "b", "ü"]}))
        writer.add_json("blend", {"recommend": {"ials": 1.0}})
        writer.add_bytes("tokenizer.model", b"\x00\x01")
        return writer.finish(CONFIG, {"ndcg": 0.5}, "sha256:data", now)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    bundle = Bundle.open(write(tmp_path))
    assert bundle.path == tmp_path / "films" / bundle.version
    assert (bundle.name, bundle.created, bundle.config) == ("films", 100.0, CONFIG)
    assert bundle.manifest["metrics"] == {"ndcg": 0.5} and bundle.manifest["data_fingerprint"] == "sha256:data"
    np.testing.assert_array_equal(bundle.array("factors"), np.ones((3, 2)))
    assert bundle.table("items")["id"].to_pylist() == ["a", "b", "ü"]
    assert bundle.json("blend") == {"recommend": {"ials": 1.0}}
    assert bundle.bytes("tokenizer.model") == b"\x00\x01"


def test_arrays_are_mapped_and_cannot_be_changed(tmp_path: Path) -> None:
    factors = Bundle.open(write(tmp_path)).array("factors")
    assert isinstance(factors.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        factors[0, 0] = 2


def test_equal_content_gives_equal_bytes_and_version_whatever_the_time(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", now=1.0), write(tmp_path / "b", now=2.0)
    assert first.name == second.name
    for file in first.iterdir():
        if file.name != MANIFEST:
            assert file.read_bytes() == (second / file.name).read_bytes(), file.name
    differing = [key for key, value in manifest_of(first).items() if value != manifest_of(second)[key]]
    assert differing == ["created"]


def test_other_content_gives_another_version(tmp_path: Path) -> None:
    assert write(tmp_path, value=1.0).name != write(tmp_path, value=2.0).name


def test_writing_the_same_again_only_renews_the_time(tmp_path: Path) -> None:
    first = write(tmp_path, now=1.0)
    other = write(tmp_path, now=2.0, value=2.0)
    assert find_bundle(tmp_path) == other
    assert write(tmp_path, now=3.0) == first
    assert Bundle.open(first).created == 3.0
    assert find_bundle(tmp_path) == first


def test_writing_again_replaces_a_damaged_directory(tmp_path: Path) -> None:
    path = write(tmp_path)
    (path / "factors.npy").write_bytes(b"")
    assert write(tmp_path) == path
    Bundle.open(path)


def test_an_unfinished_bundle_leaves_nothing(tmp_path: Path) -> None:
    writer = BundleWriter("films", tmp_path)
    writer.add_bytes("tokenizer.model", b"1")
    with pytest.raises(FileNotFoundError), writer:
        writer.add_bytes("no/such/folder", b"1")
    assert list((tmp_path / "films").iterdir()) == []


def test_a_bundle_still_being_written_is_not_found(tmp_path: Path) -> None:
    with BundleWriter("films", tmp_path) as writer:
        writer.add_bytes(MANIFEST, b"{}")
        with pytest.raises(BundleError, match="no bundle here or below"):
            find_bundle(tmp_path)


def test_the_newest_bundle_below_a_directory_is_found(tmp_path: Path) -> None:
    old, new = write(tmp_path, now=5.0), write(tmp_path, now=6.0, value=7.0)
    assert find_bundle(tmp_path) == new
    assert find_bundle(tmp_path / "films") == new
    assert find_bundle(old) == old


def test_an_older_bundle_of_another_format_is_no_hindrance(tmp_path: Path) -> None:
    old, new = write(tmp_path, now=5.0), write(tmp_path, now=6.0, value=7.0)
    change_manifest(old, format_version=0)
    assert find_bundle(tmp_path) == new
    change_manifest(old, created=9.0)
    assert find_bundle(tmp_path) == old, "and is refused by name when it is opened"


def test_a_bundle_that_does_not_say_when_it_was_made_is_refused(tmp_path: Path) -> None:
    change_manifest(write(tmp_path), created="then")
    with pytest.raises(BundleError, match=r"manifest\.json: altered, it does not say when it was created"):
        find_bundle(tmp_path)


def test_a_directory_without_a_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=rf"{tmp_path}: no bundle here or below; fit one"):
        find_bundle(tmp_path)
    with pytest.raises(BundleError, match="no such directory; name a bundle"):
        find_bundle(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"manifest\.json: No such file or directory; name a bundle"):
        Bundle.open(tmp_path)


@pytest.mark.parametrize("name", ["factors.npy", "items.parquet", "blend.json", "tokenizer.model"])
def test_each_damaged_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    path = write(tmp_path)
    file = path / name
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    with pytest.raises(BundleError, match=rf"{name}: truncated, \d+ bytes instead of \d+; copy the bundle again"):
        Bundle.open(path)
    file.write_bytes(whole + b"x")
    with pytest.raises(BundleError, match=rf"{name}: altered"):
        Bundle.open(path)
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(BundleError, match=rf"{name}: altered, its checksum differs"):
        Bundle.open(path)
    file.unlink()
    with pytest.raises(BundleError, match=rf"{name}: No such file or directory; copy the bundle again"):
        Bundle.open(path)


def test_without_verification_only_sizes_are_checked(tmp_path: Path) -> None:
    path = write(tmp_path)
    (path / "tokenizer.model").write_bytes(b"\x00\x02")
    Bundle.open(path, verify=False)
    (path / "tokenizer.model").write_bytes(b"\x00")
    with pytest.raises(BundleError, match="truncated"):
        Bundle.open(path, verify=False)


def test_another_format_version_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    change_manifest(path, format_version=2)
    with pytest.raises(BundleError, match=r"manifest\.json: format version 2, this program reads 1; fit the bundle"):
        Bundle.open(path)


@pytest.mark.parametrize("content", [b"", b'{"format_version": 1', b"\xff\xfe", b"[]"])
def test_a_manifest_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path)
    (path / MANIFEST).write_bytes(content)
    with pytest.raises(BundleError, match=r"manifest\.json: (truncated or )?altered, it is not"):
        Bundle.open(path)


@pytest.mark.parametrize(
    "change", [{"version": "0" * 12}, {"config": {"ials": {"dimension": 3}}}, {"files": {}}, {"metrics": {}}]
)
def test_an_altered_manifest_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = write(tmp_path)
    change_manifest(path, **change)
    with pytest.raises(BundleError, match=r"manifest\.json: altered, it does not match its own version"):
        Bundle.open(path)


def test_a_part_that_is_not_in_the_bundle_is_named(tmp_path: Path) -> None:
    bundle = Bundle.open(write(tmp_path))
    with pytest.raises(BundleError, match=r"ranker\.npy: not part of this bundle; fit a new one"):
        bundle.array("ranker")


@pytest.mark.parametrize("settings", [{"dimension": 2, "colour": 1}, {"dimension": -2}, None])
def test_settings_of_another_version_are_refused(settings: dict[str, int] | None) -> None:
    parts = Parts({} if settings is None else {"ials": settings})
    with pytest.raises(BundleError, match=r"manifest\.json: the settings of ials are of another version"):
        settings_of(parts, "ials", IalsConfig)


def manifest_of(path: Path) -> dict[str, object]:
    manifest: dict[str, object] = json.loads((path / MANIFEST).read_bytes())
    return manifest


def change_manifest(path: Path, **changes: object) -> None:
    (path / MANIFEST).write_text(json.dumps(manifest_of(path) | changes))
