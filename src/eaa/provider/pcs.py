"""Intel's Provisioning Certification Service, versions 4 and 3 [PCS-API v4]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from eaa.codec.canonical_json import canonical_json
from eaa.codec.pem import decode_pem_certificates
from eaa.codec.strict_json import parse_json
from eaa.endorsements.crl import crl_der
from eaa.endorsements.fetched import Fetched
from eaa.endorsements.subject import (
    IdentitySubject,
    PckCrlSubject,
    RootCaCrlSubject,
    Subject,
    TcbInfoSubject,
)
from eaa.errors import EndorsementNotFound, EndorsementUnavailable, FormatError
from eaa.provider.addresses import PCS_CERTIFICATES_URL, PCS_URL, require_base_url
from eaa.provider.explained import PCS_STATUSES
from eaa.provider.http_answer import Answer
from eaa.provider.limits import HttpLimits
from eaa.provider.upstream import Upstream

if TYPE_CHECKING:
    import httpx

__all__ = [
    "IDENTITY_CHAINS",
    "PCK_CHAINS",
    "PCK_CRL_CHAINS",
    "PCS_CERTIFICATES_URL",
    "PCS_URL",
    "TCB_CHAINS",
    "PckCertificate",
    "PckCertificates",
    "PcsSource",
    "fetched_crl",
    "pck_certificate",
    "update_parameter",
]

_ROOT_CA_CRL = "IntelSGXRootCA.der"
_API_KEY = "Ocp-Apim-Subscription-Key"
_JSON = ("application/json",)
_CRL_TYPES = ("application/pkix-crl", "application/x-pem-file", "application/octet-stream", "text/plain")
_IDENTITIES = {"QE": ("sgx", "qe/identity"), "QVE": ("sgx", "qve/identity"), "TD_QE": ("tdx", "qe/identity")}
TCB_CHAINS = ("TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain")
IDENTITY_CHAINS = ("SGX-Enclave-Identity-Issuer-Chain",)
PCK_CRL_CHAINS = ("SGX-PCK-CRL-Issuer-Chain",)
PCK_CHAINS = ("SGX-PCK-Certificate-Issuer-Chain",)
_MAX_CERTIFICATES = 4096


@dataclass(frozen=True, slots=True)
class PckCertificate:
    """A PCK certificate as PCS and PCCS answer it; none of it is verified.

    ``tcbm`` is CPUSVN ‖ PCESVN (little-endian), 18 bytes; ``ca`` is ``"platform"`` or ``"processor"``.
    """

    fetched: Fetched
    tcbm: bytes
    fmspc: bytes  # 6
    ca: str


@dataclass(frozen=True, slots=True)
class PckCertificates:
    """A platform's certificates for all of its TCBs, and the TCBm of those for which PCS has none."""

    available: tuple[PckCertificate, ...]
    not_available: tuple[bytes, ...]


