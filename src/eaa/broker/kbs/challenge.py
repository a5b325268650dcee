"""Challenges that a guest keeps for us: signed, so that any replica can take them back, and none allocates.

The text of a sealed challenge is base64url of::

    1 byte   version of this form: 1
    1 byte   protocol version, by its place in the table below
    1 byte   TEE
    1 byte   hash algorithm
    16 bytes id
    32 bytes nonce
    8 bytes  issued at, 8 bytes expires at: microseconds since 1970, big-endian
    1 byte   length and then the policy id
    1 byte   length and then the key id
    32 bytes HMAC-SHA-256 over a label and all of the above

That a challenge is used once is for :class:`eaa.broker.ports.Sessions` to hold, by ``id``.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from eaa.broker.kbs.hashes import HashAlgorithm
from eaa.broker.kbs.tees import Tee
from eaa.broker.kbs.versions import ProtocolVersion
from eaa.broker.names import MAX_NAME_BYTES
from eaa.codec.base64url import decode_base64url, encode_base64url
from eaa.errors import FormatError, SessionError, UsageError

__all__ = ["ID_BYTES", "MAX_SEALED_CHARS", "NONCE_BYTES", "Challenge", "open_challenge", "seal_challenge"]

ID_BYTES, NONCE_BYTES, _KEY_BYTES, _MAC_BYTES = 16, 32, 32, 32
MAX_KID_BYTES = 64
#: Of the text; below what any client and proxy takes for a cookie.
MAX_SEALED_CHARS = 511

_FORM = 1
_LABEL = b"eaa kbs challenge\x00"
_FIXED = struct.Struct(f">4B{ID_BYTES}s{NONCE_BYTES}sQQ")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

#: Places never change; what is new is appended.
_VERSIONS = (ProtocolVersion.V0_1_0, ProtocolVersion.V0_1_1, ProtocolVersion.V0_2_0, ProtocolVersion.V0_4_0)
_HASHES = (HashAlgorithm.SHA256, HashAlgorithm.SHA384, HashAlgorithm.SHA512)
_TEES = (
    Tee.AZ_SNP_VTPM, Tee.AZ_TDX_VTPM, Tee.CCA, Tee.CSV, Tee.HYGON_DCU, Tee.NVIDIA, Tee.NVIDIA_DPU, Tee.SAMPLE,
    Tee.SAMPLE_DEVICE, Tee.SE, Tee.SEV, Tee.SGX, Tee.SNP, Tee.TDX, Tee.TPM,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Challenge:
    """What was agreed on at ``/auth``.

    ``id`` is 16 bytes, ``nonce`` 32, both random; ``policy_id`` is what the guest asked for, or empty;
    times are aware.

    Raises:
        UsageError: a value of another length, or a naive time.
    """

    id: bytes
    nonce: bytes = field(repr=False)
    version: ProtocolVersion
    tee: Tee
    policy_id: str
    hash_algorithm: HashAlgorithm
    issued_at: datetime
    expires_at: datetime

    def __post_init__(self) -> None:
        if len(self.id) != ID_BYTES or len(self.nonce) != NONCE_BYTES:
            raise UsageError(f"a challenge has an id of {ID_BYTES} and a nonce of {NONCE_BYTES} bytes")
        if len(self.policy_id.encode()) > MAX_NAME_BYTES:
            raise UsageError(f"the id of a policy is longer than {MAX_NAME_BYTES} bytes")
        if self.issued_at.tzinfo is None or self.expires_at.tzinfo is None:
            raise UsageError("the times of a challenge are aware")

    @property
    def session_id(self) -> str:
        """``id`` in lower-case hex."""
        return self.id.hex()


def seal_challenge(challenge: Challenge, key: tuple[str, bytes]) -> str:
    """The text that :func:`open_challenge` takes, of at most 511 characters that need no escaping in URLs.

    Args:
        challenge: what to seal; it is not encrypted, and holds no secret.
        key: its id, 1 to 64 bytes, and its 32 bytes.

    Raises:
        UsageError: a key of another form.
    """
    kid, secret = key[0].encode(), key[1]
    if len(secret) != _KEY_BYTES or not 1 <= len(kid) <= MAX_KID_BYTES:
        raise UsageError(f"a sealing key has {_KEY_BYTES} bytes and an id of 1 to {MAX_KID_BYTES} bytes")
    policy_id = challenge.policy_id.encode()
    body = b"".join(
        (
            _FIXED.pack(
                _FORM,
                _VERSIONS.index(challenge.version),
                _TEES.index(challenge.tee),
                _HASHES.index(challenge.hash_algorithm),
                challenge.id,
                challenge.nonce,
                _microseconds(challenge.issued_at),
                _microseconds(challenge.expires_at),
            ),
            bytes([len(policy_id)]),
            policy_id,
            bytes([len(kid)]),
            kid,
        )
    )
    return encode_base64url(body + _mac(secret, body))


def open_challenge(text: str, keys: Mapping[str, bytes], now: datetime) -> Challenge:
    """The challenge in ``text``, which one of ``keys`` sealed and which has not expired at ``now``.

    Args:
        text: what the guest sent.
        keys: 32 bytes by id.
        now: aware.

    Raises:
        SessionError: ``session.malformed``, ``session.unknown_key``, ``session.forged``, ``session.expired``.
    """
    body, mac, kid = _parts(text)
    secret = keys.get(kid)
    if secret is None:
        raise SessionError("the challenge was sealed with a key that is not known", detail="unknown_key")
    if not hmac.compare_digest(mac, _mac(secret, body)):
        raise SessionError("the challenge was not sealed here", detail="forged")
    challenge = _challenge(body)
    if now >= challenge.expires_at:
        raise SessionError(
            f"the challenge expired at {challenge.expires_at.isoformat()}", detail="expired",
            session=challenge.session_id,
        )  # fmt: skip
    return challenge


def _parts(text: str) -> tuple[bytes, bytes, str]:
    """What was signed, the signature over it, and the id of the key."""
    if len(text) > MAX_SEALED_CHARS:
        raise _malformed("too long")
    try:
        data = decode_base64url(text, "challenge", "cookie")
    except FormatError:
        raise _malformed("not base64url") from None
    body, mac = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
    if body[:1] != bytes([_FORM]):
        raise _malformed("not of a form that is known")
    _, rest = _counted(body[_FIXED.size :])
    kid, rest = _counted(rest)
    if rest or not kid.isascii():
        raise _malformed("bytes that belong nowhere")
    return body, mac, kid.decode("ascii")


def _challenge(body: bytes) -> Challenge:
    """The values in ``body``, of which it is known who wrote it."""
    _, version, tee, algorithm, session_id, nonce, issued_at, expires_at = _FIXED.unpack_from(body)
    policy_id, _ = _counted(body[_FIXED.size :])
    try:
        return Challenge(
            session_id,
            nonce,
            _VERSIONS[version],
            _TEES[tee],
            policy_id.decode(),
            _HASHES[algorithm],
            _EPOCH + issued_at * _MICROSECOND,
            _EPOCH + expires_at * _MICROSECOND,
        )
    except (LookupError, ValueError, OverflowError, UsageError):
        raise _malformed("values that a newer release knows") from None


def _counted(data: bytes) -> tuple[bytes, bytes]:
    """The bytes that the first byte counts, and what follows them."""
    if not data or len(data) <= data[0]:
        raise _malformed("too short")
    return data[1 : 1 + data[0]], data[1 + data[0] :]


def _mac(secret: bytes, body: bytes) -> bytes:
    return hmac.digest(secret, _LABEL + body, "sha256")


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _malformed(message: str) -> SessionError:
    return SessionError(f"the session cookie is no challenge: {message}", detail="malformed")
