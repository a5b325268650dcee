"""What a forwarder answers when it is asked for the workload's evidence, read as coming from a stranger.

The answer is one line of JSON::

    {"id": …, "msgtype": "ENCLAVEINFO", "version": 2, "mrenclave": …, "mrsigner": …,
     "evidence": {"kind": …, "evidence": base64, "collateral"?: {members of dcap-qvl's collateral}},
     "claims": base64}

Of it, ``evidence`` and ``claims`` are used, and nothing of them is believed before it is verified. All
other members are for people: a forwarder can write there what it likes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eaa.cli.console import clean
from eaa.codec.cbor import decode_cbor, encode_cbor
from eaa.codec.strict_json import parse_json
from eaa.codec.text import decode_base64
from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.endorsements.bundle_json import parse_dcap_qvl
from eaa.endorsements.collateral import IntelCollateral
from eaa.errors import BindingError, FormatError, FreshnessError, RemoteProtocolError
from eaa.tls.claims import BINDER_BYTES, SHA256
from eaa.tls.peer import AttachedEvidence, EvidenceKind, Role
from eaa.tls.relayed import RELAYED_PROFILE

__all__ = ["WORKLOAD_ABSENT", "Answer", "encode_request", "parse_answer", "require_relayed"]

_WHAT = "answer of the forwarder"
_TYPE, _VERSION = "ENCLAVEINFO", 2
_AMD_PARTS = ("vek", "ask", "ark", "crl")
_SHOWN = 120
#: Code of the error where the forwarder says that it is there, and the workload is not.
WORKLOAD_ABSENT = "remote_protocol.workload_absent"
#: What it says then: nobody listens, or whoever does went away or did not answer in time.
_ABSENT = frozenset(
    {"remote_protocol.upstream_unreachable", "remote_protocol.truncated", "remote_protocol.deadline"}
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Evidence, well-formed at most, and the claims that it is said to be bound to."""

    attached: AttachedEvidence
    claims: bytes


def encode_request(nonce: bytes) -> bytes:
    """The question for evidence that is fresh for ``nonce``, 32 bytes."""
    return json.dumps({"type": "GETENCLAVEINFO", "nonce": nonce.hex()}).encode() + b"\n"


def parse_answer(line: bytes) -> Answer:
    """The answer in ``line``.

    Raises:
        FormatError: not of this form; ``format.no_evidence`` if it has measurements as text and no
            evidence, as the original's has.
        RemoteProtocolError: the forwarder says why it has none: ``workload_absent`` if that is because
            nobody is behind it, else ``no_evidence``.
    """
    document = _document(line)
    if document.get("msgtype") != _TYPE:
        raise _failure(document)
    if "evidence" not in document or document.get("version") == 1:
        raise _error(
            "evidence",
            "there is none: measurements that a forwarder writes down prove nothing",
            "no_evidence",
        )
    if type(version := document.get("version")) is not int or version != _VERSION:
        raise _error("version", f"expected {_VERSION}, came {version!r:.20}")
    attached = _evidence(_object(document["evidence"], "evidence"))
    return Answer(attached, _octets(document, "claims", "claims"))


