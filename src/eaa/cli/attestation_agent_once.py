"""What ``attestation-agent`` does once, without serving: fetch a secret, a token, or evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from eaa.cli.attestation_agent_inputs import agent_inputs
from eaa.cli.channel_options import ChannelOptions
from eaa.cli.console import debug_option, emit
from eaa.cli.params import HexBytes
from eaa.cli.service_command import log_notes
from eaa.cli.verdict_refused import Refused
from eaa.cli.verdict_secret import secret_output_options, write_secret
from eaa.errors import EAAError
from eaa.services.attestation_agent.agent import Agent
from eaa.services.attestation_agent.failures import agent_outcome

__all__ = ["AgentSession", "evidence", "get_resource", "token"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AgentSession:
    """What the group's options said, for its commands: click's context holds it as ``obj``."""

    values: dict[str, Any]
    options: ChannelOptions

    def run(self, use: Callable[[Agent], Awaitable[T]]) -> T:
        """What ``use`` gives of an agent that lives so long. For commands that do one thing.

        Raises:
            Refused: it failed: which step, what to do, and the exit code.
        """

        async def once() -> T:
            inputs = await asyncio.to_thread(agent_inputs, self.values, self.options)
            log_notes(inputs.notes)
            agent = inputs.make()
            try:
                return await use(agent)
            finally:
                await agent.close()

        try:
            return asyncio.run(once())
        except EAAError as error:
            raise Refused(str(error), error.code, agent_outcome(error).exit_code) from error


@click.command("get-resource")
@click.argument("path")
@secret_output_options
@debug_option
@click.pass_obj
def get_resource(session: AgentSession, path: str, out: str | None, force: bool) -> None:
    """Attest, and fetch the resource PATH, repository/type/tag.

    \b
    Examples:
      attestation-agent --aa-kbc-params cc_kbc::https://kbs.example:8080 get-resource default/key/1 --out key
      attestation-agent --aa-kbc-params eaa_kbc::192.0.2.7:1234 get-resource kbs:///default/key/1 | sha256sum
    """
    write_secret(session.run(lambda agent: agent.resource(path)), out, force=force)


@click.command()
@secret_output_options
@debug_option
@click.pass_obj
def token(session: AgentSession, out: str | None, force: bool) -> None:
    """Attest to a KBS, and write its token with the key that it is for, as JSON.

    Who has both is this guest to every service that believes the KBS.
    """
    write_secret(session.run(lambda agent: agent.token("kbs")), out, force=force)


@click.command()
@click.option(
    "--runtime-data", type=HexBytes(0, most=64), default="", metavar="HEX",
    help="What the evidence is bound to, at most 64 bytes; zeros follow.",
)  # fmt: skip
@debug_option
@click.pass_obj
def evidence(session: AgentSession, runtime_data: bytes) -> None:
    """Write this guest's evidence as guest components show it, as JSON."""
    emit(session.run(lambda agent: agent.evidence.document(runtime_data)).decode())
