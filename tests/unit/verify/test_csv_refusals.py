"""One change of the simulated Hygon, CSV platform or guest makes one verification step fail, and no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SM3
from cryptography.hazmat.primitives.hmac import HMAC

from eaa.attester.simulated.hygon_vendor import SimulatedCsvGuest, SimulatedCsvPlatform
from eaa.endorsements.hygon_endorsements import CsvEndorsements
from eaa.endorsements.hygon_roots import HYGON_HRKS
from eaa.errors import EAAError, UsageError
from eaa.evidence.hygon_csv import CsvSigner, CsvTeeInfo
from eaa.evidence.psp_certificate import KeyUsage
from eaa.verify.hygon_csv_result import CSV_LIMITS
from eaa.verify.result import Binding
from eaa.verify.sm2 import sm2_key as parsed_sm2_key
from tests.fakes.hygon_vendor import (
    CSV_KINDS,
    REPORT_DATA,
    CsvCase,
    CsvKind,
    csv_case,
    make_csv_guest,
    make_hygon_vendor,
    shared_csv_case,
    sm2_key,
    verify_csv,
)

Change = Callable[[SimulatedCsvGuest], None]
OFF_CURVE = {"pubkey_x": (1).to_bytes(72, "little"), "pubkey_y": (1).to_bytes(72, "little")}
NO_SIGNATURE = {"sig1_usage": KeyUsage.NONE, "sig1_algo": 0, "sig1": bytes(512)}


def refused(code: str, case: CsvCase | SimulatedCsvGuest, **options: Any) -> None:
    with pytest.raises(EAAError) as caught:
        verify_csv(case, **options)
    assert caught.value.code == code, caught.value


def set_(path: str, value: object) -> Change:
    """Sets what ``path`` names, from the guest on; keys are named and made when they are needed."""

    def change(guest: SimulatedCsvGuest) -> None:
        *owners, name = path.split(".")
        target: Any = guest
        for owner in owners:
            target = getattr(target, owner)
        assert hasattr(target, name)
        setattr(target, name, sm2_key("wrong") if value is WRONG else value)

    return change


WRONG = object()

CHANGES: list[tuple[str, Change]] = [
    # 1. HRK.
    ("chain.hrk_usage", set_("platform.vendor.hrk.usage", KeyUsage.ASK)),
    ("chain.hrk_usage", set_("platform.vendor.hrk.fields", {"certifying_id": bytes(16)})),
    ("chain.hrk_key", set_("platform.vendor.hrk.fields", OFF_CURVE)),
    # 2. HSK.
    ("chain.hsk_usage", set_("platform.vendor.hsk.usage", KeyUsage.ARK)),
    ("chain.hsk_issuer", set_("platform.vendor.hsk.fields", {"certifying_id": bytes(16)})),
    ("chain.hsk_key", set_("platform.vendor.hsk.fields", OFF_CURVE)),
    ("signature.hsk", set_("platform.vendor.hsk.signing_key", WRONG)),
    ("signature.hsk", set_("platform.vendor.hsk.fields", {"sig_r": bytes(72)})),
    ("signature.hsk", set_("platform.vendor.hsk.fields", {"sig_s": b"\xff" * 72})),
    # 3. CEK.
    ("chain.cek_usage", set_("platform.cek.usage", KeyUsage.PEK)),
    ("chain.cek_issuer", set_("platform.cek.key_fields", {"certifying_id": b"\x01" * 16})),
    ("chain.cek_key", set_("platform.cek.key_fields", OFF_CURVE)),
    ("chain.cek_unsigned", set_("platform.cek.signed_as", KeyUsage.OCA)),
    ("chain.cek_unsigned", set_("platform.cek.fields", NO_SIGNATURE)),
    ("signature.cek", set_("platform.cek.signing_key", WRONG)),
    # 4. PEK.
    ("chain.pek_usage", set_("platform.pek.usage", KeyUsage.OCA)),
    ("chain.pek_key", set_("platform.pek.key_fields", OFF_CURVE)),
    ("chain.pek_unsigned", set_("platform.pek.signed_as", KeyUsage.OCA)),
    ("signature.pek", set_("platform.pek.signing_key", WRONG)),
    # 5. Report.
    ("signature.report", set_("report_signing_key", WRONG)),
    # 6. HMAC.
    ("signature.signer_mac", set_("mac", bytes(range(32)))),
    # The parsers, before all.
    ("format.bad_value", set_("fields", {"sig_usage": KeyUsage.CEK})),
    ("format.bad_value", set_("fields", {"sig_algo": 5})),
    ("format.bad_value", set_("platform.serial_number", "two words")),
    ("format.bad_value", set_("platform.serial_number", "")),
    ("format.bad_value", set_("platform.cek.version", 3)),
    ("format.bad_value", set_("platform.pek.key_fields", {"uid_size": 255})),
    ("format.bad_value", set_("platform.pek.key_fields", {"uid_size": 0})),
    ("format.bad_value", set_("platform.pek.key_fields", {"uid_size": 3})),
    ("format.bad_value", set_("platform.pek.key_fields", {"curve": 2})),
    ("format.reserved", set_("platform.pek.key_fields", {"reserved": b"\x01" * 608})),
    ("format.reserved", set_("platform.pek.key_fields", {"pubkey_x": b"\x01" * 72})),
    ("format.bad_value", set_("platform.pek.fields", {"pubkey_algo": 5})),
    ("format.bad_value", set_("platform.pek.fields", {"sig1_algo": 5})),
    ("format.reserved", set_("platform.pek.fields", {"sig1": b"\x01" * 512})),
    ("format.bad_value", set_("platform.vendor.hsk.fields", {"version": 2})),
    ("format.bad_value", set_("platform.vendor.hsk.fields", {"key_usage": KeyUsage.CEK})),
    ("format.reserved", set_("platform.vendor.hsk.fields", {"reserved1": b"\x01" * 108})),
]


@pytest.mark.parametrize("kind", ["csv1-v1", "csv3-v2"])
@pytest.mark.parametrize(("code", "change"), CHANGES, ids=[f"{n}-{c}" for n, (c, _) in enumerate(CHANGES)])
def test_one_change_is_one_refusal(kind: CsvKind, code: str, change: Change) -> None:
    guest = make_csv_guest(kind)
    change(guest)
    refused(code, guest)


@pytest.mark.parametrize("name", ["hrk", "hsk", "cek"])
def test_what_is_missing_is_named(name: str) -> None:
    case = shared_csv_case("csv3-v1")
    missing = replace(case, endorsements=replace(case.endorsements, **{name: None}))
    refused(f"endorsement_not_found.{name}", missing)


def test_a_reserved_byte_of_version_2() -> None:
    for name, size in (("reserved0", 14), ("reserved1", 656)):
        refused("format.reserved", make_csv_guest("csv3-v2", **{name: b"\x01" * size}))


def test_a_chip_of_version_1_names_no_issuer() -> None:
    guest = make_csv_guest()
    guest.platform.cek.version = 1
    assert verify_csv(guest).bound == ("report_data",)


def test_another_chip_or_platform_of_the_same_vendor() -> None:
    one = make_csv_guest()
    two = SimulatedCsvPlatform(one.platform.vendor, cek=sm2_key("cek 2"), pek=sm2_key("pek 2"))
    case = csv_case(one)
    other = replace(case, endorsements=two.endorsements())
    refused("signature.pek", other)
    assert verify_csv(one).cek_sha256 != verify_csv(SimulatedCsvGuest(two)).cek_sha256


def test_a_simulated_root_is_refused_unless_it_is_named() -> None:
    case = shared_csv_case("csv3-v1")
    refused("chain.untrusted_root", case, trust_anchors=HYGON_HRKS)
    refused("chain.untrusted_root", case, trust_anchors=())
    assert verify_csv(case).trust_anchor.simulated


def test_hygons_root_does_not_vouch_for_a_simulated_hsk() -> None:
    case = shared_csv_case("csv3-v1")
    given = replace(case.endorsements, hrk=HYGON_HRKS[0].raw)
    refused("chain.hsk_issuer", replace(case, endorsements=given), trust_anchors=HYGON_HRKS)


def test_another_user_id_is_another_signature() -> None:
    guest = make_csv_guest()
    before = guest.platform.cek.raw
    guest.platform.vendor.hsk.user_id += b"2"
    case = csv_case(guest)
    refused("signature.cek", replace(case, endorsements=replace(case.endorsements, cek=before)))


@pytest.mark.parametrize("kind", CSV_KINDS)
def test_what_nothing_was_changed_in_is_accepted(kind: CsvKind) -> None:
    guest = make_csv_guest(kind)
    verified = verify_csv(guest, mnonce=guest.mnonce)
    assert verified.evidence == guest.collect(REPORT_DATA)[: len(verified.evidence)]
    assert verified.measurement == guest.measure
    assert verified.bound == ("report_data", "mnonce")
    assert (verified.endorsements_issued, verified.endorsements_expire) == (None, None)
    claims = verified.claims
    assert claims["report_data"] == REPORT_DATA.hex()
    assert claims["version"] == int(kind[-1])
    assert claims["signer_mac_verified"]
    assert (claims["build"], claims["anonce"]) == (
        (None, guest.anonce) if kind != "csv3-v2" else (2337, None)
    )
    assert not any("sig_r" in name or name == "fw_build" for name in claims)


@pytest.mark.parametrize("kind", CSV_KINDS)
def test_a_restored_report(kind: CsvKind) -> None:
    guest = make_csv_guest(kind)
    verified = verify_csv(csv_case(guest, restored=True))
    assert not verified.claims["signer_mac_verified"]
    assert "signer_mac" in verified.limits
    guest.mac = bytes(range(32))
    verify_csv(csv_case(guest, restored=True))
    if kind != "csv3-v2":  # which has no mask
        refused("format.bad_value", replace(csv_case(guest), restored=True))


def test_what_csv_cannot_prove_is_in_the_result() -> None:
    limits = {kind: set(verify_csv(shared_csv_case(kind)).limits) for kind in CSV_KINDS}
    always = {"serial_number", "revocation", "owner"}
    version_1 = always | {"firmware_version", "runtime_registers", "mask"}
    assert limits == {
        "csv1-v1": version_1 | {"memory_integrity", "registers"},
        "csv2-v1": version_1 | {"memory_integrity"},
        "csv3-v1": version_1,
        "csv3-v2": always,
    }
    assert set().union(*limits.values()) | {"signer_mac"} == set(CSV_LIMITS)


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("binding.report_data", {"binding": Binding(bytes(64))}),
        ("usage.report_data_length", {"binding": Binding(bytes(32))}),
        ("usage.config_id_unsupported", {"binding": Binding(config_id=bytes(32))}),
        ("binding.mnonce", {"mnonce": bytes(16)}),
        ("usage.mnonce_length", {"mnonce": bytes(15)}),
        ("usage.naive_datetime", {"now": datetime(2026, 1, 1)}),  # noqa: DTZ001 - that is it
    ],
)
@pytest.mark.parametrize("kind", ["csv1-v1", "csv3-v2"])
def test_bindings(kind: CsvKind, code: str, options: dict[str, Any]) -> None:
    refused(code, shared_csv_case(kind), **options)


def test_nothing_is_bound_unless_asked() -> None:
    assert verify_csv(shared_csv_case("csv3-v1"), binding=Binding()).bound == ()


def test_the_mask_hides_nothing_from_the_comparison() -> None:
    for anonce in (0, 1, 0xFFFFFFFF):
        guest = make_csv_guest()
        guest.anonce = anonce
        assert verify_csv(guest).report.tee_info.report_data == REPORT_DATA


@pytest.mark.parametrize("kind", ["csv1-v1", "csv3-v1"])
def test_a_mask_that_nothing_signs_is_one_of_the_limits(kind: CsvKind) -> None:
    """Who carries a report of version 1 can change all of its fields by the same 4 bytes, policy included."""
    guest = make_csv_guest(kind)
    before = verify_csv(guest, mnonce=guest.mnonce)
    info, signer = CsvTeeInfo, CsvSigner
    report, other = bytearray(guest.collect(REPORT_DATA)), (1).to_bytes(4, "little")
    for start, end in ((info.sig_usage.offset, info.anonce.end), (info.SIZE, info.SIZE + signer.mac.offset)):
        report[start:end] = _changed(report[start:end], other)
    mac = HMAC(_changed(guest.mnonce, other), SM3())
    mac.update(bytes(report[info.SIZE : info.SIZE + signer.mac.offset]))
    report[info.SIZE + signer.mac.offset : info.SIZE + signer.mac.end] = mac.finalize()
    changed = _changed(REPORT_DATA, other)
    after = verify_csv(replace(csv_case(guest), report=bytes(report)), binding=Binding(changed))
    assert before.claims["policy"] != after.claims["policy"]
    assert after.measurement == _changed(before.measurement, other)  # which reference values do not match
    assert "mask" in after.limits


def _changed(data: bytes | bytearray, by: bytes) -> bytes:
    return bytes(byte ^ by[index % 4] for index, byte in enumerate(data))


def test_the_length_of_report_data() -> None:
    with pytest.raises(UsageError):
        make_csv_guest().collect(bytes(63))


@pytest.mark.parametrize(("x", "y"), [(0, 0), (1, 1), (-1, 1), (1 << 256, 1), (1, (1 << 256) - 1)])
def test_points_that_are_none(x: int, y: int) -> None:
    with pytest.raises(ValueError, match="curve"):
        parsed_sm2_key(x, y, b"id")


def test_endorsements_complete_each_other() -> None:
    given = shared_csv_case("csv3-v1").endorsements
    assert replace(given, hrk=None).or_else(CsvEndorsements(hrk=given.hrk)) == given


def test_vendors_make_their_own_keys() -> None:
    one, two = make_hygon_vendor(), make_hygon_vendor()
    one.hsk.key = type(one.hsk.key).generate()
    assert one.hsk.raw != two.hsk.raw
