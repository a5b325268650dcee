"""Every route of PCCS and PCS, asked as Intel's documents say, and every refusal [PCS-API v4], [PCCS]."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest

from eaa.attester.simulated import SimulatedPlatform
from eaa.attester.simulated.certificates import chain_pem
from eaa.codec.pem import encode_pem
from eaa.endorsements.subject import IdentitySubject, TcbInfoSubject
from eaa.services.pccs import platforms
from tests.fakes.clock import Clock
from tests.fakes.emulated_vendors import EmulatedVendors, enc_ppid_of, pck_levels
from tests.fakes.upstream_server import Reply
from tests.fakes.vendor import NOW, make_platform, make_vendor
from tests.service.pccss import ADMIN, USER, V4, Served, emulated, run, serving

QE_ID = "AB" * 16
FMSPC = b"EAASIM".hex().upper()
V3 = "/sgx/certification/v3"
TDX = "/tdx/certification/v4"
JSON, HTML = "application/json; charset=utf-8", "text/html; charset=utf-8"


def pck_query(platform: SimulatedPlatform, **changes: str) -> dict[str, str]:
    tcb = platform.pck.tcb
    return {
        "qeid": QE_ID, "pceid": platform.pck.pce_id.hex(), "cpusvn": tcb.cpu_svn.hex(),
        "pcesvn": tcb.pce_svn.to_bytes(2, "little").hex(), "encrypted_ppid": enc_ppid_of(platform),
    } | changes  # fmt: skip


def registration(platform: SimulatedPlatform, **changes: Any) -> dict[str, Any]:
    query = pck_query(platform)
    return {
        "qe_id": QE_ID.lower(), "pce_id": query["pceid"], "cpu_svn": query["cpusvn"],
        "pce_svn": query["pcesvn"], "enc_ppid": query["encrypted_ppid"], "platform_manifest": "",
    } | changes  # fmt: skip


def said(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == HTML
    return response.status_code, response.text


_SIGNED: tuple[tuple[str, dict[str, str], str, str], ...] = (
    (f"{V4}/tcb", {"fmspc": FMSPC}, "TCB-Info-Issuer-Chain", "tcbInfo"),
    (f"{V4}/tcb", {"fmspc": FMSPC, "update": "early"}, "TCB-Info-Issuer-Chain", "tcbInfo"),
    (f"{TDX}/tcb", {"fmspc": FMSPC.lower()}, "TCB-Info-Issuer-Chain", "tcbInfo"),
    (f"{V4}/qe/identity", {}, "SGX-Enclave-Identity-Issuer-Chain", "enclaveIdentity"),
    (f"{V4}/qe/identity", {"update": "EARLY"}, "SGX-Enclave-Identity-Issuer-Chain", "enclaveIdentity"),
    (f"{V4}/qve/identity", {}, "SGX-Enclave-Identity-Issuer-Chain", "enclaveIdentity"),
    (f"{TDX}/qe/identity", {}, "SGX-Enclave-Identity-Issuer-Chain", "enclaveIdentity"),
)


def test_signed_documents(tmp_path: Path) -> None:
    """Byte for byte as upstream sent them, the first time and from the cache."""

    async def work(served: Served) -> None:
        for path, query, chain, member in _SIGNED:
            asked = len(served.asked)
            first, second, third = [await served.get(path, **query) for _ in range(3)]
            assert len(served.asked) == asked + 1
            upstream = served.vendors.genuine(served.asked[-1])
            for response in (first, second, third):
                assert response.status_code == 200
                assert response.headers["content-type"] == JSON
                assert response.headers[chain].startswith("-----BEGIN%20CERTIFICATE-----%0A")
                assert unquote(response.headers[chain]) == unquote(upstream.headers[chain])
                assert set(response.json()) == {member, "signature"}
                assert len(response.headers["request-id"]) == 32
            assert first.content == second.content == third.content == upstream.body
            assert len({response.headers["request-id"] for response in (first, second, third)}) == 3

    run(tmp_path, work)


def test_revocation_lists(tmp_path: Path) -> None:
    """Hexadecimal under odd types, or DER: PCCS's quirks."""

    async def work(served: Served) -> None:
        vendor = served.vendors.vendor
        for ca in ("processor", "platform"):
            authority = vendor.authority(ca)
            chain = chain_pem((authority, vendor.root)).decode()
            for query in ({"ca": ca}, {"ca": ca.upper(), "encoding": "pem"}):
                response = await served.get("pckcrl", **query)
                assert response.text == authority.crl.der.hex()
                assert response.headers["content-type"] == "application/x-pem-file; charset=utf-8"
                assert unquote(response.headers["sgx-pck-crl-issuer-chain"]) == chain
            response = await served.get("pckcrl", ca=ca, encoding="der")
            assert response.content == authority.crl.der
            assert response.headers["content-type"] == "application/pkix-crl"
        response = await served.get("rootcacrl")
        assert response.text == vendor.root.crl.der.hex()
        assert response.headers["content-type"] == "application/pkix-crl; charset=utf-8"
        for uri, der in (
            ("https://certificates.trustedservices.intel.com/IntelSGXRootCA.der", vendor.root.crl.der),
            ("https://sbx-certificates.trustedservices.intel.com/IntelSGXRootCA.crl", vendor.root.crl.der),
            (
                "https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=platform&encoding=der",
                vendor.platform_ca.crl.der,
            ),
        ):
            response = await served.get("crl", uri=uri)
            assert (response.content, response.headers["content-type"]) == (der, "application/pkix-crl")
        assert len(served.asked) == 3

    run(tmp_path, work)


