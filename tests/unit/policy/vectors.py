"""By hand: what each condition of each TEE decides, from the table of Trustee's default policy.

A case takes one thing away, a claim's value or a reference value, and says what the vector is then; all that
is not said stays as it is where everything holds. ``rule`` is the one that explains it in ``default_cpu``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["AFFIRMED", "CASES", "OURS", "Case", "Vector"]

#: executables, hardware, configuration
Vector = tuple[int, int, int]

#: Where everything holds.
AFFIRMED: dict[str, Vector] = {
    "sgx": (3, 2, 2),
    "tdx": (3, 2, 2),
    "snp": (3, 2, 2),
    "az-snp-vtpm": (3, 2, 2),
    "az-tdx-vtpm": (3, 2, 2),
    "tpm": (3, 2, 0),
    "se": (3, 2, 2),
    "sample": (3, 2, 2),
    # There are no rules for these.
    "cca": (33, 97, 36),
    "csv": (33, 97, 36),
}


@dataclass(frozen=True, slots=True)
class Case:
    """``path`` is in the TEE's claims; ``reference`` is the value that is taken away instead, if any."""

    tee: str
    rule: str
    path: str
    value: Any
    reference: str | None
    vector: Vector
    verdict: str = "fail"

    @property
    def id(self) -> str:
        return f"{self.tee}: {self.rule}"


def _snp_configuration(name: str, claim: str, value: Any, reference: str) -> Case:
    # Not all that is expected, and nothing known to be bad: still affirmed, and noted.
    return Case("snp", f"snp.{name}", claim, value, reference, (3, 2, 3), "note")


