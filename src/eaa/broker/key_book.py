"""The keys of the service itself as of one moment: what signs tokens, what seals challenges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from eaa.broker.records import ServiceKey
from eaa.broker.signing_key import SigningKey, key_set
from eaa.errors import StorageError

__all__ = ["AUTHORITY", "CHALLENGE", "TOKEN", "KeyBook", "Rotation"]

#: How far the clock of another replica may be behind when the first keys are made, and ahead later.
_SKEW = timedelta(hours=1)
#: Purposes of service keys.
TOKEN, CHALLENGE, AUTHORITY = "token", "challenge", "token-authority"


@dataclass(frozen=True, slots=True)
class KeyBook:
    """Keys in use. What an older key made is believed until it retires."""

    signing: SigningKey
    published: Mapping[str, Any]  # the JWK set
    challenge_kid: str
    challenges: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def of(cls, keys: Sequence[ServiceKey], *, now: datetime) -> KeyBook:
        """The book of all service keys.

        Raises:
            StorageError: ``storage.service_keys``: a purpose has none that is active.
            ConfigError: a signing key is none.
        """
        tokens = [SigningKey.of(key) for key in _believed(keys, TOKEN, now)]
        challenges = {key.kid: key.material for key in _believed(keys, CHALLENGE, now)}
        signing = _newest_active(keys, TOKEN, now)
        return cls(
            next(item for item in tokens if item.kid == signing.kid),
            MappingProxyType(key_set(tokens)),
            _newest_active(keys, CHALLENGE, now).kid,
            MappingProxyType(challenges),
        )


@dataclass(frozen=True, slots=True)
class Rotation:
    """How long a key signs, how early it is published, and how long what it signed is believed after."""

    period: timedelta
    lead: timedelta
    overlap: timedelta

    def due(self, keys: Sequence[ServiceKey], purpose: str, *, now: datetime) -> bool:
        """Whether none of ``purpose`` is active, or the newest so old that its successor has to be published.

        Keys that begin later than any rotation lets them are of a clock that was wrong, and do not count.
        """
        begins = [key.active_from for key in keys if key.purpose == purpose]
        if not any(begin <= now for begin in begins):
            return True
        newest = max(begin for begin in begins if begin <= now + self.lead + _SKEW)
        return now >= newest + self.period - self.lead

    def term(self, keys: Sequence[ServiceKey], purpose: str, *, now: datetime) -> tuple[datetime, datetime]:
        """From when a new key signs, and until when it is believed.

        Where none is active it signs at once, also at a replica whose clock is behind by less than an hour.
        """
        active = any(key.purpose == purpose and key.active_from <= now for key in keys)
        begins = now + self.lead if active else now - _SKEW
        return begins, begins + self.period + self.lead + self.overlap


def _believed(keys: Sequence[ServiceKey], purpose: str, now: datetime) -> list[ServiceKey]:
    found = [key for key in keys if key.purpose == purpose and now < key.retired_at]
    return sorted(found, key=lambda key: (key.active_from, key.kid), reverse=True)


def _newest_active(keys: Sequence[ServiceKey], purpose: str, now: datetime) -> ServiceKey:
    for key in _believed(keys, purpose, now):
        if key.active_from <= now:
            return key
    raise StorageError(f"there is no active key for {purpose}", detail="service_keys", purpose=purpose)
