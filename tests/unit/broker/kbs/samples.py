"""Values that the tests of the KBS protocol share."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from eaa.broker.kbs.challenge import Challenge
from eaa.broker.kbs.hashes import HashAlgorithm
from eaa.broker.kbs.tees import Tee
from eaa.broker.kbs.versions import ProtocolVersion
from tests.fakes.kbs_client import TeeKey

NOW = datetime(2026, 5, 4, 3, 2, 1, 987654, UTC)
SEALING_KEY = ("2026-05", bytes(range(32)))

CHALLENGE = Challenge(
    id=bytes(range(16)),
    nonce=bytes(range(100, 132)),
    version=ProtocolVersion.V0_4_0,
    tee=Tee.TDX,
    policy_id="team-a",
    hash_algorithm=HashAlgorithm.SHA384,
    issued_at=NOW,
    expires_at=NOW + timedelta(minutes=5),
)
#: Of the challenge's nonce.
NONCE = "ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM="


def challenge(version: str = "0.4.0", **changes: Any) -> Challenge:
    return replace(CHALLENGE, version=ProtocolVersion(version), **changes)


@cache
def tee_key(kind: str) -> TeeKey:
    """One key of each kind: making them takes long."""
    return TeeKey(kind)
