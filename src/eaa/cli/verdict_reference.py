"""``verdict reference``."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click

from eaa.cli.console import columns, debug_option, emit, output_option
from eaa.cli.files import load_input
from eaa.cli.params import Time
from eaa.cli.reference_store import store_option
from eaa.cli.verdict_reference_compute import compute
from eaa.cli.verdict_reference_compute_signed import is_signed_values, owner_key, read_signed_values
from eaa.cli.verdict_server import Server, pages, server_options
from eaa.cli.verdict_show import show
from eaa.codec.strict_json import parse_json
from eaa.errors import FormatError
from eaa.verify.claims import rfc3339

__all__ = ["reference"]

_ALL = "/eaa/v1/references"


@click.group()
def reference() -> None:
    """Reference values, which policies ask for by NAME.

    \b
    Examples:
      verdict reference set mr_td '["0123…"]' --expires 2027-01-31T00:00:00Z
      verdict reference set --file values.json
      verdict reference import message.json
      verdict reference compute sgx enclave.signed.so --register
    """


reference.add_command(compute)


@reference.command("set")
@click.argument("name", required=False)
@click.argument("value", required=False)
@click.option("--file", metavar="FILE|-", help="A JSON object of values by name, in place of NAME VALUE.")
@click.option("--expires", type=Time(), metavar="TIME", help="RFC 3339.  [default: in 12 months]")
@output_option
@server_options
@debug_option
def set_(
    server: Server, name: str | None, value: str | None, file: str | None, expires: datetime | None,
    output: str,
) -> None:  # fmt: skip
    """Set NAME to VALUE, which is JSON: text needs quotes, a list of measurements is '["…"]'."""
    document: dict[str, Any] = {"values": _values(name, value, file)}
    if expires is not None:
        document["expires_at"] = rfc3339(expires)
    _table(server.document("PUT", _ALL, json=document)["references"], output)


@reference.command("import")
@click.argument("file", metavar="FILE|-")
@click.option(
    "--verify-here", is_flag=True,
    help="Verify a signed file with the owner's key in --store, for a verdictd that knows no signers.",
)  # fmt: skip
@store_option
@output_option
@server_options
@debug_option
def import_(server: Server, file: str, verify_here: bool, store: str | None, output: str) -> None:
    """Import a file of `compute --sign-to`, whose signature is verified, or a message of Trustee's RVPS.

    A message is of type sample, and its values hold for 12 months. A signed file is sent as it is, and
    verdictd verifies it with the keys of its [references] signers.
    """
    data = load_input(file)
    if is_signed_values(data) and verify_here:
        put = server.document("PUT", _ALL, json=read_signed_values(data, store))
    elif is_signed_values(data):
        put = server.document("POST", f"{_ALL}/signed", content=data)
    else:
        put = server.document("POST", f"{_ALL}/import", content=data)
    _table(put["references"], output)


@reference.command()
@store_option
@debug_option
def signer(store: str | None) -> None:
    """The owner's public key, PEM, for [references] signers of verdictd; made the first time."""
    key = owner_key(store)
    emit(key.public_pem.decode().removesuffix("\n"))
    click.echo(f"key id {key.key_id}", err=True)


@reference.command("list")
@output_option
@server_options
@debug_option
def list_(server: Server, output: str) -> None:
    """All of them, expired ones included."""
    _table(list(pages(server, _ALL, "references", "name", {})), output)


@reference.command()
@click.argument("name")
@output_option
@server_options
@debug_option
def get(server: Server, name: str, output: str) -> None:
    """The value of NAME."""
    found = server.document("GET", f"{_ALL}/value", params={"name": name})
    show(found, output, json.dumps(found["value"]))


@reference.command()
@click.argument("name")
@server_options
@debug_option
def delete(server: Server, name: str) -> None:
    """Forget NAME."""
    server.ask("DELETE", f"{_ALL}/value", params={"name": name})


def _values(name: str | None, value: str | None, file: str | None) -> dict[str, Any]:
    if (file is None) == (value is None) or (file is not None and name is not None):
        raise click.UsageError("expected either NAME and VALUE, or --file")
    if file is None:
        return {str(name): parse_json(str(value), "VALUE")}
    values = parse_json(load_input(file), file)
    if not isinstance(values, dict):
        raise FormatError("expected an object of values by name", what=file, field="JSON")
    return values


def _table(items: list[dict[str, Any]], output: str) -> None:
    rows = [(i["name"], json.dumps(i["value"]), i["expires_at"], i["created_by"]) for i in items]
    show({"references": items}, output, "\n".join(columns([("NAME", "VALUE", "EXPIRES", "BY"), *rows])))
