"""What evidence is bound to: the claims buffer of a certificate, and the claims of the gate.

A certificate carries the claims buffer beside the evidence [RA-TLS Evidence Custom Claims]::

    map { "pubkey-hash": bstr, ?"nonce": bstr, *tstr => bstr }
    pubkey-hash = bytes of [ hash-alg-id, bstr hash(SubjectPublicKeyInfo in DER) ]
    report data = SHA-256(the buffer as received) ‖ 32 zero bytes

The gate sends nothing like it: both ends know the claims, and compare what the evidence signs.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from eaa.codec.cbor import CborValue, decode_cbor, encode_cbor
from eaa.errors import BindingError, FormatError, UsageError
from eaa.tls.peer import REPORT_DATA_BYTES, Role

__all__ = [
    "Claims",
    "encode_claims",
    "gate_claims",
    "gate_report_data",
    "hash_report_data",
    "parse_claims",
]

SHA256, SHA384, SHA512 = 1, 7, 8
#: Of the IANA registry Named Information Hash Algorithm, those of [RA-TLS Evidence Custom Claims].
HASHES: Mapping[int, str] = MappingProxyType({SHA256: "sha256", SHA384: "sha384", SHA512: "sha512"})
#: rats-tls with the tags that it used until February 2023 wrote its own number of SHA-256.
HASHES_2022: Mapping[int, str] = MappingProxyType({0: "sha256", **HASHES})

NONCE_BYTES = BINDER_BYTES = 32
_PUBKEY_HASH, _NONCE = "pubkey-hash", "nonce"
_WHAT, _SPEC = "claims buffer", "[RA-TLS Evidence Custom Claims]"


@dataclass(frozen=True, slots=True)
class Claims:
    """A well-formed claims buffer. That the evidence is bound to it, its report data must show."""

    hash_name: str  # as hashlib knows it
    pubkey_hash: bytes
    nonce: bytes | None
    custom: Mapping[str, bytes]

    def require_bound(self, spki: bytes) -> None:
        """Holds if ``pubkey-hash`` is of the key ``spki``, SubjectPublicKeyInfo in DER.

        Raises:
            BindingError: ``binding.pubkey_hash``; it is of another key.
        """
        if not hmac.compare_digest(hashlib.new(self.hash_name, spki).digest(), self.pubkey_hash):
            raise BindingError("the claims are of another key than the certificate's", detail="pubkey_hash")


def encode_claims(
    *,
    spki: bytes,
    nonce: bytes | None,
    hash_id: int = SHA256,
    custom: Mapping[str, bytes] | None = None,
) -> bytes:
    """The claims buffer for the key ``spki``, in deterministic CBOR.

    Args:
        spki: SubjectPublicKeyInfo in DER.
        nonce: of the one verifier that the certificate is for; ``None`` for a certificate that is for all.
        hash_id: of the key; that of the claims is SHA-256 always.
        custom: claims of any other name.

    Raises:
        UsageError: another hash than 1, 7, 8, or a custom claim with a name of the specification's.
    """
    if hash_id not in HASHES:
        raise UsageError(f"hash-alg-id is 1, 7 or 8, came {hash_id}", detail="hash_id")
    own: dict[str, bytes] = dict(custom or {})
    if own.keys() & {_PUBKEY_HASH, _NONCE}:
        raise UsageError("a custom claim has the name of another claim", detail="claim_name")
    own[_PUBKEY_HASH] = encode_cbor((hash_id, hashlib.new(HASHES[hash_id], spki).digest()))
    if nonce is not None:
        own[_NONCE] = nonce
    return encode_cbor(own)


def parse_claims(data: bytes, *, hashes: Mapping[int, str] = HASHES, padded: bool = False) -> Claims:
    """The claims buffer in ``data``; ``padded`` as in :func:`~eaa.codec.cbor.decode_cbor`.

    Raises:
        FormatError: not strict CBOR, ``pubkey-hash`` missing or malformed, a hash that is not in ``hashes``
            (``format.hash_algorithm``), or a claim that is not bytes.
    """
    members = decode_cbor(data, _WHAT, spec=_SPEC, padded=padded)
    if not isinstance(members, Mapping):
        raise _error("item", "expected a map")
    claims: dict[str, bytes] = {}
    for index, (name, value) in enumerate(members.items()):
        if not isinstance(value, bytes):
            raise _error(f"value {index}", "expected a byte string")
        claims[name] = value
    if (entry := claims.pop(_PUBKEY_HASH, None)) is None:
        raise _error(_PUBKEY_HASH, "the claim is missing", "missing")
    hash_name, pubkey_hash = _hash_entry(decode_cbor(entry, _PUBKEY_HASH, spec=_SPEC, padded=padded), hashes)
    return Claims(hash_name, pubkey_hash, claims.pop(_NONCE, None), MappingProxyType(claims))


def _hash_entry(entry: CborValue, hashes: Mapping[int, str]) -> tuple[str, bytes]:
    match entry:
        case (int(hash_id), bytes(digest)):
            pass
        case _:
            raise _error(_PUBKEY_HASH, "expected [hash-alg-id, bytes]")
    if (name := hashes.get(hash_id)) is None:
        raise _error(_PUBKEY_HASH, f"hash-alg-id {hash_id} is none of {sorted(hashes)}", "hash_algorithm")
    if len(digest) != (size := hashlib.new(name).digest_size):
        raise _error(_PUBKEY_HASH, f"{name} has {size} bytes, came {len(digest)}")
    return name, digest


def hash_report_data(data: bytes) -> bytes:
    """SHA-256 of ``data``, then 32 zero bytes: report data bound to a claims buffer or a key."""
    return hashlib.sha256(data).digest().ljust(REPORT_DATA_BYTES, b"\x00")


def gate_claims(*, spki: bytes, nonce: bytes, binder: bytes, role: Role, profile: str) -> bytes:
    """The claims that evidence exchanged after the handshake is bound to, deterministic CBOR.

    ``{"role": tstr, "nonce": bstr 32, "binder": bstr 32, "profile": tstr, "pubkey-hash": [1, bstr 32]}``

    Args:
        spki: SubjectPublicKeyInfo in DER of the key by which the sender of the evidence authenticated.
        nonce: 32 bytes that the receiver of the evidence drew for this exchange.
        binder: 32 bytes of the TLS exporter of this connection.
        role: the end that sends the evidence, so that its own cannot be reflected to it.
        profile: name of the profile, so that evidence of one is none of another.

    Raises:
        UsageError: a nonce or binder of another length.
    """
    for name, value, size in ((_NONCE, nonce, NONCE_BYTES), ("binder", binder, BINDER_BYTES)):
        if len(value) != size:
            raise UsageError(f"{name} has {size} bytes, came {len(value)}", detail=f"{name}_length")
    return encode_cbor(
        {
            _PUBKEY_HASH: (SHA256, hashlib.sha256(spki).digest()),
            _NONCE: nonce,
            "binder": binder,
            "role": str(role),
            "profile": profile,
        }
    )


def gate_report_data(claims: bytes) -> bytes:
    """The 64 bytes that evidence bound to :func:`gate_claims` carries: SHA-512 of them."""
    return hashlib.sha512(claims).digest()


def _error(field: str, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec=_SPEC, detail=detail)
