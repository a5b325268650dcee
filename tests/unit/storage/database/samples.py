"""What the tests keep, and a sealer that is real and needs nothing."""

from __future__ import annotations

import itertools
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from eaa.broker.decision_id import decision_id
from eaa.broker.names import ResourcePath
from eaa.broker.records import Decision, DecisionKind, Session
from eaa.errors import StorageError

__all__ = ["HOUR", "NOW", "PATH", "AesSealer", "decision", "session"]

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
PATH = ResourcePath("default", "key", "1")
TOKEN = "a.b.c"
_moments = itertools.count()


class AesSealer:
    """AES-256-GCM under a key of its own, the context as associated data."""

    def __init__(self, key: bytes | None = None) -> None:
        self.contexts: list[bytes] = []
        self._aes = AESGCM(key or secrets.token_bytes(32))

    async def seal(self, plaintext: bytes, *, context: bytes) -> bytes:
        self.contexts.append(context)
        nonce = secrets.token_bytes(12)
        return nonce + self._aes.encrypt(nonce, plaintext, context)

    async def open(self, sealed: bytes, *, context: bytes) -> bytes:
        try:
            return self._aes.decrypt(sealed[:12], sealed[12:], context)
        except InvalidTag:
            raise StorageError("it does not authenticate", detail="sealed") from None


def session(session_id: str, *, token: str | None = TOKEN, expires_at: datetime = NOW + HOUR) -> Session:
    return Session(session_id, token, expires_at)


def decision(**changes: Any) -> Decision:
    """A decision a millisecond later than the one before."""
    at = NOW + timedelta(milliseconds=next(_moments))
    fields: dict[str, Any] = {
        "id": decision_id(at, secrets.token_bytes(10)),
        "at": at,
        "kind": DecisionKind.RELEASE,
        "subject": "127.0.0.1:4711 session 1",
        "tee": "tdx",
        "evidence_sha256": "ab" * 32,
        "policy": "attestation/default_cpu@3 resource/@1",
        "target": "default/key/1",
        "granted": True,
        "code": "ok",
        "reason": "granted",
        "explanation": ({"rule": "measured", "expected": [1, 2.5, None], "deep": {"ä": "\u2028\0"}},),
    }
    return Decision(**(fields | changes))
