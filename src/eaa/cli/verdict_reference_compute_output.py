"""Computed reference values: shown, registered in a verdictd, or signed into a file."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import click

from eaa.cli.console import clean, columns, debug_option, output_option
from eaa.cli.params import Time
from eaa.cli.reference_store import store_option
from eaa.cli.verdict_reference_compute_file import write_reference_file
from eaa.cli.verdict_reference_compute_signed import sign_values, write_signed_values
from eaa.cli.verdict_server import Server, server_options
from eaa.cli.verdict_show import show
from eaa.verify.claims import rfc3339

__all__ = ["Computed", "computing"]

F = TypeVar("F", bound=Callable[..., Any])
_ALL = "/eaa/v1/references"


@dataclass(frozen=True, slots=True)
class Computed:
    """Reference ``values`` by name, as policies ask for them, and ``notes`` on what they do not say."""

    values: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def computing(function: Callable[..., Computed]) -> Callable[..., None]:
    """The options that all commands share. ``function`` gets its own, and returns what it computed."""

    @click.option(
        "--register", is_flag=True, help="Set them in verdictd; those of the same name are replaced."
    )
    @click.option("--expires", type=Time(), metavar="TIME", help="RFC 3339.  [default: in 12 months]")
    @click.option(
        "--sign-to", metavar="FILE",
        help="Write them to this new file, signed by the owner's key; needs --expires.",
    )  # fmt: skip
    @click.option(
        "--signed", is_flag=True,
        help="Register them signed by the owner's key, which verdictd verifies; needs --expires.",
    )  # fmt: skip
    @click.option(
        "--reference-to", metavar="FILE",
        help="Write the measurements among them to this new file, for shelter verify --reference.",
    )  # fmt: skip
    @store_option
    @output_option
    @server_options
    @debug_option
    @functools.wraps(function)
    def command(
        *, server: Server, register: bool, expires: datetime | None, sign_to: str | None, signed: bool,
        reference_to: str | None, store: str | None, output: str, **options: Any,
    ) -> None:  # fmt: skip
        if expires is None and (signed or sign_to is not None):
            option = "--signed" if signed else "--sign-to"
            raise click.UsageError(f"{option} needs --expires: what is signed says until when it holds")
        if signed and not register:
            raise click.UsageError("--signed goes with --register; --sign-to writes a file")
        computed = function(**options)
        values = dict(computed.values)
        for note in computed.notes:
            click.echo(clean(f"note: {note}"), err=True)
        data, key_id = b"", ""
        if expires is not None and (signed or sign_to is not None):
            data, key_id = sign_values(values, expires, store)
        if sign_to is not None:
            write_signed_values(sign_to, data)
            click.echo(clean(f"signed by {key_id} into {sign_to}"), err=True)
        if reference_to is not None:
            write_reference_file(reference_to, values)
        if register:
            _said(_register_signed(server, data) if signed else _register(server, values, expires))
        rows = [(name, json.dumps(value)) for name, value in values.items()]
        show(values, output, "\n".join(columns([("NAME", "VALUE"), *rows])))

    return command


def _register_signed(server: Server, data: bytes) -> list[dict[str, Any]]:
    put: list[dict[str, Any]] = server.document("POST", f"{_ALL}/signed", content=data)["references"]
    return put


def _register(server: Server, values: dict[str, Any], expires: datetime | None) -> list[dict[str, Any]]:
    document: dict[str, Any] = {"values": values}
    if expires is not None:
        document["expires_at"] = rfc3339(expires)
    put: list[dict[str, Any]] = server.document("PUT", _ALL, json=document)["references"]
    return put


def _said(put: list[dict[str, Any]]) -> None:
    until = ", ".join(sorted({item["expires_at"] for item in put}))
    click.echo(clean(f"registered {len(put)} values until {until}"), err=True)