class PcsSource:
    """PCS at ``base_url``.

    Args:
        api_key: the subscription key, which only requests for PCK certificates carry.
        certificates_url: where the root CA's revocation list is.
        version: of the API. Version 3 knows no TDX.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        base_url: str = PCS_URL,
        *,
        api_key: str = "",
        certificates_url: str = PCS_CERTIFICATES_URL,
        version: Literal[3, 4] = 4,
        limits: HttpLimits | None = None,
    ) -> None:
        self._upstream = Upstream(http, "PCS", base_url, statuses=PCS_STATUSES, limits=limits)
        self._certificates_url = require_base_url(certificates_url, "PCS")
        self._headers = {_API_KEY: api_key} if api_key else {}
        self._version = version

    @property
    def name(self) -> str:
        return self._upstream.name

    async def fetch(self, subject: Subject) -> Fetched:
        """As :class:`eaa.provider.source.Source`."""
        match subject:
            case TcbInfoSubject(tee, fmspc, update):
                asked = f"{tee.upper()} TCB info of FMSPC {fmspc.hex()}"
                params = {"fmspc": fmspc.hex(), **update_parameter(update)}
                answer = await self._get(tee, "tcb", params, asked)
                return _document(answer, TCB_CHAINS)
            case IdentitySubject(name, update):
                tee, path = _IDENTITIES[name]
                answer = await self._get(tee, path, update_parameter(update), f"identity of {name}")
                return _document(answer, IDENTITY_CHAINS)
            case PckCrlSubject(ca):
                params = {"ca": ca, "encoding": "der"}
                answer = await self._get("sgx", "pckcrl", params, f"revocation list of the PCK {ca} CA")
                return fetched_crl(answer, PCK_CRL_CHAINS)
            case RootCaCrlSubject():
                answer = await self._upstream.get(
                    _ROOT_CA_CRL, {}, asked="revocation list of the root CA", base_url=self._certificates_url
                )
                return fetched_crl(answer, ())
            case _:
                raise EndorsementNotFound(f"{self.name} has no {subject.key}", detail="kind")

    async def fetch_pck_certificate(
        self, *, encrypted_ppid: bytes, cpu_svn: bytes, pce_svn: int, pce_id: bytes
    ) -> PckCertificate:
        """The certificate for the highest TCB that Intel has up to the given one.

        Args:
            encrypted_ppid: 384 bytes.
            cpu_svn: 16 bytes.
            pce_id: 2 bytes, as PCS takes them: little-endian.
        """
        params = {
            "encrypted_ppid": encrypted_ppid.hex(),
            "cpusvn": cpu_svn.hex(),
            "pcesvn": pce_svn.to_bytes(2, "little").hex(),
            "pceid": pce_id.hex(),
        }
        path = self._path("sgx", "pckcert")
        answer = await self._upstream.get(path, params, asked="PCK certificate", headers=self._headers)
        return pck_certificate(answer)

    async def fetch_pck_certificates(
        self, *, pce_id: bytes, encrypted_ppid: bytes | None = None, platform_manifest: bytes | None = None
    ) -> PckCertificates:
        """Those for all TCBs of a platform: by its PPID or, with several packages, its manifest."""
        path, asked = self._path("sgx", "pckcerts"), "PCK certificates of a platform"
        if platform_manifest is not None:
            body = canonical_json(
                {"platformManifest": platform_manifest.hex(), "pceid": pce_id.hex()}, "request"
            )
            answer = await self._upstream.send(
                "POST", path, {}, asked=asked, headers=self._headers, body=body
            )
        else:
            params = {"encrypted_ppid": (encrypted_ppid or b"").hex(), "pceid": pce_id.hex()}
            answer = await self._upstream.get(path, params, asked=asked, headers=self._headers)
        answer.require_type(*_JSON)
        return _pck_certificates(answer)

    def _path(self, tee: str, path: str) -> str:
        return f"{tee}/certification/v{self._version}/{path}"

    async def _get(self, tee: str, path: str, params: Mapping[str, str], asked: str) -> Answer:
        if tee == "tdx" and self._version == 3:
            raise EndorsementNotFound(f"{asked}: version 3 of {self.name} knows no TDX", detail="kind")
        return await self._upstream.get(self._path(tee, path), params, asked=asked)


def _document(answer: Answer, chains: Sequence[str]) -> Fetched:
    answer.require_type(*_JSON)
    return Fetched(answer.body, answer.chain(*chains))


def update_parameter(update: str) -> dict[str, str]:
    """How a TCB recovery that is not the standard one is asked for."""
    return {} if update == "standard" else {"update": update}


def fetched_crl(answer: Answer, chains: Sequence[str]) -> Fetched:
    """A revocation list, which PCCS also gives as hexadecimal under any of several types.

    Raises:
        EndorsementUnavailable: another type, no chain where there must be one, or no list.
    """
    answer.require_type(*_CRL_TYPES)
    try:
        der = crl_der(answer.body, what="revocation list")
    except FormatError as error:
        raise EndorsementUnavailable(f"{answer.what}: {error}", detail="malformed") from None
    return Fetched(der, answer.chain(*chains) if chains else b"")


def pck_certificate(answer: Answer) -> PckCertificate:
    """One PCK certificate, as ``pckcert`` of PCS and PCCS answers it."""
    answer.require_type("application/x-pem-file")
    return _pck(answer, answer.body, answer.header("SGX-TCBm"))


def _pck(answer: Answer, pem: bytes, tcbm: str) -> PckCertificate:
    chain = answer.chain(*PCK_CHAINS)
    try:
        (der,) = decode_pem_certificates(pem, "PCK certificate")
        tcb, fmspc = bytes.fromhex(tcbm), bytes.fromhex(answer.header("SGX-FMSPC"))
    except (ValueError, FormatError) as error:
        raise EndorsementUnavailable(f"{answer.what}: {error}", detail="malformed") from None
    ca = answer.header("SGX-PCK-Certificate-CA-Type").lower()
    if len(tcb) != 18 or len(fmspc) != 6 or ca not in ("platform", "processor"):
        raise EndorsementUnavailable(
            f"{answer.what}: expected SGX-TCBm, SGX-FMSPC and the type of the CA in headers",
            detail="malformed",
        )
    return PckCertificate(Fetched(der, chain), tcb, fmspc, ca)


def _pck_certificates(answer: Answer) -> PckCertificates:
    items: Any = None
    try:
        items = parse_json(answer.body, "PCK certificates")
    except FormatError as error:
        raise EndorsementUnavailable(f"{answer.what}: {error}", detail="malformed") from None
    if not isinstance(items, list) or len(items) > _MAX_CERTIFICATES:
        raise EndorsementUnavailable(f"{answer.what}: expected a list", detail="malformed")
    found, missing = [], []
    for item in items:
        text, tcbm = (item.get("cert"), item.get("tcbm")) if isinstance(item, dict) else (None, None)
        if not isinstance(text, str) or not isinstance(tcbm, str):
            raise EndorsementUnavailable(f"{answer.what}: expected cert and tcbm", detail="malformed")
        if text == "Not available":
            missing.append(_tcbm(answer, tcbm))
        else:
            found.append(_pck(answer, text.encode("utf-8", "replace"), tcbm))
    return PckCertificates(tuple(found), tuple(missing))


def _tcbm(answer: Answer, text: str) -> bytes:
    try:
        tcbm = bytes.fromhex(text)
    except ValueError:
        tcbm = b""
    if len(tcbm) != 18:
        raise EndorsementUnavailable(f"{answer.what}: expected a TCBm of 18 bytes", detail="malformed")
    return tcbm
