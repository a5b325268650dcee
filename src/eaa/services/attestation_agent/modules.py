"""The module that ``aa_kbc_params`` names."""

from __future__ import annotations

from eaa.broker.names import ResourcePath
from eaa.errors import ConfigError, InternalError
from eaa.oci.key_id import KeyId
from eaa.services.attestation_agent.cc_kbc import CcKbc
from eaa.services.attestation_agent.eaa_kbc import EaaKbc
from eaa.services.attestation_agent.evidence import GuestEvidence
from eaa.services.attestation_agent.measurement import RuntimeMeasurement
from eaa.services.attestation_agent.offline_fs_kbc import OfflineFsKbc
from eaa.services.attestation_agent.params import CC_KBC, EAA_KBC, OFFLINE_FS_KBC
from eaa.services.attestation_agent.secrets import SecretsModule
from eaa.services.attestation_agent.terms import AgentTerms
from eaa.transport.config import ChannelConfig

__all__ = ["make_module"]


def make_module(
    terms: AgentTerms, evidence: GuestEvidence, measurement: RuntimeMeasurement, channel: ChannelConfig | None
) -> SecretsModule:
    """The module; nothing is connected yet.

    Raises:
        ConfigError: the KBS's certificate is none.
        InternalError: ``eaa_kbc`` without ``channel``.
    """
    params, refused_seconds = terms.params, terms.cache.refused_seconds
    if params is None:
        return _Unconfigured()
    if params.name == CC_KBC:
        return CcKbc(
            params.uri,
            evidence,
            event_log=measurement.log,
            certificate=terms.kbs_certificate,
            patience=terms.patience,
            refused_seconds=refused_seconds,
        )
    if params.name == EAA_KBC and channel is not None:
        return EaaKbc(params.uri, channel, patience=terms.patience, refused_seconds=refused_seconds)
    if params.name == OFFLINE_FS_KBC:
        return OfflineFsKbc(terms.offline_keys, terms.offline_resources)
    raise InternalError(f"the module {params.name} cannot be made")


class _Unconfigured:
    """Has no secrets, and says how to have some."""

    valid_seconds = 0.0

    async def resource(self, path: ResourcePath) -> bytes:
        raise _unconfigured()

    async def key(self, kid: KeyId) -> bytes:
        raise _unconfigured()

    async def token(self) -> bytes:
        raise _unconfigured()

    async def close(self) -> None:
        """There is nothing open."""


def _unconfigured() -> ConfigError:
    return ConfigError(
        "no broker is named: give --aa-kbc-params cc_kbc::http://… or eaa_kbc::host:port, or start the guest"
        " with agent.aa_kbc_params=…",
        detail="aa_kbc_params", key="aa_kbc_params",
    )  # fmt: skip
