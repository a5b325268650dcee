"""Intel's fetched endorsements, one by one: steps 1 to 3 of :mod:`eaa.verify.fetched`."""

from __future__ import annotations

from collections.abc import Sequence

from eaa.endorsements.crl import CertificateRevocationList, parse_crl
from eaa.endorsements.enclave_identity import parse_enclave_identity
from eaa.endorsements.fetched import Fetched, signed_document
from eaa.endorsements.pck import PckExtension, parse_pck_extension
from eaa.endorsements.pinned import PINNED
from eaa.endorsements.subject import (
    IdentitySubject,
    PckCertificateSubject,
    PckCrlSubject,
    RootCaCrlSubject,
    TcbInfoSubject,
)
from eaa.endorsements.tcb_info import parse_tcb_info
from eaa.endorsements.x509 import Certificate, parse_certificate, parse_certificate_chain
from eaa.errors import ChainError, EndorsementError, EndorsementNotFound
from eaa.verify.ecdsa import EcdsaKey
from eaa.verify.fetched_lists import Lists
from eaa.verify.fetched_result import Genuine
from eaa.verify.path import (
    certificate_key,
    certificate_window,
    crl_window,
    refuse_revoked,
    require_ca,
    require_crl,
    require_issued,
    require_leaf,
)
from eaa.verify.primitives import verify_p256_raw
from eaa.verify.tcb_signing import require_root, signing_chain, signing_key
from eaa.verify.windows import Window, Windows

__all__ = [
    "verify_identity",
    "verify_pck_certificate",
    "verify_pck_crl",
    "verify_root_ca_crl",
    "verify_tcb_info",
]

Anchors = Sequence[Certificate]
#: What the subject of a PCK CA has in it [SGX-PCK §1.3.1].
_CA_NAMES = {"platform": "SGX PCK Platform CA", "processor": "SGX PCK Processor CA"}


def verify_tcb_info(subject: TcbInfoSubject, fetched: Fetched, anchors: Anchors, lists: Lists) -> Genuine:
    """TCB info, by its signing chain. Windows are not asked here."""
    windows, info_bytes = _signed(fetched, "tcbInfo", "TCB info", "tcb_info", anchors, lists)
    info = parse_tcb_info(info_bytes)
    if (info.tee, info.fmspc) != (subject.tee, subject.fmspc):
        raise _other(
            "TCB info", f"{subject.tee} {subject.fmspc.hex()}", f"{info.tee} {info.fmspc.hex()}", "tcb_info"
        )
    window = Window("TCB info", "tcb_info", info.issue_date, info.next_update)
    return Genuine(subject, info.tcb_evaluation_data_number, info.issue_date, windows.and_of(window))


def verify_identity(subject: IdentitySubject, fetched: Fetched, anchors: Anchors, lists: Lists) -> Genuine:
    """An enclave identity, by its signing chain. Windows are not asked here."""
    what = f"{subject.id} identity"
    windows, body = _signed(fetched, "enclaveIdentity", what, "identity", anchors, lists)
    identity = parse_enclave_identity(body)
    if identity.id != subject.id:
        raise _other("enclave identity", subject.id, identity.id, "identity")
    window = Window(what, "identity", identity.issue_date, identity.next_update)
    return Genuine(subject, identity.tcb_evaluation_data_number, identity.issue_date, windows.and_of(window))


def verify_pck_crl(subject: PckCrlSubject, fetched: Fetched, anchors: Anchors, lists: Lists) -> Genuine:
    """A PCK CA's revocation list, by its issuer chain. Windows are not asked here."""
    ca, key, windows = _pck_ca(fetched, "PCK revocation list issuer chain", anchors, lists)
    crl = parse_crl(fetched.body, what="PCK revocation list")
    require_crl(crl, ca, key, "PCK revocation list", "pck_crl")
    if _CA_NAMES[subject.ca] not in ca.common_name:
        raise _other("PCK revocation list", _CA_NAMES[subject.ca], ca.common_name, "pck_crl")
    window = crl_window(crl, "PCK revocation list", "pck_crl")
    return Genuine(subject, crl.number or 0, crl.this_update, windows.and_of(window))


def verify_root_ca_crl(subject: RootCaCrlSubject, fetched: Fetched, anchors: Anchors) -> Genuine:
    """The root CA's revocation list, which an anchor signed. Windows are not asked here."""
    crl = parse_crl(fetched.body, what="root CA revocation list")
    named = [anchor for anchor in anchors if anchor.subject == crl.issuer]
    if not named:
        raise ChainError(
            "the root CA revocation list is not issued by a trust anchor", detail="root_ca_crl_issuer"
        )
    # Intel's root has been issued twice under one key: the one that is valid for longest counts.
    root = max(named, key=lambda anchor: anchor.not_after)
    key = certificate_key(root, "root certificate", "root", anchor=True)
    require_crl(crl, root, key, "root CA revocation list", "root_ca_crl")
    refuse_revoked(root, crl, "root certificate", "root")
    windows = (
        certificate_window(root, "root certificate", "root"),
        crl_window(crl, "root CA revocation list", "root_ca_crl"),
    )
    return Genuine(subject, crl.number or 0, crl.this_update, Windows.of(windows))


