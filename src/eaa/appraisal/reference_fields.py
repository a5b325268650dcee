"""The fields that reference values can pin, per TEE, and what pins the identity of the code."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from eaa.evidence.sgx import EnclaveReport
from eaa.evidence.snp import SnpReport, SnpReportBody
from eaa.evidence.tdx import TdReport
from eaa.verify.hygon_csv_result import VerifiedCsvEvidence
from eaa.verify.sev_result import VerifiedSevEvidence

__all__ = ["FIELDS", "KEY_DIGESTS", "Field", "Report", "identity_gap", "read_field"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: ``length`` bytes in the order of the report, or a number up to ``maximum``.

    ``aspect`` and ``mismatch`` are the trustworthiness claim that it speaks for, and its value if the
    field is another than expected [AR4SI §2.3.4].
    """

    length: int = 0
    maximum: int = 0
    masked: bool = False
    minimum_only: bool = False
    aspect: str = "executables"
    mismatch: int = 33  # not recognised


def _configuration(length: int = 0, *, masked: bool = False, maximum: int = 0) -> Field:
    return Field(length, maximum, masked=masked, aspect="configuration", mismatch=36)


_SGX: Mapping[str, Field] = MappingProxyType(
    {
        "mr_enclave": Field(32),
        "mr_signer": Field(32),
        "isv_prod_id": Field(maximum=0xFFFF),
        "min_isv_svn": Field(maximum=0xFFFF, minimum_only=True),
        "attributes": _configuration(16, masked=True),
        "xfrm": _configuration(8, masked=True),
        "misc_select": _configuration(maximum=0xFFFFFFFF),
        "config_id": _configuration(64),
    }
)
_TDX: Mapping[str, Field] = MappingProxyType(
    {
        "mr_td": Field(48),
        "rt_mr0": Field(48),
        "rt_mr1": Field(48),
        "rt_mr2": Field(48),
        "rt_mr3": Field(48),
        # Intel's signature on it is verified; here it is not the one that was asked for.
        "mr_seam": Field(48, aspect="hardware", mismatch=97),
        "td_attributes": _configuration(8, masked=True),
        "xfam": _configuration(8, masked=True),
        "mr_config_id": _configuration(48),
        "mr_owner": _configuration(48),
        "mr_owner_config": _configuration(48),
        "mr_service_td": _configuration(48),
    }
)
_SNP: Mapping[str, Field] = MappingProxyType(
    {
        "measurement": Field(48),
        "id_key_digest": Field(48),
        "author_key_digest": Field(48),
        "family_id": Field(16),
        "image_id": Field(16),
        "min_guest_svn": Field(maximum=0xFFFFFFFF, minimum_only=True),
        "host_data": _configuration(32),
        "policy": _configuration(8, masked=True),
        "platform_info": _configuration(8, masked=True),
        "vmpl": _configuration(maximum=3),
        "chip_id": Field(64, aspect="instance_identity", mismatch=97),
    }
)
_CHIP = Field(32, aspect="instance_identity", mismatch=97)
_SEV: Mapping[str, Field] = MappingProxyType(
    {
        "launch_digest": Field(32),
        "policy": _configuration(4, masked=True),
        # Digests of public keys: which chip it is, and which owner the platform has.
        "cek_sha256": _CHIP,
        "oca_sha256": _CHIP,
    }
)
_CSV: Mapping[str, Field] = MappingProxyType(
    {
        "measure": Field(32),
        "rtmr1": Field(32),
        "rtmr2": Field(32),
        "rtmr3": Field(32),
        "rtmr4": Field(32),
        "vm_id": _configuration(16),
        "vm_version": _configuration(16),
        "user_pubkey_digest": _configuration(32),
        "policy": _configuration(4, masked=True),
        "cek_sha256": _CHIP,
    }
)
#: Zero if the guest was started without an ID block, or without an author key.
KEY_DIGESTS = frozenset({"id_key_digest", "author_key_digest"})
#: By the name of the TEE.
FIELDS: Mapping[str, Mapping[str, Field]] = MappingProxyType(
    {"sgx": _SGX, "tdx": _TDX, "snp": _SNP, "sev": _SEV, "csv": _CSV}
)

#: Any one of these sets says which code it is. MRSIGNER alone is every enclave of that signer.
_IDENTITY: Mapping[str, tuple[frozenset[str], ...]] = MappingProxyType(
    {
        "sgx": (frozenset({"mr_enclave"}), frozenset({"mr_signer", "isv_prod_id", "min_isv_svn"})),
        "tdx": (frozenset({"mr_td"}),),
        # Who has the key of an ID block signs launch digest, image and version [SNP-ABI 8.18].
        "snp": (
            frozenset({"measurement"}),
            frozenset({"id_key_digest", "image_id", "min_guest_svn"}),
            frozenset({"author_key_digest", "image_id", "min_guest_svn"}),
        ),
        "sev": (frozenset({"launch_digest"}),),
        "csv": (frozenset({"measure"}),),
    }
)


def identity_gap(tee: str, names: Collection[str]) -> str | None:
    """What is needed besides ``names`` to pin the code, in words; ``None`` if nothing is."""
    if any(wanted <= set(names) for wanted in _IDENTITY[tee]):
        return None
    return ", or ".join(" + ".join(n for n in FIELDS[tee] if n in wanted) for wanted in _IDENTITY[tee])


#: What reference values are compared with.
Report = EnclaveReport | TdReport | SnpReport | VerifiedSevEvidence | VerifiedCsvEvidence


def read_field(report: Report, name: str) -> bytes | int | None:
    """The value of field ``name`` in ``report``; ``None`` if this version of the report has none."""
    if isinstance(report, SnpReport):
        return _read_snp(report.body, name.removeprefix("min_"))
    if isinstance(report, VerifiedSevEvidence | VerifiedCsvEvidence):
        return _read_psp(report, name)
    if isinstance(report, EnclaveReport):
        if name == "xfrm":
            return report.attributes[8:]
        name = name.removeprefix("min_")
    value: bytes | int | None = getattr(report, name, None)
    return value


def _read_snp(body: SnpReportBody, name: str) -> bytes | int:
    """Bit fields are bytes in the order of the report, so that masks are written as for other TEEs."""
    if name == "guest_svn":
        return body.guest_svn
    if name == "vmpl":
        return body.vmpl
    place = body.layout()[name]
    return body.raw[place.offset : place.end]


def _read_psp(verified: VerifiedSevEvidence | VerifiedCsvEvidence, name: str) -> bytes | None:
    """Of the report without masks, or of the platform, whose chip no report names."""
    if name.endswith("_sha256"):
        digest: bytes = getattr(verified, name)
        return digest
    fields = verified.report.body if isinstance(verified, VerifiedSevEvidence) else verified.report.tee_info
    place = fields.layout().get(name)
    return None if place is None else fields.raw[place.offset : place.end]
