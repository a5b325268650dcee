"""An administration over memory, with a clock that is moved by hand, and administrators of each role."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eaa.broker.administration import Administration, Principal
from eaa.broker.administration.signed_references import FORMAT, ReferenceSigners, signer_id, text_to_sign
from eaa.broker.decision_id import decision_id
from eaa.broker.records import Decision
from tests.fakes.memory_stores import MemoryStores
from tests.fakes.small_engine import SmallEngine

__all__ = ["ADMIN", "NOBODY", "NOW", "PROVISIONER", "READER", "SIGNER", "Bureau", "run", "signed_references"]

P = ParamSpec("P")
T = TypeVar("T")

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ADMIN = Principal("ada@k", "admin")
#: Signs reference values that are taken.
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(32))
READER = Principal("rea@k", "reader")
PROVISIONER = Principal("pro@k", "provisioner")
NOBODY = Principal("nob@k", "nobody")


def signed_references(
    values: object, expires_at: object = "2099-01-31T00:00:00Z", **members: object
) -> bytes:
    """A file of reference values that :data:`SIGNER` signs; ``members`` replace those of the file."""
    payload = json.dumps({"values": values, "expires_at": expires_at})
    signature = base64.b64encode(SIGNER.sign(text_to_sign(payload.encode()))).decode()
    key_id = signer_id(SIGNER.public_key())
    document = {"format": FORMAT, "payload": payload, "key_id": key_id, "signature": signature}
    return json.dumps(document | members).encode()


class Bureau:
    """``administration`` over ``stores`` and ``engine`` at the time ``now``."""

    def __init__(self, *, require_signed: bool = False) -> None:
        self.stores = MemoryStores()
        self.engine = SmallEngine()
        self.now = NOW
        self._counter = itertools.count()
        self.administration = Administration(
            self.stores,
            self.engine,
            now=lambda: self.now,
            new_id=lambda now: decision_id(now, next(self._counter).to_bytes(10)),
            random=self.random,
            aside=_here,
            signers=ReferenceSigners.of([SIGNER.public_key()], required=require_signed),
        )

    def random(self, length: int) -> bytes:
        """Another value at each call, the same in each run."""
        return hashlib.sha256(next(self._counter).to_bytes(8)).digest()[:length]

    def wait(self, **delta: float) -> None:
        self.now += timedelta(**delta)

    @property
    def decisions(self) -> list[Decision]:
        """What was recorded, in the order of recording."""
        return self.stores.decisions.kept

    @property
    def said(self) -> list[tuple[bool, str, str]]:
        """Of each decision: granted, code, target."""
        return [(decision.granted, decision.code, decision.target) for decision in self.decisions]


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


async def _here(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    return function(*args, **kwargs)
