"""``verdictd``: the verifier and key broker."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import click

from eaa import __version__
from eaa.cli.console import EXIT_CODES, debug_option
from eaa.cli.invocation import prepare_streams
from eaa.cli.service_command import ServiceCommand, given_flags, process_options, say

__all__ = ["main", "verdictd"]

#: Flags by section and key. What is not given leaves the environment and the file their say.
_FLAGS = {
    "state_directory": ("state_directory",),
    "workers": ("workers",),
    "drain_seconds": ("drain_seconds",),
    "http": ("http", "listen"),
    "listen": ("channel", "listen"),
    "tls": ("channel", "tls"),
    "crypto": ("channel", "crypto"),
    "attester": ("channel", "attester"),
    "verifier": ("channel", "verifier"),
    "mutual": ("channel", "mutual"),
    "profile": ("channel", "profile"),
    "unsafe_null": ("channel", "unsafe_null"),
    "client_api": ("client_api", "listen"),
    "metrics": ("metrics", "listen"),
    "storage": ("storage", "url"),
    "master_key": ("storage", "master_key"),
    "collateral": ("verification", "collateral"),
    "trust_anchor": ("verification", "trust_anchors"),
    "simulated": ("verification", "simulated"),
    "simulated_dir": ("verification", "simulated_directory"),
    "unsafe_sample": ("verification", "unsafe_sample"),
    "log_level": ("log", "level"),
    "log_format": ("log", "format"),
}


@click.command(
    "verdictd",
    cls=ServiceCommand,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="verdictd")
@process_options
@click.option("--http", metavar="ADDR", help="KBS protocol and administration.  [default: 127.0.0.1:8080]")
@click.option(
    "-l", "--listen", metavar="ADDR", help="Attested channel, '' for none.  [default: 127.0.0.1:1234]"
)
@click.option(
    "--client-api", metavar="ADDR", help="gRPC administration, '' for none.  [default: [::1]:60000]"
)
@click.option("--metrics", metavar="ADDR", help="Metrics and health, '' for none.  [default: 127.0.0.1:8081]")
@click.option("--tls", metavar="NAME", help="TLS library of the channel: openssl.")
@click.option("--crypto", metavar="NAME", help="Crypto library of the channel: openssl.")
@click.option("--attester", metavar="NAME", help="Who collects our evidence for the channel.")
@click.option("--verifier", metavar="NAME", help="Who verifies the peer's evidence.")
@click.option(
    "-m", "--mutual/--no-mutual", default=None, help="The channel's peer shows evidence.  [default: mutual]"
)
@click.option(
    "--profile",
    type=click.Choice(["exporter-v1", "ratls-cert"]),
    help="How evidence is bound to the channel.",
)
@click.option(
    "--unsafe-null", is_flag=True, default=None, help="Allow nullattester and nullverifier to be named."
)
@click.option("--master-key", metavar="URI", help="file:PATH, openbao+https://… or pkcs11:….")
@click.option(
    "--collateral",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Endorsements: a file or a folder. Repeatable.",
)
@click.option(
    "--trust-anchor",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Root certificate to trust instead of Intel's. Repeatable.",
)
@click.option(
    "--simulated", is_flag=True, default=None, help="Believe this user's simulated vendor, and nobody else."
)
@click.option(
    "--simulated-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the simulated vendor.  [env: EAA_SIMULATED_DIR]",
)
@click.option(
    "--unsafe-sample", is_flag=True, default=None, help="Accept the TEE 'sample', which proves nothing."
)
@click.option(
    "--rewrap",
    "rewrap_keys",
    is_flag=True,
    help="After a change of the master key: wrap all data keys with it, and end.",
)
@click.option(
    "--rotate-data-key",
    is_flag=True,
    help="Seal what is stored from now on under a new data key, and end; what is stored stays.",
)
@debug_option
def verdictd(
    config: Path | None,
    check: bool,
    rewrap_keys: bool,
    rotate_data_key: bool,
    worker_descriptors: tuple[int, ...] | None,
    **values: Any,
) -> None:
    """Appraise evidence; release keys and resources to what the policies accept.

    Guests speak the KBS protocol over HTTP, or the EAA protocol over attested TLS. Flags go before the
    environment (VERDICTD_…), that before the file. SIGTERM drains, SIGHUP renews keys and reads
    endorsements anew. The administrator's key is made at the first start.

    \b
    Examples:
      verdictd --simulated --attester simulated
      verdictd -C /etc/verdictd.toml --collateral /var/lib/verdictd/collateral
    """
    # The service takes a second to import; its help, version and complaints about flags do without.
    from eaa.cli.verdictd_inputs import channel_config, evidence_source
    from eaa.cli.verdictd_run import run_supervisor, run_worker
    from eaa.services.structured_logs import configure_logs
    from eaa.services.tls_files import require_certificate
    from eaa.services.verdictd.config import load_config
    from eaa.services.verdictd.core import check_master_keys, new_data_key, rewrap

    loaded = load_config(config, given_flags(values, _FLAGS), os.environ)
    configure_logs(loaded.log.level, loaded.log.format)
    if sum((rewrap_keys, rotate_data_key, check)) > 1:
        raise click.UsageError("--check, --rewrap and --rotate-data-key exclude each other")
    if rewrap_keys:
        say(f"{asyncio.run(rewrap(loaded))} data keys are wrapped with the configured master key")
    elif rotate_data_key:
        say(f"new secrets are sealed under the data key {asyncio.run(new_data_key(loaded))}")
    elif check:
        require_certificate(loaded.http)
        check_master_keys(loaded)
        channel_config(loaded, evidence_source(loaded)[0])
        say("the configuration is sound")
    elif worker_descriptors:
        run_worker(loaded, worker_descriptors)
    elif loaded.workers > 1:
        run_supervisor(loaded, sys.argv[1:])
    else:
        run_worker(loaded, None)


def main() -> None:
    """The console script."""
    prepare_streams()
    verdictd(prog_name="verdictd")


if __name__ == "__main__":
    main()
