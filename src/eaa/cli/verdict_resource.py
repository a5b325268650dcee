"""``verdict resource``."""

from __future__ import annotations

from typing import Any

import click

from eaa.broker.names import ResourcePath
from eaa.cli.console import columns, debug_option, output_option
from eaa.cli.files import load_input
from eaa.cli.verdict_secret import secret_output_options, write_secret
from eaa.cli.verdict_server import Server, pages, server_options
from eaa.cli.verdict_show import show, yes_or_no

__all__ = ["resource"]

_ALL = "/eaa/v1/resources"
_version = click.option(
    "--version", type=click.IntRange(1), metavar="N", help="One version.  [default: all]"
)  # fmt: skip


@click.group()
def resource() -> None:
    """Secrets by PATH, which is repository/type/tag.

    \b
    Examples:
      verdict resource put default/key/1 key.bin
      verdict resource list --prefix default/
      verdict resource get default/key/1 --out key.bin
    """


@resource.command()
@click.argument("path")
@click.argument("file", metavar="FILE|-")
@output_option
@server_options
@debug_option
def put(server: Server, path: str, file: str, output: str) -> None:
    """Store FILE, or standard input, as a new version of PATH."""
    info = server.document("PUT", _url(path), content=load_input(file))
    show(info, output, f"{info['path']} is at version {info['version']}")


@resource.command()
@click.argument("path")
@click.option(
    "--version", type=click.IntRange(1), metavar="N", help="That version.  [default: newest enabled]"
)
@secret_output_options
@server_options
@debug_option
def get(server: Server, path: str, version: int | None, out: str | None, force: bool) -> None:
    """Read the content of PATH. That is recorded."""
    answer = server.ask("GET", _url(path, "content"), params={"version": version})
    write_secret(answer.content, out, force=force)


@resource.command("list")
@click.option("--prefix", default="", metavar="TEXT", help="Only paths that begin so.")
@output_option
@server_options
@debug_option
def list_(server: Server, prefix: str, output: str) -> None:
    """The newest version of each path."""
    _table("resources", list(pages(server, _ALL, "resources", "path", {"prefix": prefix})), output)


@resource.command()
@click.argument("path")
@output_option
@server_options
@debug_option
def versions(server: Server, path: str, output: str) -> None:
    """All versions of PATH, newest first."""
    _table("versions", server.document("GET", _url(path, "versions"))["versions"], output)


@resource.command()
@click.argument("path")
@_version
@server_options
@debug_option
def enable(server: Server, path: str, version: int | None) -> None:
    """Let PATH be released again."""
    server.ask("POST", _url(path, "enable"), params={"version": version})


@resource.command()
@click.argument("path")
@_version
@server_options
@debug_option
def disable(server: Server, path: str, version: int | None) -> None:
    """Let PATH not be released, whatever a policy says."""
    server.ask("POST", _url(path, "disable"), params={"version": version})


@resource.command()
@click.argument("path")
@_version
@server_options
@debug_option
def delete(server: Server, path: str, version: int | None) -> None:
    """Delete PATH for good."""
    server.ask("DELETE", _url(path), params={"version": version})


def _url(path: str, *more: str) -> str:
    parsed = ResourcePath.parse(path)
    return "/".join((_ALL, *parsed.segments, *more))


def _table(name: str, items: list[dict[str, Any]], output: str) -> None:
    header = ("PATH", "VERSION", "BYTES", "ENABLED", "CREATED", "BY")
    rows = [
        (i["path"], i["version"], i["size"], yes_or_no(i["enabled"]), i["created_at"], i["created_by"])
        for i in items
    ]
    show({name: items}, output, "\n".join(columns([header, *rows])))
