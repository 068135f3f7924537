from recmesh.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecommendRequest(_message.Message):
    __slots__ = ("user_id", "history", "count", "filter", "exclude_item_ids", "exclude_seen", "query_text", "diversity", "explain", "tenant", "bundle_version", "offset")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_SEEN_FIELD_NUMBER: _ClassVar[int]
    QUERY_TEXT_FIELD_NUMBER: _ClassVar[int]
    DIVERSITY_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    history: _containers.RepeatedCompositeFieldContainer[HistoryItem]
    count: int
    filter: str
    exclude_item_ids: _containers.RepeatedScalarFieldContainer[str]
    exclude_seen: bool
    query_text: str
    diversity: float
    explain: bool
    tenant: str
    bundle_version: str
    offset: int
    def __init__(self, user_id: _Optional[str] = ..., history: _Optional[_Iterable[_Union[HistoryItem, _Mapping]]] = ..., count: _Optional[int] = ..., filter: _Optional[str] = ..., exclude_item_ids: _Optional[_Iterable[str]] = ..., exclude_seen: bool = ..., query_text: _Optional[str] = ..., diversity: _Optional[float] = ..., explain: bool = ..., tenant: _Optional[str] = ..., bundle_version: _Optional[str] = ..., offset: _Optional[int] = ...) -> None: ...

class HistoryItem(_message.Message):
    __slots__ = ("item_id", "weight", "timestamp")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    weight: float
    timestamp: float
    def __init__(self, item_id: _Optional[str] = ..., weight: _Optional[float] = ..., timestamp: _Optional[float] = ...) -> None: ...

class RecommendResponse(_message.Message):
    __slots__ = ("items", "bundle_version", "variant", "degraded", "shards_total", "shards_answered", "impression_id", "personalized")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    SHARDS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    SHARDS_ANSWERED_FIELD_NUMBER: _ClassVar[int]
    IMPRESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PERSONALIZED_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[_common_pb2.ScoredItem]
    bundle_version: str
    variant: str
    degraded: _containers.RepeatedScalarFieldContainer[str]
    shards_total: int
    shards_answered: int
    impression_id: str
    personalized: bool
    def __init__(self, items: _Optional[_Iterable[_Union[_common_pb2.ScoredItem, _Mapping]]] = ..., bundle_version: _Optional[str] = ..., variant: _Optional[str] = ..., degraded: _Optional[_Iterable[str]] = ..., shards_total: _Optional[int] = ..., shards_answered: _Optional[int] = ..., impression_id: _Optional[str] = ..., personalized: bool = ...) -> None: ...

class SimilarItemsRequest(_message.Message):
    __slots__ = ("item_id", "count", "filter", "exclude_item_ids", "explain", "tenant", "bundle_version", "offset")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    count: int
    filter: str
    exclude_item_ids: _containers.RepeatedScalarFieldContainer[str]
    explain: bool
    tenant: str
    bundle_version: str
    offset: int
    def __init__(self, item_id: _Optional[str] = ..., count: _Optional[int] = ..., filter: _Optional[str] = ..., exclude_item_ids: _Optional[_Iterable[str]] = ..., explain: bool = ..., tenant: _Optional[str] = ..., bundle_version: _Optional[str] = ..., offset: _Optional[int] = ...) -> None: ...

class SimilarItemsResponse(_message.Message):
    __slots__ = ("items", "bundle_version", "degraded", "shards_total", "shards_answered", "impression_id", "title")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    SHARDS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    SHARDS_ANSWERED_FIELD_NUMBER: _ClassVar[int]
    IMPRESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[_common_pb2.ScoredItem]
    bundle_version: str
    degraded: _containers.RepeatedScalarFieldContainer[str]
    shards_total: int
    shards_answered: int
    impression_id: str
    title: str
    def __init__(self, items: _Optional[_Iterable[_Union[_common_pb2.ScoredItem, _Mapping]]] = ..., bundle_version: _Optional[str] = ..., degraded: _Optional[_Iterable[str]] = ..., shards_total: _Optional[int] = ..., shards_answered: _Optional[int] = ..., impression_id: _Optional[str] = ..., title: _Optional[str] = ...) -> None: ...

