"""OpenPGP by Sequoia, through ``pysequoia``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eaa.errors import ConfigError, FormatError, SignatureError

__all__ = ["SequoiaOpenPgp"]

_MAX_CERTIFICATES = 256


class SequoiaOpenPgp:
    """Implements :class:`~eaa.oci.signatures.decide.OpenPgp`.

    A key has to be able to sign now: not expired, not revoked, and of algorithms that Sequoia's policy takes.
    """

    def verifier(self, keyrings: Sequence[bytes]) -> Callable[[bytes], bytes]:
        """What opens messages that a key of ``keyrings`` has signed.

        Raises:
            FormatError: ``format.image_key``: a keyring is none.
            ConfigError: ``config.missing_extra``.
        """
        try:
            import pysequoia  # noqa: PLC0415 - optional
        except ImportError:
            raise ConfigError(
                "the image policy has signedBy: install eaa[attestation-agent]", detail="missing_extra"
            ) from None
        certificates: list[pysequoia.Cert] = []
        for ring in keyrings:
            try:
                found = pysequoia.Cert.split_bytes(ring)
            except Exception:  # what it raises is a plain Exception
                raise _key_error("expected an OpenPGP keyring") from None
            if not found:
                raise _key_error("expected an OpenPGP keyring, got one without a key")
            certificates += found
        if len(certificates) > _MAX_CERTIFICATES:
            raise _key_error(f"expected at most {_MAX_CERTIFICATES} keys, came {len(certificates)}")

        def open_message(message: bytes) -> bytes:
            try:
                verified = pysequoia.verify(message, lambda _: certificates)
            except Exception as error:  # what it raises is a plain Exception
                raise _not_signed(f": {str(error)[:200]!a}") from None
            if not verified.valid_sigs or verified.bytes is None:
                raise _not_signed("")
            return verified.bytes

        return open_message


def _not_signed(cause: str) -> SignatureError:
    return SignatureError(f"not signed by a valid key of the policy{cause}", detail="image_signature_key")


def _key_error(message: str) -> FormatError:
    return FormatError(message, what="image signature key", field="keyring", detail="image_key")
