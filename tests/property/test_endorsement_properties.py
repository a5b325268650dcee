"""Every parser of evidence and endorsements returns, or raises FormatError or UnsupportedError; both soon."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eaa.attester.simulated.export import collateral_files, dcap_qvl_json
from eaa.endorsements.bundle import collateral_for, read_endorsement_folder, read_endorsements
from eaa.endorsements.crl import crl_der, parse_crl
from eaa.endorsements.enclave_identity import parse_enclave_identity
from eaa.endorsements.http_response import parse_http_response
from eaa.endorsements.pck import SGX_EXTENSION_OID, parse_pck_extension
from eaa.endorsements.recognise import recognise
from eaa.endorsements.tcb_info import parse_tcb_info
from eaa.endorsements.x509 import common_name, parse_certificate, parse_certificate_chain
from eaa.errors import EAAError, FormatError, UnsupportedError
from eaa.evidence.dcap_quote import parse_certification, parse_quote, parse_quote_frame
from eaa.evidence.sgx import parse_enclave_report
from eaa.evidence.tdx import parse_td_report
from tests.fakes.certificates import crl, pck_certificate, with_extension
from tests.fakes.vendor import KINDS, Kind, make_platform, shared_evidence

#: Of CPU time, where every line is counted. What is quadratic in 3 MB takes hours.
SECONDS = 60.0


def read_certificate(data: bytes) -> object:
    certificate = parse_certificate(data)
    bits = [certificate.key_usage(bit) for bit in range(9)]
    return certificate.common_name, common_name(certificate.issuer), certificate.basic_constraints, bits


def read_pck(data: bytes) -> object:
    return parse_pck_extension(parse_certificate(data))


def read_crl(data: bytes) -> object:
    parsed = parse_crl(crl_der(data))
    return parsed.revokes(5), parsed.revoked_serials, parsed.number


def read_quote(data: bytes) -> object:
    return parse_certification(parse_quote_frame(data)), parse_quote(data)


def read_folder(data: bytes) -> object:
    pool = read_endorsement_folder({"a": data, **FILES})
    return collateral_for(QUOTE, pool)


def read_extension(data: bytes) -> object:
    return parse_pck_extension(with_extension(PCK, SGX_EXTENSION_OID, data))


def read_chain(data: bytes) -> object:
    return parse_certificate_chain(data, what="chain")


def read_http(data: bytes) -> object:
    return parse_http_response(data, "dump")


def read_endorsement(data: bytes) -> object:
    return read_endorsements("file", data)


EVIDENCE = shared_evidence("tdx-v4")
QUOTE = parse_quote(EVIDENCE.quote)
FILES = collateral_files(EVIDENCE.collateral)
PCK = pck_certificate().parsed
TCB_INFO = json.dumps(make_platform().tcb_info["tdx"].content()).encode()
IDENTITY = json.dumps(make_platform().vendor.identities["TD_QE"].content()).encode()
CRL = crl(serials=(5, 6, 7))


@dataclass(frozen=True)
class Case:
    parse: Callable[[bytes], object]
    valid: bytes


CASES = {
    **{f"quote {kind}": Case(read_quote, shared_evidence(kind).quote) for kind in KINDS},
    "enclave report": Case(parse_enclave_report, shared_evidence("sgx-v3").quote[48:432]),
    "TD report": Case(parse_td_report, EVIDENCE.quote[48:632]),
    "certificate": Case(read_certificate, PCK.der),
    "PCK certificate": Case(read_pck, PCK.der),
    "SGX extension": Case(read_extension, PCK.extensions[SGX_EXTENSION_OID].value),
    "chain": Case(read_chain, FILES["pck_crl_issuer_chain.pem"]),
    "list": Case(read_crl, CRL),
    "list in hex": Case(read_crl, CRL.hex().encode()),
    "TCB info": Case(parse_tcb_info, TCB_INFO),
    "enclave identity": Case(parse_enclave_identity, IDENTITY),
    "HTTP": Case(read_http, b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"),
    "dcap-qvl": Case(read_endorsement, dcap_qvl_json(EVIDENCE.collateral)),
    "answer": Case(read_endorsement, FILES["tcb_info.json"]),
    "folder": Case(read_folder, FILES["qe_identity.json"]),
    "recognise": Case(recognise, dcap_qvl_json(EVIDENCE.collateral)),
    "recognise a quote": Case(recognise, EVIDENCE.quote.hex().encode()),
}
EACH = pytest.mark.parametrize("name", CASES)


def parses(case: Case, data: bytes) -> bool:
    """Whether ``data`` is parsed; anything raised but the two errors fails the test."""
    refusal: EAAError | None = None
    try:
        case.parse(data)
    except (FormatError, UnsupportedError) as error:
        refusal = error
    assert len(str(refusal)) < 2000
    return refusal is None


@EACH
def test_the_valid_input_is_parsed(name: str) -> None:
    assert parses(CASES[name], CASES[name].valid)


@EACH
@given(data=st.binary(max_size=700))
def test_arbitrary_bytes(name: str, data: bytes) -> None:
    parses(CASES[name], data)


@EACH
@given(data=st.data())
def test_mutations_of_valid_input(name: str, data: st.DataObject) -> None:
    valid = CASES[name].valid
    changed = bytearray(valid)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(changed)))
        stop = min(len(changed), start + data.draw(st.integers(0, 4)))
        changed[start:stop] = data.draw(st.binary(max_size=4))
    parses(CASES[name], bytes(changed))


BINARY = ["certificate", "PCK certificate", "SGX extension", "list", "enclave report", "TD report"]


@pytest.mark.parametrize("name", BINARY)
def test_truncation_at_every_length_is_refused(name: str) -> None:
    case = CASES[name]
    for size in range(len(case.valid)):
        assert not parses(case, case.valid[:size])
    assert not parses(case, case.valid + b"\x00")


@pytest.mark.parametrize("name", ["TCB info", "enclave identity", "answer"])
def test_truncated_text_is_refused(name: str) -> None:
    case = CASES[name]
    for size in range(0, len(case.valid), 7):
        assert not parses(case, case.valid[:size])


@pytest.mark.parametrize("name", ["certificate", "PCK certificate", "SGX extension", "list"])
@pytest.mark.parametrize("change", [-1, 1])
def test_every_byte_one_more_and_one_less(name: str, change: int) -> None:
    """Among them every length of every value in DER."""
    case = CASES[name]
    for position, byte in enumerate(case.valid):
        data = bytearray(case.valid)
        data[position] = (byte + change) % 256
        parses(case, bytes(data))


def hostile() -> Iterator[tuple[str, bytes]]:
    yield "zeros", bytes(100 << 20)
    yield "zeros within bounds", bytes(3 << 20)
    yield "digits", b"0" * (3 << 20)
    yield "letters", b"A" * (3 << 20)
    yield "spaces", b" " * (3 << 20)
    yield "brackets", b"[" * (3 << 20)
    yield "objects", b'{"tcbInfo":' * 100_000
    yield "nested in a document", b'{"tcbInfo":' + b"[" * 970 + b"]" * 970 + b',"signature":"00"}'
    yield "duplicate keys", b'{"tcbInfo":{},"tcbInfo":{}}'
    yield "many keys", b"{" + b",".join(b'"%d":0' % n for n in range(200_000)) + b"}"
    yield "a long string", b'{"tcbInfo":"' + b"\\u0041" * 500_000 + b'"}'
    yield "many elements", b'{"collaterals":{"tcbinfos":[' + b"{}," * 200_000 + b"{}]}}"
    yield "dashes", b"-----BEGIN CERTIFICATE-----" + b"A" * (250 << 10)
    yield "blank lines", b"\r\n" * (120 << 10)
    yield "headers", b"HTTP/1.1 200 OK\r\n" + b"a:" + b" " * (3 << 20)
    yield "responses", b"HTTP/1.1 200 OK\r\n\r\n" * 100_000
    yield "deep DER", b"\x30\x80" * 100_000
    yield "long DER", b"\x30\x84\x00\x2f\xff\xfa" + bytes((3 << 20) - 6)


HOSTILE = dict(hostile())


@pytest.mark.parametrize("what", HOSTILE)
def test_bounded_time(what: str) -> None:
    for name, case in CASES.items():
        started = time.process_time()
        parses(case, HOSTILE[what])
        assert time.process_time() - started < SECONDS, name


@pytest.mark.parametrize("depth", [*range(900, 1010, 3), 100_000])
@pytest.mark.parametrize("name", ["TCB info", "enclave identity"])
def test_deeply_nested_json_at_every_depth(name: str, depth: int) -> None:
    document: dict[str, Any] = json.loads(CASES[name].valid)
    for member in ("version", "issueDate", "tcbLevels"):
        text = json.dumps({**document, member: "@"}).replace('"@"', "[" * depth + "]" * depth)
        assert not parses(CASES[name], text.encode())


@given(kind=st.sampled_from(KINDS), data=st.data())
def test_encode_is_the_inverse_of_parse(kind: Kind, data: st.DataObject) -> None:
    """Also for quotes that no quoting enclave made: fields of any value that the format allows."""
    changed = bytearray(shared_evidence(kind).quote)
    position = data.draw(st.integers(0, len(changed) - 1))
    changed[position] = data.draw(st.integers(0, 255))
    try:
        quote = parse_quote(bytes(changed))
    except (FormatError, UnsupportedError):
        return
    assert quote.encode() == bytes(changed)
    certification = parse_certification(quote)
    assert certification.encode(quote.header.version) == quote.certification
    assert (
        type(quote.body).build(**{name: getattr(quote.body, name) for name in quote.body.layout()})
        == quote.body
    )
