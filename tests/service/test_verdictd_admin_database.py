"""Administration over the real database, the real sealer and the real engine: what is done stays done."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eaa.broker.administration import Administration, Principal, TestedPolicy
from eaa.broker.administration.guest_documents import GPG_KEYRING
from eaa.broker.decision_id import decision_id
from eaa.broker.names import ResourcePath
from eaa.broker.ports import AttestationOutcome
from eaa.broker.records import PolicyKind
from eaa.errors import AccessDenied, ConflictError, FormatError, ResourceNotFound
from eaa.policy.regorus_engine import RegorusEngine
from eaa.policy.templates import TEMPLATES
from eaa.storage.database.database import ConnectedDatabase
from eaa.storage.sealing.envelope import Envelope
from eaa.storage.sealing.file_key import FileMasterKey
from tests.fakes.administrators import ADMIN, READER

PATH = ResourcePath.parse("default/key/1")
SECRET = b"correct horse battery staple!!!!"
TRUST = """package policy
import rego.v1
default executables := 33
executables := 3 if input.x in query_reference_value("xs")
trust_claims := {"executables": executables}
"""
KEYS = Path(__file__).with_name("gpg_public_keys.asc")


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Administration]:
    connected = await ConnectedDatabase.connect(f"sqlite:///{folder / 'verdictd.sqlite'}")
    try:
        master = await asyncio.to_thread(FileMasterKey.open, folder / "master.key")
        yield Administration(
            connected.with_sealer(Envelope(master, connected.data_keys)),
            RegorusEngine(),
            now=lambda: datetime.now(UTC),
            new_id=lambda now: decision_id(now, os.urandom(10)),
            random=os.urandom,
            aside=asyncio.to_thread,
        )
    finally:
        await connected.close()


async def _furnish(folder: Path) -> None:
    async with opened(folder) as a:
        await a.resources.put(ADMIN, PATH, SECRET)
        await a.resources.put(ADMIN, PATH, b"two")
        await a.resources.set_enabled(ADMIN, PATH, False, version=2)
        await a.keys.import_(ADMIN, "k", SECRET)
        await a.keys.rotate(ADMIN, "k")
        for template in TEMPLATES.values():
            policy_id = f"{template.name}_cpu" if template.kind is PolicyKind.ATTESTATION else template.name
            await a.policies.put(ADMIN, template.kind, policy_id, template.text, expected_version=0)
        await a.policies.put(ADMIN, PolicyKind.ATTESTATION, "x_cpu", TRUST)
        await a.references.put(ADMIN, {"xs": [1]})
        await a.opa.put_reference(ADMIN, "sgxData", {"svn": 1})
        await a.documents.import_gpg_key(ADMIN, KEYS.read_bytes())
        with pytest.raises(AccessDenied):
            await a.resources.read(READER, PATH)
        with pytest.raises(FormatError):
            await a.policies.put(ADMIN, PolicyKind.ATTESTATION, "x_cpu", "package policy\nallow {")
        with pytest.raises(ConflictError):
            await a.policies.put(ADMIN, PolicyKind.ATTESTATION, "x_cpu", TRUST, expected_version=0)


async def _look(folder: Path) -> None:
    async with opened(folder) as a:
        assert (await a.resources.read(ADMIN, PATH)).content == SECRET
        assert [info.version for info in await a.resources.versions(ADMIN, PATH)] == [2, 1]
        assert (await a.keys.read(ADMIN, "k", version=1)).material == SECRET
        assert [info.version for info in await a.keys.versions(ADMIN, "k")] == [2, 1]
        tested = TestedPolicy(PolicyKind.ATTESTATION, id="x_cpu")
        outcome = await a.policies.test(ADMIN, tested, {"x": 1}, data={}, references=None)
        assert isinstance(outcome, AttestationOutcome)
        assert outcome.trust_claims == {"executables": 3}
        assert await a.opa.reference(ADMIN, "sgxData") == {"svn": 1}
        assert len(await a.documents.gpg_keys(ADMIN)) == 2
        status = await a.decisions.status(READER)
        assert (status.reference_values, status.expired) == (2, 0)
        assert len(status.attestation_policies) + len(status.resource_policies) == len(TEMPLATES) + 1
        refused = await a.decisions.list(ADMIN, granted=False)
        codes = [decision.code for decision in refused if decision.target != str(GPG_KEYRING)]
        assert codes == ["conflict.version", "format.policy", "access_denied.role"]
        assert (await a.decisions.explain(READER, refused[0].id)) == refused[0]
        await a.resources.delete(ADMIN, PATH)
        with pytest.raises(ResourceNotFound):
            await a.resources.read(ADMIN, PATH)


def test_what_is_done_stays_done(tmp_path: Path) -> None:
    asyncio.run(_furnish(tmp_path))
    asyncio.run(_look(tmp_path))
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert any(path.name == "verdictd.sqlite" for path in files)
    assert not any(SECRET in path.read_bytes() for path in files)


async def _race(folder: Path) -> list[int]:
    async with opened(folder) as a:
        people = [Principal(f"p{number}@k", "admin") for number in range(8)]
        put = await asyncio.gather(*(a.resources.put(person, PATH, b"x") for person in people))
        assert len(await a.decisions.list(ADMIN)) == len(people)
        return sorted(info.version for info in put)


def test_writers_at_once_get_a_version_each(tmp_path: Path) -> None:
    assert asyncio.run(_race(tmp_path)) == list(range(1, 9))
