"""Claims in Trustee's names: against its own goldens where the vectors have them, and field by field."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from typing import Any

import pytest

from eaa.broker.trustee_claims import policy_claims, policy_input, sample_claims, tee_class
from eaa.endorsements.pck import SgxType
from eaa.errors import BindingError, UsageError
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import Digest, Event, EventLog
from eaa.evidence.sgx import EnclaveReport
from eaa.evidence.tdx import TdReport
from eaa.verify.dcap_result import VerifiedDcapEvidence
from tests.fakes.vendor import REPORT_DATA, make_attester, verify
from tests.unit.appraisal.samples import ENCLAVE, TD, verified
from tests.vectors.manifest import VECTORS, needs_vectors

SHA384 = HashAlgorithm.SHA384
DCAP = {
    "advisory_ids", "collateral_expiration_status", "earliest_expiration_date", "is_cached_keys",
    "is_dynamic_platform", "is_smt_enabled", "latest_issue_date", "platform_instance_id",
    "platform_provider_id", "root_key_id", "sgx_type", "tcb_date", "tcb_eval_num", "tcb_status",
}  # fmt: skip


def log_of(*extensions: tuple[int, bytes]) -> EventLog:
    """A log whose events extend ``register`` with the digest of ``data``."""
    events = tuple(
        Event(n, 0, register, 5, (Digest(SHA384, SHA384.hash(data)),), data)
        for n, (register, data) in enumerate(extensions)
    )
    return EventLog(1, 0, 2, 0, 0, 2, (SHA384,), b"", events, None, 0)


def extended(*measured: bytes) -> bytes:
    value = bytes(48)
    for data in measured:
        value = hashlib.sha384(value + hashlib.sha384(data).digest()).digest()
    return value


def with_pck(evidence: VerifiedDcapEvidence, **changes: Any) -> VerifiedDcapEvidence:
    return dataclasses.replace(evidence, pck=dataclasses.replace(evidence.pck, **changes))


@pytest.mark.parametrize(
    ("kind", "version", "size"),
    [
        ("tdx-v4", "0400", None),
        ("tdx-v5", "0500", ("0200", "48020000")),
        ("tdx15-v5", "0500", ("0300", "88020000")),
    ],
)
def test_a_td_as_it_lies(kind: str, version: str, size: tuple[str, str] | None) -> None:
    evidence = verify(make_attester(kind))  # type: ignore[arg-type]  # the kinds above
    tee, claims = policy_claims(evidence, None)
    body, header = evidence.quote.body, evidence.quote.header
    assert isinstance(body, TdReport)
    assert tee == "tdx"
    assert claims["quote"]["header"] == {
        "version": version,
        "att_key_type": "0200",
        "tee_type": "81000000",
        "reserved": "00000000",
        "vendor_id": "939a7233f79c4ca9940a0db3957f0607",
        "user_data": header.user_data.hex(),
    }
    expected = {
        "tcb_svn": body.tee_tcb_svn, "mr_seam": body.mr_seam, "mrsigner_seam": body.mr_signer_seam,
        "seam_attributes": body.seam_attributes, "td_attributes": body.td_attributes, "xfam": body.xfam,
        "mr_td": body.mr_td, "mr_config_id": body.mr_config_id, "mr_owner": body.mr_owner,
        "mr_owner_config": body.mr_owner_config, "rtmr_0": body.rt_mr0, "rtmr_1": body.rt_mr1,
        "rtmr_2": body.rt_mr2, "rtmr_3": body.rt_mr3, "report_data": REPORT_DATA,
    }  # fmt: skip
    if kind == "tdx15-v5":
        expected |= {"tee_tcb_svn2": body.raw[584:600], "mr_servicetd": body.raw[600:648]}
    assert claims["quote"]["body"] == {name: value.hex() for name, value in expected.items()}
    assert (claims["quote"].get("type"), claims["quote"].get("size")) == (size or (None, None))
    assert claims["report_data"] == REPORT_DATA.hex()
    assert claims["init_data"] == body.mr_config_id.hex()
    assert claims.keys() == {"quote", "td_attributes", "report_data", "init_data"} | DCAP


@pytest.mark.parametrize(
    ("attributes", "names"),
    [
        ("0100000000000000", {"debug"}),
        ("0000001000000000", {"septve_disable"}),
        ("0000004000000000", {"protection_keys"}),
        ("0000008000000000", {"key_locker"}),
        ("0000000000000080", {"perfmon"}),
        ("feffff2fffffff7f", set()),
    ],
)
def test_td_attributes_by_name(attributes: str, names: set[str]) -> None:
    report = TD.replace(td_attributes=bytes.fromhex(attributes))
    claims = policy_claims(verified(report), None)[1]["td_attributes"]
    assert len(claims) == 5
    assert {name for name, value in claims.items() if value} <= names | {"septve_disable"}
    assert all(claims[name] is True for name in names)


def test_what_dcap_says_of_the_platform() -> None:
    evidence = verify(make_attester("tdx-v4"))
    claims = policy_claims(evidence, None)[1]
    assert claims["tcb_status"] == "UpToDate"
    assert claims["tcb_date"] == f"{evidence.tcb.tcb_date:%Y-%m-%dT%H:%M:%SZ}"
    assert claims["tcb_eval_num"] == evidence.tcb.tcb_evaluation_data_number
    assert claims["advisory_ids"] == list(evidence.tcb.advisory_ids)
    assert claims["collateral_expiration_status"] == "0"
    assert claims["latest_issue_date"] == f"{evidence.endorsements_issued:%Y-%m-%dT%H:%M:%SZ}"
    assert claims["earliest_expiration_date"] == f"{evidence.endorsements_expire:%Y-%m-%dT%H:%M:%SZ}"
    assert claims["platform_provider_id"] == evidence.pck.ppid.hex()
    assert claims["platform_instance_id"] == (evidence.pck.platform_instance_id or b"").hex()


def test_the_root_is_named_as_trustee_names_intels() -> None:
    # The value in Trustee's example of a token.
    claims = policy_claims(verified(), None)[1]
    assert claims["root_key_id"] == (
        "46e403bd34f05a3f2817ab9badcaacc7ffc98e0f261008cd30dae936cace18d5dcf58eef31463613de1570d516200993"
    )


@pytest.mark.parametrize(
    ("sgx_type", "name"),
    [(SgxType.SCALABLE, "Scalable"), (SgxType.SCALABLE_WITH_INTEGRITY, "Scalable with Integrity")],
)
def test_a_server_platform_has_its_configuration(sgx_type: SgxType, name: str) -> None:
    flags = {"dynamic_platform": True, "cached_keys": False, "smt_enabled": None}
    claims = policy_claims(with_pck(verified(), sgx_type=sgx_type, **flags), None)[1]
    assert claims["sgx_type"] == name
    assert [claims[f"is_{flag}"] for flag in flags] == [True, False, False]


def test_a_client_platform_has_none() -> None:
    claims = policy_claims(with_pck(verified(), sgx_type=SgxType.STANDARD), None)[1]
    assert claims["sgx_type"] == "Standard"
    assert not claims.keys() & {
        "is_dynamic_platform", "is_cached_keys", "is_smt_enabled", "platform_instance_id"
    }  # fmt: skip


def test_an_enclave_as_it_lies() -> None:
    evidence = verify(make_attester("sgx-v3"))
    tee, claims = policy_claims(evidence, None)
    raw, header = evidence.quote.body.raw, evidence.quote.header.raw
    assert tee == "sgx"
    assert claims["header"] == {
        "version": "0300", "att_key_type": "0200", "att_key_data_0": "00000000", "qe_svn": header[8:10].hex(),
        "pce_svn": header[10:12].hex(), "vendor_id": "939a7233f79c4ca9940a0db3957f0607",
        "user_data": header[28:].hex(),
    }  # fmt: skip
    # Names and extents by hand, in the order of [DCAP-QUOTE A.4].
    sizes = {
        "cpu_svn": 16, "misc_select": 4, "reserved1": 12, "isv_ext_prod_id": 16, "attributes.flags": 8,
        "attributes.xfrm": 8, "mr_enclave": 32, "reserved2": 32, "mr_signer": 32, "reserved3": 32,
        "config_id": 64, "isv_prod_id": 2, "isv_svn": 2, "config_svn": 2, "reserved4": 42,
        "isv_family_id": 16, "report_data": 64,
    }  # fmt: skip
    assert claims["body"].keys() == sizes.keys()
    assert "".join(claims["body"][name] for name in sizes) == raw.hex()
    assert [len(claims["body"][name]) for name in sizes] == [2 * size for size in sizes.values()]
    assert claims["report_data"] == REPORT_DATA.hex()
    assert claims["init_data"] == claims["body"]["config_id"]


@needs_vectors
def test_an_enclave_as_in_a_token_of_trustee() -> None:
    token = json.loads((VECTORS / "ear-eat/trustee-grpc-as-9b178b-2/payload.json").read_text())
    expected = {name: value for name, value in token["tcb-status"].items() if name.startswith("sgx.")}
    fields = {
        name: bytes.fromhex(expected[f"sgx.body.{name}"])
        for name, field in EnclaveReport.layout().items()
        if name != "attributes"
    }
    values = {
        name: value
        if type(EnclaveReport.layout()[name]).__name__ == "BytesField"
        else int.from_bytes(value, "little")
        for name, value in fields.items()
    }
    attributes = bytes.fromhex(expected["sgx.body.attributes.flags"] + expected["sgx.body.attributes.xfrm"])
    evidence = verified(EnclaveReport.build(attributes=attributes, **values))
    header = ("version", "att_key_type", "att_key_data_0", "qe_svn", "pce_svn", "vendor_id", "user_data")
    raw = bytes.fromhex("".join(expected[f"sgx.header.{name}"] for name in header))
    quote = dataclasses.replace(evidence.quote, header=type(evidence.quote.header)(raw))
    claims = policy_claims(dataclasses.replace(evidence, quote=quote), None)[1]
    flat = {
        f"sgx.{part}.{name}": value for part in ("header", "body") for name, value in claims[part].items()
    }
    assert flat == expected


def test_an_enclave_has_no_event_log() -> None:
    with pytest.raises(UsageError) as caught:
        policy_claims(verified(ENCLAVE), log_of())
    assert caught.value.code == "usage.event_log"


def test_an_event_log_that_replays_is_claimed() -> None:
    report = TD.replace(
        rt_mr0=extended(b"a", b"b"), rt_mr1=extended(b"c"), rt_mr2=bytes(48), rt_mr3=bytes(48)
    )
    log = log_of((1, b"a"), (0, b"of MRTD"), (2, b"c"), (1, b"b"))
    claims = policy_claims(verified(report), log)[1]
    assert [(item["index"], item["details"]) for item in claims["uefi_event_logs"]] == [
        (1, {"string": "a"}), (0, {"string": "of MRTD"}), (2, {"string": "c"}), (1, {"string": "b"}),
    ]  # fmt: skip


@pytest.mark.parametrize("register", range(4))
def test_one_that_does_not_is_refused(register: int) -> None:
    report = TD.replace(**{f"rt_mr{n}": extended(b"x") for n in range(4)})
    log = log_of(*((n + 1, b"x") for n in range(4) if n != register))
    with pytest.raises(BindingError, match=f"RTMR{register}") as caught:
        policy_claims(verified(report), log)
    assert caught.value.code == "binding.event_log"


def test_the_sample_tee() -> None:
    assert sample_claims("1", b"\x01\x02", None) == {
        "svn": "1",
        "report_data": "AQI=",
        "launch_digest": "abcde",
        "platform_version": {"major": 1, "minor": 4},
        "debug": False,
    }
    assert sample_claims("1", b"", b"\xff")["init_data"] == base64.b64encode(b"\xff").decode()


def test_report_data_and_init_data_are_beside_the_tee() -> None:
    claims = {"svn": "1", "report_data": "AQI=", "init_data": "//8="}
    assert policy_input("sample", claims, init_data_claims={"a": 1}, runtime_data_claims={"b": 2}) == {
        "sample": {"svn": "1"},
        "report_data": "AQI=",
        "init_data": "//8=",
        "init_data_claims": {"a": 1},
        "runtime_data_claims": {"b": 2},
    }
    assert policy_input("sample", {"svn": "1"}) == {
        "sample": {"svn": "1"},
        "report_data": None,
        "init_data": None,
        "init_data_claims": None,
        "runtime_data_claims": None,
    }
    assert claims.keys() == {"svn", "report_data", "init_data"}


@pytest.mark.parametrize(
    ("tee", "name"),
    [
        ("tdx", "cpu"),
        ("sgx", "cpu"),
        ("az-snp-vtpm", "cpu"),
        ("sample", "cpu"),
        ("nvidia", "gpu"),
        ("hygondcu", "dcu"),
    ],
)
def test_classes(tee: str, name: str) -> None:
    assert tee_class(tee) == name


def test_an_unknown_tee_has_no_class() -> None:
    with pytest.raises(UsageError) as caught:
        tee_class("sev-es")
    assert caught.value.code == "usage.tee"
