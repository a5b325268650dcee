"""The vendors' services, or a PCCS, as the service's upstream: adapts :mod:`eaa.provider`."""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence

import httpx

from eaa.endorsements.fetched import Fetched
from eaa.endorsements.subject import (
    AmdChainSubject,
    AmdCrlSubject,
    HygonChainSubject,
    PckCertificateSubject,
    Subject,
    VekSubject,
)
from eaa.errors import ConfigError, EndorsementNotFound, EndorsementUnavailable
from eaa.provider.hygon import HygonSource
from eaa.provider.kds import KdsSource
from eaa.provider.limits import HttpLimits
from eaa.provider.pccs import PccsSource
from eaa.provider.pcs import PCS_CERTIFICATES_URL, PckCertificate, PcsSource
from eaa.provider.source import Source
from eaa.services.pccs.config import Upstream as UpstreamSection
from eaa.services.pccs.upstream import PckAnswer, PckQuestion, WireCertificate

__all__ = ["HttpUpstream", "open_upstream"]

_PCS_PATH = "/sgx/certification/v4/"
_QE_ID = re.compile("[0-9A-F]{32}")


class HttpUpstream:
    """Implements :class:`eaa.services.pccs.upstream.Upstream`. A vendor that is ``None`` is not asked."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        intel: PcsSource | PccsSource | None,
        amd: KdsSource | None,
        hygon: HygonSource | None,
    ) -> None:
        self._http, self._intel, self._amd, self._hygon = http, intel, amd, hygon

    @property
    def selects(self) -> bool:
        return isinstance(self._intel, PccsSource)

    async def fetch(self, subject: Subject) -> Fetched:
        source: Source | None
        match subject:
            case AmdChainSubject() | AmdCrlSubject() | VekSubject():
                source = self._amd
            case HygonChainSubject():
                source = self._hygon
            case _:
                source = self._intel
        if source is None:
            raise EndorsementNotFound(f"no upstream is configured for {subject.key}", detail="no_upstream")
        return await source.fetch(subject)

    async def pck_certificates(self, question: PckQuestion) -> PckAnswer:
        match self._intel:
            case None:
                raise EndorsementNotFound(
                    "no upstream is configured for PCK certificates", detail="no_upstream"
                )
            case PccsSource() as pccs:
                subject, ppid = _as_pccs_asks(question)
                best = await pccs.fetch_pck_certificate(subject, encrypted_ppid=ppid)
                return _answer([best], complete=False)
            case PcsSource() as pcs:
                manifest = bytes.fromhex(question.manifest) or None
                pce_id = bytes.fromhex(question.pce_id)
                encrypted = None if manifest else bytes.fromhex(question.enc_ppid)
                found = await pcs.fetch_pck_certificates(
                    pce_id=pce_id, encrypted_ppid=encrypted, platform_manifest=manifest
                )
                return _answer(found.available, found.not_available)

    async def close(self) -> None:
        await self._http.aclose()


def open_upstream(section: UpstreamSection) -> HttpUpstream:
    """As configured; nothing is asked yet.

    Raises:
        ConfigError: a URL, the authorities or the file of the API key cannot be used.
    """
    limits = HttpLimits(
        attempt_seconds=section.seconds, total_seconds=2 * section.seconds, tries=2,
        parallel=section.concurrency,
    )  # fmt: skip
    try:
        tls = ssl.create_default_context(cafile=section.authorities)
    except OSError as error:
        raise ConfigError(
            f"upstream.authorities: {section.authorities}: {error.strerror or 'no certificates in PEM'}",
            detail="authorities", key="upstream.authorities",
        ) from None  # fmt: skip
    timeout = httpx.Timeout(section.seconds)
    http = httpx.AsyncClient(
        verify=tls, timeout=timeout, trust_env=False, follow_redirects=False, proxy=section.proxy or None
    )
    url = section.pcs_url
    intel: PcsSource | PccsSource | None = None
    if url and section.is_pccs:
        intel = PccsSource(http, url, limits=limits)
    elif url:
        base = url.removesuffix(_PCS_PATH).rstrip("/")
        intel = PcsSource(
            http, base, api_key=_api_key(section), limits=limits,
            certificates_url=section.certificates_url or PCS_CERTIFICATES_URL,
        )  # fmt: skip
    amd = KdsSource(http, section.amd_url, limits=limits) if section.amd_url else None
    hygon = HygonSource(http, section.hygon_url, limits=limits) if section.hygon_url else None
    return HttpUpstream(http, intel, amd, hygon)


def _api_key(section: UpstreamSection) -> str:
    if section.api_key_file is None:
        return section.api_key
    try:
        return section.api_key_file.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not ASCII"
        raise ConfigError(
            f"upstream.api_key_file: {section.api_key_file}: {reason}",
            detail="api_key", key="upstream.api_key_file",
        ) from None  # fmt: skip


def _as_pccs_asks(question: PckQuestion) -> tuple[PckCertificateSubject, bytes]:
    if not _QE_ID.fullmatch(question.qe_id) or not question.cpu_svn:
        raise EndorsementNotFound("a PCCS is asked by QE id and raw TCB", detail="pccs_question")
    pce_svn = int.from_bytes(bytes.fromhex(question.pce_svn), "little")
    return PckCertificateSubject(
        bytes.fromhex(question.qe_id),
        bytes.fromhex(question.pce_id),
        bytes.fromhex(question.cpu_svn),
        pce_svn,
    ), bytes.fromhex(question.enc_ppid)


def _answer(
    found: Sequence[PckCertificate], missing: Sequence[bytes] = (), *, complete: bool = True
) -> PckAnswer:
    if not found:
        raise EndorsementNotFound(
            "there is no PCK certificate for any TCB of the platform", detail="tcb_level"
        )
    first = found[0]
    if any((item.fmspc, item.ca) != (first.fmspc, first.ca) for item in found):
        raise EndorsementUnavailable("the certificates are of several platforms", detail="malformed")
    return PckAnswer(
        first.fmspc.hex().upper(),
        first.ca.upper(),
        first.fetched.issuer_chain,
        (
            *(WireCertificate(item.tcbm.hex().upper(), item.fetched.body) for item in found),
            *(WireCertificate(tcbm.hex().upper(), None) for tcbm in missing),
        ),
        complete,
    )
