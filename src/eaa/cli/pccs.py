"""``pccs``: the caching service of endorsements."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import click

from eaa import __version__
from eaa.cli.console import EXIT_CODES, debug_option, emit
from eaa.cli.invocation import prepare_streams
from eaa.cli.pccs_run import anchors_of, run_supervisor, run_worker
from eaa.cli.service_command import ServiceCommand, given_flags, process_options, say
from eaa.errors import UsageError
from eaa.services.pccs.config import load_config
from eaa.services.pccs.upstream_sources import open_upstream
from eaa.services.structured_logs import configure_logs
from eaa.services.tls_files import require_certificate

__all__ = ["main", "pccs"]

#: Flags by section and key. What is not given leaves the environment and the file their say.
_FLAGS = {
    "state_directory": ("state_directory",),
    "mode": ("mode",),
    "workers": ("workers",),
    "drain_seconds": ("drain_seconds",),
    "listen": ("http", "listen"),
    "certificate": ("http", "certificate"),
    "private_key": ("http", "private_key"),
    "metrics": ("metrics", "listen"),
    "storage": ("storage", "url"),
    "upstream": ("upstream", "url"),
    "upstream_kind": ("upstream", "kind"),
    "region": ("upstream", "region"),
    "vpc": ("upstream", "vpc"),
    "api_key_file": ("upstream", "api_key_file"),
    "trust_anchor": ("verification", "trust_anchors"),
    "log_level": ("log", "level"),
    "log_format": ("log", "format"),
}
_MAX_TOKEN_BYTES = 1024


@click.command(
    "pccs",
    cls=ServiceCommand,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="pccs")
@process_options
@click.option(
    "-m",
    "--mode",
    type=click.Choice(["lazy", "req", "offline"], case_sensitive=False),
    help="What is done about what is not there.  [default: lazy]",
)
@click.option("-l", "--listen", metavar="ADDR", help="Where clients ask.  [default: 127.0.0.1:8081]")
@click.option("--certificate", type=click.Path(path_type=Path), metavar="FILE", help="PEM, for TLS.")
@click.option("--private-key", type=click.Path(path_type=Path), metavar="FILE", help="PEM, for TLS.")
@click.option("--metrics", metavar="ADDR", help="Metrics and health, '' for none.  [default: 127.0.0.1:8082]")
@click.option("--upstream", metavar="URL", help="PCS or a PCCS, '' for none.  [default: Intel's PCS]")
@click.option("--upstream-kind", type=click.Choice(["pcs", "pccs"]), help="What answers there.")
@click.option("--region", metavar="ID", help="Ask Alibaba Cloud's PCCS of this region, e.g. cn-beijing.")
@click.option("--vpc", is_flag=True, default=None, help="By the region's address inside a VPC.")
@click.option(
    "--api-key-file", type=click.Path(path_type=Path), metavar="FILE", help="Subscription key of PCS."
)
@click.option(
    "--trust-anchor",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Root certificate to believe instead of the vendors'. Repeatable.",
)
@click.option("--hash-token", is_flag=True, help="Read a token from stdin, write its SHA-512, and end.")
@debug_option
def pccs(
    config: Path | None,
    check: bool,
    hash_token: bool,
    worker_descriptors: tuple[int, ...] | None,
    **values: Any,
) -> None:
    """Keep the vendors' endorsements at hand: Intel's by the API of PCS and PCCS, AMD's by that of KDS.

    All that is kept was verified. Flags go before the environment (PCCS_…), that before the file. SIGTERM
    drains, SIGHUP reads the TLS certificate anew.

    \b
    Examples:
      pccs --api-key-file /etc/pccs/api-key
      pccs -C /etc/pccs/pccs.toml --region cn-beijing --vpc
      pccs --hash-token < admin-token
    """
    if hash_token:
        emit(_hashed())
        return
    loaded = load_config(config, given_flags(values, _FLAGS), os.environ)
    configure_logs(loaded.log.level, loaded.log.format)
    if check:
        require_certificate(loaded.http)
        anchors_of(loaded)
        open_upstream(loaded.upstream)
        say("the configuration is sound")
    elif worker_descriptors:
        run_worker(loaded, worker_descriptors)
    elif loaded.workers > 1:
        run_supervisor(loaded, sys.argv[1:])
    else:
        run_worker(loaded, None)


def _hashed() -> str:
    token = sys.stdin.buffer.read(_MAX_TOKEN_BYTES + 1).removesuffix(b"\n").removesuffix(b"\r")
    if not 0 < len(token) <= _MAX_TOKEN_BYTES or not token.isascii() or not token.decode().isprintable():
        raise UsageError(f"expected a token of 1 to {_MAX_TOKEN_BYTES} printable characters", detail="token")
    return hashlib.sha512(token).hexdigest()


def main() -> None:
    """The console script."""
    prepare_streams()
    pccs(prog_name="pccs")


if __name__ == "__main__":
    main()
