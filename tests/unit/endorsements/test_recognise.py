from __future__ import annotations

import base64
import json
from urllib.parse import quote as url_quote

import pytest

from eaa.attester.simulated.export import collateral_files, dcap_qvl_json
from eaa.codec.pem import encode_pem
from eaa.codec.strict_json import member_bytes
from eaa.endorsements.recognise import MAX_INPUT_BYTES, Kind, Recognised, recognise
from eaa.errors import FormatError
from tests.fakes.certificates import certificate, crl, pck_certificate
from tests.fakes.vendor import KINDS, shared_evidence

QUOTE = shared_evidence("tdx-v4").quote
FILES = collateral_files(shared_evidence("tdx-v4").collateral)
EVENT_LOG = bytes(4) + b"\x03\x00\x00\x00" + bytes(24) + b"Spec ID Event03\x00" + bytes(20)
SNP_REPORT = b"\x02\x00\x00\x00" + bytes(1180)
TCB_INFO = member_bytes(FILES["tcb_info.json"], "tcbInfo", "test")
IDENTITY = member_bytes(FILES["qe_identity.json"], "enclaveIdentity", "test")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        *((shared_evidence(kind).quote, Kind.DCAP_QUOTE) for kind in KINDS),
        (QUOTE[:100], Kind.DCAP_QUOTE),
        (QUOTE[:2] + b"\x03" + QUOTE[3:12] + bytes(16) + QUOTE[28:], Kind.DCAP_QUOTE),
        (b"\x09" + QUOTE[1:], Kind.DCAP_QUOTE),
        (QUOTE[48 : 48 + 584], Kind.TD_REPORT),
        (bytes(648), Kind.TD_REPORT),
        (bytes(384), Kind.ENCLAVE_REPORT),
        (b"\x81" + bytes(1023), Kind.TDREPORT_STRUCT),
        (SNP_REPORT, Kind.SNP_REPORT),
        (EVENT_LOG, Kind.EVENT_LOG),
        (pck_certificate().der, Kind.PCK_CERTIFICATE),
        (certificate().der, Kind.CERTIFICATE),
        (certificate().der[:-1], Kind.CERTIFICATE),
        (crl(), Kind.REVOCATION_LIST),
        (TCB_INFO, Kind.TCB_INFO),
        (IDENTITY, Kind.ENCLAVE_IDENTITY),
        (FILES["tcb_info_issuer_chain.pem"].strip(), Kind.CERTIFICATE_CHAIN),
        (dcap_qvl_json(shared_evidence("tdx-v4").collateral), Kind.COLLATERAL),
        (b'{"platforms":[],"collaterals":{}}', Kind.COLLATERAL),
    ],
)
def test_kinds_without_wrapping(data: bytes, kind: Kind) -> None:
    assert recognise(data) == Recognised(kind, data)


def base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@pytest.mark.parametrize("data", [QUOTE, EVENT_LOG, SNP_REPORT, crl(), certificate().der])
def test_text_encodings(data: bytes) -> None:
    hexadecimal, standard = data.hex().encode(), base64.b64encode(data)
    for text, name in (
        (hexadecimal, "hex"),
        (b"0x" + hexadecimal.upper() + b"\n", "hex"),
        (b"\n".join(hexadecimal[n : n + 60] for n in range(0, len(hexadecimal), 60)), "hex"),
        (standard + b"\r\n\x00", "base64"),
        (base64.encodebytes(data), "base64"),
        (standard.rstrip(b"="), "base64"),
    ):
        found = recognise(text)
        assert (found.data, found.wrappings) == (data, (name,))


def test_base64url() -> None:
    data = QUOTE[:48] + b"\xff\xfe\xfb" * 40
    text = base64url(data)
    assert b"_" in text
    assert b"/" not in text
    assert recognise(text) == Recognised(Kind.DCAP_QUOTE, data, ("base64url",))
    assert recognise(text + b"=" * (-len(text) % 4)).wrappings == ("base64url",)


