"""The options that say whom endorsements are fetched from, and the settings that they make."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from eaa.cli.options import with_options
from eaa.errors import ConfigError, UsageError
from eaa.provider.qcnl import QCNL_PATH, QCNL_PATH_VARIABLE
from eaa.provider.settings import ProviderSettings, ProviderSpec, parse_provider

__all__ = [
    "CACHE_VARIABLE",
    "ProviderOptions",
    "cache_option",
    "default_cache",
    "network_options",
    "provider_options",
]

F = TypeVar("F", bound=Callable[..., Any])

CACHE_VARIABLE = "EAA_ENDORSEMENT_CACHE"
_MAX_SECRET_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderOptions:
    """What the options of :func:`provider_options` say."""

    provider: tuple[str, ...] = ()
    pccs_url: str | None = None
    fetch: bool = False
    endorsement_cache: str | None = None
    provider_ca: str | None = None
    pcs_key_file: str | None = None
    tcb_update: str = "standard"

    @classmethod
    def take(cls, values: dict[str, Any]) -> ProviderOptions:
        """Those of click's ``values``; they are removed, so that a command's own are left."""
        return cls(**{name: values.pop(name) for name in cls.__slots__ if name in values})

    def settings(self, *, always: bool = False, allow_rollback: bool = False) -> ProviderSettings | None:
        """Whom to ask; ``None`` if nobody was named, which without ``always`` means: stay offline.

        Raises:
            ConfigError, UsageError: an option's value is not as it must be.
        """
        specs = [parse_provider(text) for text in self.provider]
        if self.pccs_url is not None:
            specs.insert(0, parse_provider(f"pccs:{self.pccs_url}"))
        if not specs and not (self.fetch or always):
            return None
        return ProviderSettings(
            providers=tuple(specs or usual_providers(os.environ)),
            cache=cache_folder(self.endorsement_cache),
            tls_ca=Path(self.provider_ca) if self.provider_ca else None,
            pcs_api_key=_secret(self.pcs_key_file) if self.pcs_key_file else "",
            update="early" if self.tcb_update == "early" else "standard",
            allow_rollback=allow_rollback,
        )


def usual_providers(environment: Mapping[str, str]) -> list[ProviderSpec]:
    """Where ``sgx_default_qcnl.conf`` is there the PCCS that it names, else Intel's PCS; and AMD's KDS."""
    path = environment.get(QCNL_PATH_VARIABLE) or QCNL_PATH
    intel = "qcnl" if Path(path).is_file() else "pcs"
    return [parse_provider(intel), parse_provider("kds")]


def provider_options(function: F) -> F:
    """``--provider``, ``--pccs-url``, ``--fetch`` and their like, for :meth:`ProviderOptions.take`."""
    fetch = click.option(
        "--fetch", is_flag=True,
        help="Fetch what is missing: from the PCCS of sgx_default_qcnl.conf if there is one, else from "
        "Intel; from AMD. Without this, --provider or --pccs-url nothing is fetched.",
    )  # fmt: skip
    return network_options(fetch(function))


def network_options(function: F) -> F:
    """As :func:`provider_options`, for commands that fetch in any case."""
    options = (
        click.option(
            "--provider", multiple=True, metavar="NAME[:WHERE]", envvar="EAA_PROVIDERS",
            help="Whom to ask for endorsements, in this order: pcs, pccs:URL, aliyun:REGION, qcnl, kds, "
            "hygon, folder:PATH, store:PATH. Repeatable.  [env: EAA_PROVIDERS]",
        ),
        click.option("--pccs-url", metavar="URL", help="Short for --provider pccs:URL, asked first."),
        click.option(
            "--provider-ca", metavar="FILE", help="The only authorities that may vouch for servers."
        ),
        click.option("--pcs-key-file", metavar="FILE", help="File with the subscription key of Intel's PCS."),
        click.option(
            "--tcb-update", type=click.Choice(["standard", "early"]), default="standard", show_default=True,
            help="Which of Intel's TCB recoveries to ask for.",
        ),
        cache_option,
    )  # fmt: skip
    return with_options(function, options)


def cache_option(function: F) -> F:
    """``--endorsement-cache DIR``."""
    option = click.option(
        "--endorsement-cache", metavar="DIR", envvar=CACHE_VARIABLE,
        help="Folder in which endorsements are kept.  [env: EAA_ENDORSEMENT_CACHE; default: "
        "~/.cache/eaa/endorsements]",
    )  # fmt: skip
    return option(function)


def cache_folder(name: str | None) -> Path:
    """The folder ``name``, or that of the user."""
    return Path(name) if name else default_cache(os.environ)


def default_cache(environment: Mapping[str, str]) -> Path:
    """``$XDG_CACHE_HOME/eaa/endorsements``; a relative one is ignored, as its specification says."""
    base = Path(environment.get("XDG_CACHE_HOME") or "")
    return (base if base.is_absolute() else Path.home() / ".cache") / "eaa" / "endorsements"


def _secret(name: str) -> str:
    try:
        text = Path(name).read_bytes()[:_MAX_SECRET_BYTES].decode("ascii").strip()
    except OSError as error:
        raise UsageError(f"cannot read {name!r}: {error.strerror}", detail="unreadable") from None
    except UnicodeDecodeError:
        text = ""
    if not text or not text.isprintable():
        raise ConfigError(f"{name}: expected a key in one line", detail="pcs_key", file=name)
    return text
