from recmesh.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RankRequest(_message.Message):
    __slots__ = ("bundle_version", "surface", "item_ids", "sources", "count", "candidates_per_source", "history")
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_PER_SOURCE_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    bundle_version: str
    surface: str
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    sources: _containers.RepeatedCompositeFieldContainer[_common_pb2.SourceScores]
    count: int
    candidates_per_source: int
    history: _common_pb2.History
    def __init__(self, bundle_version: _Optional[str] = ..., surface: _Optional[str] = ..., item_ids: _Optional[_Iterable[str]] = ..., sources: _Optional[_Iterable[_Union[_common_pb2.SourceScores, _Mapping]]] = ..., count: _Optional[int] = ..., candidates_per_source: _Optional[int] = ..., history: _Optional[_Union[_common_pb2.History, _Mapping]] = ...) -> None: ...

class RankResponse(_message.Message):
    __slots__ = ("bundle_version", "order", "scores", "contributions")
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    bundle_version: str
    order: bytes
    scores: bytes
    contributions: _containers.RepeatedCompositeFieldContainer[_common_pb2.SourceScores]
    def __init__(self, bundle_version: _Optional[str] = ..., order: _Optional[bytes] = ..., scores: _Optional[bytes] = ..., contributions: _Optional[_Iterable[_Union[_common_pb2.SourceScores, _Mapping]]] = ...) -> None: ...
