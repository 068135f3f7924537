from recmesh.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SearchRequest(_message.Message):
    __slots__ = ("bundle_version", "sources", "count", "factors", "content", "history", "text", "exclude_item_ids", "filter", "explain", "sequence", "surface", "titles")
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    TITLES_FIELD_NUMBER: _ClassVar[int]
    bundle_version: str
    sources: _containers.RepeatedScalarFieldContainer[str]
    count: int
    factors: bytes
    content: bytes
    history: _common_pb2.History
    text: str
    exclude_item_ids: _containers.RepeatedScalarFieldContainer[str]
    filter: str
    explain: bool
    sequence: bytes
    surface: str
    titles: bool
    def __init__(self, bundle_version: _Optional[str] = ..., sources: _Optional[_Iterable[str]] = ..., count: _Optional[int] = ..., factors: _Optional[bytes] = ..., content: _Optional[bytes] = ..., history: _Optional[_Union[_common_pb2.History, _Mapping]] = ..., text: _Optional[str] = ..., exclude_item_ids: _Optional[_Iterable[str]] = ..., filter: _Optional[str] = ..., explain: bool = ..., sequence: _Optional[bytes] = ..., surface: _Optional[str] = ..., titles: bool = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("bundle_version", "shard", "item_ids", "sources", "is_new", "titles")
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    IS_NEW_FIELD_NUMBER: _ClassVar[int]
    TITLES_FIELD_NUMBER: _ClassVar[int]
    bundle_version: str
    shard: int
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    sources: _containers.RepeatedCompositeFieldContainer[_common_pb2.SourceScores]
    is_new: bytes
    titles: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, bundle_version: _Optional[str] = ..., shard: _Optional[int] = ..., item_ids: _Optional[_Iterable[str]] = ..., sources: _Optional[_Iterable[_Union[_common_pb2.SourceScores, _Mapping]]] = ..., is_new: _Optional[bytes] = ..., titles: _Optional[_Iterable[str]] = ...) -> None: ...

class ItemRecord(_message.Message):
    __slots__ = ("item", "factors", "content", "is_new", "deleted", "changed", "sequence")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    IS_NEW_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    item: _common_pb2.Item
    factors: bytes
    content: bytes
    is_new: bool
    deleted: bool
    changed: float
    sequence: int
    def __init__(self, item: _Optional[_Union[_common_pb2.Item, _Mapping]] = ..., factors: _Optional[bytes] = ..., content: _Optional[bytes] = ..., is_new: bool = ..., deleted: bool = ..., changed: _Optional[float] = ..., sequence: _Optional[int] = ...) -> None: ...

class PutShardItemsRequest(_message.Message):
    __slots__ = ("bundle_version", "records")
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    bundle_version: str
    records: _containers.RepeatedCompositeFieldContainer[ItemRecord]
    def __init__(self, bundle_version: _Optional[str] = ..., records: _Optional[_Iterable[_Union[ItemRecord, _Mapping]]] = ...) -> None: ...

class PutShardItemsResponse(_message.Message):
    __slots__ = ("stored",)
    STORED_FIELD_NUMBER: _ClassVar[int]
    stored: int
    def __init__(self, stored: _Optional[int] = ...) -> None: ...

class DeleteShardItemsRequest(_message.Message):
    __slots__ = ("item_ids", "changed")
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    changed: float
    def __init__(self, item_ids: _Optional[_Iterable[str]] = ..., changed: _Optional[float] = ...) -> None: ...

class DeleteShardItemsResponse(_message.Message):
    __slots__ = ("deleted",)
    DELETED_FIELD_NUMBER: _ClassVar[int]
    deleted: int
    def __init__(self, deleted: _Optional[int] = ...) -> None: ...

class GetItemsRequest(_message.Message):
    __slots__ = ("bundle_version", "item_ids", "include_text", "include_vectors", "changes", "after_sequence", "limit")
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_TEXT_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_VECTORS_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    bundle_version: str
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    include_text: bool
    include_vectors: bool
    changes: bool
    after_sequence: int
    limit: int
    def __init__(self, bundle_version: _Optional[str] = ..., item_ids: _Optional[_Iterable[str]] = ..., include_text: bool = ..., include_vectors: bool = ..., changes: bool = ..., after_sequence: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class GetItemsResponse(_message.Message):
    __slots__ = ("bundle_version", "records")
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    bundle_version: str
    records: _containers.RepeatedCompositeFieldContainer[ItemRecord]
    def __init__(self, bundle_version: _Optional[str] = ..., records: _Optional[_Iterable[_Union[ItemRecord, _Mapping]]] = ...) -> None: ...
