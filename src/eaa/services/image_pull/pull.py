"""From a name to a bundle."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx

from eaa.errors import EAAError, FormatError, RemoteProtocolError, UsageError
from eaa.oci.digest import Digest
from eaa.oci.manifest import ImageIndex, ImageManifest, parse_manifest
from eaa.oci.platform import Platform
from eaa.oci.selection import select_platform
from eaa.oci.signatures.cosign import CosignSignature
from eaa.oci.signatures.decide import Accepted, OpenPgp, SignedImage, require_accepted
from eaa.oci.signatures.policy import Requirements
from eaa.oci.signatures.reference import ImageReference
from eaa.services.image_pull.blob_store import BlobStore
from eaa.services.image_pull.bundle import Staging, staging_for
from eaa.services.image_pull.image_config import MAX_CONFIG_BYTES, ImageConfig, parse_image_config
from eaa.services.image_pull.layer_stream import Layer
from eaa.services.image_pull.layer_thread import unpack_in_thread
from eaa.services.image_pull.layers import placed, resolve_layers
from eaa.services.image_pull.limits import Budget, UnpackLimits
from eaa.services.image_pull.report import SkippedList
from eaa.services.image_pull.runtime_config import runtime_config
from eaa.services.image_pull.sources import Sources
from eaa.services.image_pull.users import find_user
from eaa.transport.registry.client import RegistryClient, open_http
from eaa.transport.registry.limits import RegistryLimits
from eaa.transport.registry.signatures import fetch_cosign, fetch_simple

__all__ = ["Progress", "PullTerms", "Pulled", "pull_image"]


class Progress(Protocol):
    """Is told how far a pull is, from its event loop."""

    def note(self, text: str) -> None:
        """A step is done."""
        ...

    def downloaded(self, layer: int, here: int, size: int) -> None:
        """``here`` of the ``size`` bytes of layer number ``layer`` are here."""
        ...


@dataclass(frozen=True, slots=True)
class PullTerms:
    """How to pull.

    Attributes:
        platform: of the machine that runs it.
        store: keeps blobs for further pulls; None: beside the target, gone when the pull has succeeded.
        downloads: at one time.
        deadline_seconds: of the whole.
    """

    platform: Platform
    tls: ssl.SSLContext
    openpgp: OpenPgp
    store: Path | None = None
    downloads: int = 3
    deadline_seconds: float = 3600.0
    registry: RegistryLimits = field(default_factory=RegistryLimits)
    unpack: UnpackLimits = field(default_factory=UnpackLimits)


@dataclass(frozen=True, slots=True)
class Pulled:
    """``digest`` is that of the manifest; ``skipped`` is what this process was not permitted to lay out."""

    digest: Digest
    accepted: Accepted
    layers: int
    skipped: SkippedList


@dataclass(frozen=True, slots=True)
class _Image:
    """A manifest that the policy has accepted."""

    manifest: ImageManifest
    digest: Digest
    accepted: Accepted


async def pull_image(
    image: ImageReference, target: Path, sources: Sources, terms: PullTerms, progress: Progress
) -> Pulled:
    """Make ``target`` the bundle of ``image``.

    (1) The manifest is fetched and held to its digest; (2) the image policy accepts it; (3) keys of encrypted
    layers are had; (4) each layer is downloaded and held to the manifest's digest; (5) opened, held to its
    HMAC and diff id, and laid over the others in a folder of its own; (6) when all of that has held for every
    layer, the folder becomes ``target``. Before, and if anything fails, there is nothing at ``target``.

    Raises:
        UsageError: ``usage.into``, or ``usage.image``: the name has both a tag and a digest.
        RemoteProtocolError: ``remote_protocol.deadline``.
        EAAError: what has not held.
    """
    if image.tag is not None and image.digest is not None:
        raise UsageError(f"{image}: give a tag or a digest, not both", detail="image")
    image = ImageReference(image.registry, image.repository, "latest") if image.is_name_only else image
    try:
        async with asyncio.timeout(terms.deadline_seconds), open_http(terms.tls, terms.registry) as http:
            return await _Pull(image, target, sources, terms, progress, http).run()
    except TimeoutError:
        raise RemoteProtocolError(
            f"{image}: not pulled within {terms.deadline_seconds:g} seconds", detail="deadline"
        ) from None


class _Pull:
    def __init__(
        self, image: ImageReference, target: Path, sources: Sources, terms: PullTerms, progress: Progress,
        http: httpx.AsyncClient,
    ) -> None:  # fmt: skip
        self._reference, self._target = image, target
        self._sources, self._terms, self._progress, self._http = sources, terms, progress, http

    async def run(self) -> Pulled:
        policy = await self._sources.load_policy()
        auth = await self._sources.load_auth()
        client = RegistryClient(self._http, self._reference, auth=auth, limits=self._terms.registry)
        with staging_for(self._target) as staging:
            image = await self._accepted(client, policy.requirements_for(self._reference))
            config = await self._config(client, image)
            layers = await resolve_layers(image.manifest, config, self._sources.secrets)
            skipped = await self._unpack(client, layers, staging)
            # Not in a thread, which would go on with a folder that a pull which is cancelled removes.
            _commit(staging, config)
            if self._terms.store is None:
                shutil.rmtree(self._store, ignore_errors=True)
        self._progress.note(f"{self._target} is {self._reference.name}@{image.digest}")
        return Pulled(image.digest, image.accepted, len(layers), skipped)

    @property
    def _store(self) -> Path:
        return self._terms.store or self._target.parent / f".{self._target.name}.blobs"

    async def _accepted(self, client: RegistryClient, requirements: Requirements) -> _Image:
        """The manifest for this machine, accepted by the policy."""
        wanted = self._reference.digest or self._reference.tag or ""
        received = await client.manifest(wanted)
        digests = [received.digest]
        manifest = parse_manifest(received.data, media_type=received.media_type or None)
        if isinstance(manifest, ImageIndex):
            chosen = select_platform(manifest, self._terms.platform)
            received = await client.manifest(chosen.digest)
            digests.append(chosen.digest)
            manifest = parse_manifest(received.data, media_type=chosen.media_type)
        if not isinstance(manifest, ImageManifest):
            raise FormatError("an index in an index", what="image manifest", field="mediaType")
        accepted = await self._require_accepted(client, requirements, tuple(digests))
        self._progress.note(f"{self._reference} is {digests[-1]}, accepted by the policy at {accepted.scope}")
        return _Image(manifest, digests[-1], accepted)

    async def _require_accepted(
        self, client: RegistryClient, requirements: Requirements, digests: tuple[Digest, ...]
    ) -> Accepted:
        keys: Mapping[str, bytes] = {path: await self._sources.load(path) for path in requirements.key_paths}
        simple: list[bytes] = []
        cosign: list[CosignSignature] = []
        if requirements.needs_simple_signatures:
            store = await self._sources.load_lookaside()
            for digest in digests:
                simple += await fetch_simple(self._http, store, self._reference, digest)
        if requirements.needs_cosign_signatures:
            for digest in digests:
                cosign += await fetch_cosign(client, digest)
        signed = SignedImage(self._reference, digests, tuple(simple), tuple(cosign))
        return await asyncio.to_thread(
            require_accepted, signed, requirements, keys=keys, openpgp=self._terms.openpgp
        )

    async def _config(self, client: RegistryClient, image: _Image) -> ImageConfig:
        data = await client.small_blob(image.manifest.config.digest, limit=MAX_CONFIG_BYTES)
        return parse_image_config(data, layers=len(image.manifest.layers))

    async def _unpack(
        self, client: RegistryClient, layers: tuple[Layer, ...], staging: Staging
    ) -> SkippedList:
        """Download side by side, unpack from the bottom up."""
        store, gate = BlobStore(self._store), asyncio.Semaphore(self._terms.downloads)
        skipped, budget = SkippedList(), Budget(self._terms.unpack)
        fetched: dict[Digest, asyncio.Task[Path]] = {}
        try:
            for layer in layers:
                if layer.descriptor.digest not in fetched:
                    fetched[layer.descriptor.digest] = asyncio.create_task(
                        self._fetch(client, store, gate, layer)
                    )
            for layer in layers:
                file = await fetched[layer.descriptor.digest]
                await unpack_in_thread(staging, layer, file, budget, skipped)
                self._progress.note(f"{layer} is unpacked")
        finally:
            for task in fetched.values():
                task.cancel()
            await asyncio.gather(*fetched.values(), return_exceptions=True)
        return skipped

    async def _fetch(
        self, client: RegistryClient, store: BlobStore, gate: asyncio.Semaphore, layer: Layer
    ) -> Path:
        size = layer.descriptor.size
        async with gate:
            try:
                return await store.fetch(
                    client, layer.descriptor.digest, size,
                    lambda here: self._progress.downloaded(layer.number, here, size),
                )  # fmt: skip
            except EAAError as error:
                raise placed(error, str(layer)) from error


def _commit(staging: Staging, config: ImageConfig) -> None:
    rootless = None if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    with staging.root() as root:
        user = find_user(config.user, root)
    staging.commit(runtime_config(config, user, rootless=rootless))