def test_a_pck_certificate(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        platform = served.vendors.platforms[0]
        tcbm, der = pck_levels(platform)[0]
        for _ in range(3):
            response = await served.get("pckcert", **pck_query(platform))
            assert response.content == encode_pem(der)
            assert response.headers["content-type"] == "application/x-pem-file; charset=utf-8"
            assert response.headers["sgx-tcbm"] == tcbm
            assert response.headers["sgx-fmspc"] == FMSPC
            assert response.headers["sgx-pck-certificate-ca-type"] == "PLATFORM"
            chain = chain_pem((platform.ca, platform.vendor.root)).decode()
            assert unquote(response.headers["sgx-pck-certificate-issuer-chain"]) == chain
        assert sum(item.path.endswith("/pckcerts") for item in served.asked) == 1
        # A lower raw TCB has the certificate of its level, which was fetched with the others.
        lower = platform.tcb_info["sgx"].levels[1]
        query = pck_query(
            platform, cpusvn=lower.sgx_components.hex(), pcesvn=lower.pce_svn.to_bytes(2, "little").hex()
        )
        response = await served.get("pckcert", **query)
        assert response.headers["sgx-tcbm"] == pck_levels(platform)[1][0]
        # A higher one has the highest.
        response = await served.get("pckcert", **pck_query(platform, cpusvn="ff" * 16))
        assert response.headers["sgx-tcbm"] == tcbm
        # One below all has none.
        response = await served.get("pckcert", **pck_query(platform, cpusvn="00" * 16))
        assert said(response) == (404, "No cache data for this platform.")
        assert sum(item.path.endswith("/pckcerts") for item in served.asked) == 1

    run(tmp_path, work)


@pytest.mark.parametrize("kind", ["pcs", "pccs"])
def test_raw_tcbs_that_anybody_makes_up_are_not_kept_without_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(platforms, "_MAX_RAW_TCBS", 3)

    async def ask(served: Served) -> None:
        platform = served.vendors.platforms[0]
        for _ in range(2):
            for number in range(6):
                response = await served.get("pckcert", **pck_query(platform, cpusvn=f"f{number}" * 16))
                assert response.headers["sgx-tcbm"] == pck_levels(platform)[0][0]
        (kept,) = await served.service.core.database.platforms.of_fmspcs([])
        assert len(await served.service.core.database.platforms.raw_tcbs(kept.qe_id, kept.pce_id)) == 3

    async def behind(above: Served) -> None:
        upstream = {"url": f"{above.client.base_url}/sgx/certification/v4/", "kind": "pccs"}
        async with serving(tmp_path / "below", above.vendors, upstream=upstream) as below:
            await ask(below)

    run(tmp_path, ask if kind == "pcs" else behind, limits={"misses_per_second": 0})


_WRONG: tuple[tuple[str, dict[str, str]], ...] = (
    (f"{V4}/tcb", {}),
    (f"{V4}/tcb", {"fmspc": "00"}),
    (f"{V4}/tcb", {"fmspc": "zz906ed50000"}),
    (f"{V4}/tcb", {"fmspc": FMSPC, "update": "never"}),
    (f"{V4}/tcb", {"fmspc": FMSPC, "update": "all"}),
    (f"{TDX}/tcb", {"fmspc": ""}),
    (f"{V4}/qe/identity", {"update": "x"}),
    (f"{V4}/pckcrl", {}),
    (f"{V4}/pckcrl", {"ca": "root"}),
    (f"{V4}/crl", {}),
    (f"{V4}/crl", {"uri": "https://evil.example/IntelSGXRootCA.der"}),
    (f"{V4}/crl", {"uri": "https://certificates.trustedservices.intel.com.evil/IntelSGXRootCA.der"}),
    (f"{V4}/crl", {"uri": "https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=x"}),
    (f"{V4}/crl", {"uri": "https://certificates.trustedservices.intel.com/IntelSGXRootCA." + "x" * 2048}),
    (f"{V4}/pckcert", {}),
    (f"{V4}/pckcert", {"qeid": "A" * 261}),
    (f"{V4}/appraisalpolicy", {"fmspc": "1"}),
    ("/vcek/v1/Milan/00", {"blSPL": "1"}),
    (f"/vcek/v1/Milan/{'00' * 64}", {"blSPL": "00010000", "teeSPL": "0", "snpSPL": "0", "ucodeSPL": "0"}),
    (f"/vcek/v1/Milan/{'00' * 64}", {"blSPL": "0" * 5000, "teeSPL": "0", "snpSPL": "0", "ucodeSPL": "0"}),
    ("/hsk_cek", {"snumber": "../x"}),
)


def test_parameters_that_are_not_as_they_must_be(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        for path, query in _WRONG:
            response = await served.get(path, **query)
            assert said(response) == (400, "Invalid request parameters."), (path, query)
            assert response.headers["error-code"].startswith("format.")
            assert response.headers["error-message"]
        assert served.asked == []

    run(tmp_path, work)


def test_each_parameter_of_pckcert_is_required_in_its_form(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        good = pck_query(served.vendors.platforms[0])
        for name in good:
            for wrong in ({}, {name: good[name] + "0"} if name != "qeid" else {}, {name: ""}):
                if name == "encrypted_ppid" and not wrong:
                    continue
                query = {key: value for key, value in good.items() if key != name} | wrong
                response = await served.get("pckcert", **query)
                assert said(response) == (400, "Invalid request parameters."), (name, wrong)
        # Without the encrypted PPID nobody can ask for a platform that is not known.
        del good["encrypted_ppid"]
        assert said(await served.get("pckcert", **good))[0] == 400
        zeros = await served.get("pckcert", **good, encrypted_ppid="0" * 768)
        assert said(zeros) == (404, "No cache data for this platform.")

    run(tmp_path, work)


def test_names_of_parameters_have_any_case_and_the_first_counts(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        response = await served.client.get(f"{V4}/tcb?FMSPC={FMSPC}&fmspc=00&Update=standard&update=bad")
        assert response.status_code == 200

    run(tmp_path, work)


def test_version_3(tmp_path: Path) -> None:
    """It has ended: what is not kept is not fetched, what does not depend on the version is."""

    async def work(served: Served) -> None:
        ended = (
            "The Intel PCS API version 3 reached planned EOL. Accordingly, collateral from this API version "
            "cannot be retrieved any longer."
        )
        for path, query in (("tcb", {"fmspc": FMSPC}), ("qe/identity", {}), ("qve/identity", {})):
            response = await served.get(f"{V3}/{path}", **query)
            assert said(response) == (410, ended)
            assert response.headers["warning"].startswith('299 - "PCS API version 3 is no longer available.')
        for path, query in (("pckcrl", {"ca": "platform"}), ("rootcacrl", {})):
            for _ in range(2):
                response = await served.get(f"{V3}/{path}", **query)
                assert response.status_code == 200
                assert response.headers["warning"].startswith("299 ")
        response = await served.get("/tdx/certification/v3/tcb", fmspc=FMSPC)
        assert response.status_code == 404

    run(tmp_path, work)


def test_what_intel_has_not(tmp_path: Path) -> None:
    """Is not asked for again for a while."""

    async def work(served: Served) -> None:
        for _ in range(3):
            response = await served.get("tcb", fmspc="00906ED50000")
            assert said(response) == (404, "No cache data for this platform.")
            assert "00906ed50000" in response.headers["error-message"].lower()
            assert served.upstream.url in response.headers["error-message"]
        assert len(served.asked) == 1
        served.clock.now += timedelta(seconds=301)
        await served.get("tcb", fmspc="00906ED50000")
        assert len(served.asked) == 2

    run(tmp_path, work)


def test_unknown_routes_and_methods(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        for method, path in (
            ("GET", "/"),
            ("GET", f"{V4}/none"),
            ("POST", f"{V4}/tcb"),
            ("DELETE", f"{V4}/platforms"),
        ):
            response = await served.client.request(method, path)
            assert response.status_code == 404, path
        head = await served.client.head(f"{V4}/rootcacrl")
        assert (head.status_code, head.content) == (200, b"")
        assert (await served.client.get("/healthz")).text == "ok\n"
        assert (await served.client.get("/readyz")).text == "ready\n"

    run(tmp_path, work)


_TOKENS = (
    ("GET", "platforms", "admin-token", ADMIN),
    ("PUT", "platformcollateral", "admin-token", ADMIN),
    ("GET", "refresh", "admin-token", ADMIN),
    ("POST", "refresh", "admin-token", ADMIN),
    ("PUT", "appraisalpolicy", "admin-token", ADMIN),
    ("POST", "platforms", "user-token", USER),
)


def test_tokens(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        for method, path, header, token in _TOKENS:
            other = USER if token == ADMIN else ADMIN
            for base in (V3, V4):
                for headers in ({}, {header: ""}, {header: token + "x"}, {header: other}):
                    response = await served.client.request(method, f"{base}/{path}", headers=headers, json={})
                    assert said(response) == (401, "Authentication failed."), headers
            allowed = await served.client.request(method, f"{V4}/{path}", headers={header: token}, json={})
            assert allowed.status_code != 401

    run(tmp_path, work)


def test_without_configured_tokens_nobody_has_a_role(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        for headers in ({}, {"admin-token": ""}, {"admin-token": ADMIN}):
            response = await served.client.get(f"{V4}/platforms", headers=headers)
            assert response.status_code == 401

    run(tmp_path, work, tokens={"admin_sha512": "", "user_sha512": ""})


def test_lazy_registration_fetches_what_verification_needs(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        platform = served.vendors.platforms[0]
        user, admin = {"user-token": USER}, {"admin-token": ADMIN}
        body = registration(platform)
        for _ in range(2):
            response = await served.client.post(f"{V4}/platforms", json=body, headers=user)
            assert said(response) == (200, "Operation successful.")
        asked = len(served.asked)
        assert sum(item.path.endswith("/pckcerts") for item in served.asked) == 1
        for path, query in (
            ("pckcert", pck_query(platform)),
            ("qe/identity", {}),
            ("qve/identity", {}),
            ("rootcacrl", {}),
            (f"{TDX}/qe/identity", {}),
            ("pckcrl", {"ca": "platform"}),
            ("tcb", {"fmspc": FMSPC}),
        ):
            assert (await served.get(path, **query)).status_code == 200
        assert len(served.asked) == asked
        cached = await served.client.get(f"{V4}/platforms", params={"source": f"[{FMSPC}]"}, headers=admin)
        assert cached.headers["platform-count"] == "1"
        query = pck_query(platform)
        assert cached.json() == [
            {
                "qe_id": QE_ID, "pce_id": "0000", "cpu_svn": query["cpusvn"].upper(),
                "pce_svn": query["pcesvn"].upper(), "enc_ppid": enc_ppid_of(platform),
                "platform_manifest": "",
            }
        ]  # fmt: skip
        for source, count in (("[]", "1"), ("[000000000000]", "0"), ("", "0"), ("reg", "0"), ("reg_na", "0")):
            listed = await served.client.get(f"{V4}/platforms", params={"source": source}, headers=admin)
            assert (listed.headers["platform-count"], listed.status_code) == (count, 200)
        for source in ("x", "[12]", "[", "[000000000000"):
            listed = await served.client.get(f"{V4}/platforms", params={"source": source}, headers=admin)
            assert said(listed) == (400, "Invalid request parameters.")

    run(tmp_path, work)


def test_a_platform_of_several_packages_registers_with_its_manifest(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        platform = served.vendors.platforms[0]
        body = registration(platform, platform_manifest=platform.name.encode().hex())
        response = await served.client.post(f"{V4}/platforms", json=body, headers={"user-token": USER})
        assert said(response) == (200, "Operation successful.")
        query = pck_query(platform)
        del query["encrypted_ppid"]
        assert (await served.get("pckcert", **query)).headers["sgx-tcbm"] == pck_levels(platform)[0][0]
        asked = [item for item in served.asked if item.path.endswith("/pckcerts")]
        assert [item.method for item in asked] == ["POST"]

    run(tmp_path, work)


_CHANGES: tuple[dict[str, Any], ...] = (
    {"qe_id": ""},
    {"qe_id": "x" * 261},
    {"qe_id": 1},
    {"pce_id": "0"},
    {"cpu_svn": ""},
    {"pce_svn": "zz00"},
    {"enc_ppid": "00"},
    {"enc_ppid": None},
    {"platform_manifest": "0"},
    {"platform_manifest": 1},
)


def test_registrations_that_are_not_as_they_must_be(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        for change in _CHANGES:
            body = registration(served.vendors.platforms[0], **change)
            response = await served.client.post(f"{V4}/platforms", json=body, headers={"user-token": USER})
            assert said(response) == (400, "Invalid request parameters."), change
        assert served.asked == []

    run(tmp_path, work)


def test_bodies_that_are_no_json_or_too_large(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        user = {"user-token": USER}
        for body in (b"", b"[", b"[]", b'{"qe_id":"a","qe_id":"b"}'):
            response = await served.client.post(f"{V4}/platforms", content=body, headers=user)
            assert said(response) == (400, "Invalid request parameters.")
        response = await served.client.post(f"{V4}/platforms", content=b" " * 2048, headers=user)
        assert said(response) == (413, "Content too large.")

        async def unannounced() -> Any:
            for _ in range(64):
                yield b" " * 64

        response = await served.client.post(f"{V4}/platforms", content=unannounced(), headers=user)
        assert said(response) == (413, "Content too large.")

    run(tmp_path, work, http={"max_body_bytes": 1024})


def test_mode_req_fetches_for_those_who_register_only(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        platform = served.vendors.platforms[0]
        response = await served.get("pckcert", **pck_query(platform))
        assert said(response) == (461, "The platform was not found in the cache.")
        response = await served.get("tcb", fmspc=FMSPC)
        assert said(response) == (404, "No cache data for this platform.")
        assert served.asked == []
        body = registration(platform)
        posted = await served.client.post(f"{V4}/platforms", json=body, headers={"user-token": USER})
        assert posted.status_code == 200
        assert (await served.get("pckcert", **pck_query(platform))).status_code == 200
        assert (await served.get("tcb", fmspc=FMSPC)).status_code == 200
        listed = await served.client.get(f"{V4}/platforms", headers={"admin-token": ADMIN})
        assert listed.json() == []

    run(tmp_path, work, mode="req")


def test_mode_req_keeps_who_could_not_be_fetched(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        platform = served.vendors.platforms[0]
        served.vendors.overrides.append(
            lambda request: Reply(500, {}, b"") if "pckcerts" in request.path else None
        )
        body = registration(platform)
        posted = await served.client.post(f"{V4}/platforms", json=body, headers={"user-token": USER})
        assert said(posted) == (502, "Unable to retrieve the collateral from the Intel SGX PCS.")
        listed = await served.client.get(f"{V4}/platforms", headers={"admin-token": ADMIN})
        assert [item["qe_id"] for item in listed.json()] == [QE_ID]
        again = await served.client.get(f"{V4}/platforms", headers={"admin-token": ADMIN})
        assert again.json() == []

    run(tmp_path, work, mode="req")


def test_mode_req_lists_tcbs_without_a_certificate(tmp_path: Path) -> None:
    """And serves the best that there is, which it would also fetch anew; mode LAZY asks again each time."""
    vendors = emulated()
    highest = pck_levels(vendors.platforms[0])[0][0]
    vendors.not_available.add(highest)

    async def work(served: Served) -> None:
        platform = served.vendors.platforms[0]
        body = registration(platform)
        posted = await served.client.post(f"{V4}/platforms", json=body, headers={"user-token": USER})
        assert posted.status_code == 200
        response = await served.get("pckcert", **pck_query(platform))
        assert response.headers["sgx-tcbm"] == pck_levels(platform)[1][0]
        query = {"source": "reg_na"}
        listed = await served.client.get(f"{V4}/platforms", params=query, headers={"admin-token": ADMIN})
        assert [item["cpu_svn"] + item["pce_svn"] for item in listed.json()] == [highest]

    run(tmp_path, work, vendors=vendors, mode="req")


def test_where_intel_has_no_certificate_at_all(tmp_path: Path) -> None:
    vendors = emulated()
    vendors.not_available.update(tcbm for tcbm, _ in pck_levels(vendors.platforms[0]))

    async def work(served: Served) -> None:
        response = await served.get("pckcert", **pck_query(served.vendors.platforms[0]))
        assert said(response) == (462, "Certificates are not available for certain TCBs.")

    run(tmp_path, work, vendors=vendors)


def upload(vendors: EmulatedVendors, **changes: Any) -> dict[str, Any]:
    """What PccsAdminTool puts, for all platforms of ``vendors``."""
    vendor = vendors.vendor

    def signed(document: Any, member: str) -> str:
        done = document.sign()
        return f'{{"{member}":{done.body.decode()},"signature":"{done.signature.hex()}"}}'

    def chain(*certificates: Any) -> str:
        return quote(chain_pem(certificates).decode(), safe="")

    platforms, certs, infos = [], [], []
    for platform in vendors.platforms:
        platforms.append(registration(platform))
        found = [
            {"tcb": {}, "tcbm": tcbm, "cert": quote(encode_pem(der).decode(), safe="")}
            for tcbm, der in pck_levels(platform)
        ]
        certs.append({**registration(platform), "certs": found})
        infos.append(
            {
                "fmspc": platform.pck.fmspc.hex(),
                "sgx_tcbinfo": json.loads(signed(platform.tcb_info["sgx"], "tcbInfo")),
                "tdx_tcbinfo": json.loads(signed(platform.tcb_info["tdx"], "tcbInfo")),
            }
        )
    identities = {"qeidentity": "QE", "tdqeidentity": "TD_QE", "qveidentity": "QVE"}
    collaterals = {
        "version": 4,
        "pck_certs": certs,
        "tcbinfos": infos,
        "pckcacrl": {
            "processorCrl": vendor.processor_ca.crl.der.hex(),
            "platformCrl": vendor.platform_ca.crl.der.hex(),
        },
        **{key: signed(vendor.identities[name], "enclaveIdentity") for key, name in identities.items()},
        "certificates": {
            "SGX-PCK-Certificate-Issuer-Chain": {
                "PROCESSOR": chain(vendor.processor_ca, vendor.root),
                "PLATFORM": chain(vendor.platform_ca, vendor.root),
            },
            "TCB-Info-Issuer-Chain": chain(vendor.tcb_signing, vendor.root),
            "SGX-Enclave-Identity-Issuer-Chain": chain(vendor.tcb_signing, vendor.root),
        },
        "rootcacrl": vendor.root.crl.der.hex(),
        "rootcacrl_cdp": "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der",
    }  # fmt: skip
    return {"platforms": platforms, "collaterals": collaterals | changes}


async def put(served: Served, body: Any, *, base: str = V4, **query: str) -> httpx.Response:
    return await served.client.put(
        f"{base}/platformcollateral",
        content=json.dumps(body, indent=1),
        headers={"admin-token": ADMIN},
        params=query,
    )


def test_offline_an_administrator_puts_everything(tmp_path: Path) -> None:
    """What Intel's tool has parsed and written anew is Intel's bytes again."""

    async def work(served: Served) -> None:
        platform = served.vendors.platforms[0]
        assert said(await served.get("pckcert", **pck_query(platform)))[0] == 461
        body = registration(platform)
        posted = await served.client.post(f"{V4}/platforms", json=body, headers={"user-token": USER})
        assert posted.status_code == 200
        listed = await served.client.get(f"{V4}/platforms", headers={"admin-token": ADMIN})
        assert listed.json() == [
            body | {"qe_id": QE_ID, "cpu_svn": body["cpu_svn"].upper(), "pce_svn": body["pce_svn"].upper()}
        ]
        response = await put(served, upload(served.vendors))
        assert said(response) == (200, "Operation successful.")
        assert "warning" not in response.headers
        expected = platform.tcb_info["sgx"].sign()
        response = await served.get("tcb", fmspc=FMSPC)
        assert response.content.startswith(b'{"tcbInfo":' + expected.body + b',"signature":')
        for path, query in (
            (f"{TDX}/tcb", {"fmspc": FMSPC}),
            ("qe/identity", {}),
            ("qve/identity", {}),
            (f"{TDX}/qe/identity", {}),
            ("pckcrl", {"ca": "processor"}),
            ("rootcacrl", {}),
        ):
            assert (await served.get(path, **query)).status_code == 200, path
        response = await served.get("pckcert", **pck_query(platform))
        assert response.headers["sgx-tcbm"] == pck_levels(platform)[0][0]
        refresh = await served.client.post(f"{V4}/refresh", headers={"admin-token": ADMIN})
        assert said(refresh) == (503, "Server is currently unable to process the request.")
        assert served.asked == []

    run(tmp_path, work, mode="offline")


def test_an_upload_with_one_bad_part_changes_nothing(tmp_path: Path) -> None:
    other = EmulatedVendors(*_other_vendor())

    async def work(served: Served) -> None:
        good, foreign = upload(served.vendors), upload(other)
        for name in ("rootcacrl", "qveidentity", "tcbinfos", "pckcacrl"):
            body = json.loads(json.dumps(good))
            body["collaterals"][name] = foreign["collaterals"][name]
            response = await put(served, body)
            assert said(response) == (460, "The integrity of the data can't be verified."), name
            assert (await served.get("tcb", fmspc=FMSPC)).status_code == 404
        body = json.loads(json.dumps(good))
        body["collaterals"]["pck_certs"] = foreign["collaterals"]["pck_certs"]
        assert said(await put(served, body))[0] == 460
        assert said(await served.get("pckcert", **pck_query(served.vendors.platforms[0])))[0] == 461
        assert (await served.get("tcb", fmspc=FMSPC)).status_code == 404
        assert said(await put(served, good))[0] == 200

    run(tmp_path, work, mode="offline")


def _other_vendor() -> tuple[Any, list[SimulatedPlatform]]:
    vendor = make_vendor("another")
    return vendor, [make_platform(vendor=vendor)]


_SPOILERS: tuple[Callable[[Any], Any], ...] = (
    lambda body: body.pop("platforms"),
    lambda body: body.pop("collaterals"),
    lambda body: body["collaterals"].pop("tcbinfos"),
    lambda body: body["collaterals"].pop("pck_certs"),
    lambda body: body["collaterals"].pop("certificates"),
    lambda body: body["collaterals"].update(version=3),
    lambda body: body["collaterals"].update(rootcacrl="zz"),
    lambda body: body["collaterals"]["pck_certs"][0].update(certs=[]),
    lambda body: body["collaterals"]["pck_certs"][0]["certs"][0].update(tcbm="00"),
    lambda body: body["collaterals"]["pck_certs"][0]["certs"][0].update(cert="none"),
    lambda body: body["collaterals"]["pck_certs"][0].update(qe_id=""),
    lambda body: body["collaterals"]["tcbinfos"][0].update(fmspc="00"),
    lambda body: body["collaterals"].update(qeidentity=1),
)


def test_uploads_that_are_not_as_they_must_be(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        for number, spoil in enumerate(_SPOILERS):
            body = upload(served.vendors)
            spoil(body)
            assert said(await put(served, body)) == (400, "Invalid request parameters."), number

    run(tmp_path, work, mode="offline")


def test_what_is_older_never_replaces_what_is_newer_unless_told_by_name(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        old = upload(served.vendors)
        info = served.vendors.platforms[0].tcb_info["sgx"]
        info.evaluation_data_number += 1
        new = upload(served.vendors)
        assert (await put(served, new)).status_code == 200
        newer = (await served.get("tcb", fmspc=FMSPC)).content
        response = await put(served, old)
        assert response.status_code == 200
        assert f"intel/tcb/sgx/{FMSPC.lower()}/standard" in response.headers["warning"]
        assert (await served.get("tcb", fmspc=FMSPC)).content == newer
        assert "warning" not in (await put(served, old, allow_rollback="true")).headers
        await served.service.core.watch()
        assert (await served.get("tcb", fmspc=FMSPC)).content != newer

    run(tmp_path, work, mode="offline")


def test_refresh(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        platform = served.vendors.platforms[0]
        await served.get("pckcert", **pck_query(platform))
        before = (await served.get("tcb", fmspc=FMSPC)).content
        await served.get("tcb", fmspc=FMSPC)
        platform.tcb_info["sgx"].evaluation_data_number += 1
        admin = {"admin-token": ADMIN}
        for method in ("GET", "POST"):
            response = await served.client.request(method, f"{V4}/refresh", headers=admin)
            assert said(response) == (200, "Operation successful.")
        await served.service.core.watch()
        after = (await served.get("tcb", fmspc=FMSPC)).content
        assert after != before
        for fmspc in ("", FMSPC, f"{FMSPC},000000000000"):
            asked = len(served.asked)
            query = {"type": "certs", "fmspc": fmspc}
            response = await served.client.post(f"{V4}/refresh", headers=admin, params=query)
            assert said(response) == (200, "Operation successful.")
            assert "pckcerts" in served.asked[asked].path
        for query in ({"type": "all"}, {"type": "certs", "fmspc": "00"}):
            response = await served.client.post(f"{V4}/refresh", headers=admin, params=query)
            assert said(response) == (400, "Invalid request parameters.")
        served.vendors.overrides.append(lambda request: Reply(503, {}, b""))
        response = await served.client.post(f"{V4}/refresh", headers=admin)
        assert said(response) == (503, "Server is currently unable to process the request.")
        assert (await served.get("tcb", fmspc=FMSPC)).content == after

    run(tmp_path, work)


def test_what_an_administrator_has_fetched_anew_is_not_bounded_as_what_strangers_ask_for(
    tmp_path: Path,
) -> None:
    async def work(served: Served) -> None:
        stock = served.service.core.stock
        for name in ("QE", "QVE", "TD_QE"):
            await stock.fetch(IdentitySubject(name))
        for tee in ("sgx", "tdx"):
            await stock.fetch(TcbInfoSubject(tee, bytes.fromhex(FMSPC)))
        asked = len(served.asked)
        response = await served.client.post(f"{V4}/refresh", headers={"admin-token": ADMIN})
        assert said(response) == (200, "Operation successful.")
        assert len(served.asked) == asked + 5
        # Of whom the same address is, is bounded as before.
        statuses = [(await served.get("tcb", fmspc=f"{n:012x}")).status_code for n in range(4)]
        assert statuses[-1] == 429

    run(tmp_path, work, limits={"misses_per_second": 0.001})


def _policy(class_id: str) -> str:
    inner = json.dumps({"policy_array": [{"environment": {"class_id": class_id}}]})
    payload = base64.urlsafe_b64encode(json.dumps({"policy_payload": inner}).encode()).rstrip(b"=")
    return f"e30.{payload.decode()}.c2ln"


def test_appraisal_policies(tmp_path: Path) -> None:
    async def work(served: Served) -> None:
        admin = {"admin-token": ADMIN}
        assert said(await served.get("appraisalpolicy", fmspc=FMSPC))[0] == 404
        first, second = (
            _policy("3123ec35-8d38-4ea5-87a5-d6c48b567570"),
            _policy("9EEC018B-7481-4b1c-8e1a-9f7c0c8c777f"),
        )
        for policy, default in ((first, True), (second, False), (second, True)):
            body = {"is_default": default, "fmspc": FMSPC.lower(), "policy": policy}
            response = await served.client.put(f"{V4}/appraisalpolicy", json=body, headers=admin)
            assert said(response) == (200, hashlib.sha384(policy.encode()).hexdigest())
        assert said(await served.get("appraisalpolicy", fmspc=FMSPC)) == (200, second)
        for change in (
            {"policy": "none"},
            {"policy": _policy("0")},
            {"is_default": 1},
            {"fmspc": "0"},
            {"policy": "a.b.c"},
        ):
            body = {"is_default": True, "fmspc": FMSPC, "policy": first} | change
            response = await served.client.put(f"{V4}/appraisalpolicy", json=body, headers=admin)
            assert said(response) == (400, "Invalid request parameters."), change

    run(tmp_path, work)


def test_what_has_expired_is_not_served_unless_told_by_name(tmp_path: Path) -> None:
    vendors, clock = emulated(), Clock()

    async def strict(served: Served) -> None:
        assert (await served.get("tcb", fmspc=FMSPC)).status_code == 200
        clock.now += timedelta(days=30)
        vendors.overrides.append(lambda request: Reply(500, {}, b""))
        response = await served.get("tcb", fmspc=FMSPC)
        assert said(response) == (502, "Unable to retrieve the collateral from the Intel SGX PCS.")

    async def lenient(served: Served) -> None:
        assert (await served.get("tcb", fmspc=FMSPC)).status_code == 200

    run(tmp_path, strict, vendors=vendors, clock=clock)
    run(tmp_path, lenient, vendors=vendors, clock=clock, cache={"serve_expired": True})
    assert clock.now > NOW
