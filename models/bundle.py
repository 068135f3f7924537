"""A model bundle: an immutable directory of arrays and tables with a manifest that vouches for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa
from numpy.typing import NDArray

FORMAT_VERSION: Final = 1


class BundleError(Exception):
    """A bundle that cannot be used; the message names the file and the remedy."""


class BundleData(Protocol):
    """What the models read of a bundle, whether it lies on disk or has just been fitted."""

    @property
    def config(self) -> Mapping[str, Any]: ...
    def array(self, name: str) -> NDArray[Any]: ...
    def table(self, name: str) -> pa.Table: ...
    def json(self, name: str) -> Any: ...
    def bytes(self, name: str) -> bytes: ...


class Bundle:
    """An opened bundle directory."""

    path: Path
    name: str
    version: str
    created: float
    manifest: Mapping[str, Any]

    @classmethod
    def open(cls, path: Path, verify: bool = True) -> Bundle:
        raise NotImplementedError

    @property
    def config(self) -> Mapping[str, Any]:
        raise NotImplementedError

    def array(self, name: str) -> NDArray[Any]:
        raise NotImplementedError

    def table(self, name: str) -> pa.Table:
        raise NotImplementedError

    def json(self, name: str) -> Any:
        raise NotImplementedError

    def bytes(self, name: str) -> bytes:
        raise NotImplementedError

    def file(self, name: str) -> Path:
        raise NotImplementedError


def find_bundle(path: Path) -> Path:
    """The bundle at `path`, or the newest below it (by the manifest's `created`)."""
    raise NotImplementedError
