"""Evidence that one end of an open channel hands on for a third party's nonce.

A forwarder terminates TLS towards a relying party, so that evidence bound to that connection would be the
forwarder's. What the relying party wants is evidence of the workload behind it: fresh for its own nonce
and bound to the workload's TLS key. The forwarder carries it and cannot make it.
"""

from __future__ import annotations

from eaa.tls.claims import BINDER_BYTES, gate_claims
from eaa.tls.peer import Role

__all__ = ["RELAYED_PROFILE", "relayed_claims"]

#: In place of a channel profile, so that an answer is never taken for evidence of a channel.
RELAYED_PROFILE = "relayed-v1"
#: There is no connection between who answers and who asked.
_NO_BINDER = bytes(BINDER_BYTES)


def relayed_claims(*, spki: bytes, nonce: bytes) -> bytes:
    """The claims that an answer's evidence is bound to, under :func:`eaa.tls.claims.gate_report_data`.

    The role is always that of a server: what a workload is to whoever asks about it.

    Args:
        spki: of the TLS key of whoever answers, in DER.
        nonce: 32 bytes, drawn by whoever wants to know.
    """
    return gate_claims(spki=spki, nonce=nonce, binder=_NO_BINDER, role=Role.SERVER, profile=RELAYED_PROFILE)
