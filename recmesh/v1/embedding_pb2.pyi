from recmesh.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EmbedHistoryRequest(_message.Message):
    __slots__ = ("bundle_version", "histories")
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    HISTORIES_FIELD_NUMBER: _ClassVar[int]
    bundle_version: str
    histories: _containers.RepeatedCompositeFieldContainer[_common_pb2.History]
    def __init__(self, bundle_version: _Optional[str] = ..., histories: _Optional[_Iterable[_Union[_common_pb2.History, _Mapping]]] = ...) -> None: ...

class EmbedHistoryResponse(_message.Message):
    __slots__ = ("bundle_version", "factor_dimension", "factors", "content_dimension", "contents", "sequence_dimension", "sequences")
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    FACTOR_DIMENSION_FIELD_NUMBER: _ClassVar[int]
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_DIMENSION_FIELD_NUMBER: _ClassVar[int]
    CONTENTS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_DIMENSION_FIELD_NUMBER: _ClassVar[int]
    SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    bundle_version: str
    factor_dimension: int
    factors: bytes
    content_dimension: int
    contents: bytes
    sequence_dimension: int
    sequences: bytes
    def __init__(self, bundle_version: _Optional[str] = ..., factor_dimension: _Optional[int] = ..., factors: _Optional[bytes] = ..., content_dimension: _Optional[int] = ..., contents: _Optional[bytes] = ..., sequence_dimension: _Optional[int] = ..., sequences: _Optional[bytes] = ...) -> None: ...

class EmbedTextRequest(_message.Message):
    __slots__ = ("bundle_version", "texts")
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    bundle_version: str
    texts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, bundle_version: _Optional[str] = ..., texts: _Optional[_Iterable[str]] = ...) -> None: ...

class EmbedTextResponse(_message.Message):
    __slots__ = ("bundle_version", "factor_dimension", "factors", "content_dimension", "contents")
    BUNDLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    FACTOR_DIMENSION_FIELD_NUMBER: _ClassVar[int]
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_DIMENSION_FIELD_NUMBER: _ClassVar[int]
    CONTENTS_FIELD_NUMBER: _ClassVar[int]
    bundle_version: str
    factor_dimension: int
    factors: bytes
    content_dimension: int
    contents: bytes
    def __init__(self, bundle_version: _Optional[str] = ..., factor_dimension: _Optional[int] = ..., factors: _Optional[bytes] = ..., content_dimension: _Optional[int] = ..., contents: _Optional[bytes] = ...) -> None: ...
