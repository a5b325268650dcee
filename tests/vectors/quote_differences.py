"""Where verdicts on the SGX and TDX vectors differ from ours, each by name, with the reason.

The specification that decides is Intel's verification library [DCAP-QVL].
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.vectors.manifest import Judge

__all__ = ["DIFFERENCES", "Difference"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Quotes on which ``judge`` says ``verdict``, an error or a status, and we do not.

    Each of ``quotes`` is a vector's id and a collateral of it.
    """

    judge: Judge
    verdict: str
    reason: str
    quotes: tuple[str, ...]


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        Judge.DCAP_QVL,
        "Verification failed: Debug mode is enabled",
        "dcap-qvl's policy. Intel's library verifies debug enclaves; debug is a claim here, "
        "refused in appraisal unless allowed.",
        (
            "sgx/microsoft-azure-attestation-enclave.info.debug-7ae7192d collateral-1.json",
            "sgx/microsoft-azure-attestation-enclave.info.debug-7ae7192d collateral-2.json",
            "sgx/microsoft-azure-attestation-maa.prod.uks.signing.cert-cbc0814e collateral-1.json",
            "sgx/mystikos-cert-fcc8105c collateral-1.json",
            "sgx/oasis-core-sgx_attestation_v1-ecd2fabd collateral-1.json",
            "sgx/openenclave-evidence-3346527d collateral-1.json",
            "sgx/openenclave-sgx_quote-ad730280 collateral-1.json",
            "sgx/openenclave-sgx_quote-ad730280 collateral-2.json",
            "sgx/pallets-ra_dcap_dump_quote-83cc18af collateral-1.json",
            "sgx/teepot-sgx_quote_verification-3bfe5ad8 collateral-1.json",
            "sgx/teepot-sgx_quote_verification-3bfe5ad8 collateral-2.json",
        ),
    ),
    Difference(
        Judge.DCAP_QVL,
        "Verification failed: Failed to decode TcbInfo",
        "dcap-qvl reads version 3 only. Version 2 is Intel's for SGX [PCS-API v3], and Intel's "
        "library takes it [DCAP-QVL §4.1.2.2].",
        (
            "sgx/automata-dcap-attestation-mod-e8f10643 collateral-2.json",
            "sgx/automata-dcap-attestation-sample_quotes-268c0681 collateral-2.json",
            "sgx/dcap-qvl-sgx_quote-f8b81014 collateral-2.json",
            "sgx/dcap-qvl-sgx_quote-f8b81014 collateral-3.json",
            "sgx/gramine-ratls-golang-tlscert-8f99cdcf collateral-2.json",
            "sgx/lcp-dcap-334b2f3f collateral-3.json",
            "sgx/lcp-dcap-a348c125 collateral-3.json",
            "sgx/microsoft-azure-attestation-enclave.info.debug-7ae7192d collateral-3.json",
            "sgx/microsoft-azure-attestation-enclave.info.prodid-91831a5e collateral-3.json",
            "sgx/microsoft-azure-attestation-enclave.info.release-e9f0aad4 collateral-3.json",
            "sgx/microsoft-azure-attestation-enclave.info.securityversion-075b64c9 collateral-3.json",
            "sgx/microsoft-azure-attestation-maa.prod.uks.signing.cert-cbc0814e collateral-2.json",
            "sgx/mystikos-cert-fcc8105c collateral-2.json",
            "sgx/oasis-core-pcs_quote_bundle-d2457b83 collateral-2.json",
            "sgx/oasis-core-sgx_attestation_v1-ecd2fabd collateral-2.json",
            "sgx/openenclave-evidence-3346527d collateral-2.json",
            "sgx/openenclave-sgx_quote-ad730280 collateral-3.json",
            "sgx/pallets-ra_dcap_dump_quote-83cc18af collateral-2.json",
            "sgx/steward-icelake-2c2357f1 collateral-2.json",
            "sgx/steward-icelake.signed-d5b61622 collateral-2.json",
            "sgx/steward-icelake.signed.tcb.crl.multi.xeon-96017675 collateral-2.json",
            "sgx/steward-quote-6953b170 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-07c203b5 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-0db37f50 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-1d193716 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-1d5c6a38 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-2a891c67 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-32a4477f collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-359750cc collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-35ae4d1c collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-392da3bf collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-3c2b70a7 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-4e53a210 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-50666218 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-533c71d4 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-7327b603 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-74470736 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-76872d2d collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-76d8cd0c collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-8327e99b collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-840c7f6a collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-910a57cf collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-98b2d6bc collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-a25cf9bd collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-a7388428 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-a87117a8 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-b0d0d01c collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-b34653c7 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-b713a8bb collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-b72bd297 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-bb0296c8 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-bf288988 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-c955e81e collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-ca8a9c53 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-d058a69e collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-d1864d77 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-d8c4fb8b collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-dafd6823 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-dc5ab018 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-de8499bd collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-e6a1ffba collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-e6af9b95 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-edba862c collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-ef511c41 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-f1a310e8 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-f2fa613f collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-f5ee0f0f collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-f6fcfc1f collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-fb8eeb38 collateral-2.json",
            "sgx/tdx-attestation-sdk-quotes-0-fbadf358 collateral-2.json",
            "sgx/tdx-attestation-sdk-sgx_v3_quote-b69ac41b collateral-2.json",
            "sgx/teekit-sgx-tlsn-quote9-de015c8c collateral-3.json",
            "sgx/teepot-sgx_quote_fmspc-b7ab1cb4 collateral-3.json",
            "sgx/teepot-sgx_quote_fmspc-ba71c6bc collateral-3.json",
            "sgx/teepot-sgx_quote_verification-3bfe5ad8 collateral-3.json",
            "sgx/zkdcap-lib-db1a102f collateral-3.json",
            "sgx/zkdcap-version_3-606ccfe1 collateral-3.json",
            "sgx/zkdcap-version_3-727e2e69 collateral-3.json",
        ),
    ),
    Difference(
        Judge.DCAP_QVL,
        "Verification failed: Invalid MR service TD",
        "dcap-qvl's policy. Intel's library does not look at MRSERVICETD; it is a claim, compared "
        "in appraisal.",
        (
            "tdx/tdx-attestation-sdk-tdx_v5_quote-d0010db6 collateral-1.json",
            "tdx/tdx-attestation-sdk-tdx_v5_quote-d0010db6 collateral-2.json",
        ),
    ),
    Difference(
        Judge.EVALUATOR,
        "OutOfDate",
        "The evaluator has no relaunch rule. The module that launched the TD is out of date and "
        "the loaded one is not: Intel says TDRelaunchAdvised [DCAP-QVL, "
        "Checks/TDRelaunchCheck.cpp].",
        ("tdx/openenclave-tdx_quote-moduleupdate-seamldr5-d21a11db collateral-1.json",),
    ),
)
