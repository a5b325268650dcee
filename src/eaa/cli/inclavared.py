"""``inclavared``: the forwarder of the confidential-container flow."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from eaa import __version__
from eaa.cli.channel_options import ChannelOptions, build_channel_config, channel_options
from eaa.cli.console import EXIT_CODES, debug_option
from eaa.cli.inclavared_run import Settings, ask_once, run_supervisor, run_worker
from eaa.cli.invocation import prepare_streams
from eaa.cli.original_options import enclave_option
from eaa.cli.service_command import ServiceCommand, configure_logging, log_notes, worker_option
from eaa.errors import UsageError
from eaa.services.inclavared import Configs
from eaa.transport.address import TcpAddress, UnixAddress, parse_address

__all__ = ["inclavared", "main"]


if TYPE_CHECKING:
    _TextType = click.ParamType[str]
else:  # generic in newer releases of click only
    _TextType = click.ParamType


class Address(_TextType):
    """``host:port`` or a path, as the original has them, or with ``tcp://`` or ``unix://``; a URL."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        host, separator, port = value.rpartition(":")
        url = value
        if "://" not in value:
            socket_address = separator and host and "/" not in value and port.isascii() and port.isdigit()
            url = f"tcp://{value}" if socket_address else str(UnixAddress(value))
        try:
            return str(parse_address(url))
        except UsageError as error:
            self.fail(str(error), param, ctx)


class LoopbackPort(Address):
    """``PORT`` or ``127.0.0.1:PORT``."""

    name = "port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        url = super().convert(f"127.0.0.1:{value}" if value.isdigit() else value, param, ctx)
        parsed = parse_address(url)
        if not isinstance(parsed, TcpAddress) or parsed.host not in ("127.0.0.1", "::1", "localhost"):
            self.fail("is for a loopback address only: PORT or 127.0.0.1:PORT", param, ctx)
        return url


@click.command(
    cls=ServiceCommand,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="inclavared")
@click.option("-l", "--listen", type=Address(), default="0.0.0.0:1236", show_default=True,
              help="Where to listen: host:port, or the path of a socket.")  # fmt: skip
@click.option("-x", "--xfer", type=Address(), default="127.0.0.1:1234", show_default=True,
              help="The workload: host:port, or the path of a socket.")  # fmt: skip
@click.option("-c", "--connect", type=Address(),
              help="Ask the inclavared there for the workload's evidence, and print its answer.")  # fmt: skip
@channel_options("m")
@click.option("--mutual-downstream", is_flag=True, help="Demand evidence of who connects, too.")
@click.option("--workers", type=click.IntRange(1, 1024), metavar="N",
              help="How many processes serve.  [default: as many as there are CPUs]")  # fmt: skip
@click.option("--metrics", type=LoopbackPort(), metavar="[127.0.0.1:]PORT",
              help="Serve /healthz, /readyz and /metrics there; 0 lets the kernel choose.")  # fmt: skip
@click.option("--drain-seconds", type=click.FloatRange(0, 3600), default=30, show_default=True,
              help="How long open connections may go on after SIGTERM.")  # fmt: skip
@click.option("--renew-seconds", type=click.FloatRange(1), default=12 * 3600, show_default=True,
              help="After which new connections get new keys and certificates, as after SIGHUP.")  # fmt: skip
@worker_option
@enclave_option
@debug_option
def inclavared(connect: str | None, worker_descriptors: tuple[int, ...] | None, **values: Any) -> None:
    """Forward attested TLS from a node's address to the workload on that node.

    Who connects and asks for it gets the workload's own evidence, made for the asker's nonce; anything else
    is forwarded over a channel to the workload whose evidence was verified. --mutual shows evidence to the
    workload as well. SIGTERM drains, SIGHUP renews keys and certificates.

    \b
    Examples:
      inclavared --mutual
      inclavared -l 0.0.0.0:1236 -x 127.0.0.1:1234 --attester sgx_ecdsa --verifier sgx_ecdsa_qve -m
      inclavared -l 0.0.0.0:1236 -x /run/workload.sock --metrics 9100 --workers 4
    """
    options = ChannelOptions.take(values)
    configure_logging(options.log_level or "info")
    if connect is not None:
        config, notes = build_channel_config(options, needs_attester=options.mutual, needs_verifier=True)
        log_notes(notes)
        ask_once(connect, config)
        return
    settings = Settings(
        listen=values["listen"],
        upstream=values["xfer"],
        metrics=(values["metrics"] or "").removeprefix("tcp://"),
        drain_seconds=values["drain_seconds"],
        renew_seconds=values["renew_seconds"],
        configs=lambda: _configs(options, values["mutual_downstream"])[0],
    )
    configs, notes = _configs(options, values["mutual_downstream"])
    workers = values["workers"] or os.cpu_count() or 1
    if worker_descriptors is None:
        log_notes(notes)
    if worker_descriptors is not None or workers == 1:
        run_worker(settings, configs, worker_descriptors)
    else:
        run_supervisor(settings, workers, sys.argv[1:])


def _configs(options: ChannelOptions, mutual_downstream: bool) -> tuple[Configs, tuple[str, ...]]:
    up, notes = build_channel_config(options, needs_attester=options.mutual, needs_verifier=True)
    down, more = build_channel_config(
        replace(options, mutual=mutual_downstream), needs_attester=True, needs_verifier=mutual_downstream
    )
    return Configs(down, up), tuple(dict.fromkeys((*notes, *more)))


def main() -> None:
    """The console script."""
    prepare_streams()
    inclavared(prog_name="inclavared")


if __name__ == "__main__":
    main()
