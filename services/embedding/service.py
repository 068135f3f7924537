"""The Embedding service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from models.data import Float32, History
from models.encoder import Encoder
from recmesh.ops.process import Process, Serving
from recmesh.rpc.call import Context
from recmesh.v1 import embedding_pb2 as pb
from recmesh.v1.embedding_rpc import EmbeddingBase
from services.common.checks import check_count, check_text
from services.common.columns import history, packed
from services.common.models import Models
from services.common.start import open_versions, serving
from services.common.versions import Versions
from services.common.workers import Workers, start_workers
from services.embedding.settings import Settings

MOST_ROWS: Final = 256  # histories or texts of one call; the contract's

# What is embedded on the reactor's thread: more takes over 2 ms.
HISTORIES_INLINE: Final = 8
SEQUENCES_INLINE: Final = 2  # histories, where a sequence model reads each of them in .6 ms
TEXT_INLINE: Final = 2_048  # characters

Vectors = tuple[Float32, ...]  # one of each space


class Embedding(EmbeddingBase):
    """Maps histories and texts into the spaces of tastes, of meaning, and of what comes next."""

    def __init__(self, versions: Versions[Encoder], workers: Workers) -> None:
        self._versions = versions
        self._workers = workers

    async def embed_history(self, request: pb.EmbedHistoryRequest, context: Context) -> pb.EmbedHistoryResponse:
        check_count("histories", request.histories, MOST_ROWS)
        loaded = self._versions.get(request.bundle_version)
        rows = [history(f"histories[{place}]", each) for place, each in enumerate(request.histories)]
        work = partial(_embedded, loaded.model, rows)
        inline = SEQUENCES_INLINE if loaded.model.sequence_dimension else HISTORIES_INLINE
        factors, contents, sequences = await self._run(work, len(rows) <= inline, context)
        return pb.EmbedHistoryResponse(
            bundle_version=loaded.version,
            factor_dimension=loaded.model.factor_dimension,
            factors=packed(factors),
            content_dimension=loaded.model.content_dimension,
            contents=packed(contents),
            sequence_dimension=loaded.model.sequence_dimension,
            sequences=packed(sequences),
        )

    async def embed_text(self, request: pb.EmbedTextRequest, context: Context) -> pb.EmbedTextResponse:
        check_count("texts", request.texts, MOST_ROWS)
        for place, text in enumerate(request.texts):
            check_text(f"texts[{place}]", text)
        loaded = self._versions.get(request.bundle_version)
        texts = list(request.texts)
        work = partial(loaded.model.embed_texts, texts)
        factors, contents = await self._run(work, sum(map(len, texts)) <= TEXT_INLINE, context)
        return pb.EmbedTextResponse(
            bundle_version=loaded.version,
            factor_dimension=loaded.model.factor_dimension,
            factors=packed(factors),
            content_dimension=loaded.model.content_dimension,
            contents=packed(contents),
        )

    async def _run(self, work: Callable[[], Vectors], inline: bool, context: Context) -> Vectors:
        return work() if inline else await self._workers.run(work, context.deadline)


def _embedded(encoder: Encoder, rows: Sequence[History]) -> Vectors:
    return *encoder.embed_histories(rows), encoder.embed_sequences(rows)


async def start(process: Process, settings: Settings) -> Serving:
    workers = start_workers(process)
    versions = await open_versions(settings, workers, Encoder)
    return serving(process, settings, "Embedding", Embedding(versions, workers), Models(versions))
