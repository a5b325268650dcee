"""Upstreams that misbehave: nothing bad is kept, and what was good stays served."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from eaa.attester.simulated.hygon_vendor import SimulatedCsvPlatform, SimulatedHygonVendor
from eaa.endorsements.fetched import Fetched
from eaa.endorsements.subject import Subject, TcbInfoSubject
from eaa.errors import ConfigError, LimitExceeded, StorageError, UnsupportedError
from eaa.services.pccs.upstream import PckAnswer, PckQuestion
from eaa.storage.collateral.records import Document
from tests.cli.authority import Authority
from tests.fakes.amd_vendor import make_snp_platform
from tests.fakes.emulated_vendors import EmulatedVendors, pck_levels
from tests.fakes.upstream_server import Reply, Request
from tests.fakes.vendor import make_platform, make_vendor
from tests.service.pccss import Served, emulated, run, serving
from tests.service.test_pccs_api import FMSPC, QE_ID, pck_query

_INTEGRITY = "The integrity of the data can't be verified."
_ACCESS = "Unable to retrieve the collateral from the Intel SGX PCS."


def _elsewhere(request: Request, reply: Reply) -> Reply:
    return Reply(302, {"Location": "http://127.0.0.2:1/sgx/certification/v4/tcb"}, b"")


def _signature_of_another(request: Request, reply: Reply) -> Reply:
    vendor = make_vendor("another")
    return EmulatedVendors(vendor, [make_platform(vendor=vendor)]).genuine(request)


def _bit_flipped(request: Request, reply: Reply) -> Reply:
    return replace(reply, body=reply.body.replace(b'"version":3', b'"version":2', 1))


#: What is done to a good answer, and how a client is refused that has nothing else.
_WRONG: dict[str, tuple[Callable[[Request, Reply], Reply], tuple[int, str]]] = {
    "half a body": (lambda request, reply: replace(reply, cut=100), (502, _ACCESS)),
    "wrong content type": (
        lambda request, reply: replace(reply, headers={**reply.headers, "Content-Type": "text/html"}),
        (502, _ACCESS),
    ),
    "no chain header": (
        lambda request, reply: replace(reply, headers={"Content-Type": "application/json"}), (502, _ACCESS),
    ),
    "another header's chain": (
        lambda request, reply: replace(
            reply, headers={"Content-Type": "application/json", "TCB-Info-Issuer-Chain": "x"}
        ),
        (502, _ACCESS),
    ),
    "redirect to another host": (_elsewhere, (502, _ACCESS)),
    "a server error": (lambda request, reply: Reply(500, {}, b"sorry"), (502, _ACCESS)),
    "a gigabyte": (
        lambda request, reply: replace(reply, body=b" " * 65536, endless=True), (502, _ACCESS),
    ),
    "not JSON": (lambda request, reply: replace(reply, body=b"<html>"), (460, _INTEGRITY)),
    "a bit flipped": (_bit_flipped, (460, _INTEGRITY)),
    "signed by another": (_signature_of_another, (460, _INTEGRITY)),
}  # fmt: skip


@pytest.mark.parametrize("name", _WRONG)
def test_what_is_wrong_is_refused_and_what_was_good_stays(tmp_path: Path, name: str) -> None:
    spoil, refusal = _WRONG[name]

    async def work(served: Served) -> None:
        def override(request: Request) -> Reply | None:
            if request.path.startswith("/tdx"):
                return None
            return spoil(request, served.vendors.genuine(request))

        good = await served.get("/tdx/certification/v4/tcb", fmspc=FMSPC)
        served.vendors.overrides.append(override)
        response = await served.get("tcb", fmspc=FMSPC)
        assert (response.status_code, response.text) == refusal
        assert response.headers["error-message"]
        documents = await served.service.core.database.documents.heads()
        assert [item.name for item in documents] == [f"intel/tcb/tdx/{FMSPC.lower()}/standard"]
        assert (await served.get("/tdx/certification/v4/tcb", fmspc=FMSPC)).content == good.content
        served.vendors.overrides.clear()
        served.clock.now += timedelta(minutes=6)
        assert (await served.get("tcb", fmspc=FMSPC)).status_code == 200
        # What is kept stays while it is fetched anew in vain.
        served.vendors.overrides.append(override)
        served.clock.now += timedelta(days=2)
        before = (await served.get("tcb", fmspc=FMSPC)).content
        stepped = await served.service.core.refresher.step()
        assert stepped.documents >= 1
        await served.service.core.watch()
        assert (await served.get("tcb", fmspc=FMSPC)).content == before

    run(tmp_path, work)


def test_what_has_expired_or_is_rolled_back_does_not_replace_what_is_there(tmp_path: Path) -> None:
    vendors = emulated()
    info = vendors.platforms[0].tcb_info["sgx"]
    info.evaluation_data_number = 20

    async def work(served: Served) -> None:
        before = (await served.get("tcb", fmspc=FMSPC)).content
        for change in (
            {"evaluation_data_number": 19}, {"issue_date": info.issue_date - timedelta(days=1)},
            {"next_update": vendors.vendor.now - timedelta(hours=1)},
        ):  # fmt: skip
            kept = {name: getattr(info, name) for name in change}
            for name, value in change.items():
                setattr(info, name, value)
            served.clock.now += timedelta(days=1)
            await served.service.core.refresher.step()
            await served.service.core.watch()
            assert (await served.get("tcb", fmspc=FMSPC)).content == before, change
            for name, value in kept.items():
                setattr(info, name, value)
        info.evaluation_data_number = 21
        served.clock.now += timedelta(days=1)
        await served.service.core.refresher.step()
        await served.service.core.watch()
        assert (await served.get("tcb", fmspc=FMSPC)).content != before

    run(tmp_path, work, vendors=vendors)


def test_an_upstream_that_is_behind_is_asked_less_and_less_often(tmp_path: Path) -> None:
    """What is older than what is there is not kept, and is not asked for again at once."""
    vendors = emulated()
    info = vendors.platforms[0].tcb_info["sgx"]
    info.evaluation_data_number = 20

    async def work(served: Served) -> None:
        before = (await served.get("tcb", fmspc=FMSPC)).content
        info.evaluation_data_number = 19
        served.clock.now += timedelta(days=1)
        refresher, documents = served.service.core.refresher, served.service.core.database.documents
        pauses = []
        for failures in range(1, 4):
            stepped = await refresher.step()
            assert stepped.documents == 1
            (head,) = await documents.heads()
            assert head.failures == failures
            pauses.append(head.refresh_at - served.clock.now)
            asked = len(served.asked)
            assert (await refresher.step()).documents == 0
            assert len(served.asked) == asked
            served.clock.now = head.refresh_at
        assert pauses == sorted(pauses)
        assert pauses[0] >= timedelta(seconds=30)
        assert (await served.get("tcb", fmspc=FMSPC)).content == before

    run(tmp_path, work, vendors=vendors)


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), UnsupportedError("of another kind"), ConfigError("no SM2")], ids=repr
)
def test_what_cannot_be_fetched_anew_does_not_keep_others_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def work(served: Served) -> None:
        core = served.service.core
        platform = served.vendors.platforms[0]
        await served.get("pckcert", **pck_query(platform))
        await served.get("qe/identity")
        fetch, pck_certificates = core.upstream.fetch, core.upstream.pck_certificates

        async def failing(subject: Subject) -> Fetched:
            if isinstance(subject, TcbInfoSubject):
                raise error
            return await fetch(subject)

        async def failing_too(question: PckQuestion) -> PckAnswer:
            if question.qe_id == QE_ID:
                raise error
            return await pck_certificates(question)

        monkeypatch.setattr(core.upstream, "fetch", failing)
        monkeypatch.setattr(core.upstream, "pck_certificates", failing_too)
        served.clock.now += timedelta(days=8)
        now = served.clock.now
        stepped = await core.refresher.step()
        assert stepped.next_at > now
        heads = {item.name: item for item in await core.database.documents.heads()}
        failed = {name for name, item in heads.items() if item.failures}
        assert failed == {name for name in heads if "/tcb/" in name}
        assert heads["intel/identity/qe/standard"].fetched_at == now
        (kept,) = await core.database.platforms.of_fmspcs([])
        assert kept.failures == 1
        assert (await core.refresher.step()).documents == 0

    run(tmp_path, work)


def test_an_upstream_that_is_behind_is_not_asked_by_each_who_asks_for_what_expired(
    tmp_path: Path,
) -> None:
    vendors = emulated()
    info = vendors.platforms[0].tcb_info["sgx"]

    async def work(served: Served) -> None:
        await served.get("tcb", fmspc=FMSPC)
        served.clock.now = info.next_update + timedelta(hours=1)
        info.evaluation_data_number -= 1
        info.next_update += timedelta(days=30)
        asked = len(served.asked)
        for _ in range(3):
            response = await served.get("tcb", fmspc=FMSPC)
            assert (response.status_code, response.headers["error-code"]) == (
                460, "endorsement_stale.rollback",
            )  # fmt: skip
        assert len(served.asked) == asked + 1

    run(tmp_path, work, vendors=vendors)


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_a_question_that_is_refused_does_not_keep_upstream_from_others(tmp_path: Path, status: int) -> None:
    """Anybody may send an encrypted PPID that nobody can decrypt, or a chip id that AMD does not know."""

    async def work(served: Served) -> None:
        served.vendors.overrides.append(
            lambda request: Reply(status) if "pckcerts" in request.path or "vcek" in request.path else None
        )
        platform = served.vendors.platforms[0]
        levels = {"blSPL": "255", "teeSPL": "0", "snpSPL": "0", "ucodeSPL": "0"}
        for number in range(3):
            query = pck_query(platform, qeid=f"{number:032x}", encrypted_ppid="ff" * 384)
            assert (await served.get("pckcert", **query)).status_code == 502
            assert (await served.get(f"/vcek/v1/Milan/{number:0128x}", **levels)).status_code == 502
        assert len(served.asked) == 6
        assert (await served.get("pckcert", **query)).status_code == 502
        assert len(served.asked) == 6
        assert (await served.get("tcb", fmspc=FMSPC)).status_code == 200

    run(tmp_path, work)


@pytest.mark.parametrize(
    "error", [StorageError("full"), LimitExceeded("too often", detail="rate")], ids=["storage", "limit"]
)
def test_what_failed_for_one_who_asked_is_not_remembered_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def work(served: Served) -> None:
        platforms = served.service.core.database.platforms
        put = platforms.put

        async def fails_once(*_: object) -> None:
            monkeypatch.setattr(platforms, "put", put)
            raise error

        monkeypatch.setattr(platforms, "put", fails_once)
        query = pck_query(served.vendors.platforms[0])
        assert (await served.get("pckcert", **query)).status_code in (429, 503)
        assert (await served.get("pckcert", **query)).status_code == 200

    run(tmp_path, work)


def test_who_asks_while_it_changes_does_not_keep_what_was_there_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read, then changed by another, then seen as changed, and only then answered."""

    async def work(served: Served) -> None:
        core = served.service.core
        before = (await served.get("tcb", fmspc=FMSPC)).content
        core.stock.forget()
        core.direct.clear()
        documents = core.database.documents
        read = documents.read

        async def slow(name: str) -> Document | None:
            found = await read(name)
            monkeypatch.setattr(documents, "read", read)
            served.vendors.platforms[0].tcb_info["sgx"].evaluation_data_number += 1
            await core.stock.fetch(TcbInfoSubject("sgx", bytes.fromhex(FMSPC)))
            await core.watch()
            return found

        monkeypatch.setattr(documents, "read", slow)
        assert (await served.get("tcb", fmspc=FMSPC)).content == before
        assert (await served.get("tcb", fmspc=FMSPC)).content != before
        core.direct.clear()
        assert (await served.get("tcb", fmspc=FMSPC)).content != before

    run(tmp_path, work)