def verify_pck_certificate(
    subject: PckCertificateSubject, fetched: Fetched, anchors: Anchors, lists: Lists
) -> Genuine:
    """A PCK certificate, by its issuer chain. Windows are not asked here.

    Its TCB may be lower than the platform's: PCS gives the highest that it has up to it.
    """
    ca, key, windows = _pck_ca(fetched, "PCK certificate issuer chain", anchors, lists)
    leaf = parse_certificate(fetched.body, what="PCK certificate")
    require_leaf(leaf, "SGX PCK Certificate", "PCK certificate", "pck_certificate")
    require_issued(leaf, ca, key, "PCK certificate", "pck_certificate")
    own = _list_of(ca, key, lists, "PCK revocation list", "pck_crl")
    if own is not None:
        refuse_revoked(leaf, own, "PCK certificate", "pck_certificate")
    _require_platform(parse_pck_extension(leaf), subject)
    window = certificate_window(leaf, "PCK certificate", "pck_certificate")
    return Genuine(subject, 0, leaf.not_before, windows.and_of(window))


def _require_platform(pck: PckExtension, subject: PckCertificateSubject) -> None:
    asked = (
        ("PCEID", subject.pce_id, pck.pce_id),
        ("FMSPC", subject.fmspc, pck.fmspc),
        ("PPID", subject.ppid, pck.ppid),
    )
    for name, wanted, came in asked:
        if wanted is not None and wanted != came:
            raise EndorsementError(
                f"the PCK certificate is of another {name} than asked for", detail=f"pck_{name.lower()}"
            )
    if pck.pce_svn > subject.pce_svn:
        raise EndorsementError(
            f"the PCK certificate is for PCESVN {pck.pce_svn}, the platform has {subject.pce_svn}",
            detail="pck_pce_svn",
        )


def _signed(
    fetched: Fetched, member: str, what: str, detail: str, anchors: Anchors, lists: Lists
) -> tuple[Windows, bytes]:
    """Windows of the issuers of a signed document, and its bytes."""
    document = signed_document(fetched, member, what)
    chain = signing_chain(document, f"{what} issuer chain", anchors)
    root, root_key, crl, windows = _root(chain[-1], f"{what} issuer chain", anchors, lists)
    key, window = signing_key(chain, root, root_key, crl, "TCB signing certificate", "tcb_signing")
    verify_p256_raw(key, document.signature, document.body, what, detail)
    return windows.and_of(window), document.body


def _pck_ca(
    fetched: Fetched, what: str, anchors: Anchors, lists: Lists
) -> tuple[Certificate, EcdsaKey, Windows]:
    """The PCK CA of an issuer chain, verified, and its windows."""
    if not fetched.issuer_chain:
        raise EndorsementNotFound(f"the {what} is missing", detail="issuer_chain")
    chain = parse_certificate_chain(fetched.issuer_chain, what=what, known=PINNED.and_of(anchors))
    if len(chain) != 2:
        raise ChainError(
            f"the {what} has {len(chain)} certificates, expected a CA and its root", detail="length"
        )
    ca = chain[0]
    root, root_key, crl, windows = _root(chain[1], what, anchors, lists)
    require_ca(ca, 0, "PCK CA", "pck_ca")
    require_issued(ca, root, root_key, "PCK CA", "pck_ca")
    if crl is not None:
        refuse_revoked(ca, crl, "PCK CA", "pck_ca")
    key = certificate_key(ca, "PCK CA", "pck_ca")
    return ca, key, windows.and_of(certificate_window(ca, "PCK CA", "pck_ca"))


def _root(
    root: Certificate, what: str, anchors: Anchors, lists: Lists
) -> tuple[Certificate, EcdsaKey, CertificateRevocationList | None, Windows]:
    """The root with its key and window and, if there is one, its list."""
    require_root(root, anchors, what)
    key = certificate_key(root, "root certificate", "root", anchor=True)
    windows = Windows.of((certificate_window(root, "root certificate", "root"),))
    crl = _list_of(root, key, lists, "root CA revocation list", "root_ca_crl")
    if crl is not None:
        refuse_revoked(root, crl, "root certificate", "root")
    return root, key, crl, windows


def _list_of(
    issuer: Certificate, key: EcdsaKey, lists: Lists, what: str, detail: str
) -> CertificateRevocationList | None:
    """The latest list of ``issuer``, verified; ``None`` if there is none."""
    crl = lists.latest(issuer.subject, what, detail)
    if crl is not None:
        require_crl(crl, issuer, key, what, detail)
    return crl


def _other(what: str, asked: str, came: str, detail: str) -> EndorsementError:
    return EndorsementError(
        f"the {what} is of {came}, asked for was {asked}", detail=f"{detail}_subject", asked=asked, came=came
    )
