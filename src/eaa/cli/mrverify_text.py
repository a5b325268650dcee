"""What ``shelter mrverify`` says, as JSON and for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from eaa.cli.console import as_json, clean, columns
from eaa.cli.measured import Measured
from eaa.storage.reference_store import Entry, Recorded, ReferenceStore
from eaa.verify.claims import rfc3339

__all__ = ["document", "entry_fields", "list_json", "list_text", "render"]


def document(
    outcome: dict[str, Any],
    reasons: list[str],
    measured: Measured | None = None,
    recorded: Recorded | None = None,
    store: ReferenceStore | None = None,
) -> dict[str, Any]:
    sigstruct = measured.sigstruct if measured else None
    return {
        **outcome,
        "tee": measured.tee if measured else None,
        "measurements": [value.hex() for value in measured.measurements] if measured else None,
        "further": {pin.name: pin.to_json() for pin in measured.pins} if measured else None,
        "mr_signer": sigstruct.mr_signer.hex() if sigstruct else None,
        "isv_prod_id": sigstruct.isv_prod_id if sigstruct else None,
        "isv_svn": sigstruct.isv_svn if sigstruct else None,
        "may_debug": sigstruct.may_debug if sigstruct else None,
        "reasons": reasons,
        "notes": measured.notes if measured else [],
        "rules": measured.rules if measured else [],
        "recorded": {**entry_fields(recorded.entry), "new": recorded.new} if recorded else None,
        "store": str(store.file) if store else None,
    }


def entry_fields(entry: Entry) -> dict[str, Any]:
    return {
        "label": entry.label,
        "tee": entry.alternative.tee,
        "values": entry.values,
        "source": entry.source,
        "recorded_at": rfc3339(entry.recorded_at),
    }


def render(found: dict[str, Any]) -> str:
    recorded = found["recorded"]
    lines = [f"{found['verdict'].upper()}  {found['code']}"]
    lines += [f"  {clean(reason)}" for reason in found["reasons"]]
    name = {"tdx": "mr_td", "snp": "measurement", "csv": "measure"}.get(found["tee"], "mr_enclave")
    rows: list[tuple[str, Any]] = [(name, value) for value in found["measurements"] or ()]
    rows += [(pin, _value(value)) for pin, value in (found["further"] or {}).items()]
    rows += [(key, found[key]) for key in ("mr_signer", "isv_prod_id", "isv_svn") if found[key] is not None]
    lines += columns(rows, "  ") if rows else []
    lines += [line for rule in found["rules"] for line in _rule_lines(rule)]
    lines += [f"  note: {clean(note)}" for note in found["notes"]]
    if recorded:
        word = "recorded" if recorded["new"] else "was recorded already"
        lines.append(f"  {word} as {clean(recorded['label'])} in {clean(found['store'])}")
    return "\n".join(lines)


def _value(value: Any) -> str:
    return f"{value['value']} under mask {value['mask']}" if isinstance(value, dict) else str(value)


def _rule_lines(rule: dict[str, Any]) -> Iterable[str]:
    if rule["verdict"] == "pass":
        return [f"  {rule['message']}"]
    came = rule["came"] if isinstance(rule["came"], list) else [rule["came"]]
    expected = rule["expected"] if isinstance(rule["expected"], list) else [rule["expected"]]
    return [*(f"  expected {value}" for value in expected), *(f"  came     {value}" for value in came)]


def list_json(store: ReferenceStore) -> str:
    return as_json({"store": str(store.file), "entries": [entry_fields(item) for item in store.entries()]})


def list_text(store: ReferenceStore) -> str:
    entries = store.entries()
    if not entries:
        return f"Nothing is recorded in {clean(store.file)}"
    rows = [
        (item.label, rfc3339(item.recorded_at), f"{pin.name} {pin}", item.source if not number else "")
        for item in entries
        for number, pin in enumerate(item.alternative.pins)
    ]
    return "\n".join(columns(rows))
