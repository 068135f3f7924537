"""Vectors to search with: of a history, of a text."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.run import STAGE_SHARE, Run
from recmesh.v1.common_pb2 import History
from recmesh.v1.embedding_pb2 import EmbedHistoryRequest, EmbedTextRequest


@dataclass(frozen=True, slots=True)
class Vectors:
    """float32 bytes in both spaces; empty where nothing is known."""

    factors: bytes = b""
    content: bytes = b""


async def of_history(run: Run, history: History) -> Vectors | None:
    """None where embedding is away."""
    request = EmbedHistoryRequest(bundle_version=run.version, histories=[history])
    work = run.upstreams.embedding.embed_history(request, run.context(STAGE_SHARE))
    answer = await run.unless_away("embedding", work)
    return None if answer is None else Vectors(_known(answer.factors), _known(answer.contents))


async def of_text(run: Run, text: str) -> Vectors | None:
    """None where embedding is away."""
    request = EmbedTextRequest(bundle_version=run.version, texts=[text])
    work = run.upstreams.embedding.embed_text(request, run.context(STAGE_SHARE))
    answer = await run.unless_away("embedding", work)
    return None if answer is None else Vectors(_known(answer.factors), _known(answer.contents))


def _known(row: bytes) -> bytes:
    """A row of zeros says that nothing is known, and is no query."""
    return row if any(row) else b""
