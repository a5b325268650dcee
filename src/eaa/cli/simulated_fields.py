"""What a simulated attester says of itself, where the environment wants it otherwise: for demos and tests."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from eaa.codec.text import decode_hex
from eaa.errors import ConfigError, FormatError

__all__ = ["SIMULATED_MR_ENCLAVE", "SIMULATED_RTMR_1", "SIMULATED_RTMR_2", "simulated_fields"]

SIMULATED_MR_ENCLAVE = "EAA_SIMULATED_MRENCLAVE"
SIMULATED_RTMR_1, SIMULATED_RTMR_2 = "EAA_SIMULATED_RTMR1", "EAA_SIMULATED_RTMR2"

_TDX = "simulated-tdx"
#: By variable: the report's field, and its length in bytes.
_SGX_FIELDS = MappingProxyType({SIMULATED_MR_ENCLAVE: ("mr_enclave", 32)})
_TDX_FIELDS = MappingProxyType(
    {
        "EAA_SIMULATED_MRTD": ("mr_td", 48),
        "EAA_SIMULATED_RTMR0": ("rt_mr0", 48),
        SIMULATED_RTMR_1: ("rt_mr1", 48),
        SIMULATED_RTMR_2: ("rt_mr2", 48),
    }
)


def simulated_fields(attester: str, environment: Mapping[str, str]) -> dict[str, bytes]:
    """The fields of the report of ``attester``, each given in hex; those of another TEE are not read.

    Raises:
        ConfigError: a variable is not so many bytes in hex.
    """
    known = _TDX_FIELDS if attester == _TDX else _SGX_FIELDS
    return {
        field: _value(variable, environment[variable], length)
        for variable, (field, length) in known.items()
        if environment.get(variable)
    }


def _value(variable: str, text: str, length: int) -> bytes:
    try:
        return decode_hex(text, "environment", variable, length=length)
    except FormatError as error:
        raise ConfigError(str(error), detail="simulated_field", key=variable) from None
