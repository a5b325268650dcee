"""Who may have how many platforms asked for that were not seen before."""

from __future__ import annotations

import asyncio
from datetime import UTC
from itertools import count
from typing import cast

import pytest

from eaa.errors import EndorsementNotFound, EndorsementUnavailable
from eaa.provider.endorser import Endorser
from eaa.services.endorsements import ServiceEndorsements
from eaa.tls.peer import EvidenceKind
from tests.fakes.vendor import NOW, REPORT_DATA, make_attester
from tests.service.snp_guests import SnpHardware

_CHIP_ID = slice(0x1A0, 0x1E0)
_NUMBERS = count(1)
REPORT = SnpHardware().guest.collect(REPORT_DATA)


class _KnowsNobody:
    def held(self) -> tuple[()]:
        return ()

    async def endorsement(self, subject: object) -> object:
        raise EndorsementNotFound("nobody knows it", detail="vcek")


def made_up() -> bytes:
    """A report of a chip that does not exist."""
    report = bytearray(REPORT)
    report[_CHIP_ID] = next(_NUMBERS).to_bytes(64, "big")
    return bytes(report)


def ask(service: ServiceEndorsements, peer: str) -> None:
    asyncio.run(service.fetch(EvidenceKind.SNP_REPORT, made_up(), peer=peer))


def test_made_up_chips_of_one_address_leave_the_others_theirs() -> None:
    quoted = make_attester("tdx-v4")
    service = ServiceEndorsements(
        cast(Endorser, _KnowsNobody()), update="standard", fetches_per_minute=8,
        trust_anchors=(quoted.trust_anchor,), now=lambda: NOW.astimezone(UTC),
    )  # fmt: skip
    for _ in range(2):
        with pytest.raises(EndorsementNotFound, match="nobody"):
            ask(service, "192.0.2.1")
    for _ in range(20):
        with pytest.raises(EndorsementUnavailable, match="too many"):
            ask(service, "192.0.2.1")
    for address in ("192.0.2.2", "192.0.2.3", "192.0.2.4"):
        for _ in range(2):
            with pytest.raises(EndorsementNotFound, match="nobody"):
                ask(service, address)
    with pytest.raises(EndorsementUnavailable, match="too many"):
        ask(service, "192.0.2.5")
    # Quotes have their own.
    with pytest.raises(EndorsementNotFound, match="nobody"):
        asyncio.run(service.fetch(EvidenceKind.TDX_QUOTE, quoted.collect(REPORT_DATA), peer="192.0.2.5"))
