"""A caching service with the PCCS API, versions 4 and 3: Intel's, Alibaba Cloud's, ours [PCCS API]."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from eaa.endorsements.fetched import Fetched
from eaa.endorsements.subject import (
    IdentitySubject,
    PckCertificateSubject,
    PckCrlSubject,
    RootCaCrlSubject,
    Subject,
    TcbInfoSubject,
)
from eaa.errors import ConfigError, EndorsementNotFound
from eaa.provider.explained import PCCS_STATUSES
from eaa.provider.http_answer import Answer
from eaa.provider.limits import HttpLimits
from eaa.provider.pcs import (
    IDENTITY_CHAINS,
    PCK_CRL_CHAINS,
    TCB_CHAINS,
    PckCertificate,
    fetched_crl,
    pck_certificate,
    update_parameter,
)
from eaa.provider.upstream import Upstream

if TYPE_CHECKING:
    import httpx

__all__ = ["PccsSource"]

_PATH = re.compile(r"(.*)/(?:sgx|tdx)/certification/v([34])")
_IDENTITIES = {"QE": ("sgx", "qe/identity"), "QVE": ("sgx", "qve/identity"), "TD_QE": ("tdx", "qe/identity")}
#: What an unused encrypted PPID is asked for with: the service knows the platform by its QE id.
_NO_PPID = bytes(384)


class PccsSource:
    """A PCCS at ``url``, as in ``sgx_default_qcnl.conf``: ``https://localhost:8081/sgx/certification/v4/``.

    A URL without a path means version 4 at Intel's path.
    """

    def __init__(self, http: httpx.AsyncClient, url: str, *, limits: HttpLimits | None = None) -> None:
        base, self._version = _split(url)
        self._upstream = Upstream(http, "PCCS", base, statuses=PCCS_STATUSES, limits=limits)

    @property
    def name(self) -> str:
        return self._upstream.name

    async def fetch(self, subject: Subject) -> Fetched:
        """As :class:`eaa.provider.source.Source`."""
        match subject:
            case TcbInfoSubject(tee, fmspc, update):
                asked = f"{tee.upper()} TCB info of FMSPC {fmspc.hex()}"
                answer = await self._get(
                    tee, "tcb", {"fmspc": fmspc.hex(), **update_parameter(update)}, asked
                )
                return _document(answer, *TCB_CHAINS)
            case IdentitySubject(name, update):
                tee, path = _IDENTITIES[name]
                answer = await self._get(tee, path, update_parameter(update), f"identity of {name}")
                return _document(answer, *IDENTITY_CHAINS)
            case PckCrlSubject(ca):
                params = {"ca": ca, "encoding": "der"}
                answer = await self._get("sgx", "pckcrl", params, f"revocation list of the PCK {ca} CA")
                return fetched_crl(answer, PCK_CRL_CHAINS)
            case RootCaCrlSubject():
                answer = await self._get("sgx", "rootcacrl", {}, "revocation list of the root CA")
                return fetched_crl(answer, ())
            case PckCertificateSubject():
                return (await self.fetch_pck_certificate(subject)).fetched
            case _:
                raise EndorsementNotFound(f"{self.name} has no {subject.key}", detail="kind")

    async def fetch_pck_certificate(
        self, subject: PckCertificateSubject, *, encrypted_ppid: bytes = _NO_PPID
    ) -> PckCertificate:
        """The PCK certificate that the service selects for the platform and its raw TCB."""
        params = {
            "qeid": subject.qe_id.hex(),
            "encrypted_ppid": encrypted_ppid.hex(),
            "cpusvn": subject.cpu_svn.hex(),
            "pcesvn": subject.pce_svn.to_bytes(2, "little").hex(),
            "pceid": subject.pce_id.hex(),
        }
        return pck_certificate(await self._get("sgx", "pckcert", params, "PCK certificate of a platform"))

    async def _get(self, tee: str, path: str, params: Mapping[str, str], asked: str) -> Answer:
        # Version 3 knows TDX under its own path, version 4's [PCCS API].
        version = "4" if tee == "tdx" else self._version
        return await self._upstream.get(f"{tee}/certification/v{version}/{path}", params, asked=asked)


def _split(url: str) -> tuple[str, str]:
    """Where the service is, and the version of its API."""
    bare = url.rstrip("/")
    match = _PATH.fullmatch(bare)
    if match is not None:
        return match[1], match[2]
    if "/certification" in bare:
        raise ConfigError(
            f"expected a PCCS URL that ends in /sgx/certification/v4/ or v3/, came {url!a:.120}",
            detail="provider_url",
        )
    return bare, "4"


def _document(answer: Answer, *chains: str) -> Fetched:
    answer.require_type("application/json")
    return Fetched(answer.body, answer.chain(*chains))
