"""Vectors to search with: of a history, of a text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway import items
from gateway.columns import floats, pack_floats
from gateway.run import STAGE_SHARE, Run
from recmesh.v1.common_pb2 import History
from recmesh.v1.embedding_pb2 import EmbedHistoryRequest, EmbedTextRequest

NEWEST: Final = 20  # entries of a history whose own vectors are fetched and added: plain Python, some 0.1 ms


@dataclass(frozen=True, slots=True)
class Vectors:
    """float32 bytes in each space; empty where nothing is known."""

    factors: bytes = b""
    content: bytes = b""
    sequence: bytes = b""


async def of_history(run: Run, history: History) -> Vectors | None:
    """None where embedding is away."""
    request = EmbedHistoryRequest(bundle_version=run.version, histories=[history])
    work = run.upstreams.embedding.embed_history(request, run.context(STAGE_SHARE))
    answer = await run.unless_away("embedding", work)
    if answer is None:
        return None
    return Vectors(_known(answer.factors), _known(answer.contents), _known(answer.sequences))


async def of_new_items(run: Run, history: History) -> Vectors:
    """The sum of the liked items' own vectors: all there is where every item came after the bundle was made."""
    weights = dict(zip(history.item_ids[:NEWEST], floats(history.weights), strict=False))
    records = await items.fetch(run, weights, vectors=True)
    liked = [(weights[item_id], record) for item_id, record in records.items() if weights[item_id] > 0]
    factors = _sum((weight, floats(record.factors)) for weight, record in liked)
    content = _sum((weight, floats(record.content)) for weight, record in liked)
    length = math.hypot(*content)
    return Vectors(_known(pack_floats(factors)), _known(pack_floats(each / (length or 1.0) for each in content)))


async def of_text(run: Run, text: str) -> Vectors | None:
    """None where embedding is away."""
    request = EmbedTextRequest(bundle_version=run.version, texts=[text])
    work = run.upstreams.embedding.embed_text(request, run.context(STAGE_SHARE))
    answer = await run.unless_away("embedding", work)
    return None if answer is None else Vectors(_known(answer.factors), _known(answer.contents))


def _known(row: bytes) -> bytes:
    """A row of zeros says that nothing is known, and is no query."""
    return row if any(row) else b""


def _sum(weighted: Iterable[tuple[float, Sequence[float]]]) -> Sequence[float]:
    rows = [[weight * each for each in vector] for weight, vector in weighted]
    return [sum(column) for column in zip(*rows, strict=True)]
