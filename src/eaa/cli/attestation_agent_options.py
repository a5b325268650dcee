"""The options of ``attestation-agent``, which are the keys of its file and its variables as well."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from eaa.cli.options import with_options
from eaa.errors import ConfigError
from eaa.services.attestation_agent.cache import CacheTerms
from eaa.services.attestation_agent.measurement import EventLogTerms
from eaa.services.attestation_agent.offline_fs_kbc import KEYS_FILE, RESOURCES_FILE
from eaa.services.attestation_agent.patience import Patience
from eaa.services.attestation_agent.registers import TDX_REGISTERS
from eaa.services.attestation_agent.sealed_secrets import SIGNING_KEYS

__all__ = ["PREFIX", "agent_options", "read_file", "run_folder"]

F = TypeVar("F", bound=Callable[..., Any])

PREFIX = "ATTESTATION_AGENT"
_MAX_FILE_BYTES = 1024 * 1024
#: Of the command itself, not of what it does.
_NOT_IN_FILE = frozenset({"config", "version", "help", "debug"})


def run_folder(environment: Mapping[str, str]) -> Path | None:
    """Where sockets and logs of this boot are; ``None`` where this user has no such folder."""
    if os.geteuid() == 0:
        return Path("/run")
    own = environment.get("XDG_RUNTIME_DIR")
    return Path(own) if own else None


def read_file(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """Let the TOML file's values be what is not given on the command line or in the environment.

    Raises:
        ConfigError: it cannot be read, is no TOML, or has a key that is no option.
    """
    if value is None:
        return
    document = _load(value)
    known = {name for item in ctx.command.params if (name := item.name) is not None} - _NOT_IN_FILE
    given = {key.replace("-", "_"): item for key, item in document.items()}
    for key in given:
        if key not in known:
            raise ConfigError(
                f"{value}: {key}: there is no such key", detail="value", key=key, file=value
            )  # fmt: skip
    ctx.default_map = {**(ctx.default_map or {}), **given}


def agent_options(function: F) -> F:
    """All but those of the channel."""
    return with_options(function, _options())


def _load(name: str) -> dict[str, Any]:
    try:
        with Path(name).open("rb") as stream:
            data = stream.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{name}: {error.strerror}", detail="file", file=name) from None
    if len(data) > _MAX_FILE_BYTES:
        raise ConfigError(f"{name}: more than {_MAX_FILE_BYTES} bytes", detail="file", file=name)
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}: not TOML: {error}", detail="file", file=name) from None


def _options() -> list[Callable[[Any], Any]]:
    run = run_folder(os.environ)
    ttrpc = f"unix://{run}/confidential-containers" if run else ""
    cache, patience, log = CacheTerms(), Patience(), EventLogTerms()
    seconds = click.FloatRange(0, 86400)
    some_seconds = click.FloatRange(0, 3600, min_open=True)

    def option(name: str, *, envvar: list[str] | None = None, **settings: Any) -> Callable[[Any], Any]:
        names = (f"--{name.replace('-', '_')}", f"--{name}") if name.endswith("-sock") else (f"--{name}",)
        return click.option(*names, envvar=envvar, show_default=True, **settings)

    def socket(name: str, default: str, text: str) -> Callable[[Any], Any]:
        return option(f"{name}-sock", default=default, metavar="ADDR", help=f"{text}, '' for none.")

    return [
        option("aa-kbc-params", metavar="KBC::URI", envvar=[f"{PREFIX}_AA_KBC_PARAMS", "AA_KBC_PARAMS"],
               help="cc_kbc::URL (any KBS), eaa_kbc::HOST:PORT (verdictd over attested TLS), or"
               " offline_fs_kbc::null. Without it, agent.aa_kbc_params of the kernel's command line."),
        option("kernel-cmdline", default="/proc/cmdline", metavar="FILE", help="The kernel's command line."),
        socket("keyprovider", "127.0.0.1:50000", "gRPC for ocicrypt: keys of images"),
        socket("getresource", "127.0.0.1:50001", "gRPC of the first agents: resources"),
        socket("attestation", "127.0.0.1:50002", "gRPC of today: attestation and confidential data"),
        socket("attestation-ttrpc", f"{ttrpc}/attestation-agent/attestation-agent.sock" if ttrpc else "",
               "ttrpc: attestation"),
        socket("cdh-ttrpc", f"{ttrpc}/cdh.sock" if ttrpc else "", "ttrpc: confidential data"),
        socket("rest", "127.0.0.1:8006", "HTTP for containers"),
        option("kbs-cert", metavar="FILE", help="PEM of who vouches for the KBS; without it the system's."),
        option("request-seconds", type=some_seconds, default=patience.request_seconds, metavar="SECONDS",
               help="What the broker is given for a secret, all attempts together."),
        option("attempts", type=click.IntRange(1, 100), default=patience.attempts, metavar="N",
               help="How often a broker that does not answer is asked."),
        option("cache-seconds", type=seconds, default=cache.seconds, metavar="SECONDS",
               help="How long a secret is kept in memory at most; 0: not at all."),
        option("cache-bytes", type=click.IntRange(0), default=cache.max_bytes, metavar="N",
               help="Of all secrets that are kept."),
        option("refused-seconds", type=seconds, default=cache.refused_seconds, metavar="SECONDS",
               help="How long a refusal is remembered, before the broker is asked again."),
        option("offline-keys", default=str(KEYS_FILE), metavar="FILE", help="Keys of offline_fs_kbc."),
        option("offline-resources", default=str(RESOURCES_FILE), metavar="FILE",
               help="Resources of offline_fs_kbc."),
        option("signing-keys", default=str(SIGNING_KEYS), metavar="DIR",
               help="Public keys of sealed secrets, JWK, that are named and not of the broker."),
        option("eventlog/--no-eventlog", default=log.enabled,
               help="Measure what guests ask to be measured, and keep a log of it."),
        option("init-pcr", type=click.IntRange(0, 23), default=log.init_pcr, metavar="N",
               help="The PCR that entries are for that name none."),
        option("eventlog-directory", default=str((run or Path()) / log.folder.name), metavar="DIR",
               help="Where the log is kept."),
        option("ccel", default=str(log.firmware), metavar="FILE", help="The firmware's event log."),
        option("tdx-registers", default=str(TDX_REGISTERS), metavar="DIR",
               help="The TD's runtime registers."),
        click.option("--drain-seconds", type=click.FloatRange(0, 3600), default=10, show_default=True,
                     help="How long calls may go on after SIGTERM."),
    ]  # fmt: skip
