"""Providers as settings name them, opened and closed together."""

from __future__ import annotations

import os
import secrets
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from eaa.endorsements.bundle import MAX_FILES
from eaa.endorsements.subject import Update
from eaa.errors import ConfigError
from eaa.provider.cache import EndorsementCache
from eaa.provider.endorser import Endorser
from eaa.provider.files import load_bounded
from eaa.provider.folder import FolderSource
from eaa.provider.freshness import Freshness
from eaa.provider.hygon import HygonSource
from eaa.provider.kds import KdsSource
from eaa.provider.kds_store import KdsStoreSource
from eaa.provider.limits import HttpLimits
from eaa.provider.pccs import PccsSource
from eaa.provider.pcs import PcsSource
from eaa.provider.qcnl import QCNL_PATH, QCNL_PATH_VARIABLE, QcnlConfig, parse_qcnl
from eaa.provider.settings import ProviderSettings, ProviderSpec
from eaa.provider.source import Source
from eaa.provider.upstream import open_http
from eaa.verify.fetched import TrustRoot

if TYPE_CHECKING:
    import httpx

__all__ = ["OpenedProviders", "load_qcnl", "open_endorser"]

_MAX_FILE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class OpenedProviders:
    """Who has endorsements, and what is to be said of how it was configured."""

    endorser: Endorser
    update: Update
    notes: tuple[str, ...]


@asynccontextmanager
async def open_endorser(
    settings: ProviderSettings,
    *,
    trust_anchors: Sequence[TrustRoot],
    more: Sequence[Source] = (),
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    limits: HttpLimits | None = None,
) -> AsyncIterator[OpenedProviders]:
    """Open what ``settings`` name, after ``more``, and close it at the end.

    Raises:
        ConfigError: a file cannot be read, or is not what it must be.
    """
    notes: list[str] = []
    async with AsyncExitStack() as stack:
        clients = _Clients(stack, settings, limits or HttpLimits())
        sources = [source for spec in settings.providers for source in await clients.sources(spec, notes)]
        cache = settings.cache
        endorser = Endorser(
            (*more, *sources),
            trust_anchors=trust_anchors,
            cache=EndorsementCache(cache, max_bytes=settings.cache_max_bytes) if cache else None,
            now=now,
            freshness=Freshness(salt=secrets.token_bytes(8)),
            allow_rollback=settings.allow_rollback,
        )
        stack.push_async_callback(endorser.close)
        yield OpenedProviders(endorser, clients.update, tuple(notes))


def load_qcnl(target: str, environment: Mapping[str, str]) -> tuple[QcnlConfig, str]:
    """The configuration of Intel's library in ``target`` or, if that is empty, in its usual place; and where.

    Raises:
        ConfigError: there is none, or it cannot be read.
    """
    path = target or environment.get(QCNL_PATH_VARIABLE) or QCNL_PATH
    try:
        data = Path(path).read_bytes()[:_MAX_FILE_BYTES]
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", detail="qcnl", file=path) from None
    return parse_qcnl(data, file=path), path


class _Clients:
    """HTTP clients, opened when something first needs them."""

    def __init__(self, stack: AsyncExitStack, settings: ProviderSettings, limits: HttpLimits) -> None:
        self._stack, self._settings, self._limits = stack, settings, limits
        self._opened: dict[bool, httpx.AsyncClient] = {}
        self.update = settings.update

    async def sources(self, spec: ProviderSpec, notes: list[str]) -> list[Source]:
        """What ``spec`` names: as a rule one source."""
        if spec.kind == "qcnl":
            return await self._qcnl(spec.target, notes)
        if spec.kind == "store":
            return [KdsStoreSource(Path(spec.target))]
        if spec.kind == "folder":
            return [FolderSource(f"folder {spec.target}", _files(Path(spec.target)))]
        return [self._upstream(await self._http(), spec)]

    def _upstream(self, http: httpx.AsyncClient, spec: ProviderSpec) -> Source:
        limits = self._limits
        match spec.kind:
            case "pcs":
                return PcsSource(http, spec.target, api_key=self._settings.pcs_api_key, limits=limits)
            case "pccs":
                return self._pccs(http, spec.target, limits)
            case "kds":
                return KdsSource(http, spec.target, limits=limits)
            case _:
                return HygonSource(http, spec.target, limits=limits)

    async def _qcnl(self, target: str, notes: list[str]) -> list[Source]:
        config, path = load_qcnl(target, os.environ)
        notes += config.notes
        if config.local_cache_only:
            notes.append(f"{path}: local_cache_only: no PCCS is asked")
            return []
        if config.tcb_update_type == "early":
            self.update = "early"
        limits = self._limits
        if config.retry_times:
            limits = replace(limits, tries=min(config.retry_times, 16) + 1)
        if config.retry_delay:
            seconds = float(config.retry_delay)
            limits = replace(limits, backoff_seconds=seconds, backoff_most_seconds=seconds)
        if not config.use_secure_cert:
            notes.append(
                f"{path}: use_secure_cert is false: anybody may answer for the PCCS. What it answers is "
                "verified by the vendor's signatures all the same"
            )
        http = await self._http(insecure=not config.use_secure_cert)
        url = config.collateral_service
        if "trustedservices.intel.com" in url:
            return [PcsSource(http, url.partition("/sgx/")[0], limits=limits)]
        return [self._pccs(http, url, limits)]

    def _pccs(self, http: httpx.AsyncClient, url: str, limits: HttpLimits) -> PccsSource:
        return PccsSource(http, url, limits=limits)

    async def _http(self, *, insecure: bool = False) -> httpx.AsyncClient:
        if insecure not in self._opened:
            client = open_http(self._limits, tls=self._tls(insecure))
            self._opened[insecure] = await self._stack.enter_async_context(client)
        return self._opened[insecure]

    def _tls(self, insecure: bool) -> ssl.SSLContext:
        ca = self._settings.tls_ca
        try:
            context = ssl.create_default_context(cafile=str(ca) if ca else None)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"{ca}: no certificates of authorities: {error}", detail="provider_tls", file=str(ca)
            ) from None
        if insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _files(folder: Path) -> dict[str, bytes]:
    """The files directly in ``folder``, or ``folder`` itself if it is one; together at most 16 MiB.

    Raises:
        ConfigError: it cannot be read, or has more.
    """
    try:
        paths = [item for item in sorted(folder.iterdir()) if item.is_file()] if folder.is_dir() else [folder]
        if not folder.exists():
            raise FileNotFoundError(2, "No such file or directory")
        files: dict[str, bytes] = {}
        left = _MAX_FILE_BYTES
        for path in paths[: MAX_FILES + 1]:
            if path.name.startswith("."):
                continue
            data = load_bounded(path, left)
            if data is None:
                raise ConfigError(
                    f"{folder}: more than {_MAX_FILE_BYTES} bytes", detail="provider", file=str(folder)
                )
            files[str(path)] = data
            left -= len(data)
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}", detail="provider", file=str(folder)) from None
    return files
