"""The key that a guest has its secrets encrypted to, and what it decrypts with it."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry, decrypt_json
from joserfc.jwk import ECKey

from eaa.errors import RemoteProtocolError

__all__ = ["GuestKey"]

_ALGORITHM = "ECDH-ES+A256KW"
_MEMBERS = ("protected", "encrypted_key", "iv", "ciphertext", "tag")


class _Registry(JWERegistry):
    """The library's bound of 64 KiB is too small for resources of 1 MiB; an answer is bounded as a whole."""

    max_ciphertext_length = 8 * 1024 * 1024


_REGISTRY = _Registry(algorithms=[_ALGORITHM, "A256GCM"])


class GuestKey:
    """A P-256 key pair, made for this object and never written anywhere."""

    def __init__(self) -> None:
        self._key = ECKey.import_key(ec.generate_private_key(ec.SECP256R1()))

    @property
    def jwk(self) -> dict[str, str]:
        """The public half as the protocol has it [COCO-KBS]."""
        public = self._key.as_dict(private=False)
        return {name: str(public[name]) for name in ("kty", "crv", "x", "y")} | {"alg": _ALGORITHM}

    def private_pem(self) -> str:
        """The private half in PKCS#8, for who asks the agent for a token and its key [COCO-GUEST]."""
        return self._key.as_pem(private=True).decode()

    def decrypt(self, message: Any) -> bytes:
        """The content of ``message``, a flattened JSON JWE [RFC7516 §7.2.2].

        Raises:
            RemoteProtocolError: ``remote_protocol.jwe``: it is none, or not for this key.
        """
        if not isinstance(message, dict) or not all(isinstance(message.get(name), str) for name in _MEMBERS):
            raise _broken("expected a flattened JSON JWE")
        try:
            content = decrypt_json(
                {name: message[name] for name in _MEMBERS},  # type: ignore[arg-type]  # its members are those
                self._key,
                registry=_REGISTRY,
            ).plaintext
        except (JoseError, ValueError, TypeError, LookupError):
            # The library looks for "enc" in the protected header without asking whether it is there.
            raise _broken("it does not decrypt with this guest's key") from None
        return content or b""


def _broken(message: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"resource response: {message}", detail="jwe")
