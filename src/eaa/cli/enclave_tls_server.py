"""``enclave-tls-server``: the workload of the confidential-container flow."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

import click

from eaa import __version__
from eaa.cli.channel_options import ChannelOptions, build_channel_config, channel_options
from eaa.cli.console import EXIT_CODES, debug_option
from eaa.cli.invocation import prepare_streams
from eaa.cli.manifest_environment import environment_log_level, environment_notes
from eaa.cli.original_options import sample_options
from eaa.cli.service_command import ServiceCommand, configure_logging, log_notes, say
from eaa.services.listening import address_of, bind
from eaa.services.running import run_until_stopped
from eaa.services.workload import Workload
from eaa.transport.address import TcpAddress

__all__ = ["enclave_tls_server", "main"]

_LOG = logging.getLogger("eaa.workload")


@click.command(
    "enclave-tls-server",
    cls=ServiceCommand,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="enclave-tls-server")
@click.option("-i", "--ip", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "-p", "--port", type=click.IntRange(0, 0xFFFF), default=1234, show_default=True,
    help="Port to listen on; 0 lets the kernel choose.",
)  # fmt: skip
@channel_options("avtcml")
@click.option("--drain-seconds", type=click.FloatRange(0, 3600), default=30, show_default=True,
              help="How long open connections may go on after SIGTERM.")  # fmt: skip
@sample_options
@debug_option
def enclave_tls_server(ip: str, port: int, drain_seconds: float, **values: Any) -> None:
    """Serve attested TLS: show evidence, answer challenges, send back what comes.

    With --mutual the peer must show evidence that is accepted. A handshake that fails ends its own
    connection only. SIGTERM drains, SIGHUP renews keys and certificates.

    \b
    Examples:
      enclave-tls-server --mutual
      enclave-tls-server -i 127.0.0.1 -p 1234 -a simulated -v simulated -m
    """
    options = ChannelOptions.take(values)
    configure_logging(options.log_level or environment_log_level(os.environ) or "info")
    for note in environment_notes(os.environ):
        _LOG.debug("%s", note)
    config, notes = build_channel_config(options, needs_attester=True, needs_verifier=options.mutual)
    log_notes(notes)
    listening = bind(str(TcpAddress(ip, port)))

    async def serve() -> None:
        service = Workload(listening, config)

        async def renew() -> None:
            service.replace(await asyncio.to_thread(_again, options))

        async def ready() -> None:
            say(f"listening on {address_of(listening)}")

        await run_until_stopped(service, drain_seconds=drain_seconds, renew=renew, ready=ready)

    try:
        asyncio.run(serve())
    finally:
        listening.close()


def _again(options: ChannelOptions) -> Any:
    return build_channel_config(options, needs_attester=True, needs_verifier=options.mutual)[0]


def main() -> None:
    """The console script."""
    prepare_streams()
    enclave_tls_server(prog_name="enclave-tls-server")


if __name__ == "__main__":
    main()
