"""dcap-qvl fetches from pccs what it verifies real quotes with [PyPI dcap-qvl 0.7]."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import dcap_qvl  # type: ignore[import-untyped]  # it ships no types
import pytest

from eaa.attester.simulated import SimulatedTdxGuest
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.x509 import parse_certificate_chain
from tests.fakes.clock import Clock
from tests.fakes.emulated_vendors import EmulatedVendors
from tests.fakes.vendor import NOW, REPORT_DATA, make_platform
from tests.service.pccss import ADMIN, V4, serving
from tests.vectors.manifest import Judge, Vector, needs_vectors, quote_vectors


def _cases() -> list[Any]:
    """Quotes that dcap-qvl accepts, one for each TCB info, identity and status, with that collateral."""
    found, seen = {}, set()
    for vector in quote_vectors():
        times = dict(vector.times)
        for item in vector.expectations:
            if item.judge is Judge.DCAP_QVL and item.status and item.collateral in times:
                collateral = vector.collateral(item.collateral)
                parts = collateral.tcb_info, collateral.qe_identity, item.status
                if parts not in seen:
                    found[vector.id] = (vector, item.collateral, times[item.collateral], item.status)
                seen.add(parts)
    return [pytest.param(*case, id=name) for name, case in found.items()]


def platform_collateral(tee: str, given: dict[str, Any]) -> dict[str, Any]:
    """The body of PUT ``platformcollateral`` with what dcap-qvl's collateral has."""
    info = json.loads(given["tcb_info"])
    signature = given["qe_identity_signature"]
    identity = f'{{"enclaveIdentity":{given["qe_identity"]},"signature":"{signature}"}}'
    document = {"tcbInfo": info, "signature": given["tcb_info_signature"]}
    name = "qeidentity" if tee == "sgx" else "tdqeidentity"
    is_platform = "Platform" in _subject_of(given["pck_crl_issuer_chain"])
    ca, crl = ("PLATFORM", "platformCrl") if is_platform else ("PROCESSOR", "processorCrl")
    return {
        "platforms": [],
        "collaterals": {
            "version": 4,
            "pck_certs": [],
            "tcbinfos": [{"fmspc": info["fmspc"], f"{tee}_tcbinfo": document}],
            "pckcacrl": {crl: given["pck_crl"]},
            name: identity,
            "certificates": {
                "SGX-PCK-Certificate-Issuer-Chain": {ca: given["pck_crl_issuer_chain"]},
                "TCB-Info-Issuer-Chain": given["tcb_info_issuer_chain"],
                "SGX-Enclave-Identity-Issuer-Chain": given["qe_identity_issuer_chain"],
            },
            "rootcacrl": given["root_ca_crl"],
        },
    }


def _subject_of(chain: str) -> str:
    return parse_certificate_chain(chain.encode(), what="chain")[0].common_name


@needs_vectors
@pytest.mark.parametrize(("vector", "name", "at", "status"), _cases())
def test_a_real_quote_is_verified_with_what_was_put(
    tmp_path: Path, vector: Vector, name: str, at: datetime, status: str
) -> None:
    given = json.loads(vector.collateral_text(name))

    async def work() -> Any:
        async with serving(
            tmp_path / "s", clock=Clock(at), anchors=INTEL_SGX_ROOTS, mode="offline"
        ) as served:
            body = platform_collateral(vector.tee, given)
            put = await served.client.put(
                f"{V4}/platformcollateral", json=body, headers={"admin-token": ADMIN}
            )
            assert (put.status_code, put.text) == (200, "Operation successful."), put.headers
            base = str(served.client.base_url).rstrip("/")
            fetched = await dcap_qvl.get_collateral(base, vector.quote)
            assert served.asked == []
            return fetched

    fetched = json.loads(asyncio.run(work()).to_json())
    for part in ("tcb_info", "tcb_info_signature", "qe_identity", "qe_identity_signature", "pck_crl"):
        assert fetched[part] == given[part], part
    assert fetched["root_ca_crl"] == given["root_ca_crl"]
    report = dcap_qvl.verify(
        vector.quote, dcap_qvl.QuoteCollateralV3.from_json(json.dumps(fetched)), int(at.timestamp())
    )
    assert report.status == status


def test_a_simulated_quote_is_verified_with_what_was_fetched_when_it_was_asked_for(tmp_path: Path) -> None:
    platform = make_platform()
    quote = SimulatedTdxGuest(platform).collect(REPORT_DATA)

    async def work() -> Any:
        async with serving(tmp_path / "s", EmulatedVendors(platform.vendor, [platform])) as served:
            base = str(served.client.base_url).rstrip("/")
            fetched = await dcap_qvl.get_collateral(base, quote)
            asked = len(served.asked)
            await dcap_qvl.get_collateral(base, quote)
            assert asked == len(served.asked) == 4
            return fetched

    fetched = asyncio.run(work())
    root = platform.vendor.root.der
    assert dcap_qvl.verify_with_root_ca(quote, fetched, root, int(NOW.timestamp())).status == "UpToDate"
