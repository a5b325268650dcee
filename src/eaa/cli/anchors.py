"""Trust anchors from files."""

from __future__ import annotations

from collections.abc import Iterable

from eaa.cli.files import load_input
from eaa.codec.pem import decode_pem_certificates
from eaa.endorsements.hygon_certificate import parse_hygon_ca
from eaa.endorsements.sev_ca import parse_sev_ca
from eaa.endorsements.x509 import Certificate, parse_certificate
from eaa.errors import ConfigError, FormatError, UsageError
from eaa.evidence.psp_certificate import KeyUsage
from eaa.verify.schemes import TrustRoot

__all__ = ["load_anchors", "load_roots"]


def load_anchors(names: Iterable[str]) -> tuple[Certificate, ...]:
    """The certificates in the files ``names``, PEM or DER, each of which must have issued itself.

    Raises:
        UsageError: one cannot be read, or is no root certificate.
        ConfigError: one is no certificate.
    """
    return tuple(root for name in names for root in _roots(name, load_input(name)))


def load_roots(names: Iterable[str]) -> tuple[TrustRoot, ...]:
    """As :func:`load_anchors`, and roots in SEV's and Hygon's own formats too."""
    return tuple(root for name in names for root in _any_roots(name, load_input(name)))


def _any_roots(name: str, data: bytes) -> list[TrustRoot]:
    for parse in (parse_sev_ca, parse_hygon_ca):
        try:
            root = parse(data)
        except FormatError:
            continue
        if root.usage is not KeyUsage.ARK:
            raise UsageError(f"--trust-anchor {name}: this is no root certificate", detail="trust_anchor")
        return [root]
    return [*_roots(name, data)]


def _roots(name: str, data: bytes) -> list[Certificate]:
    try:
        ders = decode_pem_certificates(data, name) if data.lstrip()[:5] == b"-----" else (data,)
        roots = [parse_certificate(der, what=name) for der in ders]
    except FormatError as error:
        raise ConfigError(f"--trust-anchor {error}", detail="trust_anchor", file=name) from None
    for root in roots:
        if root.issuer != root.subject or not root.ca:
            raise UsageError(
                f"--trust-anchor {name}: {root.common_name!r} is no root certificate", detail="trust_anchor"
            )
    return roots