def test_a_revocation_list_that_is_older_does_not_replace_what_is_there(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        authority = served.vendors.vendor.platform_ca
        before = (await served.get("pckcrl", ca="platform")).content
        authority.crl.this_update -= timedelta(hours=5)
        served.clock.now += timedelta(days=1)
        await served.service.core.refresher.step()
        await served.service.core.watch()
        assert (await served.get("pckcrl", ca="platform")).content == before

    run(tmp_path, work)


def test_a_revoked_signer_signs_nothing_more(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        vendor = served.vendors.vendor
        vendor.revoke(vendor.tcb_signing)
        assert (await served.get("rootcacrl")).status_code == 200
        response = await served.get("qe/identity")
        assert (response.status_code, response.headers["error-code"]) == (460, "revoked.tcb_signing")

    run(tmp_path, work)


def test_an_upstream_that_asks_for_a_pause_has_it_and_clients_are_told(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        served.vendors.overrides.append(lambda request: Reply(429, {"Retry-After": "120"}, b""))
        first = await served.get("tcb", fmspc=FMSPC)
        assert first.status_code == 429
        asked = len(served.asked)
        responses = await asyncio.gather(
            *(served.get("tcb", fmspc=f"{number:012x}") for number in range(10)), served.get("qe/identity")
        )
        assert {response.status_code for response in responses} == {429}
        assert all(0 < int(response.headers["retry-after"]) <= 120 for response in responses)
        assert len(served.asked) == asked
        served.vendors.overrides.clear()
        served.clock.now += timedelta(seconds=121)
        served.service.core.upstream._intel._upstream._not_before = 0.0  # type: ignore[attr-defined]  # its clock is the real one
        assert (await served.get("qe/identity")).status_code == 200

    run(tmp_path, work, upstream={"seconds": 1}, limits={"misses_per_second": 0})


def test_many_who_ask_the_same_make_one_request(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        gate = asyncio.Event()

        def wait(request: Request) -> Reply:
            return replace(served.vendors.genuine(request), before=gate)

        served.vendors.overrides.append(wait)
        asking = [asyncio.create_task(served.get("tcb", fmspc=FMSPC)) for _ in range(50)]
        while not served.asked:
            await asyncio.sleep(0.01)
        asking[0].cancel()
        gate.set()
        responses = await asyncio.gather(*asking[1:])
        assert {response.status_code for response in responses} == {200}
        assert len(served.asked) == 1

    run(tmp_path, work)


def test_two_processes_that_ask_the_same_make_one_request(tmp_path: Path) -> None:
    async def work() -> None:
        gate = asyncio.Event()
        vendors = emulated()
        vendors.overrides.append(lambda request: replace(vendors.genuine(request), before=gate))
        async with serving(tmp_path / "s", vendors) as one, serving(tmp_path / "s", vendors) as other:
            asking = [asyncio.create_task(item.get("tcb", fmspc=FMSPC)) for item in (one, other)]
            while not one.asked + other.asked:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            gate.set()
            responses = await asyncio.gather(*asking)
            assert [response.status_code for response in responses] == [200, 200]
            assert len(one.asked + other.asked) == 1

    asyncio.run(work())


def test_a_slow_upstream_is_given_up(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        gate = asyncio.Event()
        served.vendors.overrides.append(lambda request: Reply(200, {}, b"", before=gate))
        response = await served.get("tcb", fmspc=FMSPC)
        assert (response.status_code, response.text) == (502, _ACCESS)
        gate.set()

    run(tmp_path, work, upstream={"seconds": 0.3})


def test_an_upstream_whose_tls_is_not_vouched_for_is_not_asked(tmp_path: Path) -> None:
    authority = Authority()
    certificate, key, root = tmp_path / "tls.pem", tmp_path / "tls.key", tmp_path / "root.pem"
    authority.write_server(certificate, key)
    root.write_bytes(authority.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def unknown(served: Served) -> None:
        response = await served.get("tcb", fmspc=FMSPC)
        assert (response.status_code, response.text) == (502, _ACCESS)
        assert response.headers["error-code"] == "endorsement_unavailable.tls"
        assert served.asked == []

    async def known(served: Served) -> None:
        assert (await served.get("tcb", fmspc=FMSPC)).status_code == 200

    run(tmp_path / "1", unknown, tls=context)
    run(tmp_path / "2", known, tls=context, upstream={"authorities": str(root)})


def test_pck_certificates_that_are_not_the_platforms_are_not_kept(tmp_path: Path) -> None:
    other = make_platform(vendor=make_vendor("another"))

    def foreign(request: Request, reply: Reply) -> Reply:
        return EmulatedVendors(other.vendor, [other])._pck_certificates(other)

    def fmspc(request: Request, reply: Reply) -> Reply:
        return replace(reply, headers={**reply.headers, "SGX-FMSPC": "00906ED50000"})

    def ca(request: Request, reply: Reply) -> Reply:
        return replace(reply, headers={**reply.headers, "SGX-PCK-Certificate-CA-Type": "processor"})

    def swapped(request: Request, reply: Reply) -> Reply:
        (first, _), (second, _) = pck_levels(make_platform())[:2]
        text = reply.body.decode().replace(first, "~").replace(second, first).replace("~", second)
        return replace(reply, body=text.encode())

    async def work(served: Served) -> None:
        platform = served.vendors.platforms[0]
        for number, spoil in enumerate((foreign, fmspc, ca, swapped)):

            def spoilt(request: Request, spoil: Callable[[Request, Reply], Reply] = spoil) -> Reply | None:
                pck = "pckcerts" in request.path
                return spoil(request, served.vendors.genuine(request)) if pck else None

            served.vendors.overrides[:] = [spoilt]
            query = pck_query(platform, qeid=f"{QE_ID}{number}")
            response = await served.get("pckcert", **query)
            assert response.status_code == 460, spoil
            assert await served.service.core.database.platforms.count() == 0

    run(tmp_path, work)


def test_amds_certificates(tmp_path: Path) -> None:
    platform = make_snp_platform()
    vendors = emulated()
    vendors.amd.append(platform)
    other = make_snp_platform(name="other")
    tcb = platform.vcek.tcb
    query = {
        "blSPL": f"{tcb.bootloader:02d}", "teeSPL": f"{tcb.tee:02d}", "snpSPL": f"{tcb.snp:02d}",
        "ucodeSPL": f"{tcb.microcode:02d}",
    }  # fmt: skip
    hwid = (platform.vcek.hwid or b"").hex()

    async def work(served: Served) -> None:
        for _ in range(3):
            response = await served.get(f"/vcek/v1/Milan/{hwid}", **query)
            assert response.content == platform.vcek.der
            assert response.headers["content-type"] == "application/octet-stream"
        assert len(served.asked) == 2  # with the chain that it is judged by
        crl = await served.get("/vcek/v1/Milan/crl")
        assert crl.content == platform.vendor.crl.der
        for kind in ("vcek", "vlek"):
            chain = await served.get(f"/{kind}/v1/Milan/cert_chain")
            assert chain.text.count("BEGIN CERTIFICATE") == 2
            assert chain.headers["content-type"] == "application/x-pem-file"
        assert (await served.get("/vcek/v1/Rome/cert_chain")).status_code == 404
        assert (await served.get(f"/vcek/v1/Milan/{'00' * 64}", **query)).status_code == 404
        # Of another chip, or another TCB, than was asked for.
        served.vendors.overrides.append(
            lambda request: (
                Reply(200, {"Content-Type": "application/octet-stream"}, other.vcek.der)
                if "/vcek/v1/Milan/" in request.path and "snpSPL" in request.query
                else None
            )
        )
        response = await served.get(f"/vcek/v1/Milan/{hwid}", **{**query, "snpSPL": "99"})
        assert (response.status_code, response.text) == (460, _INTEGRITY)

    run(tmp_path, work, vendors=vendors)


def test_hygons_certificates(tmp_path: Path) -> None:
    vendor = SimulatedHygonVendor()
    good, foreign = SimulatedCsvPlatform(vendor).hsk_cek, SimulatedCsvPlatform(SimulatedHygonVendor()).hsk_cek
    flipped = bytes((*good[:-1000], good[-1000] ^ 1, *good[-999:]))

    async def work(served: Served) -> None:
        answer = [good]
        served.vendors.overrides.append(lambda request: Reply(200, {}, answer[0]))
        for number, wrong in enumerate((foreign, flipped, bytes(2916))):
            answer[0] = wrong
            response = await served.get("/hsk_cek", snumber=f"T{number}")
            assert (response.status_code, response.text) == (460, _INTEGRITY)
        answer[0] = good[:-1]
        assert (await served.get("/hsk_cek", snumber="T9")).status_code == 502
        assert await served.service.core.database.documents.heads() == []
        served.clock.now += timedelta(minutes=6)
        answer[0] = good
        for _ in range(2):
            response = await served.get("/hsk_cek", snumber="T0")
            assert response.content == good
        (head,) = await served.service.core.database.documents.heads()
        assert head.name == "hygon/hsk_cek/T0"

    run(tmp_path, work, anchors=(vendor.trust_anchor,))


def test_a_pccs_behind_a_pccs(tmp_path: Path) -> None:
    """As in a region of a cloud: one certificate for each raw TCB, and lists in hexadecimal."""

    async def work() -> None:
        vendors = emulated()
        platform = vendors.platforms[0]
        async with serving(tmp_path / "a", vendors) as above:
            url = f"{above.client.base_url}/sgx/certification/v4/"
            settings = {"url": url, "kind": "pccs"}
            async with serving(tmp_path / "b", vendors, upstream=settings) as below:
                for _ in range(2):
                    response = await below.get("pckcert", **pck_query(platform))
                    assert response.headers["sgx-tcbm"] == pck_levels(platform)[0][0]
                lower = platform.tcb_info["sgx"].levels[1]
                raw = {
                    "cpusvn": lower.sgx_components.hex(),
                    "pcesvn": lower.pce_svn.to_bytes(2, "little").hex(),
                }
                response = await below.get("pckcert", **pck_query(platform, **raw))
                assert response.headers["sgx-tcbm"] == pck_levels(platform)[1][0]
                for path, query in (
                    ("rootcacrl", {}), ("pckcrl", {"ca": "platform"}), ("tcb", {"fmspc": FMSPC}),
                    ("qe/identity", {}),
                ):  # fmt: skip
                    first, second = await below.get(path, **query), await above.get(path, **query)
                    assert (first.status_code, first.content) == (200, second.content)
                # Whose id is no number: the one above knows no such platform.
                response = await below.get("pckcert", **pck_query(platform, qeid="Z" * 32))
                assert (response.status_code, response.headers["error-code"]) == (
                    404, "endorsement_not_found.pccs_question",
                )  # fmt: skip
                assert below.asked == []

    asyncio.run(work())
