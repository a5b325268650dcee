"""Settings, explanations, bundles, freshness, waiting."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from eaa.endorsements.fetched import Fetched
from eaa.endorsements.kds_address import vcek_levels
from eaa.endorsements.subject import AmdChainSubject, IdentitySubject, RootCaCrlSubject, Subject
from eaa.errors import ConfigError, EAAError, FormatError, SignatureError
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion
from eaa.provider.explained import PCCS_STATUSES, PCS_STATUSES, explain_quote_code
from eaa.provider.freshness import Freshness
from eaa.provider.http_answer import retry_after_seconds
from eaa.provider.kds_store import vcek_file_name
from eaa.provider.kept import Held, Kept
from eaa.provider.settings import PROVIDERS, ProviderSpec, parse_provider
from eaa.provider.signed_bundle import FORMAT, decode_bundle, encode_bundle, is_bundle
from eaa.verify.fetched_result import Genuine
from eaa.verify.windows import Window, Windows

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "kind", "target"),
    [
        ("pcs", "pcs", "https://api.trustedservices.intel.com"),
        ("pcs:https://sbx.api.trustedservices.intel.com", "pcs", "https://sbx.api.trustedservices.intel.com"),
        ("pccs:https://e.org/sgx/certification/v4/", "pccs", "https://e.org/sgx/certification/v4/"),
        (
            "aliyun:cn-hangzhou", "pccs",
            "https://sgx-dcap-server.cn-hangzhou.aliyuncs.com/sgx/certification/v4/",
        ),
        (
            "aliyun-vpc:cn-beijing", "pccs",
            "https://sgx-dcap-server-vpc.cn-beijing.aliyuncs.com/sgx/certification/v4/",
        ),
        ("qcnl", "qcnl", ""), ("qcnl:/etc/x.conf", "qcnl", "/etc/x.conf"),
        ("kds", "kds", "https://kdsintf.amd.com"), ("hygon", "hygon", "https://cert.hygon.cn"),
        ("folder:/a:b", "folder", "/a:b"), ("store:kds-store", "store", "kds-store"),
    ],
)  # fmt: skip
def test_providers_by_name(text: str, kind: str, target: str) -> None:
    assert parse_provider(text) == ProviderSpec(kind, target)
    assert kind in PROVIDERS


@pytest.mark.parametrize(
    "text",
    ["", "intel", "pccs", "folder", "store:", "aliyun", "aliyun:a.b/c", "aliyun-vpc:", "pcs:http://e.org"],
)
def test_what_names_no_provider(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_provider(text)


def test_intels_codes_are_explained() -> None:
    found = explain_quote_code(0xE047)
    assert found is not None
    assert "not found in the cache" in found.meaning
    assert explain_quote_code(0xE0FE) is None
    assert explain_quote_code(0x1047) is None
    assert set(PCCS_STATUSES) >= {460, 461, 462}
    assert set(PCS_STATUSES) >= {400, 401, 404, 429, 500, 503}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5.0), (" 7 ", 7.0), ("0", 0.0), ("999999999999", 86400.0),
        ("Thu, 15 Jan 2026 12:01:00 GMT", 60.0),
        ("Thu, 15 Jan 2026 12:01:00 -0000", 60.0), ("Thu, 15 Jan 2020 12:01:00 GMT", 0.0),
        ("Thu, 15 Jan 2099 12:01:00 GMT", 86400.0), ("", None), ("-5", None), ("soon", None), ("1.5", None),
    ],
)  # fmt: skip
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


def test_patch_levels_in_urls_and_file_names() -> None:
    old, new = TcbVersion(2, 0, 6, 21), TcbVersion(1, 1, 4, 110, fmc=1)
    assert vcek_levels(old) == {"blSPL": "02", "teeSPL": "00", "snpSPL": "06", "ucodeSPL": "21"}
    assert list(vcek_levels(new)) == ["fmcSPL", "blSPL", "teeSPL", "snpSPL", "ucodeSPL"]
    assert vcek_file_name(old) == "bl02_tee00_snp06_ucode21_vcek.der"
    assert vcek_file_name(new) == "bl01_tee01_snp04_ucode110_fmc01_vcek.der"


# ── bundles ──

KEPT = tuple(
    Kept(subject, Fetched(b"\x00body", b"-----BEGIN"), "PCS https://x", NOW)
    for subject in (RootCaCrlSubject(), IdentitySubject("QE"))
)


def sign(data: bytes) -> bytes:
    return (b"signed:" + data[:57]).ljust(64, b"\x00")


def signed(signature: bytes, data: bytes) -> bool:
    return signature == sign(data)


def test_a_bundle_holds_what_was_put_in_whatever_the_order() -> None:
    bundle = encode_bundle(KEPT, key_id="owner", sign=sign)
    assert bundle == encode_bundle(reversed(KEPT), key_id="owner", sign=sign)
    assert is_bundle(bundle)
    assert not is_bundle(b'{"format":"else"}')
    read = decode_bundle(bundle)
    assert read.key_id == "owner"
    assert set(read.entries(signed)) == set(KEPT)
    with pytest.raises(SignatureError) as raised:
        read.entries(lambda signature, data: False)
    assert raised.value.code == "signature.endorsement_bundle"


def test_the_signature_is_over_form_and_payload() -> None:
    read = decode_bundle(encode_bundle(KEPT, key_id="owner", sign=sign))
    seen: list[bytes] = []

    def refuse(signature: bytes, data: bytes) -> bool:
        seen.append(data)
        return False

    with pytest.raises(SignatureError):
        read.entries(refuse)
    assert seen == [f"{FORMAT} {len(read.payload)} ".encode() + read.payload]


def payload(**changed: object) -> dict[str, object]:
    entry = {
        "subject": "intel/rootcacrl", "body": "AA==", "issuer_chain": "", "source": "x",
        "fetched_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    return entry | changed


@pytest.mark.parametrize(
    "entries",
    [
        1, [1], [payload(subject="x")], [payload(body="A")], [payload(fetched_at="soon")],
        [payload(source=1)],
        [payload(more=1)], [payload(), payload()], [payload(issuer_chain="\ud800")],
    ],
)  # fmt: skip
def test_malformed_payloads(entries: object) -> None:
    text = json.dumps({"endorsements": entries})
    document = {"format": FORMAT, "payload": text, "key_id": "owner", "signature": "AA" * 42 + "AA=="}
    document["signature"] = "A" * 86 + "=="
    with pytest.raises(FormatError):
        decode_bundle(json.dumps(document).encode()).entries(lambda signature, data: True)


@pytest.mark.parametrize(
    "changed",
    [{"format": "eaa-endorsements/2"}, {"signature": "AA=="}, {"key_id": 1}, {"more": 1}, {"payload": None}],
)
def test_malformed_bundles(changed: dict[str, object]) -> None:
    document = json.loads(encode_bundle(KEPT, key_id="owner", sign=sign)) | changed
    with pytest.raises(FormatError):
        decode_bundle(json.dumps(document).encode())


def test_bundles_that_are_no_json() -> None:
    for data in (b"", b"[]", b"x", bytes(17 * 1024 * 1024)):
        with pytest.raises(EAAError):
            decode_bundle(data)


# ── freshness ──


def held(subject: Subject, *, days: float, fetched: datetime = NOW) -> Held:
    window = Window("it", "it", NOW, NOW + timedelta(days=days))
    return Held(Kept(subject, Fetched(b""), "", fetched), Genuine(subject, 1, NOW, Windows.of((window,))))


def test_what_changes_is_asked_for_again_within_a_day() -> None:
    due = Freshness().due(held(RootCaCrlSubject(), days=30))
    assert NOW + timedelta(hours=21) < due <= NOW + timedelta(hours=24)


def test_what_ends_soon_is_asked_for_before_it_ends() -> None:
    due = Freshness(changing=timedelta(days=90)).due(held(RootCaCrlSubject(), days=30))
    assert NOW + timedelta(days=22) < due <= NOW + timedelta(days=25)
    short = Freshness().due(held(RootCaCrlSubject(), days=0.5))
    assert NOW < short <= NOW + timedelta(days=0.34)


def test_certificates_last() -> None:
    due = Freshness().due(held(AmdChainSubject(SnpProduct.MILAN), days=9000))
    assert NOW + timedelta(days=26) < due <= NOW + timedelta(days=30)


def test_many_processes_spread_their_requests() -> None:
    item = held(RootCaCrlSubject(), days=30)
    times = {Freshness(salt=bytes((number,))).due(item) for number in range(200)}
    assert len(times) == 200
    assert max(times) - min(times) > timedelta(hours=2)


def test_what_is_late_is_due_at_once() -> None:
    late = held(RootCaCrlSubject(), days=30, fetched=NOW + timedelta(days=29))
    assert Freshness().due(late) < NOW + timedelta(days=29)
