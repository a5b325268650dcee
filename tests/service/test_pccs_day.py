"""A day in fast-forward: 10,000 platforms, an upstream away for hours around an expiry, a TCB recovery."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import socket
import tempfile
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from eaa.endorsements.fetched import Fetched
from eaa.endorsements.subject import (
    IdentitySubject,
    PckCrlSubject,
    RootCaCrlSubject,
    Subject,
    TcbInfoSubject,
)
from eaa.errors import EndorsementUnavailable
from eaa.services.pccs.config import load_config
from eaa.services.pccs.core import Core, Inputs
from eaa.services.pccs.schedule import platform_due
from eaa.services.pccs.upstream import PckAnswer, PckQuestion, WireCertificate
from eaa.storage.collateral import tables
from eaa.storage.collateral.database import CollateralDatabase
from tests.fakes.clock import Clock
from tests.fakes.emulated_vendors import EmulatedVendors, pck_levels
from tests.fakes.upstream_server import Request
from tests.fakes.vendor import NOW, make_platform

_PLATFORMS, _REASSESSED, _PER_SECOND = 10_000, 600, 5
_DOWN = timedelta(hours=4), timedelta(hours=10)
_LIFETIME = timedelta(hours=12)


class _Vendor:
    """Upstream without a network: everything is issued anew each hour, for twelve hours."""

    selects = False

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        first = make_platform()
        other = make_platform(vendor=first.vendor)
        other.pck.fmspc = bytes(6)
        for info in other.tcb_info.values():
            info.fmspc = bytes(6)
        self.platforms = {item.pck.fmspc.hex().upper(): item for item in (first, other)}
        self.answers = EmulatedVendors(first.vendor, [first, other])
        self.requests: Counter[datetime] = Counter()
        self.failed: Counter[str] = Counter()
        self.fetched: Counter[str] = Counter()
        self._certificates = {
            name: (WireCertificate(*pck_levels(item)[0]),) for name, item in self.platforms.items()
        }

    def _asked(self, what: str) -> None:
        self.requests[self.clock.now.replace(second=0, microsecond=0)] += 1
        if _DOWN[0] <= self.clock.now - NOW < _DOWN[1]:
            self.failed[what] += 1
            raise EndorsementUnavailable(f"{what}: nobody is there", detail="unreachable")
        self.fetched[what] += 1

    async def fetch(self, subject: Subject) -> Fetched:
        self._asked(subject.key)
        self._issue(self.clock.now.replace(minute=0, second=0, microsecond=0))
        path, query = _path(subject)
        reply = self.answers.genuine(Request("GET", path, query, {}, b""))
        chain = next((value for name, value in reply.headers.items() if name.endswith("Chain")), "")
        return Fetched(reply.body, chain.encode())

    async def pck_certificates(self, question: PckQuestion) -> PckAnswer:
        self._asked("platform")
        fmspc = bytes.fromhex(question.enc_ppid)[:6].hex().upper()
        chain = (
            self.platforms[fmspc].pck_chain.removesuffix(b"\x00").split(b"-----END CERTIFICATE-----\n", 1)[1]
        )
        return PckAnswer(fmspc, "PLATFORM", chain, self._certificates[fmspc])

    async def close(self) -> None:
        pass

    def _issue(self, at: datetime) -> None:
        vendor = self.answers.vendor
        for platform in self.platforms.values():
            for info in platform.tcb_info.values():
                info.issue_date, info.next_update = at, at + _LIFETIME
        for identity in vendor.identities.values():
            identity.issue_date, identity.next_update = at, at + _LIFETIME
        for authority in (vendor.root, vendor.platform_ca, vendor.processor_ca):
            authority.crl.this_update, authority.crl.next_update = at, at + _LIFETIME


def _path(subject: Subject) -> tuple[str, dict[str, str]]:
    """Where Intel has it."""
    match subject:
        case TcbInfoSubject(tee, fmspc):
            return f"/{tee}/certification/v4/tcb", {"fmspc": fmspc.hex()}
        case IdentitySubject(name):
            return (
                f"/{'tdx' if name == 'TD_QE' else 'sgx'}/certification/v4/"
                f"{'qve' if name == 'QVE' else 'qe'}/identity",
                {},
            )
        case PckCrlSubject(ca):
            return "/sgx/certification/v4/pckcrl", {"ca": ca}
        case RootCaCrlSubject():
            return "/IntelSGXRootCA.der", {}
    raise AssertionError(subject)


_SUBJECTS: tuple[Subject, ...] = (
    RootCaCrlSubject(), PckCrlSubject("platform"), PckCrlSubject("processor"), IdentitySubject("QE"),
    IdentitySubject("QVE"), IdentitySubject("TD_QE"),
    *(TcbInfoSubject(tee, fmspc) for tee in ("sgx", "tdx") for fmspc in (b"EAASIM", bytes(6))),
)  # fmt: skip


async def _fill(core: Core, vendor: _Vendor, spread: random.Random) -> None:
    """10,000 platforms, the first of which have the FMSPC that is reassessed."""
    clock = core.stock.clock
    rows: dict[str, list[dict[str, object]]] = {"platforms": [], "certificates": [], "tcbs": []}
    for number in range(_PLATFORMS):
        fmspc = b"EAASIM" if number < _REASSESSED else bytes(6)
        item = vendor._certificates[fmspc.hex().upper()][0]
        key: dict[str, object] = {"qe_id": f"{number:032X}", "pce_id": "0000"}
        due = platform_due(clock(), timedelta(days=7), spread.random())
        ppid = (fmspc + number.to_bytes(10, "big")) * 24
        rows["platforms"].append(
            key | {"fmspc": fmspc.hex().upper(), "ca": "PLATFORM", "fetched_at": clock(), "refresh_at": due,
                   "failures": 0, "enc_ppid": ppid, "manifest": b""}
        )  # fmt: skip
        rows["certificates"].append(key | {"tcbm": item.tcbm, "der": item.der})
        rows["tcbs"].append(key | {"cpu_svn": item.tcbm[:32], "pce_svn": item.tcbm[32:], "tcbm": item.tcbm})

    def work(connection: Connection) -> None:
        connection.execute(tables.platforms.insert(), rows["platforms"])
        connection.execute(tables.pck_certs.insert(), rows["certificates"])
        connection.execute(tables.platform_tcbs.insert(), rows["tcbs"])

    await core.database._backend.write(work)


@pytest.fixture
def folder() -> object:
    """In memory where there is a file system in memory: a day has some thousand commits."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a folder of its own in it
    with tempfile.TemporaryDirectory(dir=place) as name:
        os.chmod(name, 0o700)
        yield Path(name)


