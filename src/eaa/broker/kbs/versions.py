"""Versions of the KBS protocol, and what differs between them on the wire [COCO-KBS].

======== ==================== ====================== ============= =================== =================
version  guest components     body of /attest        tee-evidence  hash                resource response
======== ==================== ====================== ============= =================== =================
0.1.0    v0.8, v0.9           tee-pubkey + evidence  text of JSON  SHA-384             first form
0.1.1    v0.10, v0.11         the same               JSON          SHA-384 or selected first form
0.2.0    v0.12, v0.13         the same               JSON          SHA-384 or selected JWE
0.4.0    v0.14 and later      runtime-data, evidence composite     SHA-384 or selected JWE
======== ==================== ====================== ============= =================== =================

No release sent 0.3.0. The first form of the response is in :mod:`eaa.broker.kbs.jwe`; what is hashed is
in :mod:`eaa.broker.kbs.binding`.
"""

from __future__ import annotations

from enum import StrEnum

from eaa.errors import UnsupportedError

__all__ = ["ProtocolVersion", "accepted_versions", "parse_version"]


class ProtocolVersion(StrEnum):
    """A version that is spoken here."""

    V0_1_0 = "0.1.0"
    V0_1_1 = "0.1.1"
    V0_2_0 = "0.2.0"
    V0_4_0 = "0.4.0"

    @property
    def selects_hash(self) -> bool:
        """Whether the guest may be told which hash to use; 0.1.0 reads ``extra-params`` as text only."""
        return self is not ProtocolVersion.V0_1_0

    @property
    def is_composite(self) -> bool:
        """Whether ``/attest`` carries init-data and evidence of several TEEs."""
        return self is ProtocolVersion.V0_4_0

    @property
    def has_first_response(self) -> bool:
        """Whether a resource is answered in the form from before JWE was followed to the letter."""
        return self in {ProtocolVersion.V0_1_0, ProtocolVersion.V0_1_1}


def accepted_versions() -> str:
    """All of them, for whoever asked for another."""
    return ", ".join(ProtocolVersion)


def parse_version(text: str) -> ProtocolVersion:
    """The version that is exactly ``text``.

    Raises:
        UnsupportedError: ``unsupported.protocol_version``.
    """
    try:
        return ProtocolVersion(text)
    except ValueError:
        raise UnsupportedError(
            f"KBS protocol version {text[:32]!a} is none of {accepted_versions()}",
            detail="protocol_version",
        ) from None
