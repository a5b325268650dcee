"""What a broker answers: read within bounds, and refusals in the terms of our own errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

from eaa.codec.strict_json import parse_json
from eaa.errors import (
    AccessDenied,
    EAAError,
    FormatError,
    RemoteProtocolError,
    ResourceNotFound,
    SessionError,
)

__all__ = ["MAX_ANSWER_BYTES", "parse_object", "read_answer", "refusal"]

MAX_ANSWER_BYTES = 8 * 1024 * 1024
_MAX_VARIANT, _MAX_DETAIL = 64, 512
#: How our broker ends what it says: a stable code, and the id of the decision.
_CODE_AND_ID = re.compile(r"\(code ([a-z0-9_.]{1,64}), id ([0-9A-Za-z]{1,64})\)$")
_ERRORS: Mapping[int, type[EAAError]] = {
    httpx.codes.UNAUTHORIZED: SessionError,
    httpx.codes.FORBIDDEN: AccessDenied,
    httpx.codes.NOT_FOUND: ResourceNotFound,
}


async def read_answer(response: httpx.Response) -> bytes:
    """The body of a streamed response.

    Raises:
        RemoteProtocolError: ``remote_protocol.too_large``: more than :data:`MAX_ANSWER_BYTES`, decompressed.
    """
    content = bytearray()
    async for part in response.aiter_bytes():
        content += part
        if len(content) > MAX_ANSWER_BYTES:
            raise RemoteProtocolError(f"more than {MAX_ANSWER_BYTES} bytes", detail="too_large")
    return bytes(content)


def parse_object(content: bytes) -> dict[str, Any]:
    """The JSON object that ``content`` is.

    Raises:
        RemoteProtocolError: ``remote_protocol.response``: it is none.
    """
    try:
        value = parse_json(content, "KBS response")
    except FormatError as error:
        raise RemoteProtocolError(str(error), detail="response") from None
    if not isinstance(value, dict):
        raise RemoteProtocolError("KBS response: expected a JSON object", detail="response")
    return value


def refusal(status: int, content: bytes) -> EAAError:
    """The error that an answer other than 200 stands for, with the broker's own words.

    Its ``decision`` and ``fields["code"]`` are what our broker says of the cause; empty if it is another's.
    """
    variant, detail = _words(content)
    found = _CODE_AND_ID.search(detail)
    code, decision = found.groups() if found else ("", "")
    error = _ERRORS.get(status, RemoteProtocolError)(
        f"the broker refuses ({variant or status}): {detail or 'no reason is given'}",
        detail="refused", status=status, code=code,
    )  # fmt: skip
    error.decision = decision
    return error


def _words(content: bytes) -> tuple[str, str]:
    """Variant and detail of the protocol's error body, as far as it is one [COCO-KBS]."""
    try:
        document = parse_object(content)
    except RemoteProtocolError:
        return "", ""
    variant = str(document.get("type", "")).rpartition("/")[2]
    return variant[:_MAX_VARIANT], str(document.get("detail", ""))[:_MAX_DETAIL]
