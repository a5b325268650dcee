"""Platforms that register (POST ``platforms``), and what an administrator lists [PCCS]."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from eaa.endorsements.subject import (
    IdentitySubject,
    PckCrlSubject,
    RootCaCrlSubject,
    Subject,
)
from eaa.errors import EndorsementNotFound, FormatError
from eaa.services.pccs.call import Update, require_hexadecimal
from eaa.services.pccs.config import Mode
from eaa.services.pccs.platforms import PlatformStock
from eaa.services.pccs.stock import Stock
from eaa.services.pccs.upstream import PckQuestion
from eaa.storage.collateral.database import CollateralDatabase
from eaa.storage.collateral.records import Registration, RegistrationState

__all__ = ["Registrar", "as_json", "parse_manifest", "parse_registration"]

_WHAT = "platform registration"
_HEX = re.compile("(?:[0-9A-Fa-f]{2})*")
_MAX_QE_ID = 260
#: Intel's largest manifests, of eight packages, are below.
_MAX_MANIFEST_DIGITS = 256 * 1024


class Registrar:
    """Takes registrations, and does what the mode says."""

    def __init__(
        self, database: CollateralDatabase, stock: Stock, platforms: PlatformStock, mode: Mode
    ) -> None:
        self._database, self._stock, self._platforms, self._mode = database, stock, platforms, mode

    async def register(self, item: Registration, update: Update) -> None:
        """Have the platform's certificates, and what verification of its quotes needs, in modes LAZY and REQ.

        In mode REQ it is in the queue meanwhile; in mode OFFLINE it stays there for an administrator.

        Raises:
            EndorsementNotFound, EndorsementUnavailable, VerificationError, StorageError
        """
        queue = self._database.registrations
        if not await self._is_kept(item):
            if self._mode is not Mode.LAZY:
                await queue.put((item,), RegistrationState.NEW)
            if self._mode is not Mode.OFFLINE:
                await self._platforms.fetch(
                    PckQuestion(
                        item.qe_id, item.pce_id, item.cpu_svn, item.pce_svn, item.enc_ppid,
                        item.platform_manifest,
                    )
                )  # fmt: skip
            if self._mode is Mode.REQ:
                await queue.done(item)
        if self._mode is not Mode.OFFLINE:
            await self._have_collateral(update)

    async def _is_kept(self, item: Registration) -> bool:
        """Of a platform with a manifest, whether it is the same; of another, whether its TCB is known."""
        platform = await self._database.platforms.read(item.qe_id, item.pce_id)
        if platform is None:
            return False
        if item.platform_manifest:
            return platform.manifest == bytes.fromhex(item.platform_manifest)
        served = await self._database.platforms.served(item.qe_id, item.pce_id, item.cpu_svn, item.pce_svn)
        return served is not None

    async def _have_collateral(self, update: Update) -> None:
        """What Intel has not, as early identities often, is no failure."""
        subjects: list[Subject] = [PckCrlSubject("processor"), PckCrlSubject("platform"), RootCaCrlSubject()]
        if update != "early":
            subjects += [IdentitySubject(name) for name in ("QE", "QVE", "TD_QE")]
        if update != "standard":
            subjects += [IdentitySubject(name, "early") for name in ("QE", "QVE", "TD_QE")]
        for subject in subjects:
            try:
                await self._stock.document(subject, may_fetch=True)
            except EndorsementNotFound:
                continue


def parse_registration(value: Any) -> Registration:
    """The body of POST ``platforms``. With a manifest, TCB and PPID do not count.

    Raises:
        FormatError: a member is missing or not of its form.
    """
    if not isinstance(value, dict):
        raise _error("body", f"expected an object, came {type(value).__name__}")
    qe_id, pce_id = value.get("qe_id"), require_hexadecimal(value.get("pce_id"), "pce_id", 4)
    if not isinstance(qe_id, str) or not 0 < len(qe_id) <= _MAX_QE_ID or not qe_id.isascii():
        raise _error("qe_id", f"expected 1 to {_MAX_QE_ID} characters")
    manifest = parse_manifest(value.get("platform_manifest"))
    if manifest:
        return Registration(qe_id.upper(), pce_id, "", "", "", manifest)
    return Registration(
        qe_id.upper(), pce_id, require_hexadecimal(value.get("cpu_svn"), "cpu_svn", 32),
        require_hexadecimal(value.get("pce_svn"), "pce_svn", 4),
        require_hexadecimal(value.get("enc_ppid"), "enc_ppid", 768), "",
    )  # fmt: skip


def parse_manifest(value: object) -> str:
    """Hexadecimal in capitals, or empty where there is none.

    Raises:
        FormatError
    """
    if value in (None, ""):
        return ""
    if not isinstance(value, str) or len(value) > _MAX_MANIFEST_DIGITS or not _HEX.fullmatch(value):
        raise _error("platform_manifest", f"expected at most {_MAX_MANIFEST_DIGITS} hexadecimal digits")
    return value.upper()


def as_json(items: Sequence[Registration]) -> list[dict[str, str]]:
    """As GET ``platforms?source=reg`` answers."""
    return [
        {
            "qe_id": item.qe_id, "pce_id": item.pce_id, "cpu_svn": item.cpu_svn, "pce_svn": item.pce_svn,
            "platform_manifest": item.platform_manifest, "enc_ppid": item.enc_ppid,
        }
        for item in items
    ]  # fmt: skip


def _error(field: str, message: str) -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec="[PCCS]", detail="parameter")
