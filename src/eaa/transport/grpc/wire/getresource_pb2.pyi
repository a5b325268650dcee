from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class GetResourceRequest(_message.Message):
    __slots__ = ("ResourcePath", "KbcName", "KbsUri")
    RESOURCEPATH_FIELD_NUMBER: _ClassVar[int]
    KBCNAME_FIELD_NUMBER: _ClassVar[int]
    KBSURI_FIELD_NUMBER: _ClassVar[int]
    ResourcePath: str
    KbcName: str
    KbsUri: str
    def __init__(self, ResourcePath: _Optional[str] = ..., KbcName: _Optional[str] = ..., KbsUri: _Optional[str] = ...) -> None: ...

class GetResourceResponse(_message.Message):
    __slots__ = ("Resource",)
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    Resource: bytes
    def __init__(self, Resource: _Optional[bytes] = ...) -> None: ...