class SearchItemsRequest(_message.Message):
    __slots__ = ("query", "count", "filter", "exclude_item_ids", "explain", "tenant", "bundle_version", "offset")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    query: str
    count: int
    filter: str
    exclude_item_ids: _containers.RepeatedScalarFieldContainer[str]
    explain: bool
    tenant: str
    bundle_version: str
    offset: int
    def __init__(self, query: _Optional[str] = ..., count: _Optional[int] = ..., filter: _Optional[str] = ..., exclude_item_ids: _Optional[_Iterable[str]] = ..., explain: bool = ..., tenant: _Optional[str] = ..., bundle_version: _Optional[str] = ..., offset: _Optional[int] = ...) -> None: ...

class SearchItemsResponse(_message.Message):
    __slots__ = ("items", "bundle_version", "degraded", "shards_total", "shards_answered", "impression_id")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    SHARDS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    SHARDS_ANSWERED_FIELD_NUMBER: _ClassVar[int]
    IMPRESSION_ID_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[_common_pb2.ScoredItem]
    bundle_version: str
    degraded: _containers.RepeatedScalarFieldContainer[str]
    shards_total: int
    shards_answered: int
    impression_id: str
    def __init__(self, items: _Optional[_Iterable[_Union[_common_pb2.ScoredItem, _Mapping]]] = ..., bundle_version: _Optional[str] = ..., degraded: _Optional[_Iterable[str]] = ..., shards_total: _Optional[int] = ..., shards_answered: _Optional[int] = ..., impression_id: _Optional[str] = ...) -> None: ...

class RecordFeedbackRequest(_message.Message):
    __slots__ = ("events", "tenant")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_common_pb2.Event]
    tenant: str
    def __init__(self, events: _Optional[_Iterable[_Union[_common_pb2.Event, _Mapping]]] = ..., tenant: _Optional[str] = ...) -> None: ...

class RecordFeedbackResponse(_message.Message):
    __slots__ = ("recorded", "duplicates", "event_ids")
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    EVENT_IDS_FIELD_NUMBER: _ClassVar[int]
    recorded: int
    duplicates: int
    event_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, recorded: _Optional[int] = ..., duplicates: _Optional[int] = ..., event_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class PutItemsRequest(_message.Message):
    __slots__ = ("items", "tenant")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[_common_pb2.Item]
    tenant: str
    def __init__(self, items: _Optional[_Iterable[_Union[_common_pb2.Item, _Mapping]]] = ..., tenant: _Optional[str] = ...) -> None: ...

class PutItemsResponse(_message.Message):
    __slots__ = ("stored", "replicas_asked", "replicas_acknowledged")
    STORED_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_ASKED_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    stored: int
    replicas_asked: int
    replicas_acknowledged: int
    def __init__(self, stored: _Optional[int] = ..., replicas_asked: _Optional[int] = ..., replicas_acknowledged: _Optional[int] = ...) -> None: ...

class DeleteItemsRequest(_message.Message):
    __slots__ = ("item_ids", "tenant")
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    tenant: str
    def __init__(self, item_ids: _Optional[_Iterable[str]] = ..., tenant: _Optional[str] = ...) -> None: ...

class DeleteItemsResponse(_message.Message):
    __slots__ = ("deleted", "replicas_asked", "replicas_acknowledged")
    DELETED_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_ASKED_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    deleted: int
    replicas_asked: int
    replicas_acknowledged: int
    def __init__(self, deleted: _Optional[int] = ..., replicas_asked: _Optional[int] = ..., replicas_acknowledged: _Optional[int] = ...) -> None: ...

class DeleteUserRequest(_message.Message):
    __slots__ = ("user_id", "tenant")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    tenant: str
    def __init__(self, user_id: _Optional[str] = ..., tenant: _Optional[str] = ...) -> None: ...

class DeleteUserResponse(_message.Message):
    __slots__ = ("events_deleted",)
    EVENTS_DELETED_FIELD_NUMBER: _ClassVar[int]
    events_deleted: int
    def __init__(self, events_deleted: _Optional[int] = ...) -> None: ...

