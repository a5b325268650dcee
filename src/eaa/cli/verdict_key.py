"""``verdict key``."""

from __future__ import annotations

from typing import Any

import click

from eaa.broker.names import require_name
from eaa.cli.console import columns, debug_option, output_option
from eaa.cli.files import load_input
from eaa.cli.verdict_secret import secret_output_options, write_secret
from eaa.cli.verdict_server import Server, pages, server_options
from eaa.cli.verdict_show import show, yes_or_no

__all__ = ["key"]

_ALL = "/eaa/v1/keys"


@click.group()
def key() -> None:
    """Keys that wrap the keys of images, by KID.

    \b
    Examples:
      verdict key create
      verdict key import images-2026 key.bin
      verdict key rotate images-2026
    """


@key.command()
@click.argument("kid", required=False)
@click.option(
    "--bits", type=click.Choice(["128", "192", "256"]), default="256", show_default=True, help="Its size."
)
@output_option
@server_options
@debug_option
def create(server: Server, kid: str | None, bits: str, output: str) -> None:
    """Make a new key, called KID or by a random UUID."""
    document = {"bits": int(bits)} if kid is None else {"kid": kid, "bits": int(bits)}
    info = server.document("POST", _ALL, json=document)
    show(info, output, info["kid"])


@key.command("import")
@click.argument("kid")
@click.argument("file", metavar="FILE|-")
@output_option
@server_options
@debug_option
def import_(server: Server, kid: str, file: str, output: str) -> None:
    """Store the 16, 24 or 32 bytes of FILE, or of standard input, as a new version of KID."""
    _changed(server.document("PUT", _url(kid), content=load_input(file)), output)


@key.command()
@click.argument("kid")
@output_option
@server_options
@debug_option
def rotate(server: Server, kid: str, output: str) -> None:
    """Make a new random version of KID, which guests get from now on. Older ones are read by number."""
    _changed(server.document("POST", _url(kid, "rotate")), output)


@key.command()
@click.argument("kid")
@click.option("--version", type=click.IntRange(1), metavar="N", help="That version.  [default: newest]")
@secret_output_options
@server_options
@debug_option
def get(server: Server, kid: str, version: int | None, out: str | None, force: bool) -> None:
    """Read the bytes of KID. That is recorded."""
    answer = server.ask("GET", _url(kid, "material"), params={"version": version})
    write_secret(answer.content, out, force=force)


@key.command("list")
@output_option
@server_options
@debug_option
def list_(server: Server, output: str) -> None:
    """The newest version of each key."""
    _table("keys", list(pages(server, _ALL, "keys", "kid", {})), output)


@key.command()
@click.argument("kid")
@output_option
@server_options
@debug_option
def versions(server: Server, kid: str, output: str) -> None:
    """All versions of KID, newest first."""
    _table("versions", server.document("GET", _url(kid, "versions"))["versions"], output)


@key.command()
@click.argument("kid")
@click.option("--version", type=click.IntRange(1), metavar="N", help="That version.")
@click.option("--all", "every", is_flag=True, help="All versions.")
@server_options
@debug_option
def destroy(server: Server, kid: str, version: int | None, every: bool) -> None:
    """Overwrite one version of KID, or all: what they wrapped is lost."""
    if every == (version is not None):
        raise click.UsageError("expected either --version or --all")
    server.ask("DELETE", _url(kid), params={"version": version})


def _url(kid: str, *more: str) -> str:
    return "/".join((_ALL, require_name(kid, what="key id"), *more))


def _changed(info: dict[str, Any], output: str) -> None:
    show(info, output, f"{info['kid']} is at version {info['version']}, {info['bits']} bits")


def _table(name: str, items: list[dict[str, Any]], output: str) -> None:
    header = ("KID", "VERSION", "BITS", "DESTROYED", "CREATED", "BY")
    rows = [
        (i["kid"], i["version"], i["bits"], yes_or_no(i["destroyed"]), i["created_at"], i["created_by"])
        for i in items
    ]
    show({name: items}, output, "\n".join(columns([header, *rows])))
