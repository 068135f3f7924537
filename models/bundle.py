"""A model bundle: an immutable directory of arrays and tables with a manifest that vouches for each of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

FORMAT_VERSION: Final = 1
MANIFEST: Final = "manifest.json"
VERSION_DIGITS: Final = 12  # 48 bits of the hash: enough to tell the bundles of one deployment apart

T = TypeVar("T")

_REMEDY = "copy the bundle again or fit a new one"


class BundleError(Exception):
    """A bundle that cannot be used; the message names the file and the remedy."""


class BundleData(Protocol):
    """What the models read, whether it lies on disk or has just been fitted."""

    @property
    def config(self) -> Mapping[str, Any]: ...
    def array(self, name: str) -> NDArray[Any]: ...
    def table(self, name: str) -> pa.Table: ...
    def json(self, name: str) -> Any: ...
    def bytes(self, name: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened bundle directory. Arrays are memory mapped: the processes of one host share their pages."""

    path: Path
    manifest: Mapping[str, Any]

    @classmethod
    def open(cls, path: Path, verify: bool = True) -> Bundle:
        """Checks the format, and each file's size and checksum; `verify=False` leaves the checksums out."""
        manifest = read_manifest(path)
        for name, told in manifest["files"].items():
            _check_file(path / name, told["bytes"], told["sha256"] if verify else None)
        return cls(path, manifest)

    @property
    def name(self) -> str:
        return str(self.manifest["name"])

    @property
    def version(self) -> str:
        return str(self.manifest["version"])

    @property
    def created(self) -> float:
        return float(self.manifest["created"])

    @property
    def config(self) -> Mapping[str, Any]:
        config: Mapping[str, Any] = self.manifest["config"]
        return config

    def file(self, name: str) -> Path:
        if name not in self.manifest["files"]:
            raise BundleError(f"{self.path / name}: not part of this bundle; fit a new one with this version")
        return self.path / name

    def array(self, name: str) -> NDArray[Any]:
        # A plain array on the mapped pages: every slice of a np.memmap costs a microsecond more.
        return np.asarray(np.load(self.file(f"{name}.npy"), mmap_mode="r", allow_pickle=False))

    def table(self, name: str) -> pa.Table:
        return pq.read_table(self.file(f"{name}.parquet"))

    def json(self, name: str) -> Any:
        return json.loads(self.file(f"{name}.json").read_bytes())

    def bytes(self, name: str) -> bytes:
        return self.file(name).read_bytes()


def settings_of(bundle: BundleData, section: str, kind: type[T]) -> T:
    """The settings a part of the bundle was fitted with."""
    try:
        return kind(**bundle.config[section])
    except (KeyError, TypeError, ValueError) as error:
        message = f"{MANIFEST}: the settings of {section} are of another version of this program ({error}); {_REMEDY}"
        raise BundleError(message) from error


def find_bundle(path: Path) -> Path:
    """The bundle at `path`, or else the newest one or two levels below it, by the manifest's `created`."""
    if (path / MANIFEST).is_file():
        return path
    if not path.is_dir():
        raise BundleError(f"{path}: no such directory; name a bundle, or fit one with `python -m training fit`")
    # A name that starts with a dot is a bundle still being written.
    below = [found for depth in ("*", "*/*") for found in path.glob(f"{depth}/{MANIFEST}")]
    bundles = [found.parent for found in below if not found.parent.name.startswith(".")]
    if not bundles:
        raise BundleError(f"{path}: no bundle here or below; fit one with `python -m training fit`")
    return max(bundles, key=lambda bundle: (_created(bundle / MANIFEST), str(bundle)))


def _created(file: Path) -> float:
    """Also of a bundle of another format: a newer one stands beside it."""
    try:
        return float(_read_manifest(file)["created"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{file}: altered, it does not say when it was created; {_REMEDY}") from error


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of the bundle at `path`, itself checked."""
    file = path / MANIFEST
    manifest = _read_manifest(file)
    found = manifest.get("format_version")
    if found != FORMAT_VERSION:
        raise BundleError(
            f"{file}: format version {found}, this program reads {FORMAT_VERSION}; fit the bundle again with it"
        )
    if manifest.get("version") != version_of(manifest):
        raise BundleError(f"{file}: altered, it does not match its own version; {_REMEDY}")
    return manifest


def _read_manifest(file: Path) -> dict[str, Any]:
    try:
        manifest: Any = json.loads(file.read_bytes())
    except OSError as error:
        message = f"{file}: {error.strerror}; name a bundle, or fit one with `python -m training fit`"
        raise BundleError(message) from error
    except ValueError as error:
        raise BundleError(f"{file}: truncated or altered, it is not JSON; {_REMEDY}") from error
    if not isinstance(manifest, dict):
        raise BundleError(f"{file}: altered, it is not a JSON object; {_REMEDY}")
    return manifest


def version_of(manifest: Mapping[str, Any]) -> str:
    """The hash of all a manifest says but version, name and time: equal data, settings and seed give equal versions."""
    content = {key: value for key, value in manifest.items() if key not in ("version", "created", "name")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:VERSION_DIGITS]


def checksum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_file(file: Path, size: int, sha256: str | None) -> None:
    try:
        found = file.stat().st_size
        if found != size:
            word = "truncated" if found < size else "altered"
            raise BundleError(f"{file}: {word}, {found:,} bytes instead of {size:,}; {_REMEDY}")
        if sha256 is not None and checksum(file) != sha256:
            raise BundleError(f"{file}: altered, its checksum differs from the manifest's; {_REMEDY}")
    except OSError as error:
        raise BundleError(f"{file}: {error.strerror}; {_REMEDY}") from error
