from google.protobuf import any_pb2 as _any_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Criticality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CRITICALITY_UNSPECIFIED: _ClassVar[Criticality]
    CRITICAL_PLUS: _ClassVar[Criticality]
    CRITICAL: _ClassVar[Criticality]
    SHEDDABLE_PLUS: _ClassVar[Criticality]
    SHEDDABLE: _ClassVar[Criticality]

class Processed(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROCESSED_UNSPECIFIED: _ClassVar[Processed]
    NOT_SENT: _ClassVar[Processed]
    REFUSED: _ClassVar[Processed]
    MAYBE: _ClassVar[Processed]
    YES: _ClassVar[Processed]

class Origin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORIGIN_UNSPECIFIED: _ClassVar[Origin]
    APP: _ClassVar[Origin]
    SERVER: _ClassVar[Origin]
    GATEWAY: _ClassVar[Origin]
    CLIENT: _ClassVar[Origin]

class Cardinality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNARY: _ClassVar[Cardinality]
    CLIENT_STREAM: _ClassVar[Cardinality]
    SERVER_STREAM: _ClassVar[Cardinality]
    BIDI: _ClassVar[Cardinality]
CRITICALITY_UNSPECIFIED: Criticality
CRITICAL_PLUS: Criticality
CRITICAL: Criticality
SHEDDABLE_PLUS: Criticality
SHEDDABLE: Criticality
PROCESSED_UNSPECIFIED: Processed
NOT_SENT: Processed
REFUSED: Processed
MAYBE: Processed
YES: Processed
ORIGIN_UNSPECIFIED: Origin
APP: Origin
SERVER: Origin
GATEWAY: Origin
CLIENT: Origin
UNARY: Cardinality
CLIENT_STREAM: Cardinality
SERVER_STREAM: Cardinality
BIDI: Cardinality

class Hello(_message.Message):
    __slots__ = ("version_min", "version_max", "max_frame", "max_message", "max_concurrent_calls", "call_window", "connection_window", "crc", "node_id", "build")
    VERSION_MIN_FIELD_NUMBER: _ClassVar[int]
    VERSION_MAX_FIELD_NUMBER: _ClassVar[int]
    MAX_FRAME_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_CALLS_FIELD_NUMBER: _ClassVar[int]
    CALL_WINDOW_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_WINDOW_FIELD_NUMBER: _ClassVar[int]
    CRC_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    version_min: int
    version_max: int
    max_frame: int
    max_message: int
    max_concurrent_calls: int
    call_window: int
    connection_window: int
    crc: bool
    node_id: str
    build: str
    def __init__(self, version_min: _Optional[int] = ..., version_max: _Optional[int] = ..., max_frame: _Optional[int] = ..., max_message: _Optional[int] = ..., max_concurrent_calls: _Optional[int] = ..., call_window: _Optional[int] = ..., connection_window: _Optional[int] = ..., crc: bool = ..., node_id: _Optional[str] = ..., build: _Optional[str] = ...) -> None: ...

class CallHeader(_message.Message):
    __slots__ = ("method", "timeout_us", "trace", "tracestate", "criticality", "attempt", "hedge", "kind", "metadata")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_US_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    TRACESTATE_FIELD_NUMBER: _ClassVar[int]
    CRITICALITY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    HEDGE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    method: str
    timeout_us: int
    trace: bytes
    tracestate: str
    criticality: Criticality
    attempt: int
    hedge: bool
    kind: Cardinality
    metadata: _containers.RepeatedCompositeFieldContainer[Metadata]
    def __init__(self, method: _Optional[str] = ..., timeout_us: _Optional[int] = ..., trace: _Optional[bytes] = ..., tracestate: _Optional[str] = ..., criticality: _Optional[_Union[Criticality, str]] = ..., attempt: _Optional[int] = ..., hedge: bool = ..., kind: _Optional[_Union[Cardinality, str]] = ..., metadata: _Optional[_Iterable[_Union[Metadata, _Mapping]]] = ...) -> None: ...

class Metadata(_message.Message):
    __slots__ = ("key", "text", "binary")
    KEY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    BINARY_FIELD_NUMBER: _ClassVar[int]
    key: str
    text: str
    binary: bytes
    def __init__(self, key: _Optional[str] = ..., text: _Optional[str] = ..., binary: _Optional[bytes] = ...) -> None: ...

class CallStatus(_message.Message):
    __slots__ = ("code", "message", "details", "origin", "processed", "pushback_ms", "queue_us", "service_us", "load", "metadata")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    PROCESSED_FIELD_NUMBER: _ClassVar[int]
    PUSHBACK_MS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_US_FIELD_NUMBER: _ClassVar[int]
    SERVICE_US_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    details: _containers.RepeatedCompositeFieldContainer[_any_pb2.Any]
    origin: Origin
    processed: Processed
    pushback_ms: int
    queue_us: int
    service_us: int
    load: LoadReport
    metadata: _containers.RepeatedCompositeFieldContainer[Metadata]
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., details: _Optional[_Iterable[_Union[_any_pb2.Any, _Mapping]]] = ..., origin: _Optional[_Union[Origin, str]] = ..., processed: _Optional[_Union[Processed, str]] = ..., pushback_ms: _Optional[int] = ..., queue_us: _Optional[int] = ..., service_us: _Optional[int] = ..., load: _Optional[_Union[LoadReport, _Mapping]] = ..., metadata: _Optional[_Iterable[_Union[Metadata, _Mapping]]] = ...) -> None: ...

class Cancel(_message.Message):
    __slots__ = ("why",)
    class Why(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNSPECIFIED: _ClassVar[Cancel.Why]
        CALLER: _ClassVar[Cancel.Why]
        DEADLINE: _ClassVar[Cancel.Why]
        SUPERSEDED: _ClassVar[Cancel.Why]
        SHUTDOWN: _ClassVar[Cancel.Why]
    UNSPECIFIED: Cancel.Why
    CALLER: Cancel.Why
    DEADLINE: Cancel.Why
    SUPERSEDED: Cancel.Why
    SHUTDOWN: Cancel.Why
    WHY_FIELD_NUMBER: _ClassVar[int]
    why: Cancel.Why
    def __init__(self, why: _Optional[_Union[Cancel.Why, str]] = ...) -> None: ...

class GoAway(_message.Message):
    __slots__ = ("last_call_id", "code", "reason", "drain_ms")
    LAST_CALL_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DRAIN_MS_FIELD_NUMBER: _ClassVar[int]
    last_call_id: int
    code: int
    reason: str
    drain_ms: int
    def __init__(self, last_call_id: _Optional[int] = ..., code: _Optional[int] = ..., reason: _Optional[str] = ..., drain_ms: _Optional[int] = ...) -> None: ...

class PeerState(_message.Message):
    __slots__ = ("serving", "load")
    SERVING_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    serving: bool
    load: LoadReport
    def __init__(self, serving: bool = ..., load: _Optional[_Union[LoadReport, _Mapping]] = ...) -> None: ...

class LoadReport(_message.Message):
    __slots__ = ("utilization", "qps", "eps", "limit", "inflight")
    UTILIZATION_FIELD_NUMBER: _ClassVar[int]
    QPS_FIELD_NUMBER: _ClassVar[int]
    EPS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    INFLIGHT_FIELD_NUMBER: _ClassVar[int]
    utilization: float
    qps: float
    eps: float
    limit: int
    inflight: int
    def __init__(self, utilization: _Optional[float] = ..., qps: _Optional[float] = ..., eps: _Optional[float] = ..., limit: _Optional[int] = ..., inflight: _Optional[int] = ...) -> None: ...
