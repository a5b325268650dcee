"""Intel's own TCB infos, identities and lists of seven years, served by an emulated PCCS at their time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache as once
from pathlib import Path
from urllib.parse import quote

import pytest

from eaa.codec.pem import decode_pem_certificates, encode_pem
from eaa.codec.strict_json import object_members
from eaa.endorsements.crl import parse_crl
from eaa.endorsements.enclave_identity import parse_enclave_identity
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.subject import (
    IdentitySubject,
    PckCrlSubject,
    RootCaCrlSubject,
    Subject,
    TcbInfoSubject,
)
from eaa.endorsements.tcb_info import parse_tcb_info
from eaa.endorsements.x509 import Certificate, common_name, parse_certificate
from eaa.errors import EndorsementStale, EndorsementUnavailable
from eaa.provider.cache import EndorsementCache
from eaa.provider.endorser import Endorser
from eaa.provider.limits import HttpLimits
from eaa.provider.pccs import PccsSource
from eaa.provider.upstream import open_http
from tests.fakes.loopback import run
from tests.fakes.upstream_server import Reply, UpstreamServer
from tests.fakes.vendor_services import answer_from
from tests.vectors.manifest import VECTORS, needs_vectors, rows

QUICK = HttpLimits(attempt_seconds=5, total_seconds=10, tries=1)
pytestmark = needs_vectors


@dataclass(frozen=True)
class Recorded:
    """One document, as the service answered it, and when it holds."""

    name: str
    subject: Subject
    number: int
    issued: datetime
    path: str
    reply: Reply


@once
def certificates() -> Sequence[Certificate]:
    folder = VECTORS / "collateral" / "intel-ca-certs"
    ders = [
        der
        for path in sorted(folder.glob("*.pem"))
        for der in decode_pem_certificates(path.read_bytes(), "CA")
    ]
    return tuple(parse_certificate(der) for der in ders)


def chain(name: str, at: datetime, *, issuer: bytes = b"") -> str:
    """The issuer chain as the service put it into a header: who was valid then, and the root."""
    fitting = [
        item for item in certificates()
        if name in item.common_name and item.not_before <= at <= item.not_after
        and item.subject != item.issuer
        and (not issuer or item.subject == issuer)
    ]  # fmt: skip
    root = INTEL_SGX_ROOTS[0]
    return quote((encode_pem(fitting[-1].der) + encode_pem(root.der)).decode(), safe="")


def recorded(row: dict[str, object], folder: Path) -> Iterator[Recorded]:
    kind, name = row["kind"], str(row["id"])
    if kind == "intel-tcb-info":
        body = (folder / "tcbinfo.json").read_bytes()
        text = object_members(body, name)["tcbInfo"]
        if b'"version":1' in text:
            return  # of 2019, which nobody verifies any more
        info = parse_tcb_info(text)
        version = 4 if info.version == 3 else 3
        header = "TCB-Info-Issuer-Chain" if version == 4 else "SGX-TCB-Info-Issuer-Chain"
        headers = {"Content-Type": "application/json", header: chain("TCB Signing", info.issue_date)}
        yield Recorded(
            name, TcbInfoSubject(info.tee, info.fmspc), info.tcb_evaluation_data_number, info.issue_date,
            f"/{info.tee}/certification/v4/tcb?fmspc={info.fmspc.hex()}",
            Reply(headers=headers, body=body),
        )  # fmt: skip
    elif kind == "intel-enclave-identity":
        body = (folder / "enclaveidentity.json").read_bytes()
        text = object_members(body, name)["enclaveIdentity"]
        if b'"id":"QAE"' in text:
            return  # of an enclave that signs appraisals, which nothing here asks for
        identity = parse_enclave_identity(text)
        path = {"QE": "sgx/{}/qe", "QVE": "sgx/{}/qve", "TD_QE": "tdx/{}/qe"}[identity.id]
        headers = {"Content-Type": "application/json"}
        headers["SGX-Enclave-Identity-Issuer-Chain"] = chain("TCB Signing", identity.issue_date)
        yield Recorded(
            name, IdentitySubject(identity.id), identity.tcb_evaluation_data_number, identity.issue_date,
            f"/{path.format('certification/v4')}/identity", Reply(headers=headers, body=body),
        )  # fmt: skip
    elif kind == "intel-crl":
        body = (folder / "crl.der").read_bytes()
        crl = parse_crl(body)
        issuer = common_name(crl.issuer)
        headers = {"Content-Type": "application/pkix-crl"}
        if "PCK" not in issuer:
            path, subject = "/sgx/certification/v4/rootcacrl", RootCaCrlSubject()
            yield Recorded(
                name, subject, crl.number or 0, crl.this_update, path, Reply(headers=headers, body=body)
            )
            return
        ca = "platform" if "Platform" in issuer else "processor"
        headers["SGX-PCK-CRL-Issuer-Chain"] = chain("PCK", crl.this_update, issuer=crl.issuer)
        path = f"/sgx/certification/v4/pckcrl?ca={ca}"
        reply = Reply(headers=headers, body=body)
        yield Recorded(name, PckCrlSubject(ca), crl.number or 0, crl.this_update, path, reply)


@once
def collateral() -> Sequence[Recorded]:
    """All of the pool, oldest first."""
    found = [
        item for row in rows() if str(row["dir"]).startswith("collateral/")
        for item in recorded(row, VECTORS / str(row["dir"]))
    ]  # fmt: skip
    return sorted(found, key=lambda item: item.issued)


def endorser_at(now: datetime, source: PccsSource, cache: EndorsementCache | None) -> Endorser:
    return Endorser((source,), trust_anchors=INTEL_SGX_ROOTS, cache=cache, now=lambda: now)


def test_the_pool_is_there() -> None:
    assert len(collateral()) > 150


def test_seven_years_pass(tmp_path: Path) -> None:
    """Each is taken at its time, unless one with a higher number came before."""
    answers: dict[str, Reply] = {}
    time = collateral()[0].issued
    taken: dict[str, tuple[int, datetime]] = {}
    refused: list[str] = []

    async def main() -> None:
        async with UpstreamServer(answer_from(answers)) as server, open_http(QUICK) as http:
            source = PccsSource(http, server.url, limits=QUICK)
            cache = EndorsementCache(tmp_path)
            for item in collateral():
                answers[item.path] = item.reply
                now = item.issued + timedelta(minutes=1)
                endorser = endorser_at(now, source, cache)
                key = item.subject.key
                if item.number < taken.get(key, (0, time))[0]:
                    refused.append(item.name)
                    with pytest.raises(EndorsementStale) as raised:
                        await endorser.endorsement(item.subject, again=True)
                    assert raised.value.code == "endorsement_stale.rollback"
                    continue
                held = await endorser.endorsement(item.subject, again=True)
                assert (held.genuine.number, held.genuine.issued) == (item.number, item.issued)
                taken[key] = (item.number, item.issued)

    asyncio.run(asyncio.wait_for(main(), 120))
    assert len(taken) > 20
    assert len(refused) < len(collateral()) / 4


@pytest.mark.parametrize("days", [-1, 400])
def test_at_another_time_none_is_taken(days: int) -> None:
    answers: dict[str, Reply] = {}

    async def main() -> None:
        async with UpstreamServer(answer_from(answers)) as server, open_http(QUICK) as http:
            source = PccsSource(http, server.url, limits=QUICK)
            for item in collateral()[::8]:
                answers[item.path] = item.reply
                now = item.issued + timedelta(days=days)
                endorser = endorser_at(now, source, None)
                if isinstance(item.subject, RootCaCrlSubject) and days > 0:
                    continue  # holds for a year
                with pytest.raises(EndorsementUnavailable, match=r"valid|expired"):
                    await endorser.endorsement(item.subject)

    run(main())


def test_a_flipped_bit_of_each_is_refused() -> None:
    answers: dict[str, Reply] = {}

    async def main() -> None:
        async with UpstreamServer(answer_from(answers)) as server, open_http(QUICK) as http:
            source = PccsSource(http, server.url, limits=QUICK)
            for number, item in enumerate(collateral()[::5]):
                body = bytearray(item.reply.body)
                body[number * 37 % len(body)] ^= 1 << number % 8
                answers[item.path] = replace(item.reply, body=bytes(body))
                now = item.issued + timedelta(minutes=1)
                endorser = endorser_at(now, source, None)
                with pytest.raises(EndorsementUnavailable):
                    await endorser.endorsement(item.subject)

    run(main())
