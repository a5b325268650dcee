"""A verdict for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from eaa.cli.console import clean, columns
from eaa.cli.verdict import Verdict

__all__ = ["render"]

_COLOURS = {"accepted": "green", "rejected": "red", "malformed": "red"}
_RULE_COLOURS = {"pass": "green", "fail": "red"}
#: What of the claims an operator looks for first.
_MEASUREMENTS = {
    "sgx": ("mr_enclave", "mr_signer", "isv_prod_id", "isv_svn"),
    "snp": (
        "measurement",
        "host_data",
        "id_key_digest",
        "guest_svn",
        "policy_names",
        "platform_info_names",
        "vmpl",
        "chip_id",
    ),
    "sev": ("launch_digest", "mnonce", "policy_names", "product", "cek_sha256"),
    "csv": ("measure", "policy_names", "build", "serial_number", "cek_sha256"),
    "tdx": ("mr_td", "rt_mr0", "rt_mr1", "rt_mr2", "rt_mr3", "mr_seam"),
}
_SHOWN = 24


def render(verdict: Verdict, *, explain: bool) -> str:
    """The verdict first, then why, what is known, and what was not looked at."""
    colour = _COLOURS.get(verdict.verdict, "yellow")
    lines = [f"{click.style(verdict.verdict.upper(), fg=colour, bold=True)}  {verdict.code}"]
    lines += [f"  {line}" for reason in verdict.reasons for line in clean(reason).splitlines()]
    if facts := list(_facts(verdict)):
        lines += ["", *columns(facts)]
    if explain:
        lines += ["", *_explanation(verdict)]
    if verdict.notes:
        lines += ["", *(f"Note: {clean(note)}" for note in verdict.notes)]
    return "\n".join(lines)


def _facts(verdict: Verdict) -> Iterator[tuple[str, str]]:
    if verdict.tee is not None:
        yield "TEE", verdict.tee.upper()
    if verdict.tcb_status is not None:
        yield "TCB status", f"{verdict.tcb_status}, TCB of {verdict.tcb_date}"
    if verdict.advisory_ids is not None:
        yield "Advisories", ", ".join(verdict.advisory_ids) or "none"
    claims, suffix = verdict.claims, ""
    if claims is None:
        claims, suffix = verdict.unverified_claims, "  (not verified)"
    if claims is not None:
        yield from _claims(claims, verdict.tee or "", suffix)
    if verdict.trust_anchor is not None:
        yield "Trust anchor", f"{verdict.trust_anchor['name']}, SHA-256 {verdict.trust_anchor['sha256']}"
    if verdict.endorsements_expire is not None:
        yield "Endorsements expire", verdict.endorsements_expire
    yield "Judged as of", verdict.verified_at


def _claims(claims: Mapping[str, Any], tee: str, suffix: str) -> Iterator[tuple[str, str]]:
    if "reported_tcb" in claims:
        yield "Reported TCB", _levels(claims["reported_tcb"]) + suffix
    for name in (*_MEASUREMENTS.get(tee, ()), "report_data"):
        if name in claims:
            value = claims[name]
            shown = ", ".join(value) or "none" if isinstance(value, list) else value
            yield name.upper().replace("_", ""), f"{shown}{suffix}"
    if claims.get("debug"):
        yield "Debug", f"yes: the host can see and change what runs inside{suffix}"


def _levels(tcb: Mapping[str, int | None]) -> str:
    return ", ".join(f"{name} {level}" for name, level in tcb.items() if level is not None)


def _explanation(verdict: Verdict) -> list[str]:
    if not verdict.rules:
        return ["No rule was applied: the evidence was not verified."]
    header = ("RULE", "CLAIM", "EXPECTED", "CAME", "VERDICT")
    rows = [
        (rule["rule"], rule["claim"], _cell(rule["expected"]), _cell(rule["came"]), rule["verdict"])
        for rule in verdict.rules
    ]
    table = columns([header, *rows])
    messages = [
        f"  {rule['rule']}: {_message(rule)}" for rule in verdict.rules if rule["verdict"] != "pass"
    ]  # fmt: skip
    coloured = [
        _coloured(line, str(rule["verdict"])) for line, rule in zip(table[1:], verdict.rules, strict=True)
    ]  # fmt: skip
    return [table[0], *coloured, *messages]


def _coloured(line: str, verdict: str) -> str:
    colour = _RULE_COLOURS.get(verdict)
    if colour is None:
        return line
    return line[: -len(verdict)] + click.style(verdict, fg=colour)


def _message(rule: Mapping[str, Any]) -> str:
    return clean(rule["message"]).replace("\n", " ")


def _cell(value: Any) -> str:
    """A value short enough for a table; JSON has it whole."""
    if value is None:
        return "-"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(sorted(str(item) for item in value)) or "none"
    text = str(value)
    is_hex = len(text) > _SHOWN and all(char in "0123456789abcdef" for char in text)
    return f"{text[:_SHOWN]}…" if is_hex else text
