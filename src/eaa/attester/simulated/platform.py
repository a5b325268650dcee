"""A simulated platform: its PCK certificate, its quoting enclaves, and the TCB info published for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from eaa.attester.simulated.certificates import SimulatedCertificate, chain_pem
from eaa.attester.simulated.documents import SimulatedIsvLevel
from eaa.attester.simulated.keys import sign_raw
from eaa.attester.simulated.pck import SimulatedPckCertificate, SimulatedTcb
from eaa.attester.simulated.quoting_enclave import SimulatedQuotingEnclave
from eaa.attester.simulated.tcb_info import SimulatedTcbInfo, SimulatedTcbLevel, SimulatedTdxModule
from eaa.attester.simulated.vendor import ADVISORY, SimulatedVendor
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.pck import SgxType
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.endorsements.tcb import TcbStatus
from eaa.evidence.sgx import EnclaveReport

__all__ = ["Ca", "SimulatedPlatform", "Tee"]

Ca = Literal["platform", "processor"]
Tee = Literal["sgx", "tdx"]

_NO_SVNS = bytes(8)
#: SGX and TDX components of the levels that are published, latest first; PCESVN with each.
_LEVELS = (
    (bytes((4, 4, 2, 2, 4, 1, 0, 5)) + _NO_SVNS, 11, bytes((5, 0, 4, 0, 0, 0, 0, 0)) + _NO_SVNS),
    (bytes((3, 3, 2, 2, 3, 1, 0, 5)) + _NO_SVNS, 11, bytes((5, 0, 3, 0, 0, 0, 0, 0)) + _NO_SVNS),
    (bytes((2, 2, 2, 2, 3, 1, 0, 5)) + _NO_SVNS, 5, bytes((3, 0, 2, 0, 0, 0, 0, 0)) + _NO_SVNS),
)
_QE_IDS: dict[Tee, str] = {"sgx": "QE", "tdx": "TD_QE"}


class SimulatedPlatform:
    """One machine of the vendor, at the latest TCB level unless changed.

    Args:
        vendor: who made it.
        ca: who issued its PCK certificate. The Processor CA's have no platform instance.
        name: tells apart platforms of one vendor: keys and identifiers follow from it.
        fmspc: 6 bytes.
        pce_id: 2 bytes.
        sgx_type: ``None`` for the usual one of ``ca``.

    ``pck`` is the PCK certificate and ``pck.tcb`` the platform's TCB; ``qe`` and ``td_qe`` are the quoting
    enclaves of SGX and TDX; ``tcb_info`` has what is published for either TEE. ``chain`` is put into
    quotes in place of PCK certificate, its CA and root, if given.
    """

    chain: Sequence[SimulatedCertificate] | None = None

    def __init__(
        self,
        vendor: SimulatedVendor,
        *,
        ca: Ca = "platform",
        name: str = "platform",
        fmspc: bytes = b"EAASIM",
        pce_id: bytes = bytes(2),
        sgx_type: SgxType | None = None,
    ) -> None:
        self.vendor = vendor
        self.name = name
        self.ca = vendor.authority(ca)
        self.pck = self._pck(ca, fmspc, pce_id, sgx_type)
        self.qe = self._quoting_enclave("QE", isv_svn=8)
        self.td_qe = self._quoting_enclave("TD_QE", isv_svn=6)
        self.tcb_info: dict[Tee, SimulatedTcbInfo] = {tee: self._tcb_info(tee) for tee in _QE_IDS}

    @property
    def pck_chain(self) -> bytes:
        """The PEM chain as quotes carry it: leaf, CA, root, and the NUL that Intel's library writes."""
        chain = self.chain if self.chain is not None else (self.pck, self.ca, self.vendor.root)
        return chain_pem(chain) + b"\x00"

    def quoting_enclave(self, tee: Tee) -> SimulatedQuotingEnclave:
        return self.qe if tee == "sgx" else self.td_qe

    def vouch(self, enclave: SimulatedQuotingEnclave) -> tuple[EnclaveReport, bytes]:
        """The report of ``enclave``, and the PCK's signature over it, r ‖ s, 64 bytes."""
        report = enclave.report()
        return report, sign_raw(enclave.report_signing_key or self.pck.key, report.raw)

    def use_level(self, level: SimulatedTcbLevel) -> None:
        """The platform's TCB is from now on exactly ``level``, and its PCK certificate says so."""
        self.pck.tcb = SimulatedTcb(
            cpu_svn=level.sgx_components, sgx_components=level.sgx_components, pce_svn=level.pce_svn
        )

    def collateral(self, tee: Tee) -> IntelCollateral:
        """The vendor's endorsements for quotes of ``tee`` from this platform, signed now."""
        root = self.vendor.root
        return IntelCollateral(
            tcb_info=self.tcb_info[tee].sign(),
            qe_identity=self.vendor.identities[_QE_IDS[tee]].sign(),
            root_ca_crl=root.crl.der,
            pck_crl=self.ca.crl.der,
            pck_crl_issuer_chain=chain_pem((self.ca, root)),
        )

    def _pck(self, ca: Ca, fmspc: bytes, pce_id: bytes, sgx_type: SgxType | None) -> SimulatedPckCertificate:
        keys, label, now = self.vendor.keys, f"PCK of {self.name}", self.vendor.now
        components, pce_svn, _ = _LEVELS[0]
        usual = SgxType.SCALABLE if ca == "platform" else SgxType.STANDARD
        return SimulatedPckCertificate(
            common_name=f"{SIMULATED_NAME_PREFIX} SGX PCK Certificate",
            key=keys.key(label),
            serial=keys.serial(label),
            not_before=now - timedelta(days=365),
            not_after=now + timedelta(days=6 * 365),
            issuer=self.ca,
            crl_url=self.vendor.pck_crl_url(ca),
            ppid=keys.data(f"PPID of {self.name}", 16),
            tcb=SimulatedTcb(cpu_svn=components, sgx_components=components, pce_svn=pce_svn),
            pce_id=pce_id,
            fmspc=fmspc,
            sgx_type=usual if sgx_type is None else sgx_type,
            platform_instance_id=keys.data(f"instance of {self.name}", 16) if ca == "platform" else None,
        )

    def _quoting_enclave(self, identifier: str, *, isv_svn: int) -> SimulatedQuotingEnclave:
        identity, keys = self.vendor.identities[identifier], self.vendor.keys
        return SimulatedQuotingEnclave(
            attestation_key=keys.key(f"attestation key of {identifier} of {self.name}"),
            qe_id=keys.data(f"{identifier} ID of {self.name}", 16),
            cpu_svn=self.pck.tcb.cpu_svn,
            mr_enclave=keys.data(f"MRENCLAVE of {identifier}", 32),
            mr_signer=identity.mr_signer,
            isv_prod_id=identity.isv_prod_id,
            isv_svn=isv_svn,
        )

    def _tcb_info(self, tee: Tee) -> SimulatedTcbInfo:
        vendor = self.vendor
        return SimulatedTcbInfo(
            signer=vendor.tcb_signing,
            issue_date=vendor.issued,
            next_update=vendor.next_update,
            tee=tee,
            fmspc=self.pck.fmspc,
            pce_id=self.pck.pce_id,
            levels=[self._level(n) for n in range(len(_LEVELS))],
            tdx_module_identities=[self._module("TDX_03", 5), self._module("TDX_01", 5)],
        )

    def _level(self, n: int) -> SimulatedTcbLevel:
        sgx, pce_svn, tdx = _LEVELS[n]
        return SimulatedTcbLevel(
            sgx_components=sgx,
            pce_svn=pce_svn,
            tdx_components=tdx,
            tcb_date=self.vendor.day(90 + 275 * n),
            status=TcbStatus.OUT_OF_DATE if n else TcbStatus.UP_TO_DATE,
            advisory_ids=[ADVISORY] if n else [],
        )

    def _module(self, identifier: str, latest: int) -> SimulatedTdxModule:
        old = SimulatedIsvLevel(
            isv_svn=latest - 1, tcb_date=self.vendor.day(365),
            status=TcbStatus.OUT_OF_DATE, advisory_ids=[ADVISORY],
        )  # fmt: skip
        new = SimulatedIsvLevel(isv_svn=latest, tcb_date=self.vendor.day(90))
        return SimulatedTdxModule(id=identifier, levels=[new, old])
