"""Endorsements in the shapes people have: each shape gives the collateral that the vendor made."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote as url_quote

import pytest

from eaa.attester.simulated.export import collateral_files, dcap_qvl_json
from eaa.codec.pem import decode_pem_certificates, encode_pem
from eaa.endorsements.bundle import MAX_FILES, read_endorsement_folder, read_endorsements
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.pool import EndorsementPool, collateral_for
from eaa.errors import EndorsementError, FormatError
from eaa.evidence.dcap_quote import parse_quote
from tests.fakes.vendor import Evidence, Kind, make_attester, shared_evidence, verify

Files = dict[str, bytes]


def evidence(kind: Kind = "tdx-v4") -> Evidence:
    return shared_evidence(kind)


def files(kind: Kind = "tdx-v4") -> Files:
    return collateral_files(evidence(kind).collateral)


def selected(pool: EndorsementPool, kind: Kind = "tdx-v4") -> IntelCollateral:
    return collateral_for(parse_quote(evidence(kind).quote), pool)


def http(body: bytes, headers: Mapping[str, bytes], newline: bytes = b"\r\n") -> bytes:
    lines = [b"HTTP/1.1 200 OK", *(b"%b: %b" % (name.encode(), value) for name, value in headers.items())]
    return newline.join([*lines, b"", b""]) + body


def encoded(chain: bytes) -> bytes:
    return url_quote(chain).encode()


# ── folders ──


@pytest.mark.parametrize("kind", ["sgx-v3", "tdx-v4", "tdx15-v5"])
def test_a_folder_of_files(kind: Kind) -> None:
    pool = read_endorsement_folder({**files(kind), "README.md": b"tcbInfo is here", "empty": b""})
    assert selected(pool, kind) == evidence(kind).collateral
    assert pool.ignored == ("README.md", "empty")
    verify(Evidence(evidence(kind).quote, selected(pool, kind), evidence(kind).trust_anchor))


def to_hex(data: bytes) -> bytes:
    return data.hex().encode() + b"\n"


def to_base64(data: bytes) -> bytes:
    return base64.encodebytes(data)


def to_pem(data: bytes) -> bytes:
    return encode_pem(data, "X509 CRL")


@pytest.mark.parametrize("shape", [bytes, to_hex, to_base64, to_pem], ids=["der", "hex", "base64", "pem"])
def test_lists_in_every_encoding(shape: Callable[[bytes], bytes]) -> None:
    folder = files()
    for name in ("root_ca_crl.der", "pck_crl.der"):
        folder[name] = shape(folder[name])
    assert selected(read_endorsement_folder(folder)) == evidence().collateral


def reverse(chain: bytes) -> bytes:
    return b"".join(encode_pem(der) for der in reversed(decode_pem_certificates(chain, "chain")))


def crlf(chain: bytes) -> bytes:
    return b"\n" + chain.replace(b"\n", b"\r\n")


@pytest.mark.parametrize("shape", [reverse, encoded, crlf], ids=["root first", "url", "crlf"])
def test_chains_in_every_order_and_encoding(shape: Callable[[bytes], bytes]) -> None:
    folder = {name: shape(data) if name.endswith(".pem") else data for name, data in files().items()}
    assert selected(read_endorsement_folder(folder)) == evidence().collateral


def test_one_certificate_per_file() -> None:
    folder = files()
    for name in [name for name in folder if name.endswith(".pem")]:
        for n, der in enumerate(decode_pem_certificates(folder.pop(name), name)):
            folder[f"{name}.{n}"] = der if n else to_hex(der)
    assert selected(read_endorsement_folder(folder)) == evidence().collateral


def test_a_broken_file_is_named() -> None:
    for name, data in files().items():
        broken = data.replace(b"a", b"", 1) if name.endswith(".pem") else data[:-20]
        with pytest.raises(FormatError) as caught:
            read_endorsement_folder({**files(), name: broken})
        assert name in caught.value.what


def test_a_folder_is_bounded() -> None:
    with pytest.raises(FormatError) as caught:
        read_endorsement_folder({str(n): b"" for n in range(MAX_FILES + 1)})
    assert caught.value.code == "format.too_large"
    assert read_endorsement_folder({}).empty
    assert read_endorsement_folder({"zeros": bytes(100 << 20)}).ignored == ("zeros",)


# ── dcap-qvl ──


@pytest.mark.parametrize("kind", ["sgx-v3", "tdx-v4"])
def test_dcap_qvl(kind: Kind) -> None:
    pool = read_endorsements("collateral.json", dcap_qvl_json(evidence(kind).collateral))
    assert selected(pool, kind) == evidence(kind).collateral


def qvl() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(dcap_qvl_json(evidence().collateral))
    return value


def read_json(value: Any) -> EndorsementPool:
    return read_endorsements("file", json.dumps(value).encode())


def test_dcap_qvl_with_arrays_of_bytes() -> None:
    value = qvl()
    for name in ("root_ca_crl", "pck_crl", "tcb_info_signature", "qe_identity_signature"):
        value[name] = list(bytes.fromhex(value[name]))
    assert selected(read_json(value)) == evidence().collateral


@pytest.mark.parametrize("name", ["quote_collateral", "collateral"])
def test_dcap_qvl_inside_another_object(name: str) -> None:
    assert selected(read_json({"quote": "00", name: qvl()})) == evidence().collateral
    deep: Any = qvl()
    for _ in range(9):
        deep = {name: deep}
    with pytest.raises(FormatError, match="not an endorsement"):
        read_json(deep)


def test_dcap_qvl_with_the_pck_chain() -> None:
    chain = files()["pck_crl_issuer_chain.pem"].decode()
    pool = read_json({**qvl(), "pck_certificate_chain": chain})
    assert len(pool.certificates[0]) == 2
    assert read_json({**qvl(), "pck_certificate_chain": None}).certificates == ()


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("tcb_info", "tcb_info"),
        ("qe_identity", "qe_identity"),
        ("root_ca_crl", "root_ca_crl"),
        ("pck_crl", "pck_crl"),
    ],
)
@pytest.mark.parametrize("absent", ["", None, "missing"])
def test_dcap_qvl_with_a_part_missing(name: str, part: str, absent: str | None) -> None:
    value = {**qvl(), name: absent}
    if absent == "missing":
        del value[name]
    assert getattr(selected(read_json(value)), part) is None


def test_exchanged_lists_are_not_put_right() -> None:
    value = qvl()
    value["root_ca_crl"], value["pck_crl"] = value["pck_crl"], value["root_ca_crl"]
    collateral = selected(read_json(value))
    assert collateral.root_ca_crl == evidence().collateral.pck_crl
    assert collateral.pck_crl == evidence().collateral.root_ca_crl


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tcb_info", "{}"),
        ("tcb_info", "["),
        ("tcb_info", 7),
        ("tcb_info", '{"id":"TDX","fmspc":"00"}'),
        ("tcb_info", '{"id":"TDX","fmspc":"000000000000","tcbEvaluationDataNumber":-1}'),
        ("tcb_info_signature", None),
        ("tcb_info_signature", "00"),
        ("tcb_info_signature", "zz"),
        ("tcb_info_signature", [1] * 63),
        ("tcb_info_signature", {}),
        ("tcb_info_issuer_chain", []),
        ("qe_identity", "{}"),
        ("qe_identity", "\ud800"),
        ("qe_identity_issuer_chain", "\ud800"),
        ("root_ca_crl", "00"),
        ("pck_crl", [256]),
        ("pck_crl", "?"),
        ("pck_certificate_chain", "?"),
    ],
)
def test_a_broken_part_is_refused(name: str, value: Any) -> None:
    with pytest.raises(FormatError) as caught:
        read_json({**qvl(), name: value})
    assert "file" in caught.value.what


@pytest.mark.parametrize("name", ["tcb_info_signature", "qe_identity_signature"])
def test_a_document_without_its_signature_is_refused(name: str) -> None:
    value = qvl()
    del value[name]
    with pytest.raises(FormatError) as caught:
        read_json(value)
    assert (caught.value.code, caught.value.field) == ("format.missing", name)


# ── answers of PCS and PCCS ──

TCB_CHAINS = ("TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain", "tcb-info-issuer-chain")


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"], ids=["crlf", "lf"])
@pytest.mark.parametrize("tcb_chain", TCB_CHAINS)
def test_answers_with_their_headers(newline: bytes, tcb_chain: str) -> None:
    source = files()
    chain = encoded(source["tcb_info_issuer_chain.pem"])
    identity_chain = {"SGX-Enclave-Identity-Issuer-Chain": chain}
    pck_chain = {"SGX-PCK-CRL-Issuer-Chain": encoded(source["pck_crl_issuer_chain.pem"])}
    answers = {
        "tcb": http(source["tcb_info.json"], {"Request-ID": b"1", tcb_chain: chain}, newline),
        "qe": http(source["qe_identity.json"], identity_chain, newline),
        "crl": http(to_hex(source["pck_crl.der"]), pck_chain, newline),
        "root": http(source["root_ca_crl.der"], {}, newline),
    }
    collateral = selected(read_endorsement_folder(answers))
    expected = evidence().collateral
    assert collateral.tcb_info is not None
    assert collateral.tcb_info.issuer_chain == chain
    assert (collateral.root_ca_crl, collateral.pck_crl) == (expected.root_ca_crl, expected.pck_crl)
    verify(Evidence(evidence().quote, collateral, evidence().trust_anchor))


def test_a_pck_certificate_with_its_chain() -> None:
    chain = files()["pck_crl_issuer_chain.pem"]
    answer = http(chain, {"SGX-PCK-Certificate-Issuer-Chain": encoded(chain)})
    assert [len(group) for group in read_endorsements("file", answer).certificates] == [2, 2]


@pytest.mark.parametrize("member", ["headers", "Header"])
@pytest.mark.parametrize("listed", [False, True])
def test_answers_as_json(member: str, listed: bool) -> None:
    source = files()
    chain = encoded(source["tcb_info_issuer_chain.pem"]).decode()
    header = {"Tcb-Info-Issuer-Chain": [chain, "second"] if listed else chain, "X": None, "Y": []}
    if not listed:
        header["Y"] = "y"
    expected = evidence().collateral.tcb_info
    assert expected is not None
    for body in (
        source["tcb_info.json"].decode(),
        base64.b64encode(source["tcb_info.json"]).decode(),
        source["tcb_info.json"].hex(),
    ):
        if listed:
            header["Y"] = ["y"]
        (item,) = read_json({"status": 200, member: header, "Body": body}).tcb_infos
        assert (item.document.body, item.document.issuer_chain) == (expected.body, chain.encode())
    text = json.dumps({member: header, "body": None}).replace("null}", source["tcb_info.json"].decode() + "}")
    (item,) = read_endorsements("file", text.encode()).tcb_infos
    assert item.document.body == expected.body


@pytest.mark.parametrize(
    "value",
    [
        {"headers": {}, "note": "tcbInfo"},
        {"headers": "tcbInfo", "body": "{}"},
        {"body": "tcbInfo"},
        {"headers": {}, "body": "AAAA", "note": "tcbInfo"},
    ],
)
def test_other_json_is_no_endorsement(value: Any) -> None:
    with pytest.raises(FormatError) as caught:
        read_json(value)
    assert (caught.value.code, caught.value.what) == ("format.unrecognised", "file")


@pytest.mark.parametrize(
    "value", [{"headers": {"A": 1}, "body": "tcbInfo"}, {"headers": {}, "body": 7, "x": "tcbInfo"}]
)
def test_broken_json_answers_are_refused(value: Any) -> None:
    with pytest.raises(FormatError):
        read_json(value)


@pytest.mark.parametrize(
    ("dump", "field"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\nNo cache data for this platform.", "status"),
        (b"HTTP/1.1 301 Moved\r\n\r\n", "status"),
        (b"HTTP/1.1 200 OK\r\n", "headers"),
        (b"HTTP/1.1 200 OK\r\n\r\nHello", "content"),
    ],
)
def test_answers_without_an_endorsement_are_refused(dump: bytes, field: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_endorsements("file", dump)
    assert (caught.value.what, caught.value.field) == ("file", field)


def test_a_signature_covers_the_received_bytes() -> None:
    text = files()["tcb_info.json"].replace(b'"fmspc":', b'"fmspc" :  ')
    (item,) = read_endorsements("file", text).tcb_infos
    assert b'"fmspc" :  ' in item.document.body


@pytest.mark.parametrize("name", ["tcb_info.json", "qe_identity.json"])
@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text[:-1],
        lambda text: text.replace(b'"signature"', b'"Signature"'),
        lambda text: text.replace(b'"signature":"', b'"signature":"0'),
        lambda text: text.replace(b'"issueDate":', b'"issued":'),
        lambda text: text.replace(b'"issueDate":', b'"issueDate":"x","issueDate":'),
    ],
    ids=["truncated", "unsigned", "odd hex", "no date", "twice"],
)
def test_broken_documents_are_refused(name: str, edit: Callable[[bytes], bytes]) -> None:
    with pytest.raises(FormatError) as caught:
        read_endorsements("file", edit(files()[name]))
    assert "file" in caught.value.what


def test_documents_of_version_1_are_left_to_verification() -> None:
    text = files("sgx-v3")["tcb_info.json"].replace(b'"id":"SGX","version":3', b'"version":1')
    text = text.replace(b'"tcbEvaluationDataNumber":17,', b"")
    (item,) = read_endorsements("file", text).tcb_infos
    assert (item.tee, item.tcb_evaluation_data_number) == ("sgx", 0)


# ── platform_collaterals.json ──


def platform_collaterals(kind: Kind = "tdx-v4") -> dict[str, Any]:
    """As PCCS's admin tool writes it: documents parsed, identities as text, chains URL-encoded."""
    source = files(kind)
    tcb_chain = encoded(source["tcb_info_issuer_chain.pem"]).decode()
    pck_chain = encoded(source["pck_crl_issuer_chain.pem"]).decode()
    sgx = collateral_files(evidence("sgx-v3").collateral)
    return {
        "platforms": [],
        "collaterals": {
            "version": 4,
            "pck_certs": [],
            "tcbinfos": [
                {
                    "fmspc": "454141534944",
                    "sgx_tcbinfo": json.loads(sgx["tcb_info.json"]),
                    "tdx_tcbinfo": json.loads(source["tcb_info.json"]),
                    "sgx_tcbinfo_early": None,
                }
            ],
            "pckcacrl": {"processorCrl": "", "platformCrl": source["pck_crl.der"].hex()},
            "qeidentity": sgx["qe_identity.json"].decode(),
            "tdqeidentity": source["qe_identity.json"].decode(),
            "qveidentity": "",
            "certificates": {
                "SGX-PCK-Certificate-Issuer-Chain": {"PLATFORM": pck_chain},
                "TCB-Info-Issuer-Chain": tcb_chain,
                "SGX-Enclave-Identity-Issuer-Chain": tcb_chain,
            },
            "rootcacrl": source["root_ca_crl.der"].hex(),
            "rootcacrl_cdp": "https://vendor.invalid/",
        },
    }


