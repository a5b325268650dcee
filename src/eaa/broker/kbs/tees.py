"""TEEs by the names that the KBS protocol has for them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from eaa.errors import FormatError

__all__ = ["Tee", "parse_tee"]


class Tee(StrEnum):
    """Every name that some release of kbs-types has; :mod:`.evidence` says of which evidence is read."""

    AZ_SNP_VTPM = "az-snp-vtpm"
    AZ_TDX_VTPM = "az-tdx-vtpm"
    CCA = "cca"
    CSV = "csv"
    HYGON_DCU = "hygondcu"
    NVIDIA = "nvidia"
    NVIDIA_DPU = "nvidiadpu"
    SAMPLE = "sample"
    SAMPLE_DEVICE = "sampledevice"
    SE = "se"
    SEV = "sev"
    SGX = "sgx"
    SNP = "snp"
    TDX = "tdx"
    TPM = "tpm"


#: Guest components before v0.16 spell these so.
_FORMER: Mapping[str, Tee] = {"azsnpvtpm": Tee.AZ_SNP_VTPM, "aztdxvtpm": Tee.AZ_TDX_VTPM}


def parse_tee(text: str, *, field: str) -> Tee:
    """The TEE of that name, former spellings included.

    Raises:
        FormatError: ``format.tee``: no release knows it.
    """
    try:
        return _FORMER.get(text) or Tee(text)
    except ValueError:
        raise FormatError(
            f"{text[:32]!a} is no TEE of the protocol", what="KBS request", field=field, detail="tee"
        ) from None
