"""Endorsements from files in any of the shapes that people have, as one source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from eaa.codec.pem import encode_pem
from eaa.endorsements.amd_endorsements import AmdParts, read_amd_parts
from eaa.endorsements.amd_vek import VekExtensions, parse_vek_extensions
from eaa.endorsements.bundle import read_endorsement_folder
from eaa.endorsements.collateral import SignedDocument
from eaa.endorsements.crl import parse_crl
from eaa.endorsements.fetched import Fetched
from eaa.endorsements.pool import CrlRole, EndorsementPool
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.endorsements.subject import (
    AmdChainSubject,
    AmdCrlSubject,
    IdentitySubject,
    PckCrlSubject,
    RootCaCrlSubject,
    Subject,
    TcbInfoSubject,
    VekSubject,
)
from eaa.endorsements.x509 import Certificate, common_name
from eaa.errors import EndorsementNotFound, FormatError, UnsupportedError

__all__ = ["FolderSource", "fetched_document"]

T = TypeVar("T")


class FolderSource:
    """``files`` by name, read once. Where several fit, the newest counts.

    Raises:
        FormatError: a file that is recognised is malformed.
    """

    def __init__(self, name: str, files: Mapping[str, bytes]) -> None:
        self.name = name
        self._pool = read_endorsement_folder(files)
        self._amd = _amd_parts(files.values())

    async def fetch(self, subject: Subject) -> Fetched:
        """As :class:`eaa.provider.source.Source`."""
        found = _intel(self._pool, subject) or _amd(self._amd, subject)
        if found is None:
            raise EndorsementNotFound(f"{self.name} has no {subject.key}", detail="folder")
        return found


def fetched_document(document: SignedDocument, member: str) -> Fetched:
    """A signed document as PCS answers it."""
    body = b'{"%b":%b,"signature":"%b"}' % (
        member.encode(), document.body, document.signature.hex().encode(),
    )  # fmt: skip
    return Fetched(body, document.issuer_chain)


def _intel(pool: EndorsementPool, subject: Subject) -> Fetched | None:
    match subject:
        case TcbInfoSubject(tee, fmspc):
            infos = [item for item in pool.tcb_infos if (item.tee, item.fmspc) == (tee, fmspc)]
            info = _newest(infos, lambda item: (item.tcb_evaluation_data_number, item.issue_date))
            return fetched_document(pool.document(info), "tcbInfo") if info else None
        case IdentitySubject(name):
            identities = [item for item in pool.identities if item.id == name]
            identity = _newest(identities, lambda item: (item.tcb_evaluation_data_number, item.issue_date))
            return fetched_document(pool.document(identity), "enclaveIdentity") if identity else None
        case PckCrlSubject(ca):
            crls = [item for item in pool.crls if ca.capitalize() in common_name(item.issuer)]
            crl = _newest(crls, lambda item: item.this_update)
            return Fetched(crl.der, pool.crl_chain(crl) or b"") if crl else None
        case RootCaCrlSubject():
            roots = [item for item in pool.crls if item.role is CrlRole.ROOT and not _is_ark(item.issuer)]
            root = _newest(roots, lambda item: item.this_update)
            return Fetched(root.der) if root else None
        case _:
            return None


def _amd(parts: AmdParts, subject: Subject) -> Fetched | None:
    match subject:
        case AmdChainSubject(product, kind):
            name = f"SEV-VLEK-{product}" if kind.name == "VLEK" else f"SEV-{product}"
            chain = _chain(parts, (item for item in parts.certificates if _amd_name(item.subject) == name))
            return Fetched(b"", chain) if chain else None
        case AmdCrlSubject(product):
            lists = [parse_crl(der) for der in parts.crls]
            own = [item for item in lists if _amd_name(item.issuer) == f"ARK-{product}"]
            crl = _newest(own, lambda item: item.this_update)
            return Fetched(crl.der) if crl else None
        case VekSubject(product, tcb, hwid):
            for certificate in parts.certificates:
                vek = _vek(certificate)
                if vek is not None and (vek.product, vek.tcb, vek.hwid) == (product, tcb, hwid):
                    issuers = (item for item in parts.certificates if item.subject == certificate.issuer)
                    return Fetched(certificate.der, _chain(parts, issuers))
            return None
        case _:
            return None


def _chain(parts: AmdParts, issuers: Iterable[Certificate]) -> bytes:
    """An ASK and its ARK as PEM; empty if either is missing."""
    for ask in issuers:
        for ark in parts.certificates:
            if ark.subject == ark.issuer == ask.issuer:
                return encode_pem(ask.der) + encode_pem(ark.der)
    return b""


def _amd_parts(files: Iterable[bytes]) -> AmdParts:
    """What of ``files`` may be AMD's."""
    found = AmdParts()
    for data in files:
        try:
            found += read_amd_parts(data)
        except FormatError:
            continue  # another vendor's shape, which the pool has read
    return found


def _vek(certificate: Certificate) -> VekExtensions | None:
    try:
        return parse_vek_extensions(certificate)
    except (FormatError, UnsupportedError):
        return None


def _is_ark(name: bytes) -> bool:
    return _amd_name(name).startswith("ARK-")


def _amd_name(name: bytes) -> str:
    return common_name(name).removeprefix(f"{SIMULATED_NAME_PREFIX} ")


def _newest(items: list[T], rank: Callable[[T], Any]) -> T | None:
    return max(items, key=rank) if items else None
