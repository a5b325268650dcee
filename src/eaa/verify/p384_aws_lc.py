"""P-384 by AWS-LC, in the wheel ``awscrt``: the only module that touches it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from awscrt.crypto import EC

from eaa.verify.p384 import P384Key, require_p384_spki

__all__ = ["aws_lc_key"]


def aws_lc_key(spki: bytes) -> P384Key:
    """See :data:`eaa.verify.p384.P384Library`."""
    require_p384_spki(spki)
    try:
        return _Key(EC.new_key_from_der_data(spki))
    except RuntimeError:  # of the library, with a number only
        raise ValueError("not a point of P-384") from None


@dataclass(frozen=True, slots=True)
class _Key:
    key: EC

    def verifies(self, signature: bytes, data: bytes) -> bool:
        return bool(self.key.verify(hashlib.sha384(data).digest(), signature))
