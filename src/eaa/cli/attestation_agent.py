"""``attestation-agent``: the guest's half. Evidence, tokens and secrets for what runs in the same guest."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import click

from eaa import __version__
from eaa.cli.attestation_agent_inputs import AgentInputs, agent_inputs
from eaa.cli.attestation_agent_once import AgentSession
from eaa.cli.attestation_agent_options import PREFIX, agent_options, read_file
from eaa.cli.channel_options import ChannelOptions, channel_options
from eaa.cli.command_table import TableGroup
from eaa.cli.console import debug_option
from eaa.cli.invocation import prepare_streams
from eaa.cli.manifest_environment import environment_log_level
from eaa.cli.service_command import configure_logging, log_notes, say
from eaa.cli.verdict_refused import Refused
from eaa.errors import EAAError, outcome_of
from eaa.services.attestation_agent.service import AttestationAgent
from eaa.services.running import run_until_stopped

__all__ = ["COMMANDS", "attestation_agent", "main"]

#: As :class:`eaa.cli.command_table.TableGroup` has it.
COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "get-resource": ("eaa.cli.attestation_agent_once", "Attest, and fetch a secret."),
        "token": ("eaa.cli.attestation_agent_once", "Attest to a KBS, and write its token."),
        "evidence": ("eaa.cli.attestation_agent_once", "Write this guest's evidence."),
        "pull": ("eaa.cli.attestation_agent_pull", "Pull, check, open and unpack an image."),
    }
)

EXIT_CODES = """\b
EXIT CODES
  0   it did what it was asked
  1   the service could not; or an internal error
  2   usage: an option, a file or a setting is not as it must be
  10  refused: by the broker, or its evidence by this agent
  20  unsupported
  30  malformed: a path, a key or an answer is not one
  40  the broker cannot be reached"""


class AgentGroup(TableGroup):
    """Commands from :data:`COMMANDS`; options are in the environment and a file as well."""

    table = COMMANDS

    def main(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("auto_envvar_prefix", PREFIX)
        return super().main(*args, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """The file is read while options are, where :meth:`invoke` does not catch its errors."""
        try:
            return super().make_context(*args, **kwargs)
        except EAAError as error:
            raise Refused(str(error), error.code, outcome_of(error).exit_code) from error


@click.group(
    "attestation-agent",
    cls=AgentGroup,
    invoke_without_command=True,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, "-V", "--version", prog_name="attestation-agent")
@click.option(
    "-C", "--config", metavar="FILE", is_eager=True, expose_value=False, callback=read_file,
    help="TOML: the options' names, without the dashes, and their values.",
)  # fmt: skip
@agent_options
@channel_options()
@debug_option
@click.pass_context
def attestation_agent(ctx: click.Context, /, drain_seconds: float, **values: Any) -> None:
    """Attest this guest, and give what runs in it evidence, tokens and secrets.

    Without a command it serves: key provider of ocicrypt, resources, today's attestation agent and
    confidential data hub, over gRPC, ttrpc and HTTP, on loopback and sockets of its owner only. Options go
    before the environment (ATTESTATION_AGENT_…), that before the file.

    \b
    Examples:
      attestation-agent --aa-kbc-params cc_kbc::http://127.0.0.1:8080 --attester simulated-tdx
      attestation-agent --aa-kbc-params eaa_kbc::192.0.2.7:1234 get-resource default/key/1 --out key.bin
    """
    options = ChannelOptions.take(values)
    configure_logging(options.log_level or environment_log_level(os.environ) or "info")
    if ctx.invoked_subcommand is not None:
        ctx.obj = AgentSession(values, options)
        return
    inputs = agent_inputs(values, options)
    log_notes(inputs.notes)
    asyncio.run(_serve(inputs, drain_seconds))


async def _serve(inputs: AgentInputs, drain_seconds: float) -> None:
    terms = inputs.terms
    service = AttestationAgent(
        inputs.make(), terms.sockets, request_seconds=terms.patience.request_seconds, say=say
    )

    async def renew() -> None:
        """There is nothing to be read anew: a channel's keys are made with its configuration."""

    async def ready() -> None:
        say(f"ready; secrets by {terms.params or 'nobody'}")

    await run_until_stopped(service, drain_seconds=drain_seconds, renew=renew, ready=ready)


def main() -> None:
    """The console script."""
    prepare_streams()
    attestation_agent(prog_name="attestation-agent")


if __name__ == "__main__":
    main()
