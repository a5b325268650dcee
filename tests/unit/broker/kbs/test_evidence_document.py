from __future__ import annotations

from dataclasses import replace

import pytest

from eaa.broker.kbs.evidence import parse_evidence
from eaa.broker.kbs.evidence_document import SHOWN_KINDS, TEE_OF_KIND, evidence_document
from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.errors import FormatError, UnsupportedError
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from tests.fakes.amd_vendor import SnpKind, shared_snp_case


@pytest.mark.parametrize("log", [None, b"", b"event log"])
@pytest.mark.parametrize("kind", [EvidenceKind.TDX_QUOTE, EvidenceKind.SGX_QUOTE])
def test_quotes_are_read_again(kind: EvidenceKind, log: bytes | None) -> None:
    document = evidence_document(AttachedEvidence(kind, b"quote"), log)
    assert document.keys() == ({"quote", "cc_eventlog"} if kind is EvidenceKind.TDX_QUOTE else {"quote"})
    read = parse_evidence(TEE_OF_KIND[kind], document)
    assert (getattr(read, "evidence"), getattr(read, "event_log")) == (  # noqa: B009 - of either class
        b"quote", (log or None) if kind is EvidenceKind.TDX_QUOTE else None,
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), [("milan-v5", "VCEK"), ("milan-vlek-v3", "VLEK")])
def test_reports_with_their_endorsements(kind: SnpKind, name: str) -> None:
    case = shared_snp_case(kind)
    attached = AttachedEvidence(EvidenceKind.SNP_REPORT, case.report, case.endorsements)
    document = evidence_document(attached, None)
    assert [item["cert_type"] for item in document["cert_chain"]] == [name, "ASK", "ARK", "CRL"]
    given = case.endorsements
    assert [bytes(item["data"]) for item in document["cert_chain"]] == [given.vek, *given.chain]
    partly = replace(attached, collateral=replace(given, crl=None, ark=None))
    chain = evidence_document(partly, None)["cert_chain"]
    assert [item["cert_type"] for item in chain] == [name, "ASK"]


@pytest.mark.parametrize("given", [None, SnpEndorsements(None, b"ask", b"ark", b"crl")])
def test_no_chain_without_the_key_that_signed(given: SnpEndorsements | None) -> None:
    attached = AttachedEvidence(EvidenceKind.SNP_REPORT, shared_snp_case("milan-v5").report, given)
    assert evidence_document(attached, None)["cert_chain"] is None


def test_what_is_not_shown() -> None:
    for kind in set(EvidenceKind) - SHOWN_KINDS:
        with pytest.raises(UnsupportedError) as caught:
            evidence_document(AttachedEvidence(kind, b"evidence"), None)
        assert caught.value.code == "unsupported.evidence_document"
    with pytest.raises(FormatError):
        evidence_document(AttachedEvidence(EvidenceKind.SNP_REPORT, bytes(1184)), None)
