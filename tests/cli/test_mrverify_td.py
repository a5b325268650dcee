"""``shelter mrverify`` of trust domains: options, quotes, TD reports, and what verification makes of it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from eaa.cli.td_options import TD_FIELDS
from eaa.evidence.dcap_quote import parse_quote
from eaa.evidence.tdx import TdReport
from tests.cli.conftest import NONCE, Files
from tests.cli.mrverify_folder import Folder

MR_TD, RT_MR1 = "aa" * 48, "bb" * 48


@pytest.fixture
def store(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def report_of(guest: Files) -> TdReport:
    body = parse_quote(guest.quote.read_bytes()).body
    assert isinstance(body, TdReport)
    return body


def hex_of(report: TdReport, name: str) -> str:
    value = getattr(report, name)
    assert isinstance(value, bytes)
    return value.hex()


def option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def test_values_as_they_are_given(store: Folder) -> None:
    found = store.json("--mr-td", MR_TD.upper(), "--rt-mr1", RT_MR1, "--xfam", "e7" + "00" * 7)
    assert (found["tee"], found["measurements"], found["code"]) == ("tdx", [MR_TD], "measurement.recorded")
    values = {"mr_td": MR_TD, "rt_mr1": RT_MR1, "xfam": "e7" + "00" * 7}
    assert found["recorded"]["values"] == values
    assert found["further"] == {name: values[name] for name in ("rt_mr1", "xfam")}
    (entry,) = store.store.entries()
    assert entry.source == "given on the command line"
    assert (
        store.json("--mr-td", MR_TD, "--xfam", "e7" + "00" * 7, "--rt-mr1", RT_MR1)["recorded"]["new"]
        is False
    )


def test_a_mask(store: Folder) -> None:
    mask = "0100000000000000"
    done = store.run("--mr-td", MR_TD, "--td-attributes", f"{'00' * 8}/{mask}")
    assert done.code == 0
    assert f"td_attributes  {'00' * 8} under mask {mask}" in done.out
    (entry,) = store.store.entries()
    assert entry.values == {"mr_td": MR_TD, "td_attributes": {"value": "00" * 8, "mask": mask}}


def test_labels_tell_apart_what_differs_in_a_register_only(store: Folder) -> None:
    labels = {store.json("--mr-td", MR_TD, *more)["recorded"]["label"] for more in (
        (), ("--rt-mr1", RT_MR1), ("--rt-mr2", RT_MR1), ("--rt-mr1", MR_TD),
    )}  # fmt: skip
    assert len(labels) == 4
    assert f"tdx-{'a' * 12}" in labels


@pytest.mark.parametrize("name", ["mr_td", *TD_FIELDS])
def test_a_quote_is_compared_with_what_was_given(store: Folder, guest: Files, name: str) -> None:
    right = hex_of(report_of(guest), name)
    words = ("--from-quote", guest.quote, "--unverified")
    found = store.json(*words, option(name), right)
    assert (found["code"], found["rules"][0]["verdict"]) == ("measurement.recorded", "pass")
    assert found["recorded"]["values"][name] == right
    wrong = f"{int(right[:2], 16) ^ 1:02x}{right[2:]}"
    found = store.json(*words, option(name), wrong)
    assert (found["code"], found["exit_code"]) == ("measurement.mismatch", 10)
    (rule,) = found["rules"]
    assert (rule["rule"], rule["expected"], rule["came"]) == (f"td_report.{name}", wrong, right)
    assert found["recorded"] is None
    text = store.run(*words, option(name), wrong).out
    assert f"  expected {wrong}\n  came     {right}" in text
    assert len(store.store.entries()) == 1


def test_fields_of_the_quote_are_recorded_with_mrtd(store: Folder, guest: Files) -> None:
    report = report_of(guest)
    fields = [word for name in reversed(TD_FIELDS) for word in ("--field", name)]
    found = store.json("--from-quote", guest.quote, "--unverified", *fields)
    assert found["recorded"]["values"] == {name: hex_of(report, name) for name in ("mr_td", *TD_FIELDS)}
    assert list(found["recorded"]["values"]) == ["mr_td", *TD_FIELDS]
    reference = store.write("reference.json", store.run("--export").out.encode())
    assert guest.verify("--nonce", NONCE.hex(), "--reference", reference).code == 0
    other = report.replace(rt_mr2=bytes(48))
    found = store.json(
        "--from-quote", store.write("body", other.raw), "--unverified", *fields, "--label", "other"
    )
    store.run("--remove", store.store.entries()[0].label)
    reference = store.write("reference.json", store.run("--export").out.encode())
    done = guest.verify("--nonce", NONCE.hex(), "--reference", reference)
    assert (done.code, done.json["code"]) == (10, "appraisal.rt_mr2")


def test_checking_records_nothing(store: Folder, guest: Files) -> None:
    words = ("--from-quote", guest.quote, "--unverified", "--check", "--mr-td")
    assert store.json(*words, hex_of(report_of(guest), "mr_td"))["code"] == "measurement.checked"
    assert store.json(*words, MR_TD)["code"] == "measurement.mismatch"
    assert not store.store.path.exists()


def test_a_bare_td_report_in_hexadecimal(store: Folder, guest: Files) -> None:
    report = report_of(guest)
    name = store.write("report.hex", report.raw.hex().encode())
    found = store.json("--from-quote", name, "--unverified", "--field", "rt_mr0")
    assert found["recorded"]["values"] == {
        "mr_td": hex_of(report, "mr_td"),
        "rt_mr0": hex_of(report, "rt_mr0"),
    }
    assert found["recorded"]["source"] == f"unverified TD report {name}"
    assert "the TD report was not verified" in found["notes"][0]


def test_a_report_for_the_own_host_only(store: Folder) -> None:
    raw = struct.pack("<B1023x", 0x81)
    done = store.run("--from-quote", store.write("tdreport", raw), "--unverified")
    assert done.code == 20
    assert "its fields are not decoded here" in done.out


def test_an_enclave_has_no_registers(store: Folder, enclave: Files) -> None:
    for words in (("--mr-td", MR_TD), ("--rt-mr1", RT_MR1), ("--field", "rt_mr1")):
        done = store.run("--from-quote", enclave.quote, "--unverified", *words)
        assert (done.code, done.out) == (2, "")
        assert "is an SGX enclave's and has no" in done.err
