"""What Intel's PCS and PCCS answer to GET: versions 3 and 4 [PCS-API v4], [PCCS]."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl, quote, urlsplit

from eaa.codec.pem import encode_pem
from eaa.endorsements.subject import (
    IdentitySubject,
    PckCrlSubject,
    RootCaCrlSubject,
    Subject,
    TcbInfoSubject,
)
from eaa.errors import EndorsementNotFound, FormatError
from eaa.services.pccs.answers import HTML, JSON, Answer
from eaa.services.pccs.call import Call
from eaa.services.pccs.config import Mode
from eaa.services.pccs.platforms import PlatformStock
from eaa.services.pccs.stock import Stock
from eaa.services.pccs.upstream import PckQuestion
from eaa.storage.collateral.records import Document
from eaa.storage.collateral.registrations import AppraisalPolicies

__all__ = ["V3_WARNING", "Endpoint", "IntelEndpoints", "url_encoded_chain"]

Endpoint = Callable[[Call], Awaitable[Answer]]

_PEM, _CRL = "application/x-pem-file", "application/pkix-crl"
_CHARSET = "; charset=utf-8"
_TCB_CHAINS = {3: "SGX-TCB-Info-Issuer-Chain", 4: "TCB-Info-Issuer-Chain"}
_CAS = {"processor": "processor", "platform": "platform"}
_MAX_URI = 2048
#: Where Intel keeps the lists, and nothing else is fetched from.
_ROOT_URI = re.compile(
    r"https://([a-zA-Z0-9-]*certificates\.trustedservices\.intel\.com|certprx\.adsdcsp\.com)"
    r"/IntelSGXRootCA\.(der|crl)"
)
_PCK_URI = re.compile(
    r"https://([a-zA-Z0-9-]*\.?api\.trustedservices\.intel\.com|[a-zA-Z0-9-]+\.az\.sgx(prod|np)\.adsdcsp\.com)"
    r"/sgx/certification/v[1-9][0-9]*/pckcrl\?.*"
)
#: On every answer of version 3.
V3_WARNING = (
    "Warning",
    '299 - "PCS API version 3 is no longer available. Cached collateral downloaded from API version 3 is '
    'deprecated, will not be refreshed, and may expire. Please migrate to API version 4."',
)


class IntelEndpoints:
    """The routes that anybody may ask."""

    def __init__(
        self, stock: Stock, platforms: PlatformStock, policies: AppraisalPolicies, mode: Mode
    ) -> None:
        self._stock, self._platforms, self._policies = stock, platforms, policies
        self._lazy = mode is Mode.LAZY

    def routes(self) -> Mapping[str, Endpoint]:
        """By the path below ``/sgx/certification/vN/``."""
        return {
            "pckcert": self.pck_certificate,
            "pckcrl": self.pck_crl,
            "tcb": self.tcb_info,
            "qe/identity": self.identity("QE"),
            "qve/identity": self.identity("QVE"),
            "rootcacrl": self.root_ca_crl,
            "crl": self.crl,
            "appraisalpolicy": self.appraisal_policy,
        }

    def tdx_routes(self) -> Mapping[str, Endpoint]:
        """By the path below ``/tdx/certification/v4/``."""
        return {"tcb": self.tcb_info, "qe/identity": self.identity("TD_QE")}

    async def tcb_info(self, call: Call) -> Answer:
        fmspc, update = bytes.fromhex(call.hexadecimal("fmspc", 12)), call.update()
        subject = TcbInfoSubject(call.tee, fmspc, "early" if update == "early" else "standard")
        document = await self._document(subject, call)
        chain = _TCB_CHAINS[call.version], url_encoded_chain(document.chain)
        return _answer((chain, ("Content-Type", JSON)), document.body, document)

    def identity(self, name: str) -> Endpoint:
        """Of the enclave ``name``."""

        async def endpoint(call: Call) -> Answer:
            subject = IdentitySubject(name, "early" if call.update() == "early" else "standard")
            document = await self._document(subject, call)
            chain = "SGX-Enclave-Identity-Issuer-Chain", url_encoded_chain(document.chain)
            return _answer((chain, ("Content-Type", JSON)), document.body, document)

        return endpoint

    async def pck_crl(self, call: Call) -> Answer:
        """Hexadecimal, unless DER is asked for."""
        document = await self._document(PckCrlSubject(call.chosen("ca", _CAS)), call, any_version=True)
        chain = "SGX-PCK-CRL-Issuer-Chain", url_encoded_chain(document.chain)
        if call.query.get("encoding", "").lower() == "der":
            return _answer((chain, ("Content-Type", _CRL)), document.body, document)
        return _answer((chain, ("Content-Type", _PEM + _CHARSET)), document.body.hex().encode(), document)

    async def root_ca_crl(self, call: Call) -> Answer:
        """Hexadecimal."""
        document = await self._document(RootCaCrlSubject(), call, any_version=True)
        return _answer((("Content-Type", _CRL + _CHARSET),), document.body.hex().encode(), document)

    async def crl(self, call: Call) -> Answer:
        """A list by where Intel's certificates say that it is; DER."""
        document = await self._document(_crl_at(call.query.get("uri", "")), call, any_version=True)
        return _answer((("Content-Type", _CRL),), document.body, document)

    async def pck_certificate(self, call: Call) -> Answer:
        question = PckQuestion(
            qe_id=call.qe_id(), cpu_svn=call.hexadecimal("cpusvn", 32), pce_svn=call.hexadecimal("pcesvn", 4),
            pce_id=call.hexadecimal("pceid", 4), enc_ppid=call.optional_hexadecimal("encrypted_ppid", 768),
        )  # fmt: skip
        found = await self._platforms.certificate(question, may_fetch=self._lazy)
        headers = (
            ("SGX-TCBm", found.served.tcbm),
            ("SGX-FMSPC", found.served.fmspc),
            ("SGX-PCK-Certificate-CA-Type", found.served.ca),
            ("SGX-PCK-Certificate-Issuer-Chain", url_encoded_chain(found.chain)),
            ("Content-Type", _PEM + _CHARSET),
        )
        return Answer(200, headers, encode_pem(found.served.der), found.expires_at)

    async def appraisal_policy(self, call: Call) -> Answer:
        """The default policies of an FMSPC, which an administrator has put."""
        fmspc = call.hexadecimal("fmspc", 12)
        policies = await self._policies.defaults(fmspc)
        if not policies:
            raise EndorsementNotFound(
                f"there is no default appraisal policy of FMSPC {fmspc}", detail="policy"
            )
        return Answer(200, (("Content-Type", HTML),), ",".join(policies).encode())

    async def _document(self, subject: Subject, call: Call, *, any_version: bool = False) -> Document:
        version = 4 if any_version else call.version
        return await self._stock.document(subject, version=version, may_fetch=self._lazy)


def url_encoded_chain(pem: str) -> str:
    """As PCS's headers carry it."""
    return quote(pem, safe="-_.!~*'()")


def _answer(headers: tuple[tuple[str, str], ...], body: bytes, document: Document) -> Answer:
    return Answer(200, headers, body, document.expires_at)


def _crl_at(uri: str) -> Subject:
    if len(uri) <= _MAX_URI:
        if _ROOT_URI.fullmatch(uri):
            return RootCaCrlSubject()
        if _PCK_URI.fullmatch(uri):
            query = dict(parse_qsl(urlsplit(uri).query))
            if query.get("ca", "").lower() in _CAS:
                return PckCrlSubject(query["ca"].lower())
    raise FormatError(
        f"expected where Intel keeps a revocation list, came {uri!a:.120}", what="request", field="uri",
        spec="[PCCS]", detail="parameter",
    )  # fmt: skip
