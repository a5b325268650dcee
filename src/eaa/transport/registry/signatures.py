"""Signatures as they are stored: cosign's beside the image, simple ones in a lookaside store."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx

from eaa.errors import FormatError, LimitExceeded, RemoteProtocolError, StorageError
from eaa.oci.digest import Digest
from eaa.oci.manifest import ImageManifest, parse_manifest
from eaa.oci.signatures.cosign import (
    PAYLOAD_MEDIA_TYPE,
    SIGNATURE_ANNOTATION,
    CosignSignature,
    signature_tag,
)
from eaa.oci.signatures.lookaside import Lookaside
from eaa.oci.signatures.reference import ImageReference
from eaa.transport.registry.address import require_secure
from eaa.transport.registry.bodies import read_body
from eaa.transport.registry.client import RegistryClient
from eaa.transport.registry.exchange import HTTP_ERRORS, unreachable
from eaa.transport.registry.limits import MAX_SIGNATURE_BYTES, MAX_SIGNATURES

__all__ = ["fetch_cosign", "fetch_simple"]


async def fetch_cosign(client: RegistryClient, digest: Digest) -> tuple[CosignSignature, ...]:
    """All signatures under the tag ``sha256-<hex>.sig`` [COSIGN-SIGNATURE]; none if there is no such tag.

    Raises:
        LimitExceeded: ``limit.size``: more than 64.
        EAAError: they cannot be had.
    """
    tag = signature_tag(digest)
    received = await client.find_manifest(tag)
    if received is None:
        return ()
    manifest = parse_manifest(received.data, media_type=received.media_type or None)
    if not isinstance(manifest, ImageManifest):
        raise FormatError("expected a manifest, got an index", what=f"signatures {tag}", field="mediaType")
    layers = [layer for layer in manifest.layers if layer.media_type == PAYLOAD_MEDIA_TYPE]
    if len(layers) > MAX_SIGNATURES:
        raise _too_many(tag, len(layers))
    return tuple(
        [
            CosignSignature(
                await client.small_blob(layer.digest, limit=MAX_SIGNATURE_BYTES),
                layer.annotations.get(SIGNATURE_ANNOTATION, ""),
            )
            for layer in layers
        ]
    )


async def fetch_simple(
    http: httpx.AsyncClient, store: Lookaside, image: ImageReference, digest: Digest
) -> tuple[bytes, ...]:
    """All signatures in the image's store, numbered from 1 without gaps [CONTAINERS-REGISTRIES-D].

    Raises:
        LimitExceeded: ``limit.size``: more than 64, or one of more than 64 KiB.
        EAAError: the store does not answer.
    """
    found: list[bytes] = []
    while (url := store.signature_url(image, digest, len(found) + 1)) is not None:
        signature = await _fetch(http, url)
        if signature is None:
            break
        found.append(signature)
        if len(found) > MAX_SIGNATURES:
            raise _too_many(url, len(found))
    return tuple(found)


async def _fetch(http: httpx.AsyncClient, url: str) -> bytes | None:
    if url.startswith("file:"):
        return await asyncio.to_thread(_read, Path(unquote(urlsplit(url).path)))
    require_secure(url, what="signature store")
    try:
        async with http.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response:
            if response.status_code == httpx.codes.NOT_FOUND:
                return None
            if response.status_code != httpx.codes.OK:
                raise RemoteProtocolError(
                    f"signature store: {url}: expected 200, came {response.status_code}", detail="registry"
                )
            return await read_body(response, MAX_SIGNATURE_BYTES, what=f"signature store: {url}")
    except HTTP_ERRORS as error:
        raise unreachable(error, f"signature store: {url}") from None


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIGNATURE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"signature store: {path}: {error.strerror}", detail="signature_store") from None
    if len(data) > MAX_SIGNATURE_BYTES:
        raise LimitExceeded(f"signature store: {path}: more than {MAX_SIGNATURE_BYTES} bytes", detail="size")
    return data


def _too_many(where: str, count: int) -> LimitExceeded:
    return LimitExceeded(
        f"{where}: expected at most {MAX_SIGNATURES} signatures, came {count}", detail="size"
    )
