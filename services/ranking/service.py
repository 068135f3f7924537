"""The Ranking service."""

from __future__ import annotations

from functools import partial
from typing import Final

from models.blend import Ranked
from models.data import Float32
from models.ranker import Ranker
from models.sources import SOURCES, SURFACES
from recmesh.ops.process import Process, Serving
from recmesh.rpc.call import Context
from recmesh.v1 import common_pb2
from recmesh.v1 import ranking_pb2 as pb
from recmesh.v1.ranking_rpc import RankingBase
from services.common.checks import check_different, check_ids, invalid, shown
from services.common.columns import history, packed, packed_int32, scores
from services.common.models import Models
from services.common.start import open_versions, serving
from services.common.versions import Versions
from services.common.workers import Workers, start_workers
from services.ranking.settings import Settings

MOST_CANDIDATES: Final = 50_000  # of one call: a thousand a source from seven sources on seven shards
RANKED_INLINE: Final = 1_500  # candidates, in 2 ms: however many there are, the trees look at some hundred


class Ranking(RankingBase):
    """Scores candidates from what every source said of them."""

    def __init__(self, versions: Versions[Ranker], workers: Workers) -> None:
        self._versions = versions
        self._workers = workers

    async def rank(self, request: pb.RankRequest, context: Context) -> pb.RankResponse:
        loaded = self._versions.get(request.bundle_version)
        if request.surface not in SURFACES:
            raise invalid("surface", f"{shown(request.surface)} is none of {', '.join(SURFACES)}")
        item_ids = list(request.item_ids)
        check_ids("item_ids", item_ids, MOST_CANDIDATES)
        check_different("item_ids", item_ids)
        work = partial(
            loaded.model.rank,
            request.surface,
            item_ids,
            _columns(request, len(item_ids)),
            request.count,
            request.candidates_per_source,
            history("history", request.history) if request.HasField("history") else None,
        )
        inline = len(item_ids) <= RANKED_INLINE
        ranked = work() if inline else await self._workers.run(work, context.deadline)
        return _answer(ranked, loaded.version)


def _columns(request: pb.RankRequest, candidates: int) -> dict[str, Float32]:
    columns: dict[str, Float32] = {}
    for place, each in enumerate(request.sources):
        field = f"sources[{place}]"
        if each.source not in SOURCES:
            raise invalid(f"{field}.source", f"{shown(each.source)} is none of {', '.join(SOURCES)}")
        if each.source in columns:
            raise invalid(f"{field}.source", f"{each.source!r} is there twice")
        columns[each.source] = scores(f"{field}.scores", each.scores, candidates)
    return columns


def _answer(ranked: Ranked, version: str) -> pb.RankResponse:
    return pb.RankResponse(
        bundle_version=version,
        order=packed_int32(ranked.order),
        scores=packed(ranked.scores),
        contributions=[
            common_pb2.SourceScores(source=source, scores=packed(values))
            for source, values in ranked.contributions.items()
        ],
    )


async def start(process: Process, settings: Settings) -> Serving:
    workers = start_workers(process)
    versions = await open_versions(settings, workers, Ranker.of)
    return serving(process, settings, "Ranking", Ranking(versions, workers), Models(versions))
