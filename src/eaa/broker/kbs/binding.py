"""What evidence must hold as report data: a digest of the challenge and of the guest's key [COCO-KBS].

======= =========================================================================================
0.1.0   SHA-384 over ``nonce ‖ n ‖ e``, the texts as sent (v0.8), or as 0.2.0 (v0.9)
0.1.1   as 0.2.0
0.2.0   hash of the canonical JSON of ``{"nonce", "tee-pubkey"}``
0.4.0   the same for additional TEEs; for the primary one with ``"additional-evidence"`` beside them
======= =========================================================================================

Versions in parentheses are those of guest components. Canonical is RFC 8785; what guests before 0.4.0 wrote
is the same text for all keys that are accepted here.

``nonce ‖ n ‖ e`` does not say where ``n`` ends: characters moved from ``e`` to ``n`` give the same digest
for another modulus, which may have factors that are easily found. So it is believed only with the exponent
65537, whose text has one place.
"""

from __future__ import annotations

from collections.abc import Mapping

from eaa.broker.kbs.challenge import Challenge
from eaa.broker.kbs.hashes import HashAlgorithm
from eaa.broker.kbs.messages import AttestRequest
from eaa.broker.kbs.tees import Tee
from eaa.broker.kbs.versions import ProtocolVersion
from eaa.codec.canonical_json import Json, canonical_json
from eaa.errors import UnsupportedError, UsageError

__all__ = ["additional_digest", "primary_digests", "report_data_field"]

_WHAT = "runtime data"
#: 65537 in base64url.
_USUAL_EXPONENT = "AQAB"
_DIGEST_BYTES = frozenset({32, 48, 64})

#: Bytes of the field that holds the digest; 0 where it holds the digest itself, of whatever length.
_FIELD_BYTES: Mapping[Tee, int] = {
    Tee.TDX: 64,  # REPORTDATA
    Tee.SGX: 64,  # REPORTDATA
    Tee.SNP: 64,  # REPORT_DATA
    Tee.CCA: 64,  # challenge of the realm
    Tee.CSV: 64,
    Tee.HYGON_DCU: 64,
    Tee.SE: 64,  # user_data
    Tee.TPM: 32,  # extraData
    Tee.NVIDIA: 32,  # nonce of SPDM
    Tee.AZ_SNP_VTPM: 0,  # extraData of the quote
    Tee.AZ_TDX_VTPM: 0,
    Tee.SAMPLE: 0,
    Tee.SAMPLE_DEVICE: 0,
}


def primary_digests(request: AttestRequest, challenge: Challenge) -> tuple[bytes, ...]:
    """The digests of which the evidence of the primary TEE must hold one; two for version 0.1.0.

    Raises:
        FormatError: the texts that are hashed are not Unicode.
    """
    if challenge.version.is_composite:
        return (_hash(request, challenge, {"additional-evidence": request.additional_text}),)
    digest = additional_digest(request, challenge)
    if challenge.version is not ProtocolVersion.V0_1_0 or request.tee_key.jwk["e"] != _USUAL_EXPONENT:
        return (digest,)
    texts = (request.nonce, request.tee_key.jwk["n"], request.tee_key.jwk["e"])
    return (digest, HashAlgorithm.SHA384.digest("".join(texts).encode()))


def additional_digest(request: AttestRequest, challenge: Challenge) -> bytes:
    """The digest that the evidence of each additional TEE must hold; raises ``FormatError`` as above."""
    return _hash(request, challenge, {})


def report_data_field(tee: Tee, digest: bytes) -> bytes:
    """``digest`` as the whole field of ``tee`` holds it: zeros follow, or only its first 32 bytes fit.

    Args:
        tee: of the evidence.
        digest: 32, 48 or 64 bytes.

    Raises:
        UsageError: a digest of another length.
        UnsupportedError: ``unsupported.tee``: it is not known what ``tee`` holds.
    """
    if len(digest) not in _DIGEST_BYTES:
        raise UsageError(f"a digest has 32, 48 or 64 bytes, not {len(digest)}")
    if tee not in _FIELD_BYTES:
        raise UnsupportedError(f"the report data of {tee} is not known", detail="tee")
    size = _FIELD_BYTES[tee] or len(digest)
    return digest[:size].ljust(size, b"\x00")


def _hash(request: AttestRequest, challenge: Challenge, more: Mapping[str, str]) -> bytes:
    runtime_data: dict[str, Json] = {**more, "nonce": request.nonce, "tee-pubkey": dict(request.tee_key.jwk)}
    return challenge.hash_algorithm.digest(canonical_json(runtime_data, _WHAT))
