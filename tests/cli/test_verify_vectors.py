"""``shelter verify`` on real evidence: one vector for each kind of quote and TCB status."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import run
from tests.vectors.manifest import VECTORS, needs_vectors, rows

pytestmark = needs_vectors


def cases() -> Iterator[Any]:
    """The first vector of each kind and status that dcap-qvl gives a status."""
    seen = set()
    for vector in rows():
        for expected in vector["expected"] if vector["kind"].startswith(("sgx-quote", "tdx-quote")) else ():
            status = expected.get("status")
            key = (vector["kind"], status)
            if status and expected["by"].startswith("dcap-qvl") and key not in seen:
                seen.add(key)
                yield pytest.param(VECTORS / vector["dir"], expected, id="-".join(key))


@pytest.mark.parametrize(("folder", "expected"), list(cases()))
def test_status_and_advisories(folder: Path, expected: dict[str, Any]) -> None:
    done = run(
        "verify", folder / "quote.bin", "--collateral", folder / expected["collateral"],
        "--at", expected["verify_at"], "-o", "json",
    )  # fmt: skip
    said = done.json
    assert said["tcb_status"] == expected["status"]
    assert said["advisory_ids"] == sorted(expected["advisory_ids"])
    assert said["verdict"] in ("accepted", "rejected")
    if expected["status"] == "UpToDate":
        assert (done.code, said["code"]) == (0, "accepted")
    else:
        assert (done.code, said["code"]) == (10, "appraisal.tcb_status")


def test_a_real_event_log_against_its_quote() -> None:
    folders = [folder for folder in sorted((VECTORS / "tdx").iterdir()) if list(folder.glob("ccel-*.bin"))]
    assert folders
    for folder in folders:
        done = run("inspect", next(folder.glob("ccel-*.bin")), "-o", "json")
        assert done.json["kind"] == "event_log"
        assert done.json["content"]["event_count"] > 0


@pytest.mark.parametrize("kind", ["sgx", "tdx", "collateral", "tpm", "snp", "csv", "negative", "gcp"])
def test_inspect_shows_or_refuses_every_file(kind: str) -> None:
    for path in sorted(path for path in (VECTORS / kind).rglob("*") if path.is_file()):
        done = run("inspect", path, "-o", "json")
        assert done.code in (0, 20, 30), path
        assert (done.out == "") is (done.code != 0)
