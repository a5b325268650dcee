"""A layer's bytes, opened and sealed as a stream [OCICRYPT blockcipher].

AES-256-CTR, then HMAC-SHA256 over the ciphertext. Both use the layer's one key, and the MAC does not cover
the nonce; so the options with key and nonce must come out of an authenticated wrapping. ocicrypt lets a
nonce in the public options, which nothing protects, go before the private one; here that is refused.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from dataclasses import dataclass

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from eaa.codec.members import text_at
from eaa.codec.text import decode_base64
from eaa.errors import FormatError, SignatureError, UnsupportedError, UsageError
from eaa.oci.digest import Digest
from eaa.oci.layer_key import LayerOptions
from eaa.oci.members import optional_object, parse_object

__all__ = [
    "CIPHER",
    "PUBLIC_OPTIONS_ANNOTATION",
    "LayerOpener",
    "LayerSealer",
    "PublicOptions",
    "SealedLayer",
    "encode_public_options",
    "parse_public_options",
]

PUBLIC_OPTIONS_ANNOTATION = "org.opencontainers.image.enc.pubopts"
CIPHER = "AES_256_CTR_HMAC_SHA256"
HMAC_BYTES = 32
_MAX_BYTES = 4096
_WHAT = "public layer options"


@dataclass(frozen=True, slots=True)
class PublicOptions:
    """``hmac`` over the ciphertext, 32 bytes."""

    hmac: bytes


@dataclass(frozen=True, slots=True)
class SealedLayer:
    """What opens a layer that was sealed: ``options`` are to be wrapped, ``public`` goes beside it."""

    options: LayerOptions
    public: PublicOptions


def parse_public_options(text: str) -> PublicOptions:
    """The options in the value of :data:`PUBLIC_OPTIONS_ANNOTATION`: base64 of JSON.

    Raises:
        FormatError: they are none, or carry cipher options.
        UnsupportedError: ``unsupported.layer_cipher``.
    """
    if len(text) > _MAX_BYTES:
        raise FormatError(
            f"expected at most {_MAX_BYTES} characters", what=_WHAT, field="text", detail="too_large"
        )
    members = parse_object(decode_base64(text, _WHAT, "text"), _WHAT, limit=_MAX_BYTES)
    cipher = text_at(members, "cipher", _WHAT)
    if cipher != CIPHER:
        raise UnsupportedError(f"{_WHAT}: expected {CIPHER}, got {cipher[:64]!r}", detail="layer_cipher")
    if optional_object(members, "cipheroptions", _WHAT):
        raise FormatError("expected none: nothing authenticates them", what=_WHAT, field="cipheroptions")
    mac = decode_base64(text_at(members, "hmac", _WHAT), _WHAT, "hmac", length=HMAC_BYTES)
    return PublicOptions(mac)


def encode_public_options(public: PublicOptions) -> str:
    """The annotation's value."""
    document = {"cipher": CIPHER, "hmac": b64encode(public.hmac).decode(), "cipheroptions": {}}
    return b64encode(orjson.dumps(document)).decode()


class LayerOpener:
    """Ciphertext in, plaintext out; nothing of that may be trusted before :meth:`finish` has returned."""

    def __init__(self, options: LayerOptions, public: PublicOptions) -> None:
        self._options = options
        self._public = public
        self._stream = _Stream(options.symkey, options.nonce)
        self._digest = options.digest.hasher()

    def update(self, data: bytes) -> bytes:
        """The plaintext of the next bytes, as many."""
        self._stream.authenticate(data)
        plain = self._stream.apply(data)
        self._digest.update(plain)
        return plain

    def finish(self) -> None:
        """Holds if the whole layer came, as it was sealed.

        Raises:
            SignatureError: ``signature.layer_hmac``: changed, cut off, or another layer's options.
            BindingError: ``binding.layer_digest``: what came out is not what its options promise.
            UsageError: ``usage.finished``: a second time.
        """
        if not hmac.compare_digest(self._stream.finish(), self._public.hmac):
            raise SignatureError(
                "the layer does not match its HMAC: it was changed or cut off, or its key is another layer's",
                detail="layer_hmac",
            )
        self._options.digest.require(self._digest, what="opened layer", detail="layer_digest")


class LayerSealer:
    """Plaintext in, ciphertext out, under a ``symkey`` of 32 and a ``nonce`` of 16 fresh random bytes."""

    def __init__(self, *, symkey: bytes, nonce: bytes) -> None:
        self._symkey = symkey
        self._nonce = nonce
        self._stream = _Stream(symkey, nonce)
        self._digest = hashlib.sha256()

    def update(self, data: bytes) -> bytes:
        """The ciphertext of the next bytes, as many."""
        sealed = self._stream.apply(data)
        self._stream.authenticate(sealed)
        self._digest.update(data)
        return sealed

    def finish(self) -> SealedLayer:
        """What opens it again; :class:`~eaa.errors.UsageError` a second time."""
        mac = self._stream.finish()
        digest = Digest("sha256", self._digest.hexdigest())
        return SealedLayer(LayerOptions(self._symkey, digest, self._nonce), PublicOptions(mac))


class _Stream:
    """One pass of cipher and MAC; in CTR mode both directions are one."""

    def __init__(self, symkey: bytes, nonce: bytes) -> None:
        self._cipher = Cipher(AES(symkey), CTR(nonce)).encryptor()
        self._mac = hmac.new(symkey, digestmod=hashlib.sha256)
        self._open = True

    def authenticate(self, sealed: bytes) -> None:
        if not self._open:
            raise _finished()
        self._mac.update(sealed)

    def apply(self, data: bytes) -> bytes:
        if not self._open:
            raise _finished()
        return self._cipher.update(data)

    def finish(self) -> bytes:
        if not self._open:
            raise _finished()
        self._open = False
        return self._mac.digest()


def _finished() -> UsageError:
    return UsageError("the layer is finished", detail="finished")
