"""``enclave-tls-client``: verify an attested server, send it a message, print the answer."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from eaa import __version__
from eaa.cli.channel_options import ChannelOptions, build_channel_config, channel_options
from eaa.cli.console import EXIT_CODES, clean, debug_option, emit
from eaa.cli.invocation import prepare_streams
from eaa.cli.original_options import sample_options
from eaa.cli.service_command import ServiceCommand, configure_logging, log_notes
from eaa.errors import RemoteProtocolError
from eaa.tls.peer import PeerIdentity
from eaa.transport.address import TcpAddress
from eaa.transport.config import ChannelConfig
from eaa.transport.streams import open_attested_connection

__all__ = ["enclave_tls_client", "main"]

_MESSAGE = "Hello and welcome to enclave-tls!"
_SHOWN = ("mr_enclave", "mr_signer", "isv_prod_id", "isv_svn", "mr_td", "tcb_status")


@click.command(
    "enclave-tls-client",
    cls=ServiceCommand,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="enclave-tls-client")
@click.option("-i", "--ip", default="127.0.0.1", show_default=True, help="Address of the server.")
@click.option(
    "-p", "--port", type=click.IntRange(1, 0xFFFF), default=1234, show_default=True,
    help="Port of the server.",
)  # fmt: skip
@click.option("--message", default=_MESSAGE, show_default=True, help="What to send.")
@channel_options("avtcml")
@sample_options
@debug_option
def enclave_tls_client(ip: str, port: int, message: str, **values: Any) -> None:
    """Connect to an attested server, verify its evidence, and print what it answers.

    What was proven about the server is written first. With --mutual this end shows evidence too.

    \b
    Examples:
      enclave-tls-client --mutual
      enclave-tls-client -p 1234 -a simulated -v simulated -m
    """
    options = ChannelOptions.take(values)
    configure_logging(options.log_level or "info")
    config, notes = build_channel_config(options, needs_attester=options.mutual, needs_verifier=True)
    log_notes(notes)
    asyncio.run(_converse(TcpAddress(ip, port), config, message.encode()))


async def _converse(address: TcpAddress, config: ChannelConfig, message: bytes) -> None:
    try:
        stream = await open_attested_connection(str(address), config)
    except OSError as error:
        raise RemoteProtocolError(
            f"cannot connect to {address}: {error.strerror or error}", detail="unreachable"
        ) from None
    for line in _proven(stream.peer):
        emit(line)
    stream.write(message)
    stream.write_eof()
    answer = b""
    try:
        async with asyncio.timeout(config.handshake_seconds):
            while part := await stream.read():
                answer += part
    except TimeoutError:
        raise RemoteProtocolError("the server did not answer in time", detail="deadline") from None
    finally:
        stream.close()
    emit(f"Server: {clean(answer.decode('utf-8', 'replace'))}")


def _proven(peer: PeerIdentity) -> list[str]:
    if peer.result is None:
        return ["nothing was proven about the server"]
    claims = peer.claims()
    found = [f"{name} {clean(claims[name])}" for name in _SHOWN if name in claims]
    return [f"proven: {peer.result.verified.tee} evidence, bound to this connection ({peer.profile})", *found]


def main() -> None:
    """The console script."""
    prepare_streams()
    enclave_tls_client(prog_name="enclave-tls-client")


if __name__ == "__main__":
    main()