class GetHistoryRequest(_message.Message):
    __slots__ = ("user_id", "count", "tenant")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    count: int
    tenant: str
    def __init__(self, user_id: _Optional[str] = ..., count: _Optional[int] = ..., tenant: _Optional[str] = ...) -> None: ...

class GetHistoryResponse(_message.Message):
    __slots__ = ("events", "known", "degraded")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[PastEvent]
    known: bool
    degraded: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, events: _Optional[_Iterable[_Union[PastEvent, _Mapping]]] = ..., known: bool = ..., degraded: _Optional[_Iterable[str]] = ...) -> None: ...

class PastEvent(_message.Message):
    __slots__ = ("event", "title")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    event: _common_pb2.Event
    title: str
    def __init__(self, event: _Optional[_Union[_common_pb2.Event, _Mapping]] = ..., title: _Optional[str] = ...) -> None: ...

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatusResponse(_message.Message):
    __slots__ = ("bundle_version", "serving", "build", "uptime_seconds", "upstreams", "quality")
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    UPTIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    UPSTREAMS_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    bundle_version: str
    serving: bool
    build: str
    uptime_seconds: float
    upstreams: _containers.RepeatedCompositeFieldContainer[UpstreamStatus]
    quality: float
    def __init__(self, bundle_version: _Optional[str] = ..., serving: bool = ..., build: _Optional[str] = ..., uptime_seconds: _Optional[float] = ..., upstreams: _Optional[_Iterable[_Union[UpstreamStatus, _Mapping]]] = ..., quality: _Optional[float] = ...) -> None: ...

class UpstreamStatus(_message.Message):
    __slots__ = ("service", "shard", "endpoints", "retry_budget", "in_flight", "limit", "queued", "throttle", "hedges_sent", "hedges_won", "panic")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    RETRY_BUDGET_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    THROTTLE_FIELD_NUMBER: _ClassVar[int]
    HEDGES_SENT_FIELD_NUMBER: _ClassVar[int]
    HEDGES_WON_FIELD_NUMBER: _ClassVar[int]
    PANIC_FIELD_NUMBER: _ClassVar[int]
    service: str
    shard: int
    endpoints: _containers.RepeatedCompositeFieldContainer[EndpointStatus]
    retry_budget: float
    in_flight: int
    limit: int
    queued: int
    throttle: float
    hedges_sent: int
    hedges_won: int
    panic: bool
    def __init__(self, service: _Optional[str] = ..., shard: _Optional[int] = ..., endpoints: _Optional[_Iterable[_Union[EndpointStatus, _Mapping]]] = ..., retry_budget: _Optional[float] = ..., in_flight: _Optional[int] = ..., limit: _Optional[int] = ..., queued: _Optional[int] = ..., throttle: _Optional[float] = ..., hedges_sent: _Optional[int] = ..., hedges_won: _Optional[int] = ..., panic: bool = ...) -> None: ...

class EndpointStatus(_message.Message):
    __slots__ = ("address", "state", "in_flight", "calls", "failures", "last_error", "bundle_versions", "last_error_age_seconds", "problem", "id", "health", "cause", "ejections", "cost_seconds")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_AGE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    EJECTIONS_FIELD_NUMBER: _ClassVar[int]
    COST_SECONDS_FIELD_NUMBER: _ClassVar[int]
    address: str
    state: str
    in_flight: int
    calls: int
    failures: int
    last_error: str
    bundle_versions: _containers.RepeatedScalarFieldContainer[str]
    last_error_age_seconds: float
    problem: str
    id: str
    health: str
    cause: str
    ejections: int
    cost_seconds: float
    def __init__(self, address: _Optional[str] = ..., state: _Optional[str] = ..., in_flight: _Optional[int] = ..., calls: _Optional[int] = ..., failures: _Optional[int] = ..., last_error: _Optional[str] = ..., bundle_versions: _Optional[_Iterable[str]] = ..., last_error_age_seconds: _Optional[float] = ..., problem: _Optional[str] = ..., id: _Optional[str] = ..., health: _Optional[str] = ..., cause: _Optional[str] = ..., ejections: _Optional[int] = ..., cost_seconds: _Optional[float] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: RecommendRequest
    def __init__(self, request: _Optional[_Union[RecommendRequest, _Mapping]] = ...) -> None: ...
