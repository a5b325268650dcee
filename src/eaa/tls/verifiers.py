"""Verifiers of a peer's evidence, by the names of the originals."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from eaa.appraisal.policy import Policy
from eaa.appraisal.result import AttestationResult
from eaa.endorsements.pool import EndorsementPool
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.endorsements.x509 import Certificate
from eaa.errors import UnsupportedError, UsageError
from eaa.tls.dcap_verifier import DcapVerifier
from eaa.tls.instances import NULL_VERIFIER, SIMULATED, VERIFIERS, Instance, find_instance
from eaa.tls.peer import AttachedEvidence
from eaa.verify.dcap import Memo

__all__ = ["DcapVerifier", "NullVerifier", "make_verifier"]

_QVE_NOTE = (
    "sgx_ecdsa_qve: there is no quote verification enclave here; quotes are verified in this process by the "
    "same rules, as the original does outside an enclave"
)
_SIMULATED_NOTE = (
    "simulated: the only root believed is {name!r}, SHA-256 {digest}; no hardware stands behind it"
)


@dataclass(frozen=True, slots=True)
class NullVerifier:
    """Takes anything, or nothing, and proves nothing."""

    name: ClassVar[str] = NULL_VERIFIER
    notes: ClassVar[tuple[str, ...]] = ()
    #: For each connection.
    warning: ClassVar[str] = "nullverifier: nothing was proven about the peer of this connection"

    def verify(
        self, evidence: AttachedEvidence, *, report_data: bytes, now: datetime
    ) -> AttestationResult | None:
        """``None``, whatever came."""
        return None


def make_verifier(
    name: str,
    *,
    policy: Policy,
    pool: EndorsementPool | None,
    trust_anchors: Sequence[Certificate],
    memo: Memo,
    allow_null: bool,
) -> DcapVerifier | NullVerifier:
    """The verifier by ``name``; empty is automatic: by kind of evidence, and never null.

    Args:
        name: as in ``VERIFIERS``, or an alias.
        policy: what is acceptable beyond genuine.
        pool: own endorsements, preferred to what peers attach.
        trust_anchors: the only roots believed. For ``simulated`` exactly one, a simulated vendor's.
        memo: what earlier calls verified.
        allow_null: whether ``nullverifier`` may be named.

    Raises:
        UsageError: no such instance; null without ``allow_null``; anchors that cannot be meant.
        UnsupportedError: ``unsupported.verifier``: known, and not implemented, with the reason.
    """
    found = find_instance(VERIFIERS, "verifier", name) if name else _AUTOMATIC
    if found.name == NULL_VERIFIER:
        return _null(allow_null)
    if found.unsupported:
        raise UnsupportedError(f"verifier {found.name}: {found.unsupported}", detail="verifier")
    anchors = tuple(trust_anchors)
    if not anchors:
        raise UsageError("without a trust anchor nothing is ever believed", detail="trust_anchors")
    notes: tuple[str, ...] = (_QVE_NOTE,) if found.name == "sgx_ecdsa_qve" else ()
    warning = ""
    if found.name == SIMULATED:
        notes = (_simulated_note(anchors),)
        warning = notes[0]
    return DcapVerifier(name, found.kinds, policy, pool, anchors, memo, notes, warning)


#: All kinds that some instance takes which may be selected automatically.
_AUTOMATIC = Instance(
    "", 0, tuple(kind for item in VERIFIERS if item.automatic and not item.unsupported for kind in item.kinds)
)


def _null(allowed: bool) -> NullVerifier:
    if not allowed:
        raise UsageError(
            "nullverifier proves nothing about the peer; it takes --unsafe-null", detail="null_not_allowed"
        )
    return NullVerifier()


def _simulated_note(anchors: tuple[Certificate, ...]) -> str:
    simulated = [anchor for anchor in anchors if anchor.common_name.startswith(SIMULATED_NAME_PREFIX)]
    if len(anchors) != 1 or not simulated:
        raise UsageError(
            "verifier simulated takes exactly one trust anchor, the root of a simulated vendor",
            detail="trust_anchors",
        )
    digest = hashlib.sha256(anchors[0].der).hexdigest()
    return _SIMULATED_NOTE.format(name=anchors[0].common_name, digest=digest)
