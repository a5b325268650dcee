"""The TDX scheme: what is particular to a TDX quote, on top of :mod:`eaa.verify.dcap`."""

from __future__ import annotations

from collections.abc import Hashable

from eaa.endorsements.tcb import TcbStatus
from eaa.endorsements.tcb_info import TcbInfo, TcbLevel, TdxModule, TdxModuleIdentity
from eaa.errors import EndorsementError
from eaa.evidence.dcap_quote import DcapQuote
from eaa.evidence.tdx import TdReport, TdReport15
from eaa.verify.platform import masked
from eaa.verify.state import VerifiedCollateral, VerifiedPlatform
from eaa.verify.tcb import (
    ComponentTcb,
    TcbEvaluation,
    converge,
    evaluation,
    isv_level,
    select_tdx_level,
)

__all__ = ["QE_ID", "config_id", "evaluate", "evaluation_key"]

#: The identity that the quoting enclave of TDX must have.
QE_ID = "TD_QE"

_CONFIGURATION_NEEDED = frozenset(
    {
        TcbStatus.CONFIGURATION_NEEDED,
        TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED,
        TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
    }
)
_OUT_OF_DATE = frozenset({TcbStatus.OUT_OF_DATE, TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED})


def evaluation_key(quote: DcapQuote) -> Hashable:
    """What of ``quote`` its TCB depends on: the module and the SVNs, of now and of the launch."""
    raw = quote.body.raw
    return raw[0:16], raw[64:120], raw[584:600]


def evaluate(quote: DcapQuote, collateral: VerifiedCollateral, platform: VerifiedPlatform) -> TcbEvaluation:
    """The TCB of the platform that made ``quote``, its TDX module's included.

    Raises:
        EndorsementError: the module is not Intel's, or no level is met.
    """
    report = _report(quote)
    info = collateral.tcb_info
    _require_module(report, info)
    level, module_tcb, status = _evaluate_svns(report.tee_tcb_svn, info, platform)
    if isinstance(report, TdReport15):
        _, _, current = _evaluate_svns(report.tee_tcb_svn_2, info, platform)
        status = _relaunch_advised(status, current)
    return evaluation(
        status,
        ComponentTcb.of(level, info.levels),
        module_tcb,
        platform.qe_tcb,
        min(info.tcb_evaluation_data_number, collateral.qe_identity.tcb_evaluation_data_number),
    )


def _evaluate_svns(
    svns: bytes, info: TcbInfo, platform: VerifiedPlatform
) -> tuple[TcbLevel, ComponentTcb | None, TcbStatus]:
    """Platform level, module level and the status of both with the QE's, for the TD's ``svns``, 16 bytes
    [DCAP-QVL §4.1.2.5.2]."""
    level = select_tdx_level(info.levels, platform.pck, svns)
    module_tcb = _module_tcb(svns, info)
    status = converge(level.status, module_tcb.status) if module_tcb else level.status
    return level, module_tcb, converge(status, platform.qe_tcb.status)


def _relaunch_advised(launched: TcbStatus, current: TcbStatus) -> TcbStatus:
    """The status of a TD that was launched at one TCB and runs at another [DCAP-QVL §4.1.2.5.1.20.2].

    Revoked keys count wherever they are, which Intel's library asks at the launch only.
    """
    if current is TcbStatus.REVOKED:
        return current
    if launched not in _OUT_OF_DATE or current in _OUT_OF_DATE:
        return launched
    if launched in _CONFIGURATION_NEEDED or current in _CONFIGURATION_NEEDED:
        return TcbStatus.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED
    return TcbStatus.TD_RELAUNCH_ADVISED


def config_id(quote: DcapQuote) -> bytes:
    """MRCONFIGID, 48 bytes."""
    return _report(quote).mr_config_id


def _report(quote: DcapQuote) -> TdReport:
    assert isinstance(quote.body, TdReport)  # noqa: S101 - the type follows from quote.tee
    return quote.body


def _require_module(report: TdReport, info: TcbInfo) -> TdxModule:
    """The module that ``report`` was made under is one of Intel's [DCAP-QVL §4.1.2.4.11]."""
    version = report.tee_tcb_svn[1]
    module: TdxModule | None = info.module_identity(version) if version else info.tdx_module
    if module is None:
        known = ", ".join(item.id for item in info.tdx_module_identities) or "none"
        raise EndorsementError(
            f"the TCB info has no identity for TDX module version {version}, it knows {known}",
            detail="tdx_module_not_found",
        )
    if report.mr_signer_seam != module.mr_signer:
        raise EndorsementError(
            f"MRSIGNERSEAM is {report.mr_signer_seam.hex()}, Intel's is {module.mr_signer.hex()}",
            detail="tdx_module_mr_signer",
        )
    attributes = report.seam_attributes
    # No SEAM attribute is defined: outside the mask they must be zero, inside as published.
    if masked(attributes, module.attributes_mask) != attributes or attributes != module.attributes:
        raise EndorsementError(
            f"SEAMATTRIBUTES are {attributes.hex()}, expected {module.attributes.hex()}",
            detail="tdx_module_attributes",
        )
    return module


def _module_tcb(svns: bytes, info: TcbInfo) -> ComponentTcb | None:
    if not svns[1]:
        return None  # module version 0 is judged by the platform's TDX components
    module = _module_identity(svns[1], info)
    level = isv_level(module.levels, svns[0], f"TDX module {module.id}", "tdx_module")
    return ComponentTcb.of(level, module.levels)


def _module_identity(version: int, info: TcbInfo) -> TdxModuleIdentity:
    module = info.module_identity(version)
    if module is None:
        known = ", ".join(item.id for item in info.tdx_module_identities) or "none"
        raise EndorsementError(
            f"the TCB info has no identity for TDX module version {version}, it knows {known}",
            detail="tdx_module_not_found",
        )
    return module