def test_a_day(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(_day(folder, capsys))


async def _day(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock, spread = Clock(NOW), random.Random(7)  # noqa: S311 - the same each time
    vendor = _Vendor(clock)
    config = load_config(
        None, {"state_directory": str(folder), "cache": {"refresh_per_second": _PER_SECOND}}, {}
    )
    with socket.socket() as unused:
        anchors = (vendor.answers.vendor.root.parsed,)
        inputs = Inputs(config, anchors, lambda: vendor, unused, clock=clock, spread=spread.random)
        core = Core(inputs, await CollateralDatabase.open(config.storage_url), vendor)
        try:
            await _fill(core, vendor, spread)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for subject in _SUBJECTS:
                await core.stock.document(subject, may_fetch=True)
            await _until(core, clock, vendor, timedelta(hours=24))
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
            await _require_good_end(core, vendor)
        finally:
            await core.close()
    size = sum(file.stat().st_size for file in folder.iterdir())
    busiest = max(vendor.requests.values())
    with capsys.disabled():
        print(  # noqa: T201 - what the day took, for who reads the tests' output
            f"\n  a day of {_PLATFORMS} platforms: {sum(vendor.requests.values())} requests upstream, "
            f"{busiest} in the busiest minute; database {size / 2**20:.1f} MiB, "
            f"{size / _PLATFORMS / 1024:.2f} KiB a platform; memory of the whole process at most "
            f"{(memory + grown) / 1024:.0f} MiB, of which the day took {grown / 1024:.1f}"
        )
    assert busiest <= _PER_SECOND * 60 * 1.2
    assert size / _PLATFORMS < 8 * 1024


async def _until(core: Core, clock: Clock, vendor: _Vendor, end: timedelta) -> None:
    """Step through the time; every hour clients ask for everything, and a recovery comes after 14 hours."""
    asked = reassessed = 0
    while clock.now - NOW < end:
        stepped = await core.refresher.step()
        hours = int((clock.now - NOW) / timedelta(hours=1))
        if hours > asked:
            asked = hours
            before = vendor.requests.total()
            for subject in _SUBJECTS:
                document = await core.stock.document(subject, may_fetch=True)
                assert document.issued_at <= clock.now <= document.expires_at, (hours, subject)
            assert vendor.requests.total() == before, "clients never wait for upstream"
        if hours >= 14 and not reassessed:
            reassessed = 1
            info = vendor.platforms[b"EAASIM".hex().upper()].tcb_info["sgx"]
            info.evaluation_data_number += 1
        clock.now = max(stepped.next_at, clock.now + timedelta(seconds=1))


async def _require_good_end(core: Core, vendor: _Vendor) -> None:
    heads = {item.name: item for item in await core.database.documents.heads()}
    for subject in _SUBJECTS:
        assert heads[subject.key].failures == 0
        assert 2 <= vendor.fetched[subject.key] <= 12, subject.key
        assert 1 <= vendor.failed[subject.key] <= 30, "while nobody is there, it is asked less and less"
    # All that were reassessed were asked for, within hours and not at once; the others wait for their week.
    assert vendor.fetched["platform"] == _REASSESSED
    assert await core.database.platforms.count() == _PLATFORMS
    due = await core.database.platforms.due(core.stock.clock(), 10)
    assert due == []
