"""SM2 keys of a simulated Hygon. They do not follow from a seed: GmSSL makes them at random."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SM3, Hash

from eaa.errors import ConfigError
from eaa.evidence.psp_certificate import COORDINATE_BYTES
from eaa.verify.sm2 import sm2_identity

try:
    from gmssl_pyx import sm2_key_generate, sm2_sign_sm3_digest
except ImportError as error:  # pragma: no cover - the tests install the extra
    raise ConfigError("a simulated Hygon CSV platform: install eaa[csv]", detail="missing_extra") from error

__all__ = ["SimulatedSm2Key", "little_endian"]


def little_endian(*numbers: int) -> bytes:
    """Each number in 72 bytes, one after the other."""
    return b"".join(number.to_bytes(COORDINATE_BYTES, "little") for number in numbers)


@dataclass(eq=False)
class SimulatedSm2Key:
    """One key and the signatures that it has given: the same bytes get the same signature."""

    public: bytes  # x ‖ y, 64 bytes
    private: bytes = field(repr=False)  # 32 bytes
    _given: dict[tuple[bytes, bytes], bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def generate(cls) -> SimulatedSm2Key:
        return cls(*sm2_key_generate())

    @property
    def point(self) -> tuple[int, int]:
        return int.from_bytes(self.public[:32]), int.from_bytes(self.public[32:])

    def sign(self, user_id: bytes, data: bytes) -> bytes:
        """SM2 over ``data`` [GM-SM2 2, 6.1]: r ‖ s, 72 bytes each, little-endian."""
        if (user_id, data) not in self._given:
            digest = Hash(SM3())
            digest.update(sm2_identity(user_id, self.public) + data)
            r, s = decode_dss_signature(sm2_sign_sm3_digest(self.private, digest.finalize()))
            self._given[user_id, data] = little_endian(r, s)
        return self._given[user_id, data]
