"""Evidence as it travels through the gate, with the endorsements that its sender attached.

::

    evidence   = version u8 (1) ‖ kind text ‖ evidence bytes ‖ collateral
    text       = length u8 ‖ ASCII
    bytes      = length u32 big-endian ‖ bytes
    collateral = 0 | 1 ‖ TCB info ‖ QE identity ‖ root CRL ‖ PCK CRL ‖ issuer chain of the PCK CRL
               | 2 ‖ VCEK or VLEK ‖ ASK or ASVK ‖ ARK ‖ revocation list of the ARK
    document   = 0 | 1 ‖ body bytes ‖ signature bytes ‖ issuer chain bytes
    part       = 0 | 1 ‖ bytes

Collateral 2 goes with SNP reports, and 1 with all else. One value has one encoding. Nothing is verified here.
"""

from __future__ import annotations

from eaa.codec.reader import Reader
from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.endorsements.collateral import IntelCollateral, SignedDocument
from eaa.errors import FormatError, UnsupportedError, UsageError
from eaa.tls.frames import MAX_EVIDENCE_BYTES
from eaa.tls.peer import AttachedEvidence, Endorsements, EvidenceKind

__all__ = ["decode_answer", "decode_attached", "encode_answer", "encode_attached"]

_VERSION = 1
_NONE, _INTEL, _AMD = 0, 1, 2
_AMD_PARTS = ("VEK certificate", "ASK certificate", "ARK certificate", "revocation list")
_WHAT, _SPEC = "attached evidence", "[docs/adr/0010]"


def encode_attached(attached: AttachedEvidence) -> bytes:
    """``attached`` as the body of an EVIDENCE frame.

    Raises:
        UsageError: longer than such a frame may be.
    """
    kind = attached.kind.encode()
    body = b"".join(
        (
            bytes((_VERSION, len(kind))), kind, _bytes(attached.evidence), _collateral(attached.collateral),
        )
    )  # fmt: skip
    if len(body) > MAX_EVIDENCE_BYTES:
        raise UsageError(
            f"evidence with its endorsements has {len(body)} bytes, at most {MAX_EVIDENCE_BYTES} can be sent",
            detail="evidence_length",
        )
    return body


def decode_attached(body: bytes) -> AttachedEvidence:
    """The evidence in ``body``, exactly one.

    Raises:
        FormatError: malformed.
        UnsupportedError: of a version or kind that is not known here.
    """
    reader = Reader(body, _WHAT, _SPEC)
    version = reader.u8("version")
    if version != _VERSION:
        raise UnsupportedError(f"{_WHAT}: version {version}, expected {_VERSION}", detail="evidence_version")
    kind = _read_kind(reader)
    evidence = _read_bytes(reader, "evidence")
    collateral = _read_collateral(reader, kind)
    reader.end("end")
    return AttachedEvidence(kind, evidence, collateral)


def encode_answer(attached: AttachedEvidence, claims: bytes) -> bytes:
    """Evidence and the claims that it is bound to, as the body of an ANSWER frame."""
    body = _bytes(encode_attached(attached)) + claims
    if len(body) > MAX_EVIDENCE_BYTES:
        raise UsageError(f"the answer has {len(body)} bytes", detail="evidence_length")
    return body


def decode_answer(body: bytes) -> tuple[AttachedEvidence, bytes]:
    """The evidence and the claims buffer in ``body``; raises as :func:`decode_attached`."""
    reader = Reader(body, "answer", _SPEC)
    attached = decode_attached(_read_bytes(reader, "evidence"))
    return attached, reader.take(reader.remaining, "claims")


def _collateral(collateral: Endorsements | None) -> bytes:
    if collateral is None:
        return b"\0"
    if isinstance(collateral, SnpEndorsements):
        return b"\2" + b"".join(map(_part, (collateral.vek, *collateral.chain)))
    return b"".join(
        (
            b"\1",
            _document(collateral.tcb_info),
            _document(collateral.qe_identity),
            _part(collateral.root_ca_crl),
            _part(collateral.pck_crl),
            _part(collateral.pck_crl_issuer_chain),
        )
    )


def _document(document: SignedDocument | None) -> bytes:
    if document is None:
        return b"\0"
    return b"\1" + _bytes(document.body) + _bytes(document.signature) + _bytes(document.issuer_chain)


def _part(part: bytes | None) -> bytes:
    return b"\0" if part is None else b"\1" + _bytes(part)


def _bytes(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _read_kind(reader: Reader) -> EvidenceKind:
    name = reader.take(reader.u8("kind length"), "kind")
    for kind in EvidenceKind:
        if kind.encode() == name:
            return kind
    raise UnsupportedError(f"{_WHAT}: evidence of unknown kind {name!r:.40}", detail="evidence_kind")


def _read_collateral(reader: Reader, kind: EvidenceKind) -> Endorsements | None:
    vendor = reader.u8("collateral")
    if vendor == _NONE:
        return None
    expected = _AMD if kind is EvidenceKind.SNP_REPORT else _INTEL
    if vendor != expected:
        raise _error(reader, "collateral", f"expected 0 or {expected} with a {kind}, came {vendor}")
    if vendor == _AMD:
        vek, ask, ark, crl = (_read_part(reader, name) for name in _AMD_PARTS)
        return SnpEndorsements(vek, ask, ark, crl)
    return IntelCollateral(
        _read_document(reader, "TCB info"),
        _read_document(reader, "QE identity"),
        _read_part(reader, "root CRL"),
        _read_part(reader, "PCK CRL"),
        _read_part(reader, "issuer chain of the PCK CRL"),
    )


def _read_document(reader: Reader, field: str) -> SignedDocument | None:
    if not _read_flag(reader, field):
        return None
    return SignedDocument(
        _read_bytes(reader, field),
        _read_bytes(reader, f"signature of {field}"),
        _read_bytes(reader, f"issuer chain of {field}"),
    )


def _read_part(reader: Reader, field: str) -> bytes | None:
    return _read_bytes(reader, field) if _read_flag(reader, field) else None


def _read_flag(reader: Reader, field: str) -> bool:
    flag = reader.u8(field)
    if flag > 1:
        raise _error(reader, field, f"expected 0 or 1, came {flag}")
    return flag == 1


def _read_bytes(reader: Reader, field: str) -> bytes:
    return reader.take(int.from_bytes(reader.take(4, f"length of {field}"), "big"), field)


def _error(reader: Reader, field: str, message: str) -> FormatError:
    return reader.error(field, message, offset=reader.offset - 1)
