"""The quoting enclave of a simulated platform: holds the attestation key and is vouched for by the PCK."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from eaa.attester.simulated.keys import PrivateKey, public_point
from eaa.evidence.sgx import EnclaveReport

__all__ = ["SimulatedQuotingEnclave"]


@dataclass(kw_only=True, eq=False)
class SimulatedQuotingEnclave:
    """A quoting enclave; the fields of its report are named as there.

    The last four are for quotes that a verifier must refuse: ``attestation_public`` (64 bytes, x ‖ y)
    is presented in place of the attestation key's, ``report_data`` (64) in place of its binding,
    ``quote_signing_key`` signs quotes in place of the attestation key and ``report_signing_key`` the
    enclave's report in place of the PCK.
    """

    attestation_key: PrivateKey
    qe_id: bytes  # 16
    cpu_svn: bytes  # 16
    mr_enclave: bytes  # 32
    mr_signer: bytes  # 32
    isv_prod_id: int
    isv_svn: int
    misc_select: int = 0
    attributes: bytes = bytes.fromhex("1500000000000000e700000000000000")  # INIT MODE64BIT PROVISION_KEY
    authentication_data: bytes = bytes(range(32))  # what Intel's library has there
    attestation_public: bytes | None = None
    report_data: bytes | None = None
    quote_signing_key: PrivateKey | None = None
    report_signing_key: PrivateKey | None = None

    @property
    def public(self) -> bytes:
        """The attestation key as the quote presents it, 64 bytes, x ‖ y."""
        return self.attestation_public or public_point(self.attestation_key)

    def report(self) -> EnclaveReport:
        """Its report, bound to :attr:`public` and the authentication data [DCAP-QUOTE A.4]."""
        digest = hashlib.sha256(self.public + self.authentication_data).digest()
        return EnclaveReport.build(
            cpu_svn=self.cpu_svn,
            misc_select=self.misc_select,
            attributes=self.attributes,
            mr_enclave=self.mr_enclave,
            mr_signer=self.mr_signer,
            isv_prod_id=self.isv_prod_id,
            isv_svn=self.isv_svn,
            report_data=self.report_data or digest + bytes(32),
        )
