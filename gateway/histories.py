"""The history a request is answered from: its own, or the stored one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from gateway.columns import DOUBLE, FLOAT, pack_doubles, pack_floats
from gateway.run import STAGE_SHARE, Run
from recmesh.v1.common_pb2 import History
from recmesh.v1.feedback_pb2 import HistoryRequest
from recmesh.v1.recommender_pb2 import HistoryItem

QUERY_LIMIT: Final = 500
"""Entries sent to models, no fewer than they look at. All the others are only left out of the answer."""


async def stored(run: Run, user_id: str) -> History:
    """Empty for a user nobody knows, and where feedback is away."""
    request = HistoryRequest(user_id=user_id, bundle_version=run.version)
    answer = await run.unless_away("feedback", run.upstreams.feedback.history(request, run.context(STAGE_SHARE)))
    return answer.history if answer is not None else History()


def given(entries: Sequence[HistoryItem], wall_time: Callable[[], float]) -> History:
    """The history of a request, which is oldest first and may name an item twice: the newer entry counts."""
    newest = dict[str, HistoryItem]()
    for entry in reversed(entries):
        newest.setdefault(entry.item_id, entry)
    now = wall_time()
    return History(
        item_ids=newest,
        weights=pack_floats(entry.weight if entry.HasField("weight") else 1.0 for entry in newest.values()),
        timestamps=pack_doubles(entry.timestamp or now for entry in newest.values()),
    )


def for_query(history: History) -> History:
    """The newest entries, as many as models look at."""
    if len(history.item_ids) <= QUERY_LIMIT:
        return history
    return History(
        item_ids=history.item_ids[:QUERY_LIMIT],
        weights=history.weights[: QUERY_LIMIT * FLOAT],
        timestamps=history.timestamps[: QUERY_LIMIT * DOUBLE],
    )
