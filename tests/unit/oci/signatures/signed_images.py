"""Keys and signatures that tests make, and an OpenPGP of their own."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eaa.errors import SignatureError
from eaa.oci.digest import Digest
from eaa.oci.signatures.cosign import CosignSignature

__all__ = ["DIGEST", "OTHER", "MarkedOpenPgp", "make_key", "payload", "pem_of", "sign"]

DIGEST = Digest("sha256", "1" * 64)
OTHER = Digest("sha256", "2" * 64)


class MarkedOpenPgp:
    """A message is "signed" by the keyring that it begins with; what follows is its content."""

    def verifier(self, keyrings: Sequence[bytes]) -> Callable[[bytes], bytes]:
        def open_message(message: bytes) -> bytes:
            for ring in keyrings:
                if message.startswith(ring):
                    return message[len(ring) :]
            raise SignatureError("not by that key", detail="image_signature_key")

        return open_message


def payload(
    kind: str = "cosign container image signature",
    digest: str = str(DIGEST),
    reference: str = "example.org/a/b:1",
    optional: object = None,
) -> bytes:
    critical = {
        "type": kind,
        "image": {"docker-manifest-digest": digest},
        "identity": {"docker-reference": reference},
    }
    return json.dumps({"critical": critical, "optional": optional}).encode()


def make_key(number: int = 1) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(number + 1000, ec.SECP256R1())


def pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def sign(key: ec.EllipticCurvePrivateKey, data: bytes) -> CosignSignature:
    return CosignSignature(data, base64.b64encode(key.sign(data, ec.ECDSA(SHA256()))).decode())
