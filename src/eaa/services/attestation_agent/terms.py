"""What an agent is configured with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from eaa.services.attestation_agent.cache import CacheTerms
from eaa.services.attestation_agent.measurement import EventLogTerms
from eaa.services.attestation_agent.offline_fs_kbc import KEYS_FILE, RESOURCES_FILE
from eaa.services.attestation_agent.params import KbcParams
from eaa.services.attestation_agent.patience import Patience
from eaa.services.attestation_agent.registers import TDX_REGISTERS
from eaa.services.attestation_agent.sealed_secrets import SIGNING_KEYS

__all__ = ["AgentTerms", "Sockets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sockets:
    """Where the agent listens: ``tcp://`` on loopback, or ``unix://``; empty switches one off.

    ``keyprovider`` and ``getresource`` are gRPC as the first agents had it, ``attestation`` gRPC with all of
    today's services. ``attestation_ttrpc`` and ``cdh_ttrpc`` are today's sockets of guests. ``rest`` is HTTP.
    """

    keyprovider: str = ""
    getresource: str = ""
    attestation: str = ""
    attestation_ttrpc: str = ""
    cdh_ttrpc: str = ""
    rest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTerms:
    """``params`` is ``None`` where no broker was named: then there are no secrets to be had.

    ``kbs_certificate`` is PEM.
    """

    params: KbcParams | None
    sockets: Sockets = field(default_factory=Sockets)
    patience: Patience = field(default_factory=Patience)
    cache: CacheTerms = field(default_factory=CacheTerms)
    event_log: EventLogTerms = field(default_factory=EventLogTerms)
    kbs_certificate: bytes | None = None
    offline_keys: Path = KEYS_FILE
    offline_resources: Path = RESOURCES_FILE
    signing_keys: Path = SIGNING_KEYS
    tdx_registers: Path = TDX_REGISTERS
