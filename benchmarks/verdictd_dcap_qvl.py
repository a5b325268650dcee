"""The command ``verdictd`` with quotes verified by dcap-qvl, all else the same: for figures beside ours.

``python -m benchmarks.verdictd_dcap_qvl`` takes what ``verdictd`` takes. dcap-qvl's verdict on the quote and
the report data count. Claims that only our verification makes are those of the first quote, so that policy,
token and decision have the same to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

import dcap_qvl  # type: ignore[import-untyped]  # it ships no types

from eaa.attester.simulated import dcap_qvl_json
from eaa.broker.kbs.evidence import ParsedEvidence
from eaa.broker.trustee_claims import policy_claims
from eaa.broker.verified_environment import EnvironmentVerifier
from eaa.cli.verdictd import main
from eaa.endorsements.collateral import IntelCollateral
from eaa.errors import BindingError
from eaa.evidence.dcap_quote import parse_quote_frame
from eaa.services.verdictd import core
from eaa.tls.dcap_verifier import DcapVerifier
from eaa.tls.peer import AttachedEvidence
from eaa.verify.dcap_result import VerifiedDcapEvidence


@dataclass(frozen=True, slots=True)
class _ByDcapQvl(EnvironmentVerifier):
    def _genuine(
        self, evidence: ParsedEvidence, expected: Sequence[bytes], register: bytes | None, now: datetime
    ) -> dict[str, Any]:
        attached, dcap = self.attached(evidence.kind), self.verifier.vendors[evidence.kind]
        assert isinstance(attached, IntelCollateral)
        assert isinstance(dcap, DcapVerifier)
        root = dcap.trust_anchors[0].der
        dcap_qvl.verify_with_root_ca(evidence.evidence, _read(attached), root, int(now.timestamp()))
        quote = parse_quote_frame(evidence.evidence)
        if quote.body.report_data not in expected:
            raise BindingError("the report data is that of another challenge", detail="report_data")
        return policy_claims(replace(self._first(evidence, attached, expected, now), quote=quote), None)[1]

    def _first(
        self, evidence: ParsedEvidence, attached: IntelCollateral, expected: Sequence[bytes], now: datetime
    ) -> VerifiedDcapEvidence:
        if not _FIRST:
            taken = AttachedEvidence(evidence.kind, evidence.evidence, attached)
            first = self.verifier.verify_genuine(taken, report_data=expected, config_id=None, now=now)
            assert isinstance(first, VerifiedDcapEvidence)
            _FIRST.append(first)
        return _FIRST[0]


_FIRST: list[VerifiedDcapEvidence] = []


@cache
def _read(attached: IntelCollateral) -> dcap_qvl.QuoteCollateralV3:
    return dcap_qvl.QuoteCollateralV3.from_json(dcap_qvl_json(attached).decode())


if __name__ == "__main__":
    vars(core)["EnvironmentVerifier"] = _ByDcapQvl
    main()
