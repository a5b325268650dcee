"""Attesters by name, and automatic selection over emulated machines."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eaa.attester.gramine import GramineAttester
from eaa.attester.instances import (
    AttesterOptions,
    Probe,
    choose_attester,
    probe_attesters,
    select_attester,
)
from eaa.attester.null import NullAttester
from eaa.attester.occlum import OcclumAttester
from eaa.attester.options import utc_now
from eaa.attester.sev_guest import SevGuestAttester
from eaa.attester.simulated_attester import StoredSimulatedAttester
from eaa.cli.doctor_attest import attesting
from eaa.errors import AttesterError, UnsupportedError, UsageError
from eaa.evidence.dcap_quote import parse_quote
from eaa.evidence.sgx import EnclaveReport
from eaa.tls.instances import ATTESTERS, VERIFIERS, find_instance, require_crypto, require_tls
from eaa.tls.peer import Attester, EvidenceKind
from tests.fakes.vendor import NOW, REPORT_DATA

#: The instances of rats-tls and their priorities.
PRIORITIES = {
    "nullattester": 0, "sgx_la": 15, "csv": 20, "sev": 35, "sev_snp": 42, "tdx_ecdsa": 42, "sgx_ecdsa": 52,
}  # fmt: skip


def select(name: str, root: Path, *, allow_null: bool = False, **options: Any) -> Attester:
    return select_attester(
        name,
        root=root,
        options=AttesterOptions(**options),
        allow_null=allow_null,
    )


def touch(root: Path, *names: str, content: bytes = b"") -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def gramine(root: Path) -> Path:
    touch(root, "dev/attestation/quote")
    return touch(root, "dev/attestation/attestation_type", content=b"dcap")


def test_names_and_priorities_of_the_originals() -> None:
    ours = {item.name: item.priority for item in ATTESTERS if not item.name.startswith("simulated")}
    assert ours == PRIORITIES
    verifiers = {item.name: item.priority for item in VERIFIERS if not item.name.startswith("simulated")}
    assert verifiers == {
        "nullverifier": 0, **{name: PRIORITIES[name] for name in PRIORITIES if name != "nullattester"},
        "sgx_ecdsa_qve": 53,
    }  # fmt: skip


@pytest.mark.parametrize("table", [ATTESTERS, VERIFIERS])
def test_highest_first_and_every_name_once(table: tuple[Any, ...]) -> None:
    priorities = [item.priority for item in table]
    assert priorities == sorted(priorities, reverse=True)
    names = [name for item in table for name in (item.name, *item.aliases)]
    assert len(set(names)) == len(names)
    assert find_instance(table, "attester", "tdx").name == "tdx_ecdsa"


@pytest.mark.parametrize("require", [require_tls, require_crypto])
def test_libraries(require: Any) -> None:
    assert [require("openssl"), require("")] == ["openssl", "openssl"]
    for name in ("nulltls", "nullcrypto", "OpenSSL"):
        with pytest.raises(UsageError, match="there are openssl") as caught:
            require(name)
        assert caught.value.code in ("usage.unknown_tls", "usage.unknown_crypto")


def test_no_such_attester(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'sgx_epid'.*there are sgx_ecdsa, tdx_ecdsa, tdx,") as caught:
        select("sgx_epid", tmp_path)
    assert caught.value.code == "usage.unknown_attester"


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("sgx_ecdsa", "/dev/attestation/quote"),
        ("sgx_ecdsa", "/dev/sgx"),
        ("tdx_ecdsa", "/sys/kernel/config/tsm/report"),
        ("tdx", "/sys/kernel/config/tsm/report"),
        ("sev_snp", "/dev/sev-guest"),
        ("csv", "/dev/csv-guest"),
    ],
)
def test_without_its_device(tmp_path: Path, name: str, device: str) -> None:
    with pytest.raises(AttesterError, match="does not work here") as caught:
        select(name, tmp_path)
    assert device in str(caught.value)
    assert caught.value.code == "attester.no_device"


@pytest.mark.parametrize("name", ["sev", "sgx_la"])
def test_not_implemented(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsupportedError, match=f"attester {name}: .*not implemented") as caught:
        select(name, tmp_path)
    assert caught.value.code == "unsupported.attester"


def test_tdx_without_quotes(tmp_path: Path) -> None:
    touch(tmp_path, "dev/tdx_guest")
    with pytest.raises(AttesterError, match="/dev/tdx_guest: gives a report that only the host's"):
        select("tdx", tmp_path)


def test_null_takes_a_word(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--unsafe-null") as caught:
        select("nullattester", tmp_path)
    assert caught.value.code == "usage.null_not_allowed"
    attester = select("nullattester", tmp_path, allow_null=True)
    assert isinstance(attester, NullAttester)
    assert "nothing is proven" in attester.warning
    with pytest.raises(AttesterError, match="no evidence") as none:
        attester.collect(REPORT_DATA)
    assert none.value.code == "attester.null"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("simulated", EvidenceKind.SGX_QUOTE),
        ("simulated-sgx", EvidenceKind.SGX_QUOTE),
        ("simulated-tdx", EvidenceKind.TDX_QUOTE),
    ],
)
def test_simulated(tmp_path: Path, name: str, kind: EvidenceKind) -> None:
    attester = select(name, tmp_path, simulated_directory=tmp_path / "store", now=lambda: NOW)
    assert attester.name == name
    evidence = attester.collect(REPORT_DATA)
    assert evidence.kind is kind
    assert evidence.collateral is not None


def test_simulated_report_as_asked(tmp_path: Path) -> None:
    attester = select(
        "simulated", tmp_path, simulated_directory=tmp_path / "store", now=lambda: NOW,
        simulated_fields={"mr_enclave": b"\x01" * 32}, simulated_debug=True,
    )  # fmt: skip
    body = parse_quote(attester.collect(REPORT_DATA).evidence).body
    assert isinstance(body, EnclaveReport)
    assert (body.mr_enclave, body.debug) == (b"\x01" * 32, True)


def test_simulated_in_the_folder_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EAA_SIMULATED_DIR", str(tmp_path / "named"))
    attester = select("simulated", tmp_path)
    assert isinstance(attester, StoredSimulatedAttester)
    assert attester.store.directory == tmp_path / "named"


def test_nothing_works(tmp_path: Path) -> None:
    with pytest.raises(AttesterError, match="no attester works on this machine") as caught:
        select("", tmp_path, allow_null=True)
    assert caught.value.code == "attester.none"
    assert list(caught.value.fields["reasons"]) == [
        "sgx_ecdsa", "tdx_ecdsa", "sev_snp", "sev", "csv", "sgx_la",
    ]  # fmt: skip
    assert all(caught.value.fields["reasons"].values())
    assert not any(probe.available for probe in probe_attesters(tmp_path))


def test_the_best_that_works(tmp_path: Path) -> None:
    touch(tmp_path, "dev/sev-guest")
    chosen = choose_attester("", root=tmp_path, options=AttesterOptions(), allow_null=False)
    assert isinstance(chosen.attester, SevGuestAttester)
    assert [(probe.name, probe.available) for probe in chosen.passed_over] == [
        ("sgx_ecdsa", False), ("tdx_ecdsa", False),
    ]  # fmt: skip
    assert "there is no /dev/attestation/quote" in chosen.passed_over[0].reason
    touch(tmp_path, "dev/sgx")
    assert isinstance(select("", tmp_path), OcclumAttester)
    gramine(tmp_path)
    chosen = choose_attester("", root=tmp_path, options=AttesterOptions(), allow_null=False)
    assert isinstance(chosen.attester, GramineAttester)
    assert chosen.passed_over == ()


def test_by_name_nothing_is_passed_over(tmp_path: Path) -> None:
    chosen = choose_attester("sgx_ecdsa", root=gramine(tmp_path), options=AttesterOptions(), allow_null=False)
    assert (chosen.attester.name, chosen.passed_over) == ("sgx_ecdsa", ())


def test_probes_say_from_what(tmp_path: Path) -> None:
    found = {probe.name: probe for probe in probe_attesters(gramine(tmp_path))}
    assert (found["sgx_ecdsa"].available, found["sgx_ecdsa"].reason) == (True, "Gramine")


def test_the_clock() -> None:
    assert utc_now().utcoffset() == timedelta(0)


def test_a_device_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "dev/sev-guest")
    monkeypatch.setattr("eaa.attester.sources.os.access", lambda *_: False)
    assert "/dev/sev-guest is there, and this user may not open it" in probe_of(tmp_path, "sev_snp").reason


def test_a_path_that_cannot_be_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", forbidden)
    assert "there is no /dev/sev-guest" in probe_of(tmp_path, "sev_snp").reason


@pytest.mark.parametrize("path", ["dev/sev-guest", "dev/sgx"])
def test_the_doctor_says_the_same(tmp_path: Path, path: str) -> None:
    items = {item.name: item for item in attesting(tmp_path)}
    assert items["collecting"].status == "skip"
    touch(tmp_path, path)
    items = {item.name: item for item in attesting(tmp_path)}
    best = next(probe for probe in probe_attesters(tmp_path) if probe.available)
    assert items["collecting"].reason == f"{best.name}, from {best.reason}"


def probe_of(root: Path, name: str) -> Probe:
    return next(probe for probe in probe_attesters(root) if probe.name == name)
