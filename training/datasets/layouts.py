"""Layouts of datasets that are recognised by their files, each written as a description of tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from training.datasets.files import JSON_LINES, TABLE_SUFFIXES, SourceFiles, open_text
from training.datasets.spec import DatasetSpec, TableSpec
from training.errors import DatasetError

_GENRES_100K = (
    "Action",
    "Adventure",
    "Animation",
    "Children",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)

TABLES: Final = DatasetSpec(layout="tables")  # interactions.*, items.*, users.* under their own names
EVENTS: Final = DatasetSpec(layout="events")  # nothing but an exported event log, perhaps with items.*
MOVIELENS: Final = DatasetSpec(
    layout="movielens",
    interactions=TableSpec(file="ratings.csv", columns={"user": "userId", "item": "movieId"}, event="rating"),
    items=TableSpec(file="movies.csv", columns={"item": "movieId"}, titles="movie"),
    tags=TableSpec(file="tags.csv", columns={"item": "movieId"}),
)
MOVIELENS_100K: Final = DatasetSpec(
    layout="movielens-100k",
    interactions=TableSpec(
        file="u.data", delimiter="\t", quotes=False, header=("user", "item", "rating", "timestamp"), event="rating"
    ),
    items=TableSpec(
        file="u.item",
        delimiter="|",
        quotes=False,
        encoding="latin-1",
        header=("item", "title", "release", "video release", "address", "unknown", *_GENRES_100K),
        flags=_GENRES_100K,
        attributes=(),
        titles="movie",
    ),
    users=TableSpec(
        file="u.user", delimiter="|", quotes=False, header=("user", "age", "gender", "occupation", "zip code")
    ),
)
SEQUENCES: Final = DatasetSpec(layout="sequences", interactions=TableSpec(file="sequences.txt"))
AMAZON_REVIEWS: Final = DatasetSpec(
    layout="amazon-reviews",
    interactions=TableSpec(
        columns={
            "user": "reviewerID",
            "item": "asin",
            "value": "overall",
            "timestamp": "unixReviewTime",
            "text": "reviewText",
        },
        event="rating",
    ),
)

LAYOUTS: Final[Mapping[str, DatasetSpec]] = {
    spec.layout: spec for spec in (TABLES, EVENTS, MOVIELENS, MOVIELENS_100K, SEQUENCES, AMAZON_REVIEWS)
}


def recognise(files: SourceFiles, interactions: str) -> DatasetSpec:
    """The layout of a directory; `interactions`: the file dataset.toml names, if it does."""
    if interactions or files.table("interactions"):
        return TABLES
    if "ratings.csv" in files and "movies.csv" in files:
        return MOVIELENS
    if "u.data" in files:
        return MOVIELENS_100K
    if "sequences.txt" in files:
        return SEQUENCES
    if files.table("events"):
        return EVENTS
    if files.table("opinions"):
        return TABLES
    return _by_content(files)


def by_name(name: str) -> DatasetSpec:
    if name not in LAYOUTS:
        raise DatasetError(f'dataset.toml: layout "{name}" is not known; known are: {", ".join(LAYOUTS)}')
    return LAYOUTS[name]


def _by_content(files: SourceFiles) -> DatasetSpec:
    """Reviews and event logs come under any name: the first line of a JSON lines file tells them."""
    for name in files:
        if not name.endswith(JSON_LINES):
            continue
        keys = _first_keys(files, name)
        if {"reviewerID", "asin"} <= keys:
            return _with_file(AMAZON_REVIEWS, "interactions", name)
        if {"event_id", "user_id", "item_id"} <= keys:
            return _with_file(EVENTS, "events", name)
    if files.path.is_file():
        return _single(next(iter(files)), files)
    raise _unknown(files)


def _single(name: str, files: SourceFiles) -> DatasetSpec:
    """One file instead of a directory is what its format can only be."""
    if name.endswith(".txt"):
        return _with_file(SEQUENCES, "interactions", name)
    if name.endswith(TABLE_SUFFIXES):
        return _with_file(TABLES, "interactions", name)
    raise _unknown(files)


def _unknown(files: SourceFiles) -> DatasetError:
    return DatasetError(
        f"{files.path}: no interactions found. A dataset directory holds interactions.csv or interactions.jsonl with "
        f"the columns user and item, or one of the layouts {', '.join(LAYOUTS)}; other names are mapped in dataset.toml"
    )


def _with_file(spec: DatasetSpec, table: str, name: str) -> DatasetSpec:
    return replace(spec, **{table: replace(getattr(spec, table), file=name)})


def _first_keys(files: SourceFiles, name: str) -> set[str]:
    with open_text(files.peek(name)) as file:
        try:
            first = json.loads(file.readline(1_000_000))  # a file without line ends is not JSON lines
        except (ValueError, RecursionError):
            return set()
    return set(first) if isinstance(first, dict) else set()
