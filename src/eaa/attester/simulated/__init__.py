"""A simulated vendor of SGX and TDX platforms that signs on demand, for tests, the demo and developers.

Change the model, then ask for quotes and endorsements: they are signed over what the model says then, by
the formats of the real ones, byte for byte. All keys are made at run time, every certificate name starts with
``EAA Simulated``, and nothing is believed unless the vendor's root is named as the trust anchor::

    vendor = SimulatedVendor(now=now)
    guest = SimulatedTdxGuest(SimulatedPlatform(vendor))
    quote = guest.collect(report_data)
    verify_quote(quote, collateral=guest.endorsements(), trust_anchors=(guest.trust_anchor,), …)
"""

from eaa.attester.simulated.attesters import SimulatedSgxEnclave, SimulatedTdxGuest
from eaa.attester.simulated.authority import SimulatedAuthority, SimulatedCrl
from eaa.attester.simulated.certificates import SimulatedCertificate, chain_pem
from eaa.attester.simulated.documents import SimulatedIsvLevel
from eaa.attester.simulated.enclave_identity import SimulatedEnclaveIdentity
from eaa.attester.simulated.export import (
    collateral_files,
    dcap_qvl_json,
    snp_files,
    write_collateral,
    write_snp_endorsements,
)
from eaa.attester.simulated.pck import SimulatedPckCertificate, SimulatedTcb
from eaa.attester.simulated.platform import SimulatedPlatform
from eaa.attester.simulated.quotes import sign_quote
from eaa.attester.simulated.quoting_enclave import SimulatedQuotingEnclave
from eaa.attester.simulated.tcb_info import SimulatedTcbInfo, SimulatedTcbLevel, SimulatedTdxModule
from eaa.attester.simulated.vendor import ADVISORY, SimulatedVendor

__all__ = [
    "ADVISORY",
    "SimulatedAuthority",
    "SimulatedCertificate",
    "SimulatedCrl",
    "SimulatedEnclaveIdentity",
    "SimulatedIsvLevel",
    "SimulatedPckCertificate",
    "SimulatedPlatform",
    "SimulatedQuotingEnclave",
    "SimulatedSgxEnclave",
    "SimulatedTcb",
    "SimulatedTcbInfo",
    "SimulatedTcbLevel",
    "SimulatedTdxGuest",
    "SimulatedTdxModule",
    "SimulatedVendor",
    "chain_pem",
    "collateral_files",
    "dcap_qvl_json",
    "sign_quote",
    "snp_files",
    "write_collateral",
    "write_snp_endorsements",
]
