"""What was proven about a workload and about who answered for it, and what was not."""

from __future__ import annotations

from typing import Any

from eaa.appraisal.result import AttestationResult
from eaa.cli.remoteattestation_ask import Seen
from eaa.tls.peer import Profile

__all__ = ["forwarder_fields", "is_simulated", "measurement_of", "notes_of"]


def measurement_of(result: AttestationResult) -> bytes:
    """MRENCLAVE, 32 bytes, MRTD or launch digest, 48 bytes, of verified evidence."""
    return result.verified.measurement


def is_simulated(result: AttestationResult) -> bool:
    """Whether no hardware stands behind it."""
    return result.verified.trust_anchor.simulated


def forwarder_fields(seen: Seen, *, direct: bool) -> dict[str, Any] | None:
    """Who answered for the workload, as far as it was proven; ``None`` if nobody did."""
    if direct or seen.peer is None:
        return None
    result = seen.peer.result
    return {
        "proven": seen.peer.proven,
        "verifier": seen.peer.verifier,
        "profile": str(seen.peer.profile),
        "tee": result.verified.tee if result else None,
        "measurement": measurement_of(result).hex() if result else None,
    }


def notes_of(seen: Seen, *, any_code: bool, direct: bool) -> list[str]:
    """What was not proven, and whoever reads only the outcome might take for proven."""
    notes = []
    if any_code and seen.result is not None:
        notes.append("no measurement was compared: --allow-any-measurement is for tests; any code passes")
    if seen.peer is not None and not seen.peer.proven:
        notes.append("nothing was proven about the peer of the channel: the null verifier was named")
    elif seen.peer is not None and not direct:
        notes.append("the forwarder's own code was not compared: nothing that it says was believed")
    if direct and seen.peer is not None and seen.peer.profile is Profile.RATLS_CERT:
        notes.append("under ratls-cert who holds the workload's TLS key can replay its certificate")
    if seen.result is not None:
        if is_simulated(seen.result):
            notes.append(
                "the trust anchor is that of a simulated vendor: no hardware vouches for this evidence"
            )
        skipped = ("measurements",)
        notes += [
            rule.message for rule in seen.result.rules if rule.verdict == "note" and rule.rule not in skipped
        ]
    return notes
