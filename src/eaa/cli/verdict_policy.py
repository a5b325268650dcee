"""``verdict policy``."""

from __future__ import annotations

from typing import Any

import click

from eaa.cli.console import clean, columns, debug_option, output_option
from eaa.cli.files import load_input
from eaa.cli.verdict_policy_test import test
from eaa.cli.verdict_server import Server, server_options
from eaa.cli.verdict_show import EVERYWHERE, show
from eaa.errors import FormatError
from eaa.policy.templates import TEMPLATES
from eaa.policy.templates import template as find_template

__all__ = ["policy"]

_ALL = "/eaa/v1/policies"
_kind = click.argument("kind", type=click.Choice(["attestation", "resource"]))
_id = click.argument("policy_id", metavar="ID")


@click.group()
def policy() -> None:
    """Policies in Rego.

    KIND is attestation, whose ID is a name with the class of TEE such as default_cpu, or resource, whose
    ID is a prefix of paths such as resource/default, or resource-policy for all paths.

    \b
    Examples:
      verdict policy test policy.rego --kind resource --input claims.json --data request.json
      verdict policy set resource resource/default policy.rego
      verdict policy template allow_affirming
      verdict policy history resource resource/default
      verdict policy rollback resource resource/default 1
    """


policy.add_command(test)


@policy.command("set")
@_kind
@_id
@click.argument("file", metavar="FILE|-")
@click.option(
    "--expect-version", type=click.IntRange(0), metavar="N",
    help="Only if this version holds, 0 for none.",
)  # fmt: skip
@output_option
@server_options
@debug_option
def set_(
    server: Server, kind: str, policy_id: str, file: str, expect_version: int | None, output: str
) -> None:  # fmt: skip
    """Store FILE, once it was examined, as a new version, which holds from now on."""
    params = {"id": _id_of(policy_id), "expected_version": expect_version}
    text = _rego(load_input(file), file)
    _changed(server.document("PUT", f"{_ALL}/{kind}/document", params=params, content=text), output)


@policy.command()
@_kind
@_id
@click.option("--version", type=click.IntRange(1), metavar="N", help="That version.  [default: what holds]")
@output_option
@server_options
@debug_option
def get(server: Server, kind: str, policy_id: str, version: int | None, output: str) -> None:
    """The text of a policy."""
    params = {"id": _id_of(policy_id), "version": version}
    document = server.document("GET", f"{_ALL}/{kind}/document", params=params)
    show(document, output, document["text"].removesuffix("\n"))


@policy.command("list")
@output_option
@server_options
@debug_option
def list_(server: Server, output: str) -> None:
    """The policies that hold."""
    found = [
        item
        for kind in ("attestation", "resource")
        for item in server.document("GET", f"{_ALL}/{kind}")["policies"]
    ]
    _table("policies", found, output)


@policy.command()
@_kind
@_id
@output_option
@server_options
@debug_option
def history(server: Server, kind: str, policy_id: str, output: str) -> None:
    """All versions, newest first, also of a deleted policy."""
    params = {"id": _id_of(policy_id)}
    _table("versions", server.document("GET", f"{_ALL}/{kind}/history", params=params)["versions"], output)


@policy.command()
@_kind
@_id
@click.argument("version", type=click.IntRange(1))
@output_option
@server_options
@debug_option
def rollback(server: Server, kind: str, policy_id: str, version: int, output: str) -> None:
    """Make a new version with the text of VERSION."""
    params = {"id": _id_of(policy_id), "version": version}
    _changed(server.document("POST", f"{_ALL}/{kind}/rollback", params=params), output)


@policy.command()
@_kind
@_id
@server_options
@debug_option
def delete(server: Server, kind: str, policy_id: str) -> None:
    """Let it hold no longer; its history stays."""
    server.ask("DELETE", f"{_ALL}/{kind}/document", params={"id": _id_of(policy_id)})


@policy.command()
@click.argument("name", required=False)
@output_option
@debug_option
def template(name: str | None, output: str) -> None:
    """The policies that come with EAA, or the text of the one called NAME."""
    if name is not None:
        found = find_template(name)
        show(
            {"name": name, "kind": str(found.kind), "text": found.text}, output, found.text.removesuffix("\n")
        )
        return
    items = [
        {"name": item.name, "kind": str(item.kind), "description": item.description}
        for item in TEMPLATES.values()
    ]
    rows = [(item["name"], item["kind"], item["description"]) for item in items]
    show({"templates": items}, output, "\n".join(columns([("NAME", "KIND", "DESCRIPTION"), *rows])))


def _id_of(text: str) -> str:
    return "" if text == EVERYWHERE else text


def _rego(data: bytes, file: str) -> bytes:
    try:
        data.decode()
    except UnicodeDecodeError:
        raise FormatError("not UTF-8", what=file, field="text", detail="policy") from None
    return data


def _changed(document: dict[str, Any], output: str) -> None:
    for warning in document["warnings"]:
        click.echo(clean(f"Warning: {warning}"), err=True)
    where = document["id"] or EVERYWHERE
    show(document, output, f"{document['kind']} {where} is at version {document['version']}")


def _table(name: str, items: list[dict[str, Any]], output: str) -> None:
    header = ("KIND", "ID", "VERSION", "SHA-256", "CREATED", "BY")
    rows = [
        (i["kind"], i["id"] or EVERYWHERE, i["version"], i["sha256"][:16], i["created_at"], i["created_by"])
        for i in items
    ]
    show({name: items}, output, "\n".join(columns([header, *rows])))
