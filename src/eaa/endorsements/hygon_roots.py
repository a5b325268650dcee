"""Hygon's pinned root certificate, with its SHA-256; source: ``roots/hygon_README.md``."""

from __future__ import annotations

# The one module that may read package data has the one loader.
from eaa.endorsements.hygon_certificate import HygonCaCertificate, parse_hygon_ca
from eaa.endorsements.roots import load_pinned_bytes

__all__ = ["HYGON_HRKS", "hygon_root_name"]

#: The one HRK: the trust anchor.
HYGON_HRKS: tuple[HygonCaCertificate, ...] = (
    parse_hygon_ca(
        load_pinned_bytes(
            "hygon_hrk.cert", "296efa97580464aca0ab5eefe42199ee05862182508d1629f29cf4dc175b10cd"
        )
    ),
)


def hygon_root_name(hrk: HygonCaCertificate) -> str:
    """The user id of an HRK, which is the only name in it; a simulated one's starts with what marks it."""
    return hrk.key.user_id.decode("ascii", "backslashreplace")
