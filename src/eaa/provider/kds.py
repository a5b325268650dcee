"""AMD's Key Distribution Service: certificates of chips, their issuers, revocation lists [AMD-KDS 4]."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eaa.codec.pem import decode_pem_certificates, encode_pem
from eaa.endorsements.fetched import Fetched
from eaa.endorsements.kds_address import KDS_URL, vcek_address, vcek_levels
from eaa.endorsements.subject import AmdChainSubject, AmdCrlSubject, Subject, VekSubject
from eaa.errors import EndorsementNotFound, EndorsementUnavailable, FormatError
from eaa.provider.explained import KDS_STATUSES
from eaa.provider.limits import HttpLimits
from eaa.provider.upstream import Upstream

if TYPE_CHECKING:
    import httpx

__all__ = ["KDS_URL", "KdsSource"]

#: KDS says application/octet-stream; caches before it say what the bytes are.
_DER_TYPES = (
    "application/octet-stream",
    "application/pkix-cert",
    "application/x-x509-ca-cert",
    "application/pkix-crl",
    "binary/octet-stream",
)
_PEM_TYPES = ("application/x-pem-file", "text/plain", "application/pem-certificate-chain", *_DER_TYPES)


class KdsSource:
    """KDS at ``base_url``, or a cache of it with the same paths."""

    def __init__(
        self, http: httpx.AsyncClient, base_url: str = KDS_URL, *, limits: HttpLimits | None = None
    ) -> None:
        self._upstream = Upstream(http, "KDS", base_url, statuses=KDS_STATUSES, limits=limits)

    @property
    def name(self) -> str:
        return self._upstream.name

    async def fetch(self, subject: Subject) -> Fetched:
        """As :class:`eaa.provider.source.Source`. A VLEK's certificate is not to be had here."""
        match subject:
            case AmdChainSubject(product, kind):
                path = f"{kind.name.lower()}/v1/{product}/cert_chain"
                answer = await self._upstream.get(path, {}, asked=f"{kind.name} chain of {product}")
                answer.require_type(*_PEM_TYPES)
                try:
                    chain = decode_pem_certificates(answer.body, "AMD certificate chain")
                except FormatError as error:
                    raise EndorsementUnavailable(f"{answer.what}: {error}", detail="malformed") from None
                return Fetched(b"", b"".join(map(encode_pem, chain)))
            case AmdCrlSubject(product):
                path = f"vcek/v1/{product}/crl"
                answer = await self._upstream.get(path, {}, asked=f"revocation list of {product}")
                answer.require_type(*_DER_TYPES)
                return Fetched(answer.body)
            case VekSubject(product, tcb, hwid) if hwid is not None:
                asked = f"VCEK certificate of a {product} chip at {tcb}"
                answer = await self._upstream.get(vcek_address(product, hwid), vcek_levels(tcb), asked=asked)
                answer.require_type(*_DER_TYPES)
                return Fetched(answer.body)
            case VekSubject():
                raise EndorsementNotFound(
                    f"{self.name} gives VLEK certificates to their cloud only: it hands them over with the "
                    "report, or in a file",
                    detail="vlek",
                )
            case _:
                raise EndorsementNotFound(f"{self.name} has no {subject.key}", detail="kind")
