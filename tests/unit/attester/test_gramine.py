"""Gramine's ``/dev/attestation``, emulated with plain files."""

from __future__ import annotations

from pathlib import Path

import pytest

from eaa.attester.gramine import GramineAttester
from eaa.errors import AttesterError, UsageError
from eaa.tls.peer import EvidenceKind
from tests.fakes.vendor import REPORT_DATA, shared_evidence


def enclave(root: Path, quote: bytes, kind: bytes = b"dcap") -> GramineAttester:
    folder = root / "dev/attestation"
    folder.mkdir(parents=True)
    (folder / "quote").write_bytes(quote)
    (folder / "user_report_data").touch()
    (folder / "attestation_type").write_bytes(kind)
    return GramineAttester(root=root, pause=lambda _: None)


def test_quote(tmp_path: Path) -> None:
    quote = shared_evidence("sgx-v3").quote
    attester = enclave(tmp_path, quote)
    assert attester.probe() is None
    evidence = attester.collect(REPORT_DATA)
    assert (evidence.kind, evidence.evidence) == (EvidenceKind.SGX_QUOTE, quote)
    assert (tmp_path / "dev/attestation/user_report_data").read_bytes() == REPORT_DATA


@pytest.mark.parametrize("kind", [b"none", b"epid", b""])
def test_no_dcap(tmp_path: Path, kind: bytes) -> None:
    attester = enclave(tmp_path, b"", kind)
    assert 'sgx.remote_attestation = "dcap"' in str(attester.probe())
    with pytest.raises(AttesterError, match="attestation_type") as caught:
        attester.collect(REPORT_DATA)
    assert caught.value.code == "attester.attestation_type"


def test_not_under_gramine(tmp_path: Path) -> None:
    attester = GramineAttester(root=tmp_path)
    assert attester.probe() == "there is no /dev/attestation/quote"
    with pytest.raises(AttesterError, match="/dev/attestation/attestation_type") as caught:
        attester.collect(REPORT_DATA)
    assert caught.value.code == "attester.no_device"


def test_another_callers_quote(tmp_path: Path) -> None:
    with pytest.raises(AttesterError, match="other report data") as caught:
        enclave(tmp_path, shared_evidence("sgx-v3").quote).collect(bytes(64))
    assert caught.value.code == "attester.busy"


def test_no_quote(tmp_path: Path) -> None:
    with pytest.raises(AttesterError, match="/dev/attestation/quote: the answer is no quote"):
        enclave(tmp_path, bytes(200_000)).collect(REPORT_DATA)


def test_report_data_is_64_bytes(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        enclave(tmp_path, b"").collect(bytes(65))
