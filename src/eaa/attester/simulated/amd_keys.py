"""RSA keys of a simulated AMD: ARK, ASK and ASVK, RSA-4096 as AMD's.

They take seconds to make, and do not follow from a seed as others of the simulated vendors do: whoever wants
the same vendor again keeps :meth:`AmdKeys.encode`. A key signs the same bytes with the same signature, for as
long as it lives, so that a certificate that was not changed stays the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from eaa.endorsements.x509 import Certificate
from eaa.errors import UsageError

__all__ = ["AmdKeys", "SimulatedRsaKey"]

_BITS, _SALT_BYTES = 4096, 48
_END = b"-----END PRIVATE KEY-----\n"
_Hash = SHA256 | SHA384


@dataclass(eq=False)
class SimulatedRsaKey:
    """One private key and the signatures that it has given."""

    private: rsa.RSAPrivateKey = field(repr=False)
    _given: dict[tuple[bytes, str], bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def generate(cls, bits: int = _BITS) -> SimulatedRsaKey:
        return cls(rsa.generate_private_key(65537, bits))

    @property
    def spki(self) -> bytes:
        """SubjectPublicKeyInfo."""
        return self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def pem(self) -> bytes:
        """The private key, PKCS #8, not encrypted."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, data: bytes, algorithm: _Hash, salt_bytes: int = _SALT_BYTES) -> bytes:
        """RSASSA-PSS over ``data``, MGF1 with the same hash [RFC8017 §8.1.1]."""
        key = (data, algorithm.name)
        if key not in self._given:
            pss = padding.PSS(padding.MGF1(algorithm), salt_bytes)
            self._given[key] = self.private.sign(data, pss, algorithm)
        return self._given[key]

    def remember(self, certificate: Certificate) -> None:
        """From now on ``certificate``'s own signature is given for its contents."""
        self._given[certificate.tbs, SHA384().name] = certificate.signature


@dataclass(frozen=True, slots=True)
class AmdKeys:
    """The keys of one product's certification authorities."""

    ark: SimulatedRsaKey
    ask: SimulatedRsaKey
    asvk: SimulatedRsaKey

    @classmethod
    def generate(cls) -> AmdKeys:
        """New keys; some seconds."""
        return cls(SimulatedRsaKey.generate(), SimulatedRsaKey.generate(), SimulatedRsaKey.generate())

    def encode(self) -> bytes:
        """All three as PEM: whoever has it can sign."""
        return self.ark.pem + self.ask.pem + self.asvk.pem

    @classmethod
    def parse(cls, pem: bytes) -> AmdKeys:
        """What :meth:`encode` gave.

        Raises:
            UsageError: anything else.
        """
        blocks = [block + _END for block in pem.split(_END)[:-1]]
        try:
            # Made here, and checking an RSA key takes half a second.
            keys = [
                load_pem_private_key(block, None, unsafe_skip_rsa_key_validation=True) for block in blocks
            ]
        except ValueError:
            keys = []
        rsa_keys = [SimulatedRsaKey(key) for key in keys if isinstance(key, rsa.RSAPrivateKey)]
        if len(rsa_keys) != 3:
            raise UsageError("these are not the keys of a simulated AMD", detail="simulated_keys")
        return cls(*rsa_keys)
