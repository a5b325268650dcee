from __future__ import annotations

import pytest

from eaa.endorsements.amd_attached import endorsements_of_table, parts_of_endorsements
from eaa.endorsements.amd_endorsements import AmdParts, SnpEndorsements
from eaa.errors import FormatError
from eaa.evidence.snp import parse_snp_report
from eaa.evidence.snp_certificates import TableEntry, TableName
from tests.fakes.amd_vendor import REPORT_DATA, make_snp_guest, shared_snp_case

CASE = shared_snp_case("milan-v5")


def test_parts_of_endorsements() -> None:
    given = CASE.endorsements
    parts = parts_of_endorsements(given)
    assert [item.der for item in parts.certificates] == [given.vek, given.ask, given.ark]
    assert parts.crls == (given.crl,)
    assert parts_of_endorsements(SnpEndorsements(None, None, None, None)) == AmdParts()
    with pytest.raises(FormatError):
        parts_of_endorsements(SnpEndorsements(b"no certificate", None, None, None))


def test_endorsements_of_a_table() -> None:
    guest = make_snp_guest("milan-v5")
    extended, whole = guest.collect_extended(REPORT_DATA), guest.endorsements()
    report = parse_snp_report(extended.report)
    found = endorsements_of_table(report, extended.certificates)
    assert found == SnpEndorsements(whole.vek, whole.ask, whole.ark, None)
    without = [entry for entry in extended.certificates if entry.name is not TableName.VCEK]
    assert endorsements_of_table(report, without) is None
    more = parts_of_endorsements(whole)
    assert endorsements_of_table(report, without, more) == whole
    foreign = TableEntry(bytes(range(16)), b"what a host likes")
    assert endorsements_of_table(report, [*extended.certificates, foreign]) == found
