"""Writes small dataset directories and reads them."""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from training.datasets.model import Dataset
from training.datasets.reader import read_dataset
from training.datasets.rejects import MAX_REJECTS, Rejects
from training.progress import SilentProgress

PACKERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {".gz": gzip.compress, ".xz": lzma.compress}
REJECTS = "out/rejects.jsonl"  # beside the dataset


def write(directory: Path, files: Mapping[str, str | bytes]) -> Path:
    """Files by name; those that end in .gz or .xz are compressed."""
    data = directory / "data"
    data.mkdir(exist_ok=True)
    for name, content in files.items():
        written = content if isinstance(content, bytes) else content.encode()
        pack = PACKERS.get(Path(name).suffix)
        (data / name).write_bytes(pack(written) if pack else written)
    return data


def read(directory: Path, files: Mapping[str, str | bytes], max_rejects: float = MAX_REJECTS) -> Dataset:
    data = write(directory, files)
    with Rejects(directory / REJECTS, max_rejects) as rejects:
        return read_dataset(data, rejects, SilentProgress())


def lines(*rows: Mapping[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def rejected(directory: Path) -> list[dict[str, Any]]:
    path = directory / REJECTS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def rows(dataset: Dataset) -> list[tuple[str, str, str, float, float]]:
    """User, item, type, value, timestamp of every event."""
    events = dataset.events
    return [
        (events.user_ids[user], events.item_ids[item], events.types[kind], value, time)
        for user, item, kind, value, time in zip(
            events.users.tolist(),
            events.items.tolist(),
            events.kinds.tolist(),
            events.values.tolist(),
            events.timestamps.tolist(),
            strict=True,
        )
    ]
