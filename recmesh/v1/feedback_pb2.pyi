from recmesh.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AppendRequest(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_common_pb2.Event]
    def __init__(self, events: _Optional[_Iterable[_Union[_common_pb2.Event, _Mapping]]] = ...) -> None: ...

class AppendResponse(_message.Message):
    __slots__ = ("appended", "duplicates")
    APPENDED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    appended: int
    duplicates: int
    def __init__(self, appended: _Optional[int] = ..., duplicates: _Optional[int] = ...) -> None: ...

class HistoryRequest(_message.Message):
    __slots__ = ("user_id", "bundle_version", "limit", "event_limit")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    EVENT_LIMIT_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    bundle_version: str
    limit: int
    event_limit: int
    def __init__(self, user_id: _Optional[str] = ..., bundle_version: _Optional[str] = ..., limit: _Optional[int] = ..., event_limit: _Optional[int] = ...) -> None: ...

class HistoryResponse(_message.Message):
    __slots__ = ("bundle_version", "history", "events", "known")
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    bundle_version: str
    history: _common_pb2.History
    events: _containers.RepeatedCompositeFieldContainer[_common_pb2.Event]
    known: bool
    def __init__(self, bundle_version: _Optional[str] = ..., history: _Optional[_Union[_common_pb2.History, _Mapping]] = ..., events: _Optional[_Iterable[_Union[_common_pb2.Event, _Mapping]]] = ..., known: bool = ...) -> None: ...

class SubscribeRequest(_message.Message):
    __slots__ = ("after_offset",)
    AFTER_OFFSET_FIELD_NUMBER: _ClassVar[int]
    after_offset: int
    def __init__(self, after_offset: _Optional[int] = ...) -> None: ...

class SubscribeResponse(_message.Message):
    __slots__ = ("offset", "event")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    offset: int
    event: _common_pb2.Event
    def __init__(self, offset: _Optional[int] = ..., event: _Optional[_Union[_common_pb2.Event, _Mapping]] = ...) -> None: ...

class DeleteUserEventsRequest(_message.Message):
    __slots__ = ("user_id",)
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    def __init__(self, user_id: _Optional[str] = ...) -> None: ...

class DeleteUserEventsResponse(_message.Message):
    __slots__ = ("events_deleted",)
    EVENTS_DELETED_FIELD_NUMBER: _ClassVar[int]
    events_deleted: int
    def __init__(self, events_deleted: _Optional[int] = ...) -> None: ...
