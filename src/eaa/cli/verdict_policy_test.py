"""``verdict policy test``: what a policy says, here or at a server, without storing anything."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from eaa.broker.records import Policy, PolicyKind, ReferenceValue
from eaa.cli.console import columns, debug_option, output_option
from eaa.cli.files import load_input
from eaa.cli.verdict_server import Server, server_options
from eaa.cli.verdict_show import EVERYWHERE, show, yes_or_no
from eaa.codec.strict_json import parse_json
from eaa.errors import FormatError
from eaa.services.verdictd.admin_json import outcome_json

__all__ = ["test"]

#: How long a value holds that says nothing about it: for the test.
_A_DAY = timedelta(days=1)


@click.command()
@click.argument("file", metavar="[FILE|-]", required=False)
@click.option(
    "--kind", type=click.Choice(["attestation", "resource"]), default="attestation", show_default=True,
    help="What it decides.",
)  # fmt: skip
@click.option("--input", "claims", metavar="FILE", required=True, help="Claims, a JSON object.")
@click.option("--data", metavar="FILE", help="Of a resource policy: plugin, resource-path and query, JSON.")
@click.option(
    "--reference", metavar="FILE", help="Reference values by name, or what reference list -o json says."
)
@click.option("--remote", is_flag=True, help="Evaluate at the server, with its reference values.")
@click.option("--id", "policy_id", metavar="ID", help="In place of FILE: this policy of the server.")
@click.option("--version", type=click.IntRange(1), metavar="N", help="With --id.  [default: what holds]")
@output_option
@server_options
@debug_option
def test(
    server: Server, file: str | None, kind: str, claims: str, data: str | None, reference: str | None,
    remote: bool, policy_id: str | None, version: int | None, output: str,
) -> None:  # fmt: skip
    """Evaluate the policy in FILE on claims, without a server; or with --id, or --remote, at the server.

    \b
    Examples:
      verdict policy test policy.rego --input claims.json --reference values.json
      verdict policy test --id default_cpu --input claims.json
    """
    if (file is None) == (policy_id is None):
        raise click.UsageError("expected either FILE or --id")
    if version is not None and policy_id is None:
        raise click.UsageError("--version goes with --id")
    given, request = _object(claims), {} if data is None else _object(data)
    references = None if reference is None else _references(_object(reference), reference)
    if file is not None and not remote:
        policy = _policy(PolicyKind(kind), load_input(file), file)
        outcome = _evaluate(policy, given, request, references or {})
    else:
        asked: dict[str, Any] = {"kind": kind, "input": given, "data": request, "version": version}
        if references is not None:
            asked["references"] = {name: value.value for name, value in references.items()}
        if file is None:
            asked["id"] = "" if policy_id == EVERYWHERE else policy_id
        else:
            asked["text"] = _policy(PolicyKind(kind), load_input(file), file).text
        outcome = server.document("POST", "/eaa/v1/policies/test", json=asked)
    show(outcome, output, _text(outcome))


def _evaluate(
    policy: Policy, claims: dict[str, Any], data: dict[str, Any], references: dict[str, ReferenceValue]
) -> dict[str, Any]:  # fmt: skip
    from eaa.policy.regorus_engine import RegorusEngine  # noqa: PLC0415 - not needed to ask a server

    engine = RegorusEngine()
    engine.examine(policy.kind, policy.text)
    if policy.kind is PolicyKind.RESOURCE:
        return outcome_json(engine.decide(policy, claims, data=data))
    return outcome_json(engine.appraise(policy, claims, references=references, now=datetime.now(UTC)))


def _policy(kind: PolicyKind, data: bytes, file: str) -> Policy:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise FormatError("not UTF-8", what=file, field="text", detail="policy") from None
    return Policy(kind, "", 0, text, hashlib.sha256(data).hexdigest(), datetime.now(UTC), "")


def _references(document: dict[str, Any], file: str) -> dict[str, ReferenceValue]:
    now = datetime.now(UTC)
    listed = document.get("references")
    if set(document) != {"references"} or not isinstance(listed, list):
        return {name: ReferenceValue(name, value, now + _A_DAY, now, "") for name, value in document.items()}
    try:
        return {
            item["name"]: ReferenceValue(
                item["name"], item["value"], datetime.fromisoformat(item["expires_at"]), now, ""
            )
            for item in listed
        }
    except (KeyError, TypeError, ValueError):
        raise FormatError(
            "expected name, value and expires_at of each", what=file, field="references"
        ) from None


def _object(file: str) -> dict[str, Any]:
    value = parse_json(load_input(file), file)
    if not isinstance(value, dict):
        raise FormatError("expected an object", what=file, field="JSON")
    return value


def _text(outcome: dict[str, Any]) -> str:
    if "allow" in outcome:
        rows: list[tuple[object, ...]] = [("allow", yes_or_no(outcome["allow"]))]
    else:
        rows = [(name, value) for name, value in sorted(outcome["trust_claims"].items())]
        rows += [(f"reference value {query['name']}", query["state"]) for query in outcome["queries"]]
    lines = columns(rows) if rows else ["no trust claim"]
    header = ("RULE", "CLAIM", "EXPECTED", "CAME", "VERDICT")
    findings = [
        (f["rule"], f["claim"], f["expected"], f["came"], f["verdict"]) for f in outcome["findings"]
    ]  # fmt: skip
    return "\n".join([*lines, "", *columns([header, *findings])] if findings else lines)
