"""What can be verified here: runtime, libraries, trust anchors, clock, and a self-test."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import cryptography
from cryptography.hazmat.backends.openssl import backend

from eaa.appraisal.amd_advisories import AMD_ADVISORIES
from eaa.attester.simulated import (
    SimulatedPlatform,
    SimulatedSgxEnclave,
    SimulatedTdxGuest,
    SimulatedVendor,
)
from eaa.cli.doctor_item import Item, Status
from eaa.cli.doctor_known import (
    known_hygon_root,
    known_issuers,
    known_report_signature,
    known_sev_issuers,
    known_signature,
)
from eaa.endorsements.amd_roots import AMD_ARKS
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.x509 import Certificate
from eaa.errors import ConfigError, EAAError, InternalError, SignatureError
from eaa.evidence.snp_tcb import SnpProduct
from eaa.verify.claims import rfc3339
from eaa.verify.dcap import Memo, verify_quote
from eaa.verify.dcap_tees import DCAP_TEES
from eaa.verify.result import Binding

__all__ = ["verifying"]

_SECTION = "Verifying"
_MIN_PYTHON = (3, 11)
#: The first release of cryptography whose signature checks release the GIL.
_RELEASES_GIL = 47
#: This code is not older than this, so that a clock which says so is wrong.
_WRITTEN = datetime(2026, 11, 1, tzinfo=UTC)
_LATEST = datetime(2050, 1, 1, tzinfo=UTC)
#: Inside MRENCLAVE of a quote of version 3, MRSEAM of version 4.
_IN_BODY = 112
_NOT_YET = {"tpm": "TPM 2.0"}


def verifying(now: datetime) -> Iterator[Item]:
    """Each thing that verification rests on, at ``now``."""
    yield _python()
    yield _cryptography()
    yield _gil()
    yield _clock(now)
    yield from _anchors(now)
    yield _guarded("signature check", known_signature)
    yield _guarded("report signature check", known_report_signature)
    yield _guarded("kept issuers", known_issuers)
    for tee in DCAP_TEES:
        yield Item(_SECTION, tee.upper(), Status.PASS, "DCAP quotes, offline, endorsements from files")
    yield Item(
        _SECTION, "SNP", Status.PASS,
        f"reports of {', '.join(SnpProduct)}, offline, endorsements from files; AMD's bulletins up to "
        f"{AMD_ADVISORIES[-1].id} of {AMD_ADVISORIES[-1].published:%Y-%m-%d} are known",
    )  # fmt: skip
    yield _guarded("SEV", known_sev_issuers)
    yield _csv()
    for name in _NOT_YET.values():
        yield Item(_SECTION, name, Status.SKIP, "not implemented in this release")
    yield _guarded("self-test", lambda: _self_test(now))


def _csv() -> Item:
    """SM2 is an extra: who verifies no CSV needs none."""
    try:
        return Item(_SECTION, "CSV", Status.PASS, known_hygon_root())
    except ConfigError as error:
        return Item(_SECTION, "CSV", Status.SKIP, str(error))
    except EAAError as error:
        return Item(_SECTION, "CSV", Status.FAIL, str(error))


def _python() -> Item:
    good = sys.version_info >= _MIN_PYTHON
    reason = f"{platform.python_implementation()} {platform.python_version()}"
    return Item(_SECTION, "Python", Status.PASS if good else Status.FAIL, reason, needed=True)


def _cryptography() -> Item:
    reason = f"{cryptography.__version__}, {backend.openssl_version_text()}"
    return Item(_SECTION, "cryptography", Status.PASS, reason)


def _gil() -> Item:
    name = "parallel signature checks"
    if int(cryptography.__version__.split(".", 1)[0]) >= _RELEASES_GIL:
        return Item(_SECTION, name, Status.PASS, "signature checks release the GIL: threads add up")
    reason = f"cryptography before {_RELEASES_GIL} holds the GIL: threads do not add up"
    return Item(_SECTION, name, Status.FAIL, reason)


def _clock(now: datetime) -> Item:
    if _WRITTEN <= now < _LATEST:
        return Item(_SECTION, "system clock", Status.PASS, f"{rfc3339(now)}, plausible", needed=True)
    side = "before this release was made" if now < _WRITTEN else "after every pinned root has expired"
    return Item(_SECTION, "system clock", Status.FAIL, f"{rfc3339(now)} is {side}", needed=True)


def _anchors(now: datetime) -> Iterator[Item]:
    """Of Intel several certificates of one root: one that is valid is needed, none in particular."""
    yield from _roots(INTEL_SGX_ROOTS, now)
    for ark in AMD_ARKS:
        yield from _roots((ark,), now)


def _roots(roots: tuple[Certificate, ...], now: datetime) -> Iterator[Item]:
    any_valid = any(root.not_before <= now <= root.not_after for root in roots)
    for root in roots:
        valid = root.not_before <= now <= root.not_after
        digest = hashlib.sha256(root.der).hexdigest()[:16]
        reason = f"{root.common_name}, SHA-256 {digest}…, until {rfc3339(root.not_after)}"
        yield Item(
            _SECTION, "trust anchor", Status.PASS if valid else Status.FAIL, reason, needed=not any_valid
        )


def _guarded(name: str, work: Callable[[], str]) -> Item:
    """``work`` returns what it showed; whatever it raises is this item's failure."""
    try:
        return Item(_SECTION, name, Status.PASS, work(), needed=True)
    except Exception as error:
        return Item(_SECTION, name, Status.FAIL, f"{type(error).__name__}: {error}", needed=True)


def _self_test(now: datetime) -> str:
    """A quote of each TEE from a vendor made for this call: it verifies, and altered it does not."""
    platform = SimulatedPlatform(SimulatedVendor(now=now))
    for attester in (SimulatedSgxEnclave(platform), SimulatedTdxGuest(platform)):
        quote = attester.collect(bytes(64))
        _verify(quote, attester, now)
        altered = quote[:_IN_BODY] + bytes((quote[_IN_BODY] ^ 1,)) + quote[_IN_BODY + 1 :]
        _require_refused(altered, attester, now)
    return "simulated SGX and TDX quotes verify, altered ones do not"


def _verify(quote: bytes, attester: SimulatedSgxEnclave | SimulatedTdxGuest, now: datetime) -> None:
    verify_quote(
        quote, collateral=attester.endorsements(), trust_anchors=(attester.trust_anchor,),
        binding=Binding(bytes(64)), now=now, memo=Memo(1),
    )  # fmt: skip


def _require_refused(quote: bytes, attester: SimulatedSgxEnclave | SimulatedTdxGuest, now: datetime) -> None:
    try:
        _verify(quote, attester, now)
    except SignatureError:
        return
    raise InternalError("an altered quote verified", detail="self_test")
