"""The workload's evidence through a forwarder that cannot make it."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from eaa.endorsements.bundle_json import parse_dcap_qvl
from eaa.errors import BindingError
from eaa.services.enclave_info import MAX_REQUEST_BYTES, parse_request
from eaa.tls.claims import gate_report_data
from eaa.tls.relayed import relayed_claims
from eaa.transport.streams import open_attested_connection
from eaa.verify.dcap import Memo, verify_quote
from eaa.verify.dcap_result import VerifiedDcapEvidence
from eaa.verify.result import Binding
from tests.service.services import NONCE, Vendor, inclavared, request, run, workload

WORKLOAD = bytes.fromhex("ab" * 32)


@pytest.fixture
def vendor(tmp_path: Path) -> Vendor:
    return Vendor(tmp_path / "vendor")


async def answered(vendor: Vendor, members: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The answer, and the workload's TLS key as its own clients see it."""
    config = vendor.config(mutual=True, fields={"mr_enclave": WORKLOAD})
    async with workload(config) as upstream, inclavared(upstream, vendor) as (_, where):
        direct = await open_attested_connection(upstream, vendor.config(mutual=True))
        spki = direct.peer.spki
        direct.close()
        return await request(where, vendor.config(), members), spki


def verified(vendor: Vendor, answer: dict[str, Any], claims: bytes) -> VerifiedDcapEvidence:
    evidence = answer["evidence"]
    collateral = parse_dcap_qvl(json.dumps(evidence["collateral"]).encode())
    assert collateral is not None
    return verify_quote(
        base64.b64decode(evidence["evidence"]),
        collateral=collateral,
        trust_anchors=[vendor.root],
        binding=Binding(gate_report_data(claims)),
        now=datetime.now(UTC),
        memo=Memo(1),
    )


def test_evidence_is_the_workloads_for_the_askers_nonce(vendor: Vendor) -> None:
    asked = {"type": "GETENCLAVEINFO", "nonce": NONCE.hex(), "id": "seven"}
    answer, spki = run(answered(vendor, asked))
    assert (answer["id"], answer["msgtype"], answer["version"]) == ("seven", "ENCLAVEINFO", 2)
    claims = relayed_claims(spki=spki, nonce=NONCE)
    assert base64.b64decode(answer["claims"]) == claims
    assert verified(vendor, answer, claims).claims["mr_enclave"] == WORKLOAD.hex() == answer["mrenclave"]
    assert answer["unverified"] == ["mrenclave", "mrsigner"]


def test_evidence_is_for_no_other_nonce(vendor: Vendor) -> None:
    answer, spki = run(answered(vendor, {"type": "GETENCLAVEINFO", "nonce": NONCE.hex()}))
    with pytest.raises(BindingError):
        verified(vendor, answer, relayed_claims(spki=spki, nonce=bytes(31) + b"\1"))


@pytest.mark.parametrize("nonce", [None, "", "00" * 32, "11" * 31, "11" * 33, "zz" * 32, 7, ["11" * 32]])
def test_request_without_a_usable_nonce_is_refused(vendor: Vendor, nonce: Any) -> None:
    members = {"type": "GETENCLAVEINFO"} | ({} if nonce is None else {"nonce": nonce})
    answer, _ = run(answered(vendor, members))
    assert answer["msgtype"] == "ERROR"
    assert answer["error"]["code"] == "usage.nonce"
    assert "a nonce is required" in answer["error"]["message"]
    assert "evidence" not in answer
    assert "mrenclave" not in answer


def test_request_in_pieces(vendor: Vendor) -> None:
    async def scenario() -> bytes:
        async with (
            workload(vendor.config(mutual=True)) as upstream,
            inclavared(upstream, vendor) as (_, where),
        ):
            stream = await open_attested_connection(where, vendor.config())
            for part in (b'{"type": "GETENC', b'LAVEINFO", "nonce": "', NONCE.hex().encode() + b'"}\n'):
                stream.write(part)
                await stream.drain()
                await asyncio.sleep(0.05)
            line = await stream.readline()
            stream.close()
            return line

    assert json.loads(run(scenario()))["msgtype"] == "ENCLAVEINFO"


def test_many_ask_at_once(vendor: Vendor) -> None:
    async def scenario() -> list[dict[str, Any]]:
        async with (
            workload(vendor.config(mutual=True)) as upstream,
            inclavared(upstream, vendor) as (_, where),
        ):
            config = vendor.config()
            nonces = [bytes([number]) * 32 for number in range(1, 9)]
            asked = ({"type": "GETENCLAVEINFO", "nonce": nonce.hex()} for nonce in nonces)
            return await asyncio.gather(*(request(where, config, members) for members in asked))

    answers = run(scenario())
    assert len({answer["claims"] for answer in answers}) == 8
    assert {answer["msgtype"] for answer in answers} == {"ENCLAVEINFO"}


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"{}",
        b"[]",
        b'{"type": "OTHER"}',
        b'{"type": "GETENCLAVEINFO", "type": "GETENCLAVEINFO"}',
        b'{"type": "GETENCLAVEINFO"} and more',
        b'{"type": "GETENCLAVEINFO", "id": "' + b"x" * MAX_REQUEST_BYTES + b'"}',
        b"{" * 4000,
    ],
)
def test_anything_else_is_the_applications(data: bytes) -> None:
    assert parse_request(data) is None