CASES = (
    Case("tdx", "tdx.rtmr_1", "quote/body/rtmr_1", "ff" * 48, "rtmr_1", (33, 2, 2)),
    Case("tdx", "tdx.rtmr_2", "quote/body/rtmr_2", "ff" * 48, "rtmr_2", (33, 2, 2)),
    Case(
        "tdx", "tdx.kernel", "uefi_event_logs/0/digests/0/digest", "ff" * 48, "tdvfkernel", (4, 2, 2), "note"
    ),
    Case(
        "tdx",
        "tdx.kernel_parameters",
        "uefi_event_logs/1/digests/0/digest",
        "ff" * 48,
        "tdvfkernelparams",
        (4, 2, 2),
        "note",
    ),
    Case("tdx", "tdx.tee_type", "quote/header/tee_type", "00000000", None, (3, 97, 2)),
    Case("tdx", "tdx.vendor_id", "quote/header/vendor_id", "00" * 16, None, (3, 97, 2)),
    Case("tdx", "tdx.mr_td", "quote/body/mr_td", "ff" * 48, "mr_td", (3, 97, 2)),
    Case("tdx", "tdx.tcb_status", "tcb_status", "OutOfDate", None, (3, 97, 2)),
    Case("tdx", "tdx.collateral", "collateral_expiration_status", "1", None, (3, 97, 2)),
    Case("tdx", "tdx.debug", "td_attributes/debug", True, None, (3, 2, 36)),
    Case("tdx", "tdx.xfam", "quote/body/xfam", "ff" * 8, "xfam", (3, 2, 36)),
    Case("snp", "snp.measurement", "measurement", "ff" * 48, "snp_launch_measurement", (33, 2, 2)),
    Case("snp", "snp.bootloader", "reported_tcb_bootloader", 3, "snp_bootloader", (3, 97, 2)),
    Case("snp", "snp.microcode", "reported_tcb_microcode", 3, "snp_microcode", (3, 97, 2)),
    Case("snp", "snp.snp_svn", "reported_tcb_snp", 3, "snp_snp_svn", (3, 97, 2)),
    Case("snp", "snp.tee_svn", "reported_tcb_tee", 3, "snp_tee_svn", (3, 97, 2)),
    Case("snp", "snp.debug", "policy_debug_allowed", True, None, (3, 2, 36)),
    Case("snp", "snp.migration_agent", "policy_migrate_ma", True, None, (3, 2, 36)),
    _snp_configuration("smt_enabled", "platform_smt_enabled", False, "snp_smt_enabled"),
    _snp_configuration("tsme_enabled", "platform_tsme_enabled", True, "snp_tsme_enabled"),
    _snp_configuration("abi_major", "policy_abi_major", 1, "snp_guest_abi_major"),
    _snp_configuration("abi_minor", "policy_abi_minor", 1, "snp_guest_abi_minor"),
    _snp_configuration("single_socket", "policy_single_socket", True, "snp_single_socket"),
    _snp_configuration("smt_allowed", "policy_smt_allowed", False, "snp_smt_allowed"),
    Case("az-snp-vtpm", "az-snp.measurement", "measurement", "QkJC", "measurement", (33, 2, 2)),
    Case("az-snp-vtpm", "az-snp.pcr11", "tpm/pcr11", "ff" * 32, "snp_pcr11", (33, 2, 2)),
    Case("az-snp-vtpm", "az-snp.bootloader", "reported_tcb_bootloader", "3", "tcb_bootloader", (3, 97, 2)),
    Case("az-snp-vtpm", "az-snp.microcode", "reported_tcb_microcode", "3", "tcb_microcode", (3, 97, 2)),
    Case("az-snp-vtpm", "az-snp.snp_svn", "reported_tcb_snp", "3", "tcb_snp", (3, 97, 2)),
    Case("az-snp-vtpm", "az-snp.tee_svn", "reported_tcb_tee", "3", "tcb_tee", (3, 97, 2)),
    Case("az-snp-vtpm", "az-snp.smt_enabled", "platform_smt_enabled", "false", "smt_enabled", (3, 2, 36)),
    Case("az-snp-vtpm", "az-snp.tsme_enabled", "platform_tsme_enabled", "true", "tsme_enabled", (3, 2, 36)),
    Case("az-snp-vtpm", "az-snp.abi_major", "policy_abi_major", "1", "abi_major", (3, 2, 36)),
    Case("az-snp-vtpm", "az-snp.abi_minor", "policy_abi_minor", "1", "abi_minor", (3, 2, 36)),
    Case("az-snp-vtpm", "az-snp.single_socket", "policy_single_socket", "true", "single_socket", (3, 2, 36)),
    Case("az-snp-vtpm", "az-snp.smt_allowed", "policy_smt_allowed", "false", "smt_allowed", (3, 2, 36)),
    Case("az-tdx-vtpm", "az-tdx.pcr11", "tpm/pcr11", "ff" * 32, "tdx_pcr11", (33, 2, 2)),
    Case("az-tdx-vtpm", "az-tdx.tee_type", "quote/header/tee_type", "00000000", None, (3, 97, 2)),
    Case("az-tdx-vtpm", "az-tdx.vendor_id", "quote/header/vendor_id", "00" * 16, None, (3, 97, 2)),
    Case("az-tdx-vtpm", "az-tdx.mr_td", "quote/body/mr_td", "ff" * 48, "mr_td", (3, 97, 2)),
    Case("az-tdx-vtpm", "az-tdx.tcb_status", "tcb_status", "OutOfDate", None, (3, 97, 2)),
    Case("az-tdx-vtpm", "az-tdx.xfam", "quote/body/xfam", "ff" * 8, "xfam", (3, 2, 36)),
    Case("tpm", "tpm.pcr11", "pcr11", "ff" * 32, "tpm_pcr11", (33, 2, 0)),
    Case("tpm", "tpm.ak_public", "ak_public", "AAAA", "trusted_aks", (33, 2, 0)),
    Case("sample", "sample.launch_digest", "launch_digest", "zzzzz", "launch_digest", (33, 2, 2)),
    Case("sample", "sample.svn", "svn", "2", "svn", (3, 97, 2)),
    Case("sample", "sample.major", "platform_version/major", 2, "major_version", (3, 97, 2)),
    Case("sample", "sample.minor", "platform_version/minor", 3, None, (3, 97, 2)),
    Case("sample", "sample.debug", "debug", True, None, (3, 2, 36)),
)

#: SGX, for which Trustee has no rules. Its code is known by its measurement or by its signer, so that a case
#: about one of them has the other taken away as well: ``reference`` is that of the other.
OURS = (
    Case("sgx", "sgx.mr_enclave", "body/mr_enclave", "ff" * 32, "sgx_mr_signer", (33, 2, 2)),
    Case("sgx", "sgx.mr_signer", "body/mr_signer", "ff" * 32, "sgx_mr_enclave", (33, 2, 2)),
    Case("sgx", "sgx.isv_prod_id", "body/isv_prod_id", "0102", "sgx_mr_enclave", (33, 2, 2)),
    Case("sgx", "sgx.isv_svn", "body/isv_svn", "0200", "sgx_mr_enclave", (33, 2, 2)),
    Case("sgx", "sgx.tcb_status", "tcb_status", "OutOfDate", None, (3, 97, 2)),
    Case("sgx", "sgx.collateral", "collateral_expiration_status", "1", None, (3, 97, 2)),
    Case("sgx", "sgx.debug", "body/attributes.flags", "0700000000000000", None, (3, 2, 36)),
)
