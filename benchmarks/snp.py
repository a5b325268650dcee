"""SNP: cold and warm beside the bare primitives and ``sev_attest_tool``, on one real report of Genoa.

The peer verifies its own sample, without a revocation list. Ours does the same with the same; with a list it
is one signature more, which is measured on simulated evidence.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import load_der_public_key

from benchmarks.timing import Row, batch_of, in_threads, interleave
from eaa.attester.simulated.amd_guest import SimulatedSnpGuest, SimulatedSnpPlatform
from eaa.attester.simulated.amd_vendor import SimulatedAmdVendor
from eaa.endorsements.amd_endorsements import SnpEndorsements, complete_chain
from eaa.endorsements.amd_roots import AMD_ARKS, AMD_ISSUERS
from eaa.endorsements.x509 import Certificate, parse_certificate
from eaa.evidence.snp import parse_snp_report
from eaa.evidence.snp_evidence import parse_snp_evidence
from eaa.verify.ecdsa import CRYPTOGRAPHY, EcdsaLibrary
from eaa.verify.ecdsa_libraries import aws_lc
from eaa.verify.result import Binding
from eaa.verify.snp import SnpMemo, verify_report
from eaa.verify.snp_signatures import rsa_key, verify_rsa_pss

__all__ = ["run"]

COLD_FASTER, WARM_FASTER, BARE = 1.5, 3, 1.25
#: Within the VCEK's validity.
_NOW = datetime(2024, 10, 1, tzinfo=UTC)


def run(*, quick: bool) -> Iterator[Row]:
    rounds, calls = (5, 10) if quick else (25, 40)
    peer: Any = import_module("sev_attest_tool")
    text, vcek = peer.SAMPLE_ATTESTATION, peer.SAMPLE_VCEK
    members = {"attestation_report": json.loads(text), "cert_chain": None}
    wrapped = json.dumps(members, separators=(",", ":")).encode()
    given = complete_chain(SnpEndorsements(vcek, None, None, None), (*AMD_ISSUERS, *AMD_ARKS))
    memo = SnpMemo(4)

    def ours(memo: SnpMemo, ecdsa: EcdsaLibrary = CRYPTOGRAPHY) -> None:
        report = parse_snp_evidence(wrapped).report
        _verify(report, given, AMD_ARKS, _NOW, memo, without_list=True, ecdsa=ecdsa)

    report = parse_snp_evidence(wrapped).report
    with_list, fast = _simulated(), aws_lc()
    times = interleave(
        {
            "eaa, cold, from JSON": batch_of(lambda: ours(SnpMemo(4)), calls),
            "eaa, cold, simulated, with a revocation list": batch_of(with_list, calls),
            "eaa, warm, from JSON": batch_of(lambda: ours(memo), calls),
            "eaa, warm": batch_of(
                partial(_verify, report, given, AMD_ARKS, _NOW, memo, without_list=True), calls
            ),
            "eaa with AWS-LC, cold, from JSON": batch_of(lambda: ours(SnpMemo(4), fast), calls),
            "eaa with AWS-LC, warm, from JSON": batch_of(lambda: ours(memo, fast), calls),
            "sev_attest_tool, from JSON": batch_of(
                lambda: peer.verify_attestation_report(text, vcek), max(calls // 8, 1)
            ),
            "one P-384 verification": batch_of(_bare_p384(report, vcek), calls),
            "one RSA-PSS-4096 verification": batch_of(_bare_rsa(vcek), calls),
        },
        rounds,
    )
    subject = "SNP v2, Genoa"
    for name in times.rounds:
        yield Row("snp", subject, name, times.median(name), "µs")
    for what, name, goal in (
        ("cold, times faster", "eaa, cold, from JSON", COLD_FASTER),
        ("cold with AWS-LC, times faster", "eaa with AWS-LC, cold, from JSON", COLD_FASTER),
        ("warm, times faster", "eaa, warm, from JSON", WARM_FASTER),
        ("warm with AWS-LC, times faster", "eaa with AWS-LC, warm, from JSON", WARM_FASTER),
    ):
        ratio = times.ratio("sev_attest_tool, from JSON", name)
        yield Row("snp", subject, what, ratio, "×", f"≥ {goal}", ratio >= goal)
    ratio = times.ratio("eaa, warm", "one P-384 verification")
    yield Row("snp", subject, "warm, time / one P-384 verification", ratio, "×", f"≤ {BARE}", ratio <= BARE)
    yield from _in_threads(report, given, fast, rounds, calls)


def _in_threads(
    report: bytes, given: SnpEndorsements, fast: EcdsaLibrary, rounds: int, calls: int
) -> Iterator[Row]:
    """Warm verifications in a second by two threads, as a multiple of one's."""
    for name, ecdsa in (("cryptography", CRYPTOGRAPHY), ("AWS-LC", fast)):
        memo = SnpMemo(4)
        work = batch_of(
            partial(_verify, report, given, AMD_ARKS, _NOW, memo, without_list=True, ecdsa=ecdsa), calls
        )
        times = interleave({"one": work, "two": in_threads(work, 2)}, rounds)
        scaling = times.ratio("one", "two")
        yield Row("snp", "SNP v2, Genoa", f"warm, two threads / one, {name}", scaling, "×")


def _verify(
    report: bytes,
    endorsements: SnpEndorsements,
    anchors: tuple[Certificate, ...],
    now: datetime,
    memo: SnpMemo,
    *,
    without_list: bool,
    ecdsa: EcdsaLibrary = CRYPTOGRAPHY,
) -> object:
    return verify_report(
        report, endorsements=endorsements, trust_anchors=anchors, binding=Binding(), now=now, memo=memo,
        allow_missing_crl=without_list, ecdsa=ecdsa,
    )  # fmt: skip


def _simulated() -> Callable[[], object]:
    """Cold, with a list: four signatures."""
    guest = SimulatedSnpGuest(SimulatedSnpPlatform(SimulatedAmdVendor(now=_NOW)))
    report, given, anchors = guest.collect(bytes(64)), guest.endorsements(), (guest.trust_anchor,)
    return lambda: _verify(report, given, anchors, _NOW, SnpMemo(4), without_list=False)


def _bare_p384(report: bytes, vcek: bytes) -> Callable[[], object]:
    """The report's own signature, checked by the library alone."""
    parsed = parse_snp_report(report)
    body, signed, algorithm = parsed.body, parsed.signed, ec.ECDSA(SHA384())
    key = load_der_public_key(parse_certificate(vcek).spki)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    numbers = (int.from_bytes(item, "little") for item in (body.signature_r, body.signature_s))
    signature = encode_dss_signature(*numbers)
    return lambda: key.verify(signature, signed, algorithm)


def _bare_rsa(vcek: bytes) -> Callable[[], object]:
    certificate = parse_certificate(vcek)
    ask = next(item for item in AMD_ISSUERS if item.subject == certificate.issuer)
    key = rsa_key(ask.spki)
    return lambda: verify_rsa_pss(key, certificate.signature, certificate.tbs, "VCEK", "vek")