@pytest.mark.parametrize("separators", [None, (",", ":")], ids=["spaced", "compact"])
@pytest.mark.parametrize("kind", ["sgx-v3", "tdx-v4"])
def test_platform_collaterals(kind: Kind, separators: Any) -> None:
    text = json.dumps(platform_collaterals(), separators=separators).encode()
    collateral = selected(read_endorsements("platform_collaterals.json", text), kind)
    expected = evidence(kind).collateral
    assert collateral.tcb_info is not None
    assert expected.tcb_info is not None
    assert collateral.tcb_info.body == expected.tcb_info.body
    verify(Evidence(evidence(kind).quote, collateral, evidence(kind).trust_anchor))


def test_platform_collaterals_may_be_nearly_empty() -> None:
    assert read_json({"collaterals": {}}).empty
    empty = {"certificates": {"SGX-PCK-Certificate-Issuer-Chain": None}, "pckcacrl": {}, "tcbinfos": [{}]}
    assert read_json({"collaterals": empty}).empty


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("certificates", []),
        ("certificates", {"SGX-PCK-Certificate-Issuer-Chain": [1]}),
        ("certificates", {"TCB-Info-Issuer-Chain": 1}),
        ("tcbinfos", {}),
        ("tcbinfos", [1]),
        ("tcbinfos", [{}] * 1025),
        ("tcbinfos", [{"sgx_tcbinfo": []}]),
        ("tcbinfos", [{"sgx_tcbinfo": {"signature": "00" * 64}}]),
        ("tcbinfos", [{"sgx_tcbinfo": {"tcbInfo": {}, "signature": "00" * 64}}]),
        ("qeidentity", "{}"),
        ("qeidentity", {}),
        ("pckcacrl", []),
        ("pckcacrl", {"platformCrl": "zz"}),
        ("rootcacrl", "zz"),
        ("rootcacrl", 1),
    ],
)
def test_broken_platform_collaterals_are_refused(name: str, value: Any) -> None:
    document = platform_collaterals()
    document["collaterals"][name] = value
    with pytest.raises(FormatError) as caught:
        read_json(document)
    assert "file" in caught.value.what


