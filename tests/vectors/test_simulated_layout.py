"""The simulated PCK certificate is laid out as the real ones: described anew, they give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from eaa.attester.simulated import SimulatedPckCertificate, SimulatedPlatform, SimulatedTcb
from eaa.endorsements.pck import SGX_EXTENSION_OID, parse_pck_extension
from eaa.endorsements.x509 import Certificate, parse_certificate_chain
from eaa.errors import EAAError
from eaa.evidence.dcap_quote import CertificationType, parse_certification, parse_quote
from tests.fakes.vendor import make_vendor
from tests.vectors.manifest import VECTORS, needs_vectors

#: Key usage and basic constraints, which do not depend on keys.
_SAME_VALUE = (SGX_EXTENSION_OID, "2.5.29.15", "2.5.29.19")


@needs_vectors
def test_extensions_have_the_order_criticality_and_bytes_of_the_real_ones() -> None:
    for real in _real_pck_certificates():
        ours = _described_anew(real).parsed
        assert _shape(ours) == _shape(real)
        for oid in _SAME_VALUE:
            assert ours.extensions[oid] == real.extensions[oid]
        assert ours.spki[:27] == real.spki[:27]
        assert ours.signature_algorithm == real.signature_algorithm


@needs_vectors
def test_there_are_many_of_both_cas() -> None:
    issuers = [certificate.issuer for certificate in _real_pck_certificates()]
    assert len(issuers) > 100
    assert len(set(issuers)) >= 2


def _shape(certificate: Certificate) -> list[tuple[str, bool]]:
    return [(oid, extension.critical) for oid, extension in certificate.extensions.items()]


def _described_anew(real: Certificate) -> SimulatedPckCertificate:
    extension = parse_pck_extension(real)
    instance = extension.platform_instance_id
    platform = SimulatedPlatform(
        make_vendor(),
        ca="platform" if instance else "processor",
        fmspc=extension.fmspc,
        pce_id=extension.pce_id,
        sgx_type=extension.sgx_type,
    )
    pck = platform.pck
    pck.ppid, pck.platform_instance_id = extension.ppid, instance
    pck.tcb = SimulatedTcb(
        cpu_svn=extension.cpu_svn,
        sgx_components=extension.sgx_tcb_components,
        pce_svn=extension.pce_svn,
    )
    pck.dynamic_platform = bool(extension.dynamic_platform)
    pck.cached_keys = bool(extension.cached_keys)
    pck.smt_enabled = bool(extension.smt_enabled)
    return pck


@cache
def _real_pck_certificates() -> tuple[Certificate, ...]:
    return tuple(_read_pck_certificates())


def _read_pck_certificates() -> Iterator[Certificate]:
    for path in sorted(VECTORS.glob("[st][gd]x/*/quote.bin")):
        try:
            data = parse_certification(parse_quote(path.read_bytes())).data
            if data.type is CertificationType.PCK_CHAIN:
                yield parse_certificate_chain(data.data, what="PCK certificate chain")[0]
        except EAAError:
            continue  # malformed on purpose
