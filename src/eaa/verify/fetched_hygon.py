"""Hygon's fetched certificates: HSK and CEK of a chip, up to a trust anchor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from eaa.endorsements.fetched import Fetched
from eaa.endorsements.hygon_certificate import HygonCaCertificate, parse_hygon_ca
from eaa.endorsements.hygon_endorsements import parse_hsk_cek
from eaa.endorsements.subject import HygonChainSubject
from eaa.errors import ChainError
from eaa.verify.fetched_result import Genuine
from eaa.verify.hygon_csv_chain import verify_csv_authorities, verify_csv_cek
from eaa.verify.windows import Window, Windows

__all__ = ["verify_hygon_chain"]

#: Hygon's certificates have no validity period, and no revocation lists.
_ALWAYS = Windows.of(
    (
        Window(
            "Hygon certificates", "hygon_chain", datetime.min.replace(tzinfo=UTC),
            datetime.max.replace(tzinfo=UTC),
        ),
    )
)  # fmt: skip


def verify_hygon_chain(
    subject: HygonChainSubject, fetched: Fetched, *, trust_anchors: Sequence[HygonCaCertificate]
) -> Genuine:
    """HSK and CEK in ``fetched``, verified up to one of ``trust_anchors``.

    Not established: that the CEK is of the chip that was asked for, whose id is not in it. Verification of
    evidence establishes it: the chip has signed the PEK that the evidence comes with.

    Raises:
        FormatError, ChainError, SignatureError
    """
    found = parse_hsk_cek(fetched.body)
    issuer = parse_hygon_ca(found.hsk or b"").certifying_id
    hrk = next((anchor for anchor in trust_anchors if anchor.key_id == issuer), None)
    if hrk is None:
        raise ChainError(
            f"the HSK names {issuer.hex()} as its issuer, which is not a trust anchor",
            detail="untrusted_root",
        )
    authorities = verify_csv_authorities(replace(found, hrk=hrk.raw), trust_anchors)
    verify_csv_cek(found.cek, authorities)
    return Genuine(subject, 0, _ALWAYS.not_before, _ALWAYS)
