from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from eaa.broker.kbs import evidence as module
from eaa.broker.kbs.evidence import ParsedEvidence, SampleEvidence, parse_evidence, require_readable
from eaa.broker.kbs.tees import Tee
from eaa.errors import FormatError, UnsupportedError
from eaa.evidence.dcap_quote import MAX_QUOTE_BYTES
from eaa.tls.peer import EvidenceKind

READABLE = {Tee.TDX, Tee.SGX, Tee.SNP, Tee.CSV, Tee.SAMPLE, Tee.SAMPLE_DEVICE}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("log", [None, b"event log"])
def test_tdx(log: bytes | None) -> None:
    value = {"quote": b64(b"quote"), "cc_eventlog": log and b64(log), "aa_eventlog": "text"}
    assert parse_evidence(Tee.TDX, value) == ParsedEvidence(Tee.TDX, EvidenceKind.TDX_QUOTE, b"quote", log)


def test_tdx_without_log() -> None:
    assert parse_evidence(Tee.TDX, {"quote": b64(b"q")}) == ParsedEvidence(
        Tee.TDX, EvidenceKind.TDX_QUOTE, b"q", None
    )


def test_sgx() -> None:
    value = {"quote": b64(b"quote"), "cc_eventlog": b64(b"no log of an enclave")}
    assert parse_evidence(Tee.SGX, value) == ParsedEvidence(Tee.SGX, EvidenceKind.SGX_QUOTE, b"quote", None)


@pytest.mark.parametrize("tee", [Tee.SAMPLE, Tee.SAMPLE_DEVICE])
def test_sample(tee: Tee) -> None:
    value = {"svn": "1", "report_data": b64(bytes(48))}
    assert parse_evidence(tee, value) == SampleEvidence(tee, orjson.dumps(value), "1", bytes(48))


@pytest.mark.parametrize(
    "odd", [[2**64], [-(2**63) - 1], "\ud800", nested(300)], ids=["large", "small", "text", "deep"]
)
@pytest.mark.parametrize("tee", [Tee.SAMPLE, Tee.CSV])
def test_json_that_is_not_written_again(tee: Tee, odd: object) -> None:
    value = {"svn": "1", "report_data": b64(bytes(48)), "more": odd}
    with pytest.raises(FormatError) as raised:
        parse_evidence(tee, value)
    assert (raised.value.code, raised.value.field) == ("format.bad_value", "JSON")


def test_evidence_is_not_shown() -> None:
    value = {"quote": b64(b"secretive"), "cc_eventlog": b64(b"secretive")}
    assert "secretive" not in repr(parse_evidence(Tee.TDX, value))


@pytest.mark.parametrize("tee", Tee)
def test_each_tee_is_read_or_named(tee: Tee) -> None:
    if tee in READABLE:
        require_readable(tee)
        with pytest.raises(FormatError):
            parse_evidence(tee, {})
    else:
        for refuse in (require_readable, lambda tee: parse_evidence(tee, {})):
            with pytest.raises(UnsupportedError, match=f"evidence of {tee} is not implemented") as raised:
                refuse(tee)
            assert raised.value.code == "unsupported.tee"


@pytest.mark.parametrize(
    ("tee", "value", "field", "code"),
    [
        (Tee.TDX, "text", "JSON", "format.bad_value"),
        (Tee.TDX, {}, "quote", "format.missing"),
        (Tee.TDX, {"quote": ""}, "quote", "format.missing"),
        (Tee.TDX, {"quote": None}, "quote", "format.bad_value"),
        (Tee.TDX, {"quote": "A"}, "quote", "format.bad_value"),
        (Tee.TDX, {"quote": "AA"}, "quote", "format.bad_value"),
        (Tee.TDX, {"quote": "AA-_"}, "quote", "format.bad_value"),
        (Tee.TDX, {"quote": "AAAA\n"}, "quote", "format.bad_value"),
        (Tee.TDX, {"quote": "AAAA", "cc_eventlog": ""}, "cc_eventlog", "format.missing"),
        (Tee.TDX, {"quote": "AAAA", "cc_eventlog": 1}, "cc_eventlog", "format.bad_value"),
        (Tee.TDX, {"quote": "AAAA", "cc_eventlog": "?"}, "cc_eventlog", "format.bad_value"),
        (Tee.SGX, {"report": "AAAA"}, "quote", "format.missing"),
        (Tee.SAMPLE, {"report_data": "AAAA"}, "svn", "format.missing"),
        (Tee.SAMPLE, {"svn": "1"}, "report_data", "format.missing"),
        (Tee.SAMPLE, {"svn": "1" * 65, "report_data": "AAAA"}, "svn", "format.too_large"),
        (Tee.SAMPLE, {"svn": "1", "report_data": b64(bytes(70))}, "report_data", "format.too_large"),
    ],
)
def test_malformed(tee: Tee, value: Any, field: str, code: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse_evidence(tee, value)
    assert (raised.value.field, raised.value.code) == (field, code)


def test_size_of_a_quote() -> None:
    largest = b64(bytes(MAX_QUOTE_BYTES))
    assert parse_evidence(Tee.SGX, {"quote": largest})
    with pytest.raises(FormatError) as raised:
        parse_evidence(Tee.SGX, {"quote": largest + "AAAA"})
    assert raised.value.code == "format.too_large"


def test_size_of_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LOG_BYTES", 6)
    value = {"quote": "AAAA", "cc_eventlog": b64(bytes(6))}
    assert parse_evidence(Tee.TDX, value)
    with pytest.raises(FormatError) as raised:
        parse_evidence(Tee.TDX, value | {"cc_eventlog": b64(bytes(7))})
    assert raised.value.code == "format.too_large"
