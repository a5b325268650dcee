"""``verdict decisions``, ``verdict explain``, ``verdict status`` and ``verdict token``."""

from __future__ import annotations

from typing import Any

import click

from eaa.broker.administration import Role
from eaa.cli.console import columns, debug_option, outline, output_option
from eaa.cli.verdict_secret import secret_output_options, write_secret
from eaa.cli.verdict_server import Server, admin_key_option, mint_token, server_options
from eaa.cli.verdict_show import EVERYWHERE, show, yes_or_no

__all__ = ["decisions", "explain", "status", "token"]

_KINDS = ["attestation", "release", "administration"]


@click.command()
@click.option("--granted/--refused", default=None, help="Only those.")
@click.option("--kind", type=click.Choice(_KINDS), help="Only those.")
@click.option("--before", metavar="ID", default="", help="Older than this decision.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@output_option
@server_options
@debug_option
def decisions(
    server: Server, granted: bool | None, kind: str | None, before: str, limit: int, output: str
) -> None:  # fmt: skip
    """What was decided last, newest first.

    \b
    Examples:
      verdict decisions --refused
      verdict decisions --kind administration -o json
    """
    params = {
        "granted": None if granted is None else str(granted).lower(),
        "kind": kind,
        "before": before,
        "limit": limit,
    }
    document = server.document("GET", "/eaa/v1/decisions", params=params)
    header = ("ID", "AT", "KIND", "GRANTED", "CODE", "SUBJECT", "TARGET")
    rows = [
        (d["id"], d["at"], d["kind"], yes_or_no(d["granted"]), d["code"], _short(d["subject"]), d["target"])
        for d in document["decisions"]
    ]
    show(document, output, "\n".join(columns([header, *rows])))


def _short(subject: str) -> str:
    """An administrator's name without most of the key id; what else there is has its place in JSON."""
    name, at, kid = subject.partition("@")
    return f"{name}{at}{kid[:8]}"


@click.command()
@click.argument("decision_id", metavar="ID")
@output_option
@server_options
@debug_option
def explain(server: Server, decision_id: str, output: str) -> None:
    """Why a decision was made: ID is what the guest was told.

    \b
    Examples:
      verdict explain 01KXZ4T0000000000000000000
    """
    if not decision_id.isascii() or not decision_id.isalnum():
        raise click.UsageError(f"expected an ID of letters and digits, got {decision_id!r}")
    document = server.document("GET", f"/eaa/v1/decisions/{decision_id}")
    show(document, output, "\n".join(outline(document)))


@click.command()
@output_option
@server_options
@debug_option
def status(server: Server, output: str) -> None:
    """Which policies hold, and how many reference values do.

    \b
    Examples:
      verdict status
    """
    document = server.document("GET", "/eaa/v1/status")
    facts: list[tuple[str, Any]] = [
        ("Server", server.url),
        ("Generation", document["generation"]),
        ("Reference values", document["reference_values"]),
        ("of these expired", document["expired_reference_values"]),
    ]
    for kind in ("attestation", "resource"):
        for policy in document[f"{kind}_policies"]:
            where = policy["id"] or EVERYWHERE
            facts.append(
                (f"Policy, {kind}", f"{where}, version {policy['version']} by {policy['created_by']}")
            )
    show(document, output, "\n".join(columns(facts)))


@click.command()
@click.option(
    "--role", type=click.Choice([str(role) for role in Role]), default="admin", show_default=True,
    help="What the bearer may do.",
)  # fmt: skip
@click.option("--name", metavar="NAME", help="Who the bearer is.  [default: the user]")
@click.option(
    "--seconds", type=click.IntRange(1, 3600), default=600, show_default=True, help="How long it holds."
)
@secret_output_options
@admin_key_option
@debug_option
@click.pass_context
def token(
    ctx: click.Context, role: str, name: str | None, seconds: int, out: str | None, force: bool,
    admin_key: str | None,
) -> None:  # fmt: skip
    """Make a bearer token for other clients.

    \b
    Examples:
      curl -H "Authorization: Bearer $(verdict token --role reader)" http://127.0.0.1:8080/eaa/v1/status
    """
    key = ctx.find_root().params.get("admin_key") if admin_key is None else admin_key
    made = mint_token(key, seconds=seconds, name=name, role=role)
    write_secret(made.encode() + b"\n", out, force=force)
