"""A process that writes until it is killed, and acknowledges each write after it has returned.

What it writes can be checked afterwards without knowing what it was going to do: the content of each resource
and policy begins with the digest of the rest.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from datetime import UTC, datetime
from multiprocessing.connection import Connection

from eaa.broker.decision_id import decision_id
from eaa.broker.names import ResourcePath
from eaa.broker.records import Decision, DecisionKind, PolicyKind, ReferenceValue, Session
from eaa.errors import StorageError
from eaa.storage.database.database import Database
from tests.unit.storage.database.samples import AesSealer

__all__ = ["PAIR", "Acknowledged", "content_is_whole", "write_for_ever"]

#: What was acknowledged: its kind, its name, its version (0 if it has none), the digest of its content.
Acknowledged = tuple[str, str, int, str]
#: Two reference values that are always put together, with one value.
PAIR = ("pair-a", "pair-b")


def write_for_ever(url: str, key: bytes, seed: int, acknowledgements: Connection) -> None:
    """Until this process is killed. What fails for the database's sake is not acknowledged.

    The first message is empty: it is running.
    """
    acknowledgements.send_bytes(b"")
    asyncio.run(_Writer(AesSealer(key), seed, acknowledgements).work(url))


def content_is_whole(content: bytes) -> bool:
    """Whether it is what a writer wrote, all of it."""
    digest, _, rest = content.partition(b"\n")
    return digest == hashlib.sha256(rest).hexdigest().encode()


class _Writer:
    def __init__(self, sealer: AesSealer, seed: int, acknowledgements: Connection) -> None:
        self._sealer = sealer
        self._random = random.Random(seed)  # noqa: S311 - not for secrets
        self._acknowledgements = acknowledgements

    async def work(self, url: str) -> None:
        while True:
            try:
                database = await Database.open(url, self._sealer)
                break
            except StorageError:
                await asyncio.sleep(0.02)
        while True:
            write = self._random.choice(
                [self._put, self._rotate, self._set_policy, self._refer, self._spend_some]
            )
            try:
                await write(database)
            except StorageError:
                await asyncio.sleep(0.005)

    async def _put(self, database: Database) -> None:
        content = self._content()
        path = ResourcePath("shared", "r", str(self._random.randrange(4)))
        info = await database.resources.put(path, content, by="writer", now=datetime.now(UTC))
        self._acknowledge("resource", str(path), info.version, content)

    async def _rotate(self, database: Database) -> None:
        material = self._random.randbytes(32)
        kid = f"k{self._random.randrange(4)}"
        info = await database.keys.put(kid, material, by="writer", now=datetime.now(UTC))
        self._acknowledge("key", kid, info.version, material)

    async def _set_policy(self, database: Database) -> None:
        text = self._content().decode()
        name = f"p{self._random.randrange(4)}"
        now = datetime.now(UTC)
        policy = await database.policies.put(PolicyKind.RESOURCE, name, text, by="writer", now=now)
        self._acknowledge("policy", name, policy.version, text.encode())

    async def _refer(self, database: Database) -> None:
        now = datetime.now(UTC)
        value = self._random.randbytes(1000).hex()
        await database.references.put([ReferenceValue(name, value, now, now, "writer") for name in PAIR])
        self._acknowledge("references", value, 0, b"")

    async def _spend_some(self, database: Database) -> None:
        await asyncio.gather(*(self._spend(database) for _ in range(8)))

    async def _spend(self, database: Database) -> None:
        now = datetime.now(UTC)
        name, token = self._random.randbytes(16).hex(), self._random.randbytes(600).hex()
        decision = Decision(
            id=decision_id(now, self._random.randbytes(10)), at=now, kind=DecisionKind.ATTESTATION,
            subject=name, tee="tdx", evidence_sha256="", policy="", target="", granted=True, code="ok",
            reason="", explanation=(),
        )  # fmt: skip
        await database.sessions.spend(Session(name, token, now), decision)
        self._acknowledge("session", name, 0, token.encode())

    def _content(self) -> bytes:
        rest = self._random.randbytes(self._random.choice([10, 2000, 20_000])).hex().encode()
        return hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest

    def _acknowledge(self, kind: str, name: str, version: int, content: bytes) -> None:
        line: Acknowledged = (kind, name, version, hashlib.sha256(content).hexdigest())
        self._acknowledgements.send_bytes(json.dumps(line).encode())
