"""The EAA protocol, v1 and its CoCo variant: JSON requests without framing of their own. Pure."""

from eaa.broker.eaa.answering import GuestAccess, answer
from eaa.broker.eaa.framing import JsonFramer
from eaa.broker.eaa.parsing import parse_request
from eaa.broker.eaa.replies import Reply
from eaa.broker.eaa.requests import Request

__all__ = ["GuestAccess", "JsonFramer", "Reply", "Request", "answer", "parse_request"]
