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
    select_sgx_level,
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
    module = _require_module(report, info)
    sgx_level = select_sgx_level(info.levels, platform.pck)
    level = select_tdx_level(info.levels, platform.pck, report.tee_tcb_svn)
    module_tcb = _module_tcb(report, module)
    status = converge(level.status, module_tcb.status) if module_tcb else level.status
    if (
        isinstance(report, TdReport15)
        and status is not TcbStatus.REVOKED
        and module_tcb is not None
        and _relaunch_would_help(report, info, sgx_level, status, module_tcb, platform.qe_tcb)
    ):
        status = _relaunch_advised(sgx_level.status, status)
    return evaluation(
        converge(status, platform.qe_tcb.status),
        ComponentTcb.of(level, info.levels),
        module_tcb,
        platform.qe_tcb,
        min(info.tcb_evaluation_data_number, collateral.qe_identity.tcb_evaluation_data_number),
    )


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


def _module_tcb(report: TdReport, module: TdxModule) -> ComponentTcb | None:
    if not isinstance(module, TdxModuleIdentity):
        return None  # module version 0 is judged by the platform's TDX components
    level = isv_level(module.levels, report.tee_tcb_svn[0], f"TDX module {module.id}", "tdx_module")
    return ComponentTcb.of(level, module.levels)


def _relaunch_would_help(
    report: TdReport15,
    info: TcbInfo,
    sgx_level: TcbLevel,
    status: TcbStatus,
    module_tcb: ComponentTcb,
    qe_tcb: ComponentTcb,
) -> bool:
    """Whether only the module that launched the TD is out of date and the one loaded now is not
    [DCAP-QVL §4.1.2.4.17.4.3]."""
    if (
        qe_tcb.status is not TcbStatus.UP_TO_DATE
        or sgx_level.status in _OUT_OF_DATE
        or sgx_level.status is TcbStatus.REVOKED
        or status not in _OUT_OF_DATE
        or module_tcb.status is not TcbStatus.OUT_OF_DATE
    ):
        return False
    svn, latest = report.tee_tcb_svn_2, info.levels[0].tdx_components
    module = info.module_identity(svn[1]) if svn[1] else None
    if svn[1] and module is None:
        raise EndorsementError(
            f"the TCB info has no identity for the loaded TDX module version {svn[1]}",
            detail="tdx_module_not_found",
        )
    least = module.levels[0].isv_svn if module else latest[0]
    return svn[0] >= least and svn[2] >= latest[2]


def _relaunch_advised(sgx_status: TcbStatus, status: TcbStatus) -> TcbStatus:
    if sgx_status in _CONFIGURATION_NEEDED or status in _CONFIGURATION_NEEDED:
        return TcbStatus.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED
    return TcbStatus.TD_RELAUNCH_ADVISED
