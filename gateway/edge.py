"""Edge: what a client may not say of itself, because those behind the gateway would believe it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from google.protobuf.message import Message

from recmesh.mesh.criticality import Criticality
from recmesh.rpc import Call, Context, Service
from recmesh.v1.recommender_rpc import RECOMMENDER_STATUS

OURS: Final = "x-recmesh-"  # what processes of the mesh tell each other beside a request

CRITICALITY: Final = {RECOMMENDER_STATUS.path: int(Criticality.CRITICAL_PLUS)}
"""Set here, whoever calls: how the mesh is has to be seen above all when it has too much to do, and costs next to
nothing. Everything else is what a caller says who is trusted, or the usual."""


class Edge:
    """Takes criticality and metadata of the mesh's own from calls whose principal is not `trusted`."""

    def __init__(self, trusted: Collection[str] = ()) -> None:
        self._trusted = frozenset(trusted)

    async def __call__(self, call: Call, service: Service) -> Message:
        context = call.context
        criticality, metadata = context.criticality, context.metadata
        if context.principal not in self._trusted:
            criticality = 0
            metadata = _foreign(context)
        criticality = CRITICALITY.get(call.method.path, criticality)
        if criticality != context.criticality or metadata is not context.metadata:
            call = call.within(replace(context, criticality=criticality, metadata=metadata))
        return await service(call)


def _foreign(context: Context) -> Mapping[str, str | bytes]:
    """The metadata without ours; the same object where there is nothing to take."""
    if not any(key.lower().startswith(OURS) for key in context.metadata):
        return context.metadata
    return {key: value for key, value in context.metadata.items() if not key.lower().startswith(OURS)}
