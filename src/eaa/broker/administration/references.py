"""Administration of reference values. Each has an expiry; none holds for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eaa.broker.administration.journal import Act, Journal
from eaa.broker.administration.principal import Action, Principal
from eaa.broker.administration.reference_messages import months_after, parse_reference_message
from eaa.broker.administration.signed_references import ReferenceSigners
from eaa.broker.ports import ReferenceValues
from eaa.broker.records import ReferenceValue
from eaa.errors import AccessDenied, FormatError, UsageError

__all__ = [
    "DEFAULT_MONTHS",
    "MAX_REFERENCES_AT_ONCE",
    "MAX_REFERENCE_NAME",
    "ReferenceAdministration",
    "require_reference_name",
]

#: How long a reference value holds if nobody says otherwise, as in Trustee.
DEFAULT_MONTHS = 12
#: Characters; Trustee names them by words and by URIs.
MAX_REFERENCE_NAME = 256
MAX_REFERENCES_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class ReferenceAdministration:
    """Put, import, list, read and delete. ``StorageError`` may come of every method.

    ``signers`` are whose signed values are taken; they say whether others are, too.
    """

    journal: Journal
    references: ReferenceValues
    signers: ReferenceSigners

    async def put(
        self, principal: Principal, values: Mapping[str, Any], *, expires_at: datetime | None = None
    ) -> Sequence[ReferenceValue]:
        """All of ``values``, JSON by name, or none. Those of the same name are replaced.

        ``expires_at`` is aware; without it they hold for 12 months.

        Raises:
            AccessDenied: the role does not have it; ``access_denied.unsigned_references``.
            FormatError: ``format.reference_name``.
            UsageError: ``usage.expiry``: not in the future; ``usage.references``: none, or too many.
        """
        async with self.journal.act(principal, Action.REFERENCE_PUT, _names(values)) as act:
            if self.signers.required:
                raise AccessDenied(
                    "reference values are taken signed alone: verdict reference import FILE",
                    detail="unsigned_references",
                )
            return await self._put(act, values, expires_at, principal.name)

    async def put_signed(self, principal: Principal, data: bytes) -> Sequence[ReferenceValue]:
        """The values of the file ``data``, until it says, once its signature is a signer's.

        Raises:
            AccessDenied: the role does not have it.
            SignatureError, FormatError: as :meth:`ReferenceSigners.verify`.
            UsageError: ``usage.reference_signers``; and as :meth:`put`.
        """
        async with self.journal.act(principal, Action.REFERENCE_PUT, "signed") as act:
            signed = self.signers.verify(data)
            by = f"{principal.name}, signed by {signed.key_id[:16]}"
            return await self._put(act, signed.values, signed.expires_at, by)

    async def _put(
        self, act: Act, values: Mapping[str, Any], expires_at: datetime | None, by: str
    ) -> Sequence[ReferenceValue]:
        if not 0 < len(values) <= MAX_REFERENCES_AT_ONCE:
            raise UsageError(
                f"expected 1 to {MAX_REFERENCES_AT_ONCE} reference values, got {len(values)}",
                detail="references",
            )
        now = self.journal.clock()
        expiry = months_after(now, DEFAULT_MONTHS) if expires_at is None else expires_at
        if expiry.tzinfo is None or expiry <= now:
            raise UsageError(
                f"expected an expiry in the future with an offset, got {expiry.isoformat()}", detail="expiry"
            )
        try:
            expiry = expiry.astimezone(UTC)
        except OverflowError:  # 9999-12-31T23:59:59-01:00: who reads it would find no such time
            raise UsageError(f"{expiry.isoformat()} is after the last year", detail="expiry") from None
        put = tuple(
            ReferenceValue(require_reference_name(name), value, expiry, now, by)
            for name, value in values.items()
        )
        said = f"{len(put)} reference values until {expiry.isoformat()}"
        await act.granted(said, names=list(values), by=by)
        await self.references.put(put)
        return put

    async def import_message(self, principal: Principal, text: bytes) -> Sequence[ReferenceValue]:
        """The values of a message as Trustee's clients send it; they hold for 12 months.

        Raises:
            AccessDenied: the role does not have it.
            FormatError: ``format.reference_message`` or ``format.reference_name``.
            UnsupportedError: ``unsupported.reference_format``.
        """
        async with self.journal.act(principal, Action.REFERENCE_PUT, "message"):
            values = parse_reference_message(text)
        return await self.put(principal, values)

    async def list(
        self, principal: Principal, *, after: str = "", limit: int = 1000
    ) -> Sequence[ReferenceValue]:
        """By name, expired ones included.

        Raises:
            AccessDenied: the role does not have it.
        """
        await self.journal.allow(principal, Action.REFERENCE_READ)
        return await self.references.list(after=after, limit=limit)

    async def read(self, principal: Principal, name: str) -> ReferenceValue:
        """One, expired or not.

        Raises:
            AccessDenied: the role does not have it.
            ResourceNotFound: there is none.
        """
        await self.journal.allow(principal, Action.REFERENCE_READ, name[:MAX_REFERENCE_NAME])
        return await self.references.read(name)

    async def delete(self, principal: Principal, name: str) -> None:
        """Forget it.

        Raises:
            AccessDenied: the role does not have it.
            ResourceNotFound: there is none.
        """
        async with self.journal.act(principal, Action.REFERENCE_DELETE, name[:MAX_REFERENCE_NAME]) as act:
            await act.granted("is forgotten")
            await self.references.delete(name)


def require_reference_name(name: str) -> str:
    """``name`` if it is one: 1 to 256 printable ASCII characters, no space.

    Raises:
        FormatError: ``format.reference_name``.
    """
    if not 0 < len(name) <= MAX_REFERENCE_NAME or not all("!" <= char <= "~" for char in name):
        raise FormatError(
            f"expected 1 to {MAX_REFERENCE_NAME} printable ASCII characters without space, got {name!a:.80}",
            what="reference value", field="name", detail="reference_name",
        )  # fmt: skip
    return name


def _names(values: Mapping[str, Any]) -> str:
    """What is administrated, short."""
    first = next(iter(values), "")[:MAX_REFERENCE_NAME]
    return first if len(values) < 2 else f"{first} and {len(values) - 1} more"
