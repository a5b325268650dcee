"""The simulated vendor: its keys, certificates, revocation lists and enclave identities."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from eaa.attester.simulated.authority import SimulatedAuthority
from eaa.attester.simulated.certificates import SimulatedCertificate
from eaa.attester.simulated.documents import SimulatedIsvLevel
from eaa.attester.simulated.enclave_identity import SimulatedEnclaveIdentity
from eaa.attester.simulated.keys import KeySource
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.endorsements.tcb import TcbStatus
from eaa.errors import UsageError

__all__ = ["ADVISORY", "SimulatedVendor"]

#: What levels below the latest are published with: no advisory of Intel, of the form that policies take.
ADVISORY = "INTEL-SIM-00001"

# A reserved domain, which never resolves.
_ROOT_CRL_URL = "https://vendor.invalid/SimulatedSGXRootCA.der"
_PCK_CRL_URL = "https://vendor.invalid/sgx/certification/v4/pckcrl?ca={}&encoding=der"


class SimulatedVendor:
    """A vendor of attestation, whole and of no worth outside its process [docs/adr/0005].

    Everything may be changed and is signed when asked for. As made, all of it is valid from at least a
    day before ``now`` to at least 29 days after, and every level is published.

    Args:
        now: aware; around when everything is valid. Cut to seconds.
        unsafe_seed: keys and serial numbers follow from it, so that whoever knows it can sign. For tests
            that must be repeatable; without it every vendor is another one.

    Raises:
        UsageError: ``now`` is naive.
    """

    root: SimulatedAuthority
    platform_ca: SimulatedAuthority
    processor_ca: SimulatedAuthority
    tcb_signing: SimulatedCertificate
    identities: dict[str, SimulatedEnclaveIdentity]

    def __init__(self, *, now: datetime, unsafe_seed: bytes | None = None) -> None:
        if now.tzinfo is None:
            raise UsageError("now must be an aware datetime", detail="naive_datetime")
        self.now = now.astimezone(UTC).replace(microsecond=0)
        self.keys = KeySource(secrets.token_bytes(32) if unsafe_seed is None else unsafe_seed)
        self.issued = self.now - timedelta(days=1)
        self.next_update = self.now + timedelta(days=29)
        self.root = self._authority("SGX Root CA", None, path_length=1, days=20 * 365)
        self.platform_ca = self._authority("SGX PCK Platform CA", self.root, path_length=0, days=10 * 365)
        self.processor_ca = self._authority("SGX PCK Processor CA", self.root, path_length=0, days=10 * 365)
        self.tcb_signing = self.issue("SGX TCB Signing", self.root, _ROOT_CRL_URL)
        self.identities = {
            "QE": self._identity("QE", isv_prod_id=1, latest=8),
            "TD_QE": self._identity("TD_QE", isv_prod_id=2, latest=4),
            "QVE": self._identity("QVE", isv_prod_id=2, latest=3),
        }

    def authority(self, name: str) -> SimulatedAuthority:
        """The PCK CA of ``name``: ``"platform"`` or ``"processor"``."""
        return {"platform": self.platform_ca, "processor": self.processor_ca}[name]

    def issue(
        self, name: str, issuer: SimulatedCertificate, crl_url: str, label: str = ""
    ) -> SimulatedCertificate:
        """An end entity named ``EAA Simulated`` and ``name``, valid for seven years; ``label`` tells apart
        those of one name."""
        return SimulatedCertificate(
            common_name=f"{SIMULATED_NAME_PREFIX} {name}",
            key=self.keys.key(name + label),
            serial=self.keys.serial(name + label),
            not_before=self.now - timedelta(days=365),
            not_after=self.now + timedelta(days=6 * 365),
            issuer=issuer,
            crl_url=crl_url,
        )

    def separate_qe_identity_signing(self) -> SimulatedCertificate:
        """A second TCB signing certificate, which from now on signs the enclave identities."""
        certificate = self.issue("SGX TCB Signing", self.root, _ROOT_CRL_URL, " of enclave identities")
        for identity in self.identities.values():
            identity.signer = certificate
        return certificate

    def revoke(self, certificate: SimulatedCertificate) -> None:
        """``certificate`` is in the next revocation list of its issuer, the root's in its own.

        Raises:
            UsageError: its issuer has no revocation list.
        """
        issuer = certificate.issuer or certificate
        if not isinstance(issuer, SimulatedAuthority):
            raise UsageError(f"{issuer.common_name} has no revocation list", detail="not_an_authority")
        issuer.crl.revoked.append(certificate.serial)

    @staticmethod
    def pck_crl_url(ca: str) -> str:
        """Where PCK certificates of ``ca`` say that their revocation list is."""
        return _PCK_CRL_URL.format(ca)

    def day(self, days_ago: int) -> datetime:
        """Midnight of the day ``days_ago`` days before now: TCB dates are days."""
        return (self.now - timedelta(days=days_ago)).replace(hour=0, minute=0, second=0)

    def _authority(
        self, name: str, issuer: SimulatedAuthority | None, *, path_length: int, days: int
    ) -> SimulatedAuthority:
        return SimulatedAuthority(
            common_name=f"{SIMULATED_NAME_PREFIX} {name}",
            key=self.keys.key(name),
            serial=self.keys.serial(name),
            not_before=self.now - timedelta(days=5 * 365),
            not_after=self.now + timedelta(days=days),
            issuer=issuer,
            crl_url=_ROOT_CRL_URL,
            path_length=path_length,
            crl_issued=self.issued,
            crl_expires=self.next_update,
        )

    def _identity(self, identifier: str, *, isv_prod_id: int, latest: int) -> SimulatedEnclaveIdentity:
        return SimulatedEnclaveIdentity(
            signer=self.tcb_signing,
            issue_date=self.issued,
            next_update=self.next_update,
            id=identifier,
            mr_signer=self.keys.data(f"MRSIGNER of {identifier}", 32),
            isv_prod_id=isv_prod_id,
            levels=[
                SimulatedIsvLevel(isv_svn=latest, tcb_date=self.day(90)),
                SimulatedIsvLevel(
                    isv_svn=latest - 1, tcb_date=self.day(365),
                    status=TcbStatus.OUT_OF_DATE, advisory_ids=[ADVISORY],
                ),
            ],
        )  # fmt: skip