@pytest.mark.parametrize("value", [[], None, "x"])
def test_collaterals_are_an_object(value: Any) -> None:
    with pytest.raises(FormatError):
        read_json({"collaterals": value})


# ── other ──


@pytest.mark.parametrize(
    "data",
    [
        b"", b"text", b"{}", b"{", b'{"a": 1}', b"[]", b"\x30\x82\x01\x00\x02\x01\x00", b"3082zz",
        encode_pem(b"\x30\x00", "PRIVATE KEY"), b"30820100020100", bytes(1000), bytes(100 << 20),
        b"-----BEGIN PUBLIC KEY-----",
    ],
    ids=lambda data: f"{len(data)} bytes",
)  # fmt: skip
def test_what_is_no_endorsement_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        read_endorsements("file", data)
    assert caught.value.what == "file"


@pytest.mark.parametrize(
    "data", [b"30821zz000", b"MIIC!", b"-----BEGIN CERTIFICATE-----", b"-----BEGIN X509 CRL-----"]
)
def test_broken_encodings_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        read_endorsements("file", data)
    assert caught.value.what == "file"


def test_collateral_of_another_platform_is_refused_as_such() -> None:
    attester = make_attester("tdx-v4")
    attester.platform.tcb_info["tdx"].fmspc = b"OTHER1"
    folder = collateral_files(attester.endorsements())
    quote = attester.collect(bytes(range(64)))
    collateral = collateral_for(parse_quote(quote), read_endorsement_folder(folder))
    with pytest.raises(EndorsementError) as caught:
        verify(Evidence(quote, collateral, attester.trust_anchor))
    assert "fmspc" in caught.value.code
