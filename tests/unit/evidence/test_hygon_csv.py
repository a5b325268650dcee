"""The CSV report, both versions, its masks, and the shapes of evidence."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from eaa.attester.simulated.hygon_vendor import SimulatedCsvGuest
from eaa.endorsements.hygon_certificate import HygonCaCertificate, HygonCertificateBody
from eaa.errors import FormatError
from eaa.evidence.hygon_csv import (
    CSV_PAGE_BYTES,
    CSV_REPORT_BYTES,
    CsvTeeInfo,
    CsvTeeInfoV2,
    parse_csv_report,
)
from eaa.evidence.hygon_csv_evidence import CsvEvidence, parse_csv_evidence
from eaa.evidence.psp_certificate import PspCertificate
from tests.fakes.hygon_vendor import CSV_KINDS, REPORT_DATA, CsvKind, make_csv_guest


def psp_json(raw: bytes) -> dict[str, Any]:
    """A certificate as csv-rs writes it in JSON."""
    frame, key = PspCertificate(raw), HygonCertificateBody(PspCertificate(raw).pubkey)
    return {
        "body": {
            "ver": frame.version,
            "data": {
                "firmware": {"major": frame.api_major, "minor": frame.api_minor},
                "reserved1": 0,
                "pubkey": {
                    "usage": frame.pubkey_usage,
                    "algo": frame.pubkey_algo,
                    "key": {"g": key.curve, "x": [*key.pubkey_x], "y": [*key.pubkey_y]},
                },
                "uid_size": key.uid_size,
                "user_id": [*key.user_id],
                "sid": [*key.certifying_id],
                "reserved2": [*key.reserved],
            },
        },
        "sigs": [
            {
                "usage": usage,
                "algo": algorithm,
                "signature": {"r": [*data[:72]], "s": [*data[72:144]]},
                "_reserved": [*data[144:]],
            }
            for usage, algorithm, data in (
                (frame.sig1_usage, frame.sig1_algo, frame.sig1),
                (frame.sig2_usage, frame.sig2_algo, frame.sig2),
            )
        ],
    }


def ca_json(raw: bytes) -> dict[str, Any]:
    """An HSK's certificate as csv-rs writes it in JSON."""
    item = HygonCaCertificate(raw)
    return {
        "body": {
            "preamble": {
                "ver": item.version,
                "data": {
                    "kid": [*item.key_id],
                    "sid": [*item.certifying_id],
                    "usage": item.key_usage,
                    "reserved": [*item.reserved0],
                },
            },
            "pubkey": {"g": item.curve, "x": [*item.pubkey_x], "y": [*item.pubkey_y]},
            "uid_size": item.uid_size,
            "user_id": [*raw[0xD6:0x1D4]],
            "reserved": [*item.reserved1],
        },
        "signature": {"r": [*item.sig_r], "s": [*item.sig_s]},
        "_reserved": [*item.reserved2],
    }


def guest_json(guest: SimulatedCsvGuest, *, with_chip: bool = False) -> dict[str, Any]:
    """Evidence as guest components write it."""
    platform = guest.platform
    chain: dict[str, Any] = {"pek": psp_json(platform.pek.raw)}
    if with_chip:
        chain["hsk_cek"] = {"hsk": ca_json(platform.vendor.hsk.raw), "cek": psp_json(platform.cek.raw)}
    return {
        "attestation_report": {
            "magic": [*(b"ATTESTATION_EXT\x00" if guest.version == 2 else bytes(16))],
            "flags": guest.version - 1,
            "data": [*guest.collect_restored(REPORT_DATA)],
        },
        "cert_chain": chain,
        "serial_number": [*platform.serial_number.encode().ljust(64, b"\x00")],
        "cc_eventlog": base64.b64encode(b"log").decode(),
    }


def malformed(field: str, call: Callable[[], object]) -> None:
    with pytest.raises(FormatError) as caught:
        call()
    assert caught.value.field == field, caught.value


@pytest.mark.parametrize("kind", CSV_KINDS)
def test_masks_are_removed(kind: CsvKind) -> None:
    guest = make_csv_guest(kind, vm_id=b"v" * 16, user_pubkey_digest=b"u" * 32)
    report = parse_csv_report(guest.collect(REPORT_DATA), restored=False)
    info = report.tee_info
    assert (info.report_data, info.mnonce, info.measure) == (REPORT_DATA, guest.mnonce, guest.measure)
    assert (info.vm_id, info.user_pubkey_digest) == (b"v" * 16, b"u" * 32)
    assert report.pek_cert == guest.platform.pek.raw
    assert report.serial_number == guest.platform.serial_number
    assert report.policy.value == guest.policy
    assert isinstance(info, CsvTeeInfo if report.version == 1 else CsvTeeInfoV2)
    assert (REPORT_DATA in report.signed) == (report.version == 2)
    assert report.encode() == guest.collect(REPORT_DATA)[: CSV_REPORT_BYTES[report.version]]


