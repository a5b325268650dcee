"""What an upstream service answered, and the shape that it must have."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from eaa.codec.pem import decode_pem_certificates, encode_pem
from eaa.errors import EAAError, EndorsementUnavailable, FormatError

if TYPE_CHECKING:
    import httpx

__all__ = ["Answer", "is_tls_failure", "read_bounded", "retry_after_seconds"]

_MOST_RETRY_SECONDS = 24 * 3600.0


class Answer:
    """A whole answer with status 200. Header names are in any case; ``what`` says what was asked of whom."""

    def __init__(self, headers: Mapping[str, str], body: bytes, what: str) -> None:
        self._headers = {name.lower(): value for name, value in headers.items()}
        self.body = body
        self.what = what

    def header(self, name: str) -> str:
        """The header ``name``; empty if it is not there."""
        return self._headers.get(name.lower(), "")

    def require_type(self, *expected: str) -> None:
        """Holds if the media type is one of ``expected``.

        Raises:
            EndorsementUnavailable: ``endorsement_unavailable.content_type``.
        """
        came = self.header("content-type").partition(";")[0].strip().lower()
        if came not in expected:
            raise EndorsementUnavailable(
                f"{self.what}: expected the type {' or '.join(expected)}, came {came!a:.60}",
                detail="content_type",
            )

    def chain(self, *names: str) -> bytes:
        """The certificates in the first header of ``names`` that is there, as PEM.

        Raises:
            EndorsementUnavailable: ``endorsement_unavailable.chain_header``: none is there, or no chain.
        """
        value = next((self.header(name) for name in names if self.header(name)), "")
        try:
            return b"".join(map(encode_pem, decode_pem_certificates(value.encode(), names[0])))
        except FormatError as error:
            raise EndorsementUnavailable(
                f"{self.what}: expected a certificate chain in the header {names[0]}: {error}",
                detail="chain_header",
            ) from None


async def read_bounded(response: httpx.Response, limit: int, what: str) -> bytes:
    """The body as it was sent, of at most ``limit`` bytes; what is over is never read.

    Raises:
        EndorsementUnavailable: more came, or it is encoded.
        httpx.HTTPError: the connection broke, or ended before the announced length.
    """
    coding = response.headers.get("content-encoding", "identity")
    if coding != "identity":
        raise EndorsementUnavailable(
            f"{what}: expected no Content-Encoding, came {coding!a:.40}", detail="content_encoding"
        )
    announced = response.headers.get("content-length", "")
    body = bytearray()
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise _too_large(what, limit)
    async for part in response.aiter_raw():
        body += part
        if len(body) > limit:
            raise _too_large(what, limit)
        await asyncio.sleep(0)
    return bytes(body)


def retry_after_seconds(value: str, now: datetime) -> float | None:
    """How long ``Retry-After`` asks to wait [RFC9110 10.2.3], at most a day; ``None`` if it says nothing."""
    text = value.strip()
    if text.isdecimal() and text.isascii():
        return min(float(text[:9]), _MOST_RETRY_SECONDS)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max((aware - now).total_seconds(), 0.0), _MOST_RETRY_SECONDS)


def is_tls_failure(error: BaseException | None) -> bool:
    """Whether ``error`` came of a TLS handshake or certificate, which another try does not change."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _too_large(what: str, limit: int) -> EAAError:
    return EndorsementUnavailable(f"{what}: more than {limit} bytes came", detail="too_large")
