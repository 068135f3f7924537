"""Making a bundle: its parts in memory, and writing them so that a directory is whole or not there."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.bundle import FORMAT_VERSION, MANIFEST, Bundle, BundleError, checksum, version_of


@dataclass(slots=True)
class Parts:
    """What a bundle consists of, readable like an opened one."""

    config: Mapping[str, Any]
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    tables: dict[str, pa.Table] = field(default_factory=dict)
    documents: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def include(self, others: Parts) -> None:
        """Takes in what `others` consists of, but for the settings."""
        self.arrays.update(others.arrays)
        self.tables.update(others.tables)
        self.documents.update(others.documents)
        self.files.update(others.files)

    def array(self, name: str) -> NDArray[Any]:
        return self.arrays[name]

    def table(self, name: str) -> pa.Table:
        return self.tables[name]

    def json(self, name: str) -> Any:
        return self.documents[name]

    def bytes(self, name: str) -> bytes:
        return self.files[name]


class BundleWriter:
    """Writes `directory/name/version`. Files go beside it first; `finish` renames the whole into place.

    As a context manager it removes what it wrote when it was not finished.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self._name = name
        self._parent = directory / name
        self._parent.mkdir(parents=True, exist_ok=True)
        self._draft = self._parent / f".{os.getpid()}.partial"
        shutil.rmtree(self._draft, ignore_errors=True)  # left by an earlier process of this number
        self._draft.mkdir()
        self._files: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> BundleWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._draft, ignore_errors=True)

    def add(self, parts: Parts) -> None:
        for name, array in parts.arrays.items():
            self.add_array(name, array)
        for name, table in parts.tables.items():
            self.add_table(name, table)
        for name, document in parts.documents.items():
            self.add_json(name, document)
        for name, content in parts.files.items():
            self.add_bytes(name, content)

    def add_array(self, name: str, array: NDArray[Any]) -> None:
        stream = io.BytesIO()
        np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
        self.add_bytes(f"{name}.npy", stream.getbuffer())

    def add_table(self, name: str, table: pa.Table) -> None:
        stream = io.BytesIO()
        pq.write_table(table, stream, compression="zstd")
        self.add_bytes(f"{name}.parquet", stream.getbuffer())

    def add_json(self, name: str, document: Any) -> None:
        self.add_bytes(f"{name}.json", _as_json(document))

    def add_bytes(self, name: str, content: bytes | memoryview) -> None:
        _write_durably(self._draft / name, content)
        self._files[name] = {"bytes": len(content), "sha256": checksum(self._draft / name)}

    def finish(self, config: Mapping[str, Any], metrics: Mapping[str, Any], data_fingerprint: str, now: float) -> Path:
        manifest: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "name": self._name,
            "created": now,
            "data_fingerprint": data_fingerprint,
            "config": config,
            "metrics": metrics,
            "files": self._files,
        }
        manifest = json.loads(_as_json(manifest))  # as a reader sees it: tuples are lists
        manifest["version"] = version_of(manifest)
        _write_durably(self._draft / MANIFEST, _as_json(manifest))
        _sync(self._draft)
        final = self._parent / str(manifest["version"])
        if _whole(final):
            os.replace(self._draft / MANIFEST, final / MANIFEST)  # the same files: only the time is another
            _sync(final)
        else:
            shutil.rmtree(final, ignore_errors=True)
            self._draft.rename(final)
        _sync(self._parent)
        return final


def _whole(path: Path) -> bool:
    try:
        Bundle.open(path)
    except BundleError:
        return False
    return True


def _as_json(document: Any) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _write_durably(file: Path, content: bytes | memoryview) -> None:
    with file.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
