"""CSV evidence in Trustee's claim names, with the values that its verifier gives."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eaa.broker.trustee_claims import policy_claims, policy_input
from eaa.errors import BindingError, UnsupportedError, UsageError
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import parse_event_log
from eaa.evidence.event_replay import replay
from tests.fakes.hygon_vendor import REPORT_DATA, CsvKind, make_csv_guest, verify_csv
from tests.fakes.sev_vendor import make_sev_guest, verify_sev
from tests.vectors.manifest import VECTORS, needs_vectors

COMMON = {
    "version", "policy", "user_pubkey_digest", "vm_id", "vm_version", "report_data", "mnonce", "measure",
    "sig_usage", "sig_algo", "serial_number", "cek_sha256",
}  # fmt: skip
REGISTERS = {"rtmr0", "rtmr1", "rtmr2", "rtmr3", "rtmr4"}


def claims_of(kind: CsvKind, **fields: bytes | int) -> dict[str, Any]:
    tee, claims = policy_claims(verify_csv(make_csv_guest(kind, **fields)), None)
    assert tee == "csv"
    return claims


def test_version_1() -> None:
    claims = claims_of("csv2-v1", policy=0x04_01_32_87)
    assert set(claims) == COMMON | {"anonce"}
    assert claims["policy"] == {
        "nodbg": 1, "noks": 1, "es": 1, "nosend": 0, "domain": 0, "csv": 0, "csv3": 0, "asid_reuse": 1,
        "hsk_version": 2, "cek_version": 3, "api_major": 1, "api_minor": 4,
    }  # fmt: skip
    assert (claims["version"], claims["sig_usage"], claims["sig_algo"]) == ("1", "02100000", "04000000")
    assert claims["anonce"] == make_csv_guest().anonce.to_bytes(4, "little").hex()
    assert claims["report_data"] == REPORT_DATA.hex()
    assert claims["serial_number"] == "SIMULATED0000001"


def test_version_2() -> None:
    claims = claims_of("csv3-v2", rtmr2=b"\x02" * 32)
    assert set(claims) == COMMON | REGISTERS | {"build", "rtmr_version", "reserved0", "reserved1"}
    assert (claims["version"], claims["build"], claims["rtmr_version"]) == ("2", 2337, 1)
    assert (claims["rtmr0"], claims["rtmr2"]) == (claims["measure"], "02" * 32)
    assert "report_data" not in policy_input("csv", claims)["csv"]
    assert json.dumps(claims)


@needs_vectors
def test_an_event_log() -> None:
    log = parse_event_log((VECTORS / "csv" / "trustee-ccel_data_csv" / "ccel_data_csv").read_bytes())
    values = replay(log, HashAlgorithm.SM3_256)
    guest = make_csv_guest("csv3-v2")
    guest.fields = {f"rtmr{n}": values.get(n, bytes(32)) for n in (1, 2, 3, 4)}
    _, claims = policy_claims(verify_csv(guest), log)
    assert len(claims["uefi_event_logs"]) == len(log.events)
    guest.fields["rtmr3"] = bytes(32)
    with pytest.raises(BindingError, match="RTMR3"):
        policy_claims(verify_csv(guest), log)
    with pytest.raises(UsageError):
        policy_claims(verify_csv(make_csv_guest("csv3-v1")), log)


def test_sev_has_no_names_there() -> None:
    with pytest.raises(UnsupportedError):
        policy_claims(verify_sev(make_sev_guest()), None)
