"""What the options of ``attestation-agent`` come to: its configuration, attester, registers and channel."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eaa.attester.instances import AttesterOptions, select_attester
from eaa.cli.channel_options import ChannelOptions, build_channel_config
from eaa.cli.files import load_input
from eaa.cli.simulated_fields import simulated_fields
from eaa.errors import AttesterError
from eaa.evidence.dcap_quote import parse_quote_frame
from eaa.evidence.tdx import TdReport
from eaa.services.attestation_agent.agent import Agent, make_agent
from eaa.services.attestation_agent.cache import CacheTerms
from eaa.services.attestation_agent.measurement import EventLogTerms
from eaa.services.attestation_agent.params import CC_KBC, EAA_KBC, KbcParams, kernel_parameter, parse_params
from eaa.services.attestation_agent.patience import Patience
from eaa.services.attestation_agent.registers import (
    Extender,
    SimulatedRegisters,
    SimulatedTd,
    TdxRegisterFiles,
)
from eaa.services.attestation_agent.terms import AgentTerms, Sockets
from eaa.tls.peer import Attester
from eaa.transport.config import ChannelConfig

__all__ = ["AgentInputs", "agent_inputs"]

_SIMULATED_TDX, _TDX = "simulated-tdx", "tdx_ecdsa"
_REPORT_DATA = bytes(64)
_MAX_COMMAND_LINE = 64 * 1024


@dataclass(frozen=True, slots=True)
class AgentInputs:
    """``channel`` is there for ``eaa_kbc``; ``notes`` are said once."""

    terms: AgentTerms
    attester: Attester | None
    extender: Extender | None
    channel: ChannelConfig | None
    notes: tuple[str, ...]

    def make(self) -> Agent:
        """The agent; raises as :func:`make_agent`."""
        return make_agent(self.terms, attester=self.attester, extender=self.extender, channel=self.channel)


def agent_inputs(values: dict[str, Any], options: ChannelOptions) -> AgentInputs:
    """Of click's ``values`` and the channel's ``options``.

    Raises:
        UsageError, ConfigError, UnsupportedError: what is named cannot be had, and why.
        AttesterError: there is no attester, and the module needs one.
    """
    terms = _terms(values)
    name = terms.params.name if terms.params is not None else ""
    options = dataclasses.replace(options, mutual=name == EAA_KBC)
    try:
        config, notes = build_channel_config(options, needs_attester=True, needs_verifier=name == EAA_KBC)
        attester = config.attester
    except AttesterError as error:
        if name in (CC_KBC, EAA_KBC):
            raise
        return AgentInputs(terms, None, None, None, (f"no evidence is shown: {error}",))
    if terms.params is None:
        notes += ("no broker is named: there are no secrets; see --aa-kbc-params",)
    if terms.params is not None and not terms.params.proves_broker:
        notes += (f"{terms.params}: plain HTTP does not prove who answers: a resource may be anybody's",)
    attester, extender = _registers(attester, terms, options)
    channel = dataclasses.replace(config, attester=attester) if name == EAA_KBC else None
    return AgentInputs(terms, attester, extender, channel, notes)


def _terms(values: dict[str, Any]) -> AgentTerms:
    certificate = values["kbs_cert"]
    return AgentTerms(
        params=_params(values["aa_kbc_params"], Path(values["kernel_cmdline"])),
        sockets=Sockets(
            **{field.name: _address(values[f"{field.name}_sock"]) for field in dataclasses.fields(Sockets)}
        ),
        patience=Patience(values["attempts"], values["request_seconds"]),
        cache=CacheTerms(values["cache_seconds"], values["cache_bytes"], values["refused_seconds"]),
        event_log=EventLogTerms(
            values["eventlog"], values["init_pcr"], Path(values["eventlog_directory"]), Path(values["ccel"])
        ),
        kbs_certificate=None if certificate is None else load_input(certificate),
        offline_keys=Path(values["offline_keys"]),
        offline_resources=Path(values["offline_resources"]),
        signing_keys=Path(values["signing_keys"]),
        tdx_registers=Path(values["tdx_registers"]),
    )


def _params(given: str | None, command_line: Path) -> KbcParams | None:
    """As given, or as the kernel was told; of a kernel that cannot be asked nothing."""
    text = given or ""
    if not text:
        try:
            with command_line.open("rb") as stream:
                text = kernel_parameter(stream.read(_MAX_COMMAND_LINE).decode(errors="replace"))
        except OSError:
            text = ""
    return parse_params(text) if text else None


def _address(text: str) -> str:
    """``host:port`` as the originals have it, or a whole address."""
    return f"tcp://{text}" if text and "://" not in text else text


def _registers(
    attester: Attester | None, terms: AgentTerms, options: ChannelOptions
) -> tuple[Attester | None, Extender | None]:
    """The attester, which shows what is extended, and what extends, if the TEE has such registers."""
    if attester is None or not terms.event_log.enabled:
        return attester, None
    if attester.name == _TDX and terms.tdx_registers.is_dir():
        return attester, TdxRegisterFiles(terms.tdx_registers)
    if attester.name != _SIMULATED_TDX:
        return attester, None
    body = parse_quote_frame(attester.collect(_REPORT_DATA).evidence).body
    assert isinstance(body, TdReport)  # noqa: S101 - of the attester named
    registers = SimulatedRegisters((body.rt_mr0, body.rt_mr1, body.rt_mr2, body.rt_mr3))

    def make(fields: dict[str, bytes]) -> Attester:
        settings = AttesterOptions(
            simulated_directory=options.simulated_store.directory,
            simulated_fields=simulated_fields(_SIMULATED_TDX, os.environ) | fields,
        )
        return select_attester(_SIMULATED_TDX, root=Path("/"), options=settings, allow_null=False)

    return SimulatedTd(_SIMULATED_TDX, registers, make), registers