def test_pem() -> None:
    leaf = certificate().der
    assert recognise(b"\n" + encode_pem(leaf)) == Recognised(Kind.CERTIFICATE, leaf, ("pem",))
    assert recognise(url_quote(encode_pem(leaf)).encode()) == Recognised(
        Kind.CERTIFICATE, leaf, ("url", "pem")
    )
    assert recognise(encode_pem(crl(), "X509 CRL")) == Recognised(Kind.REVOCATION_LIST, crl(), ("pem",))
    assert recognise(encode_pem(QUOTE, "QUOTE")) == Recognised(Kind.DCAP_QUOTE, QUOTE, ("pem",))
    chain = FILES["tcb_info_issuer_chain.pem"].strip()
    assert recognise(url_quote(chain).encode()) == Recognised(Kind.CERTIFICATE_CHAIN, chain, ("url",))


def test_documents_lose_their_signature() -> None:
    assert recognise(FILES["tcb_info.json"]) == Recognised(Kind.TCB_INFO, TCB_INFO, ("json:tcbInfo",))
    found = recognise(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n" + FILES["qe_identity.json"])
    assert found == Recognised(Kind.ENCLAVE_IDENTITY, IDENTITY, ("http", "json:enclaveIdentity"))


@pytest.mark.parametrize("name", ["quote", "tdx_quote", "evidence", "Quote"])
def test_json_around_a_quote(name: str) -> None:
    text = json.dumps({"x": [1], "nonce": "00", name: base64.b64encode(QUOTE).decode()}).encode()
    assert recognise(text) == Recognised(Kind.DCAP_QUOTE, QUOTE, (f"json:{name}", "base64"))


def test_evidence_of_confidential_containers() -> None:
    text = json.dumps(
        {
            "cc_eventlog": base64.b64encode(EVENT_LOG).decode(),
            "quote": base64.b64encode(QUOTE).decode(),
            "evidence": None,
        }
    ).encode()
    found = recognise(text)
    assert (found.kind, found.data) == (Kind.DCAP_QUOTE, QUOTE)
    assert found.beside == (Recognised(Kind.EVENT_LOG, EVENT_LOG, ("json:cc_eventlog", "base64")),)


def test_text_in_json_in_json() -> None:
    inner = json.dumps({"tdx": {"quote": QUOTE.hex()}})
    found = recognise(json.dumps({"evidence": inner}).encode())
    assert found == Recognised(
        Kind.DCAP_QUOTE, QUOTE, ("json:evidence", "json:tdx", "json:quote", "hex")
    )  # fmt: skip


def test_wrappings_are_bounded() -> None:
    text = QUOTE
    for _ in range(4):
        text = base64.b64encode(text)
    assert recognise(text).wrappings == ("base64",) * 4
    with pytest.raises(FormatError) as caught:
        recognise(base64.b64encode(text))
    assert caught.value.code == "format.too_deep"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "format.unrecognised"),
        (b"hello, world", "format.unrecognised"),
        (b"hello", "format.unrecognised"),
        (b"deadbeef", "format.unrecognised"),
        (b"-_-_", "format.unrecognised"),
        (bytes(1184), "format.unrecognised"),
        (bytes(1024), "format.unrecognised"),
        (b"[]", "format.unrecognised"),
        (b"{}", "format.unrecognised"),
        (b'{"quote": 7, "evidence": "", "data": [1]}', "format.unrecognised"),
        (b'{"quote": "\\ud800"}', "format.bad_value"),
        (b'{"quote": ', "format.not_json"),
        (b'{"quote": 1, "quote": 2}', "format.duplicate_key"),
        (b"HTTP/1.1", "format.not_http"),
        (b"-----BEGIN", "format.not_pem"),
        (encode_pem(b"x" * 9).replace(b"eHh4", b"eHh"), "format.not_pem"),
        (encode_pem(b"x" * 9), "format.unrecognised"),
        (encode_pem(b"x" * 9, "PRIVATE KEY"), "format.unrecognised"),
        (b"-----BEGIN CERTIFICATE-----", "format.not_pem"),
        (b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", "format.unrecognised"),
        (bytes(MAX_INPUT_BYTES), "format.unrecognised"),
        (bytes(100 << 20), "format.too_large"),
    ],
    ids=lambda value: f"{value[:20]!r}" if isinstance(value, bytes) else None,
)
def test_anything_else_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        recognise(data)
    assert caught.value.code == code