def require_relayed(claims: bytes, *, nonce: bytes, forwarder_spki: bytes) -> None:
    """Holds if ``claims`` are those of a workload that was asked for ``nonce``, whatever its TLS key.

    That the evidence is bound to the claims, its report data must show.

    Args:
        claims: as received.
        nonce: 32 bytes, drawn for this question.
        forwarder_spki: of the TLS key of who answers, which is not the workload's.

    Raises:
        FormatError: not the one encoding of such claims.
        FreshnessError: ``freshness.nonce``: an answer to somebody else's question, or to an earlier one.
        BindingError: of another profile or role, or of the forwarder's own key.
    """
    members = decode_cbor(claims, "relayed claims")
    if not isinstance(members, Mapping) or encode_cbor(members) != claims:
        raise _error("claims", "expected a map in deterministic encoding")
    match members:
        case {"pubkey-hash": (int(hash_id), bytes(digest)), "nonce": bytes(came), **rest} if (
            hash_id == SHA256 and len(digest) == hashlib.sha256().digest_size
        ):
            pass
        case _:
            raise _error("claims", "expected pubkey-hash by SHA-256, and nonce")
    if rest != {"binder": bytes(BINDER_BYTES), "role": str(Role.SERVER), "profile": RELAYED_PROFILE}:
        raise BindingError(
            "the claims are not those of a workload that answers a challenge, but of something else",
            detail="relayed_claims",
        )
    if not hmac.compare_digest(came, nonce):
        raise FreshnessError(
            "the evidence answers another nonce than the one asked with: it may be a replay", detail="nonce"
        )
    if hmac.compare_digest(digest, hashlib.sha256(forwarder_spki).digest()):
        raise BindingError(
            "the evidence is of the forwarder's own key, not of a workload behind it; "
            "a workload that is asked itself takes --direct",
            detail="forwarder_key",
        )


def _document(line: bytes) -> dict[str, Any]:
    try:
        return _object(parse_json(line, _WHAT), "document")
    except FormatError as error:
        shown = clean(line[:_SHOWN].decode("utf-8", "replace")).replace("\n", " ").strip()
        raise FormatError(
            f"{error}; it begins {shown!r}; a workload that is asked itself takes --direct",
            what=_WHAT, field="JSON", detail="answer",
        ) from None  # fmt: skip


def _failure(document: Mapping[str, Any]) -> Exception:
    """What a forwarder says instead of evidence is shown, and decides nothing but that there is none."""
    error = document.get("error")
    if isinstance(error, dict):
        said = f"{error.get('code', '')}: {error.get('message', '')}"
        if error.get("code") in _ABSENT:
            return RemoteProtocolError(f"the forwarder says {said:.300}", detail="workload_absent")
        return RemoteProtocolError(f"the forwarder has no evidence: {said:.300}", detail="no_evidence")
    if isinstance(error, str):
        return RemoteProtocolError(f"the forwarder has no evidence: {error:.300}", detail="no_evidence")
    return _error("msgtype", f"expected {_TYPE}, came {document.get('msgtype')!r:.40}", "answer")


def _evidence(members: Mapping[str, Any]) -> AttachedEvidence:
    kind = members.get("kind")
    if kind not in [str(item) for item in EvidenceKind]:
        raise _error("evidence.kind", f"{kind!r:.40} is not known")
    known = EvidenceKind(str(kind))
    value, collateral = members.get("collateral"), None
    if value is not None:
        parse = _amd_collateral if known is EvidenceKind.SNP_REPORT else _intel_collateral
        collateral = parse(_object(value, "evidence.collateral"))
    return AttachedEvidence(known, _octets(members, "evidence", "evidence.evidence"), collateral)


def _amd_collateral(members: Mapping[str, Any]) -> SnpEndorsements:
    if members.keys() - set(_AMD_PARTS):
        raise _error("evidence.collateral", f"expected {', '.join(_AMD_PARTS)} and nothing else")
    parts = (
        _octets(members, name, f"evidence.collateral.{name}") if name in members else None
        for name in _AMD_PARTS
    )
    return SnpEndorsements(*parts)


def _intel_collateral(members: Mapping[str, Any]) -> IntelCollateral:
    # The documents inside are texts: their signed bytes do not change.
    found = parse_dcap_qvl(json.dumps(dict(members), ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if found is None:
        raise _error("evidence.collateral", "incomplete")
    return found


def _octets(members: Mapping[str, Any], name: str, field: str) -> bytes:
    value = members.get(name)
    if not isinstance(value, str):
        raise _error(field, "expected base64")
    return decode_base64(value, _WHAT, field)


def _object(value: Any, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _error(field, "expected an object")
    return value


def _error(field: str, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=_WHAT, field=field, detail=detail)
