"""The owner in the demo: what they say to verdictd by the command ``verdict``, a process each time."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eaa.cli.demo_flow_processes import run_to_end
from eaa.errors import InternalError
from eaa.evidence.tdx import TdReport
from eaa.policy.templates import template

__all__ = ["Owner"]

#: Reference values of ``default_cpu``, and the fields of the TD report that they are compared with.
_REFERENCES = {"mr_td": "mr_td", "rtmr_1": "rt_mr1", "rtmr_2": "rt_mr2", "xfam": "xfam"}
_ATTESTATION = re.compile(r"attestation ([0-9A-Z]+)$")
_LONG_HEX = re.compile(r"\b([0-9a-f]{16})[0-9a-f]{48,}\b")


@dataclass(frozen=True, slots=True)
class Owner:
    """Of the verdictd at ``url``, by ``admin_key``; what is sent is written to ``folder`` first."""

    url: str
    admin_key: Path
    folder: Path

    def verdict(self, *args: str) -> str:
        """What the command ``verdict`` with ``args`` writes.

        Raises:
            InternalError: it fails; with what it says.
        """
        asked = {"VERDICTD_URL": self.url, "VERDICT_ADMIN_KEY": str(self.admin_key)}
        done = run_to_end("eaa.cli.verdict_main", *args, environment=asked)
        if done.code:
            raise InternalError(f"verdict {' '.join(args)}: {done.err or done.out}", detail="demo")
        return done.out

    def put_resource(self, path: str, content: bytes) -> None:
        self.verdict("resource", "put", path, self._file("content", content))

    def set_policy(self, prefix: str, name: str) -> None:
        """The template ``name`` decides on resources below ``prefix``."""
        text = template(name).text.encode()
        self.verdict("policy", "set", "resource", prefix, self._file("policy.rego", text))

    def set_references(self, report: TdReport) -> None:
        """Accept what runs in the TD of ``report``."""
        self.set_values({name: [getattr(report, field).hex()] for name, field in _REFERENCES.items()})

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Accept ``values``, by the name of the reference value."""
        self.verdict("reference", "set", "--file", self._file("values.json", json.dumps(values).encode()))

    def reason(self, decision_id: str) -> tuple[list[str], str]:
        """Which rules did not hold for a decision, or for the attestation before it; and in words."""
        decision = self._explain(decision_id)
        attested = _ATTESTATION.search(decision["subject"])
        failed = _failed(self._explain(attested[1])) if attested else []
        failed = failed or _failed(decision)
        words = [f"{item['claim']}: expected {item['expected']}, came {item['came']}" for item in failed]
        return [item["rule"] for item in failed], _LONG_HEX.sub(
            r"\1…", "; ".join(words) or decision["reason"]
        )

    def _explain(self, decision_id: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.verdict("explain", decision_id, "-o", "json"))
        return found

    def _file(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)


def _failed(decision: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for item in decision["explanation"] if item.get("verdict") == "fail"]
