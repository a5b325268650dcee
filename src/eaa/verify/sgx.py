"""The SGX scheme: what is particular to an SGX quote, on top of :mod:`eaa.verify.dcap`."""

from __future__ import annotations

from collections.abc import Hashable

from eaa.evidence.dcap_quote import DcapQuote
from eaa.evidence.sgx import EnclaveReport
from eaa.verify.state import VerifiedCollateral, VerifiedPlatform
from eaa.verify.tcb import ComponentTcb, TcbEvaluation, converge, evaluation, select_sgx_level

__all__ = ["QE_ID", "config_id", "evaluate", "evaluation_key"]

#: The identity that the quoting enclave of SGX must have.
QE_ID = "QE"


def evaluation_key(quote: DcapQuote) -> Hashable:
    """What of ``quote`` its TCB depends on: nothing, an SGX platform's TCB is in its PCK certificate."""
    return ()


def evaluate(quote: DcapQuote, collateral: VerifiedCollateral, platform: VerifiedPlatform) -> TcbEvaluation:
    """The TCB of the platform that made ``quote`` [DCAP-QVL §4.1.2.4.17].

    Raises:
        EndorsementError: no level is met.
    """
    info = collateral.tcb_info
    level = select_sgx_level(info.levels, platform.pck)
    return evaluation(
        converge(level.status, platform.qe_tcb.status),
        ComponentTcb.of(level, info.levels),
        None,
        platform.qe_tcb,
        min(info.tcb_evaluation_data_number, collateral.qe_identity.tcb_evaluation_data_number),
    )


def config_id(quote: DcapQuote) -> bytes:
    """CONFIGID, 64 bytes."""
    assert isinstance(quote.body, EnclaveReport)  # noqa: S101 - the type follows from quote.tee
    return quote.body.config_id
