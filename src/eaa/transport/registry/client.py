"""Manifests and blobs of one image, each held to its digest or left to who asked to hold it to it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import httpx

from eaa.errors import RemoteProtocolError, ResourceNotFound
from eaa.oci.digest import Digest, digest_of, parse_digest
from eaa.oci.manifest import MAX_MANIFEST_BYTES
from eaa.oci.media_type import INDEXES, MANIFESTS
from eaa.oci.signatures.reference import ImageReference
from eaa.transport.registry.auth_file import ANONYMOUS, AuthFile
from eaa.transport.registry.bodies import read_body, require_identity
from eaa.transport.registry.exchange import Exchange, unreachable
from eaa.transport.registry.limits import RegistryLimits

__all__ = ["ReceivedManifest", "RegistryClient", "open_http"]

_ACCEPT = ", ".join(sorted(MANIFESTS | INDEXES))
_OK = frozenset({200})
_OK_OR_PART = frozenset({200, 206})
#: Progress after which a blob has all its tries again.
_PROGRESS_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReceivedManifest:
    """``digest`` was computed over ``data``, the bytes that came; ``media_type`` is the registry's word."""

    data: bytes
    media_type: str
    digest: Digest


def open_http(tls: ssl.SSLContext, limits: RegistryLimits) -> httpx.AsyncClient:
    """A client that takes nothing from the environment and follows nothing by itself."""
    timeout = httpx.Timeout(limits.stall_seconds, connect=limits.connect_seconds)
    return httpx.AsyncClient(verify=tls, timeout=timeout, trust_env=False, follow_redirects=False)


class RegistryClient:
    """For ``image``, with the login that ``auth`` has for it."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        image: ImageReference,
        *,
        auth: AuthFile = ANONYMOUS,
        limits: RegistryLimits | None = None,
    ) -> None:
        self._limits = limits or RegistryLimits()
        self._exchange = Exchange(http, image, auth, self._limits)
        self._name = image.name

    async def manifest(self, wanted: Digest | str) -> ReceivedManifest:
        """The manifest or index at a digest or a tag, of at most 4 MiB.

        Raises:
            BindingError: ``binding.manifest_digest``: other bytes than the digest asked for, or than the one
                that the registry names.
            ResourceNotFound: ``resource_not_found.registry``.
            EAAError: refused, not reached, or not as the protocol has it.
        """
        what = f"{self._name}{'@' if isinstance(wanted, Digest) else ':'}{wanted}"
        headers = {"Accept": _ACCEPT}
        async with self._exchange.get(f"manifests/{wanted}", headers, what=what, expected=_OK) as response:
            try:
                data = await read_body(response, MAX_MANIFEST_BYTES, what=what)
            except httpx.HTTPError as error:
                raise unreachable(error, what) from None
        named = response.headers.get("docker-content-digest")
        digest = wanted if isinstance(wanted, Digest) else digest_of(data)
        for expected in [digest] + ([] if named is None else [parse_digest(named, what=what)]):
            hasher = expected.hasher()
            hasher.update(data)
            expected.require(hasher, what=f"{what}: manifest", detail="manifest_digest")
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return ReceivedManifest(data, media_type, digest)

    async def find_manifest(self, wanted: Digest | str) -> ReceivedManifest | None:
        """As :meth:`manifest`; None if there is none."""
        try:
            return await self.manifest(wanted)
        except ResourceNotFound:
            return None

    async def small_blob(self, digest: Digest, *, limit: int) -> bytes:
        """A blob of at most ``limit`` bytes, whole.

        Raises:
            BindingError: ``binding.blob_digest``.
            EAAError: as :meth:`manifest`.
        """
        what = f"{self._name}@{digest}"
        async with self._exchange.get(f"blobs/{digest}", {}, what=what, expected=_OK) as response:
            try:
                data = await read_body(response, limit, what=what)
            except httpx.HTTPError as error:
                raise unreachable(error, what) from None
        hasher = digest.hasher()
        hasher.update(data)
        digest.require(hasher, what=f"{what}: blob", detail="blob_digest")
        return data

    async def blob(self, digest: Digest, *, size: int, offset: int = 0) -> AsyncGenerator[bytes, None]:
        """The blob's bytes from ``offset`` to ``size``, taken up again where a connection broke.

        Exactly ``size - offset`` bytes come, or an error. They are NOT held to the digest: who may have
        the bytes before ``offset`` has to.

        Raises:
            RemoteProtocolError: ``remote_protocol.blob_size``: more bytes came, or the end before;
                ``remote_protocol.registry_unreachable``.
            EAAError: as :meth:`manifest`.
        """
        what = f"{self._name}@{digest}"
        remaining, mark = self._limits.tries, offset
        while offset < size:
            remaining -= 1
            try:
                async with aclosing(self._part(digest, offset, size, what)) as parts:
                    async for part in parts:
                        offset += len(part)
                        yield part
            except httpx.HTTPError as error:
                if offset - mark >= _PROGRESS_BYTES:
                    remaining, mark = self._limits.tries - 1, offset
                if not remaining:
                    raise unreachable(error, f"{what}: after {offset} of {size} bytes") from None
                await self._exchange.pause(remaining)
                continue
            if offset != size:
                raise _size_error(what, size, str(offset))

    async def _part(self, digest: Digest, offset: int, size: int, what: str) -> AsyncGenerator[bytes, None]:
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        async with self._exchange.get(
            f"blobs/{digest}", headers, what=what, expected=_OK_OR_PART
        ) as response:
            require_identity(response, what=what)
            # A server may answer a range with the whole: what there is already is passed over.
            skip = 0 if _starts_at(response, offset, what) else offset
            left = size - offset
            async for part in response.aiter_raw():
                fresh = part[skip:]
                skip -= min(skip, len(part))
                left -= len(fresh)
                if left < 0:
                    raise _size_error(what, size, "more")
                if fresh:
                    yield fresh


def _starts_at(response: httpx.Response, offset: int, what: str) -> bool:
    """Whether the body begins at ``offset``; False: at 0."""
    if response.status_code == httpx.codes.OK:
        return offset == 0
    came = response.headers.get("content-range", "")
    if not offset or not came.startswith(f"bytes {offset}-"):
        raise RemoteProtocolError(f"{what}: asked for bytes from {offset}, got {came[:64]!r}", detail="range")
    return True


def _size_error(what: str, size: int, came: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"{what}: expected {size} bytes, came {came}", detail="blob_size")