@pytest.mark.parametrize("kind", CSV_KINDS)
def test_with_and_without_the_filling(kind: CsvKind) -> None:
    page = make_csv_guest(kind).collect(REPORT_DATA)
    size = CSV_REPORT_BYTES[1 if kind != "csv3-v2" else 2]
    assert parse_csv_report(page, restored=False) == parse_csv_report(page[:size], restored=False)
    for wrong in (page[: size - 1], page[: size + 1], page + b"\x00"):
        malformed("length", partial(parse_csv_report, wrong, restored=False))
    malformed("padding", lambda: parse_csv_report(page[:-1] + b"\x01", restored=False))


def test_truncated_at_every_length() -> None:
    for kind in ("csv1-v1", "csv3-v2"):
        raw = parse_csv_report(make_csv_guest(kind).collect(REPORT_DATA), restored=False).raw
        for size in range(len(raw)):
            with pytest.raises(FormatError):
                parse_csv_report(raw[:size], restored=False)


def test_a_version_that_it_is_not() -> None:
    for kind, other in (("csv1-v1", 2), ("csv3-v2", 1)):
        page = make_csv_guest(kind).collect(REPORT_DATA)  # type: ignore[arg-type]  # both are kinds
        malformed("sig_usage", partial(parse_csv_report, page, restored=False, version=other))


@pytest.mark.parametrize("kind", CSV_KINDS)
@pytest.mark.parametrize("with_chip", [False, True])
def test_json(kind: CsvKind, with_chip: bool) -> None:
    guest = make_csv_guest(kind)
    data = json.dumps(guest_json(guest, with_chip=with_chip)).encode()
    for shape in (data, b"\n" + data, base64.b64encode(data)):
        evidence = parse_csv_evidence(shape)
        assert evidence.report.raw == guest.collect_restored(REPORT_DATA)[: len(evidence.report.raw)]
        assert evidence.report.restored
        assert evidence.report.mac_input is None
        assert evidence.event_log == b"log"
        expected = (guest.platform.vendor.hsk.raw, guest.platform.cek.raw) if with_chip else (None, None)
        assert (evidence.hsk, evidence.cek) == expected


def test_binary_shapes() -> None:
    guest = make_csv_guest()
    whole = guest.collect_with_chip(REPORT_DATA)
    assert parse_csv_evidence(whole.encode()) == whole
    assert parse_csv_evidence(base64.encodebytes(whole.encode())) == whole
    alone = CsvEvidence(whole.report)
    assert parse_csv_evidence(alone.encode()) == alone == parse_csv_evidence(guest.collect(REPORT_DATA))
    changed = bytearray(whole.encode())
    changed[CSV_PAGE_BYTES] ^= 1
    malformed("hsk_cek_cert_len", lambda: parse_csv_evidence(bytes(changed)))
    malformed("length", lambda: parse_csv_evidence(bytes(300_000)))
    for other in (b"", b"neither", base64.b64encode(bytes(77)), bytes(77)):
        malformed("encoding", partial(parse_csv_evidence, other))


CHANGES: list[tuple[str, str, object]] = [
    ("attestation_report", "attestation_report", None),
    ("attestation_report", "attestation_report.more", 1),
    ("data", "attestation_report.data", [0] * 4095),
    ("data", "attestation_report.data", [256] * 4096),
    ("data", "attestation_report.data", [True] * 4096),
    ("data", "attestation_report.data", "AAAA"),
    ("magic", "attestation_report.magic", [1] * 16),
    ("flags", "attestation_report.flags", -1),
    ("JSON", "more", 1),
    ("cert_chain", "cert_chain", []),
    ("cert_chain", "cert_chain.more", 1),
    ("pek", "cert_chain.pek.body.data.sid", [1] * 16),
    ("pek", "cert_chain.pek.more", 1),
    ("sigs", "cert_chain.pek.sigs", []),
    ("uid_size", "cert_chain.pek.body.data.uid_size", 1 << 16),
    ("hsk_cek", "cert_chain.hsk_cek", 1),
    ("hsk_cek", "cert_chain.hsk_cek", {"more": 1}),
    ("hsk", "cert_chain.hsk_cek", {"hsk": None}),
    ("serial_number", "serial_number", [65]),
    ("serial_number", "serial_number", [65] * 5000),
    ("serial_number", "serial_number", None),
    ("cc_eventlog", "cc_eventlog", "*"),
    ("cc_eventlog", "cc_eventlog", 5),
]


@pytest.mark.parametrize(
    ("field", "path", "value"), CHANGES, ids=[f"{p}-{n}" for n, (_, p, _) in enumerate(CHANGES)]
)
def test_what_json_cannot_be(field: str, path: str, value: object) -> None:
    document = guest_json(make_csv_guest())
    *owners, name = path.split(".")
    target: Any = document
    for owner in owners:
        target = target[owner]
    target[name] = value
    malformed(field, lambda: parse_csv_evidence(json.dumps(document).encode()))


def test_flags_of_the_extension() -> None:
    document = guest_json(make_csv_guest())
    document["attestation_report"]["magic"] = [*b"ATTESTATION_EXT\x00"]
    assert parse_csv_evidence(json.dumps(document).encode()).report.version == 1
    document["attestation_report"]["flags"] = 1
    malformed("sig_usage", lambda: parse_csv_evidence(json.dumps(document).encode()))
    document["cc_eventlog"] = None
    document["attestation_report"]["flags"] = 0
    assert parse_csv_evidence(json.dumps(document).encode()).event_log is None
