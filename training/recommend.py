"""Recommendations for a file of users: the lists the mesh would give, without a mesh.

The file names a user a line; items after tabs, oldest first, take the place of the history the bundle knows. The
answer has a line a user: the user, then the items, best first, between tabs. Files that end in .jsonl hold objects
instead, `{"user": ..., "history": [...]}` and `{"user": ..., "items": [...], "scores": [...]}`, and any id.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from models.bundle import Bundle
from models.data import History
from models.histories import Histories
from models.pipeline import LocalRecommender
from training.datasets.rejects import BadRow
from training.datasets.values import identifier
from training.errors import DatasetError
from training.progress import Progress

MAX_COUNT = 1_000  # as in a request to the mesh
JSON_LINES = ".jsonl"


@dataclass(frozen=True, slots=True)
class Asker:
    """A user, and what they did where the file says it."""

    user_id: str
    item_ids: Sequence[str]  # oldest first


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of a file of users."""

    users: int
    unknown: int  # nothing is known of them: popular items


def read_askers(path: Path) -> list[Asker]:
    read = _json_asker if path.suffix == JSON_LINES else _tabbed_asker
    askers = []
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip("\n"):
                    askers.append(read(line.rstrip("\n"), f"{path}, line {number}"))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}; name a file with a user id a line") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not UTF-8; save it as UTF-8") from error
    if not askers:
        raise DatasetError(f"{path} is empty; write a user id a line")
    return askers


def _tabbed_asker(line: str, place: str) -> Asker:
    user, *items = line.split("\t")
    return _asker(user, items, place)


def _json_asker(line: str, place: str) -> Asker:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f'{place}: not JSON; write an object as {{"user": "42"}}') from error
    history = row.get("history", []) if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(history, list) or not row.keys() <= {"user", "history"}:
        raise DatasetError(f'{place}: write {{"user": "42"}}, or {{"user": "42", "history": ["1", "2"]}} oldest first')
    return _asker(row.get("user"), history, place)


def _asker(user: object, items: Sequence[object], place: str) -> Asker:
    try:
        return Asker(identifier(user, "user"), [identifier(item, "item") for item in items])
    except BadRow as reason:
        raise DatasetError(f"{place}: {reason}") from reason


def recommend_file(bundle: Bundle, users: Path, count: int, out: Path, progress: Progress) -> Batch:
    """Writes `out`, whole or not at all."""
    askers = read_askers(users)
    histories, recommender = Histories(bundle), LocalRecommender(bundle)
    write = _json_line if out.suffix == JSON_LINES else _tabbed_line
    unknown = 0
    with _whole_or_nothing(out) as file, progress.stage("recommend", len(askers)) as stage:
        for asker in askers:
            history = history_of(asker, histories)
            unknown += history is None
            file.write(write(asker.user_id, recommender.recommend(history, count)) + "\n")
            stage.advance()
    return Batch(len(askers), unknown)


@contextmanager
def _whole_or_nothing(path: Path) -> Iterator[IO[str]]:
    unfinished = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def history_of(asker: Asker, histories: Histories) -> History | None:
    """What the mesh would work with: the given items, else what the bundle knows, else nothing."""
    if not asker.item_ids:
        return histories.of(asker.user_id)
    newest_first = list(dict.fromkeys(reversed(asker.item_ids)))
    return History(newest_first, np.ones(len(newest_first), np.float32), np.zeros(len(newest_first), np.float64))


def _tabbed_line(user: str, ranked: Sequence[tuple[str, float]]) -> str:
    ids = [user, *(item for item, _ in ranked)]
    for id_ in ids:
        if any(separator in id_ for separator in "\t\n\r"):
            raise DatasetError(f"the id {id_!r} holds a tab or a line end; write JSON lines: --out FILE{JSON_LINES}")
    return "\t".join(ids)


def _json_line(user: str, ranked: Sequence[tuple[str, float]]) -> str:
    record = {"user": user, "items": [item for item, _ in ranked], "scores": [float(score) for _, score in ranked]}
    return json.dumps(record, ensure_ascii=False)
