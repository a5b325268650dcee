"""Evidence as it came from a guest → a verified environment, as policies see it. In order:

 1. Evidence is read; the sample TEE, which proves nothing, only where it is allowed.
 2. Init-data, if given, is what the hardware says the guest was started with.
 3. The evidence is genuine, and its signed report data is one of those that bind the challenge and the key.
 4. An event log that came with it leads to the registers that the hardware signed.
 5. An SNP report is acceptable to the verifier's own policy: the key that signed it, the chip, committed
    firmware, and who in the guest asked for it.

How acceptable it is beyond that, an out-of-date platform or a debug bit included, is left to the policy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from eaa.appraisal.appraise import appraise, require
from eaa.broker.judgement import Environment
from eaa.broker.kbs.binding import additional_digest, primary_digests, report_data_field
from eaa.broker.kbs.challenge import Challenge
from eaa.broker.kbs.evidence import ParsedEvidence, SampleEvidence, parse_evidence
from eaa.broker.kbs.init_data import InitData, expected_register, parse_init_data
from eaa.broker.kbs.messages import AttestRequest
from eaa.broker.kbs.tees import Tee
from eaa.broker.trustee_claims import policy_claims, policy_input, sample_claims, tee_class
from eaa.endorsements.amd_attached import endorsements_of_table, parts_of_endorsements
from eaa.endorsements.amd_endorsements import AmdParts, SnpEndorsements
from eaa.errors import AccessDenied, BindingError
from eaa.evidence.event_log import parse_event_log
from eaa.evidence.snp import parse_snp_report
from eaa.tls.evidence_verifier import EvidenceVerifier
from eaa.tls.peer import AttachedEvidence, Endorsements, EvidenceKind
from eaa.verify.snp_result import VerifiedSnpEvidence

__all__ = ["EnvironmentVerifier", "ProvidedEndorsements"]


class ProvidedEndorsements(Protocol):
    """Who has endorsements for evidence that comes without."""

    def known(self, kind: EvidenceKind, evidence: bytes) -> Endorsements | None:
        """What is there for the platform that made ``evidence``; ``None`` if a part is missing."""
        ...

    async def fetch(self, kind: EvidenceKind, evidence: bytes, *, peer: str) -> None:
        """See to it that there is; what cannot be had is a ProviderError that says why.

        ``peer`` is the address that sent the evidence. What is seen not to be genuine without asking
        anybody is a VerificationError.
        """
        ...


@dataclass(frozen=True, slots=True)
class EnvironmentVerifier:
    """Verifies what guests send.

    ``attached`` gives endorsements that go with evidence of a kind, or ``None`` where the verifier's own
    pool is all there is; ``provided`` has those that were fetched. ``unsafe_sample`` takes the TEE ``sample``
    at its word.
    """

    verifier: EvidenceVerifier
    attached: Callable[[EvidenceKind], Endorsements | None]
    unsafe_sample: bool
    provided: ProvidedEndorsements | None = None

    async def fetch(self, request: AttestRequest, challenge: Challenge, *, peer: str) -> bool:
        """Have fetched what the evidence in ``request`` needs; whether anything could be asked for.

        Raises:
            VerificationError: it is not genuine.
            ProviderError: it cannot be had.
        """
        if self.provided is None:
            return False
        for tee, value in ((challenge.tee, request.primary), *request.additional.items()):
            evidence = parse_evidence(tee, value)
            if not isinstance(evidence, SampleEvidence):
                await self.provided.fetch(evidence.kind, evidence.evidence, peer=peer)
        return True

    def verify(self, request: AttestRequest, challenge: Challenge, *, now: datetime) -> list[Environment]:
        """The environments of ``request``, the primary one first.

        Raises:
            FormatError, UnsupportedError: evidence or init-data that cannot be read.
            AccessDenied: ``access_denied.sample``.
            EndorsementNotFound: there is nothing to verify it with.
            VerificationError: not genuine, or not bound to the challenge, the key, or the init-data.
            AppraisalDenied: an SNP report that the verifier's own policy does not take.
        """
        init_data = parse_init_data(request.init_data) if request.init_data is not None else None
        runtime: dict[str, Any] = {"nonce": request.nonce, "tee-pubkey": dict(request.tee_key.jwk)}
        if challenge.version.is_composite:
            runtime["additional-evidence"] = request.additional_text
        primary = self._environment(
            challenge.tee, request.primary, primary_digests(request, challenge), init_data, runtime, now
        )
        digest = (additional_digest(request, challenge),) if request.additional else ()
        return [
            primary,
            *(
                self._environment(tee, value, digest, None, runtime, now)
                for tee, value in request.additional.items()
            ),
        ]

    def _environment(
        self,
        tee: Tee,
        value: Any,
        digests: Sequence[bytes],
        init_data: InitData | None,
        runtime: Mapping[str, Any],
        now: datetime,
    ) -> Environment:
        # 1.
        evidence = parse_evidence(tee, value)
        expected = [report_data_field(tee, digest) for digest in digests]
        if isinstance(evidence, SampleEvidence):
            claims = self._sample(evidence, expected, init_data)
        else:
            # 2.
            register = expected_register(tee, init_data.digest) if init_data is not None else None
            # 3.–5.
            claims = self._genuine(evidence, expected, register, now)
        sha256 = hashlib.sha256(evidence.evidence).hexdigest()
        seen = policy_input(
            tee.value,
            claims,
            init_data_claims=dict(init_data.claims) if init_data is not None else None,
            runtime_data_claims=runtime,
        )
        return Environment(tee.value, tee_class(tee.value), sha256, seen)

    def _genuine(
        self, evidence: ParsedEvidence, expected: Sequence[bytes], register: bytes | None, now: datetime
    ) -> dict[str, Any]:
        verified = self.verifier.verify_genuine(
            AttachedEvidence(evidence.kind, evidence.evidence, self._endorsements(evidence)),
            report_data=expected,
            config_id=register,
            now=now,
        )
        log = parse_event_log(evidence.event_log) if evidence.event_log is not None else None
        claims = policy_claims(verified, log)[1]
        # 5.
        if isinstance(verified, VerifiedSnpEvidence):
            require(appraise(verified, self.verifier.policy, now=now))
        return claims

    def _endorsements(self, evidence: ParsedEvidence) -> Endorsements | None:
        """Those that go with the evidence; of an SNP report, what its host supplied with it too."""
        attached = self.attached(evidence.kind)
        if attached is None and self.provided is not None:
            attached = self.provided.known(evidence.kind, evidence.evidence)
        if evidence.kind is not EvidenceKind.SNP_REPORT:
            return attached
        more = parts_of_endorsements(attached) if isinstance(attached, SnpEndorsements) else AmdParts()
        return endorsements_of_table(parse_snp_report(evidence.evidence), evidence.certificates, more)

    def _sample(
        self, evidence: SampleEvidence, expected: Sequence[bytes], init_data: InitData | None
    ) -> dict[str, Any]:
        if not self.unsafe_sample:
            raise AccessDenied(
                "evidence of the TEE sample proves nothing, and is taken only under unsafe_sample",
                detail="sample",
            )
        if evidence.report_data not in expected:
            raise BindingError("the sample's report data is not that of this challenge", detail="report_data")
        digest = init_data.digest if init_data is not None else None
        return sample_claims(evidence.svn, evidence.report_data, digest)
