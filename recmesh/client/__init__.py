"""The SDK: one set of calls, `Client`, for each way of waiting.

tx, aio, blocking   the Client of Twisted, of asyncio, and of code that just waits
values              what is given and got
core                what the calls do, once for all three
"""

from recmesh.client.values import (
    Answer,
    EndpointStatus,
    Event,
    Item,
    ItemsDeleted,
    ItemsPut,
    MeshStatus,
    PastEvent,
    Reason,
    Recommendations,
    RecommendedItem,
    Recorded,
    SearchResults,
    SimilarItems,
    UpstreamStatus,
    UserDeleted,
    UserHistory,
)
from recmesh.rpc import RpcError, Status

__all__ = [
    "Answer",
    "EndpointStatus",
    "Event",
    "Item",
    "ItemsDeleted",
    "ItemsPut",
    "MeshStatus",
    "PastEvent",
    "Reason",
    "Recommendations",
    "RecommendedItem",
    "Recorded",
    "RpcError",
    "SearchResults",
    "SimilarItems",
    "Status",
    "UpstreamStatus",
    "UserDeleted",
    "UserHistory",
]
