"""SNP vectors through ``eaa.verify`` and ``shelter``: the manifest's verdict, differences with reasons.

The manifest knows "genuine" and nothing of policy: what is genuine and not accepted by default is named
here with the option under which it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import eaa
from eaa.endorsements.bundle import read_endorsement_folder
from eaa.endorsements.crl import parse_crl
from eaa.evidence.snp import parse_snp_report
from eaa.verify.snp_result import VerifiedSnpEvidence
from tests.cli.running import run
from tests.vectors.manifest import VECTORS, needs_vectors
from tests.vectors.test_snp_vectors import (
    NEGATIVE,
    NOT_EVIDENCE,
    REPORTS,
    WITHOUT_ENDORSEMENT,
    WITHOUT_LIST,
    Row,
    endorsements_of,
    evidence_of,
    folder,
    ids,
    snp_rows,
)

pytestmark = needs_vectors

_OLD, _DEBUG = ("advisories", "--accept-advisory=AMD-SB-3019"), ("debug", "--allow-debug")
_UNKNOWN = ("advisories", "--accept-advisory=AMD-SB-3020")
_LATE = ("provisional_firmware", "--allow-provisional-firmware")
#: Genuine by the manifest, and not accepted as made: the rules that fail, and the options that allow for it.
DIFFERENCES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    # Asked for by who has less privilege than the guest's kernel can have.
    "snp/teekit-sev-gcp-x25519-bound-19a94fdb": (("vmpl", "--max-vmpl=1"),),
    "snp/teekit-sev-gcp-reportdata-9afca715": (("vmpl", "--max-vmpl=1"),),
    # Microcode before the fix of EntrySign, loaded late.
    "snp/trustee-hcl-report-1e4e3afc": (_OLD, _LATE),
    "snp/trustee-hcl-report-2e63568e": (_OLD, _LATE),
    # Microcode before the fix of EntrySign.
    "snp/steward-milan.signed.crl-21033d58": (_OLD,),
    "snp/steward-milan.signed-31303d32": (_OLD,),
    "snp/steward-milan-c7fca95e": (_OLD,),
    "snp/sev-report_milan-120d77b2": (_OLD,),
    # A Bergamo: at which microcode it has two of the fixes is not known here.
    "snp/lunal-live-evidence-genoa-json": ((*_UNKNOWN, "--accept-advisory=AMD-SB-3027"),),
    # Microcode before the fix of EntrySign, under debug.
    "snp/steward-milan-77e63ec2": (_OLD, _DEBUG),
    "snp/steward-guest_report-f238c556": (_OLD, _DEBUG),
    "snp/steward-test2_le-f328bc9e": (_OLD, _DEBUG),
}
GENUINE = [row for row in REPORTS if row["id"] not in NOT_EVIDENCE | WITHOUT_ENDORSEMENT]
OTHERS = [row for row in REPORTS if row["id"] in NOT_EVIDENCE]
UNAVAILABLE = [row for row in REPORTS if row["id"] in WITHOUT_ENDORSEMENT]


def evidence_file(row: Row) -> str:
    """The evidence in the shape it was found in, JSON before what was taken out of it."""
    names: list[str] = [item["name"] for item in row["files"]]
    return next(name for name in names if name.endswith((".bin", ".json", ".cbor")))


def lists(row: Row) -> list[Path]:
    """Files of revocation lists for ``row``; none where none of its time is public."""
    return [] if row["id"] in WITHOUT_LIST else sorted(VECTORS.glob("snp/crl-*/*.crl"))


def moment(row: Row) -> datetime:
    """A time at which VEK and, if there is one of that time, the list are valid."""
    given, vek = endorsements_of(row, evidence_of(row))
    assert vek is not None
    now = vek.not_before + timedelta(days=1)
    if given.crl is not None and row["id"] not in WITHOUT_LIST:
        now = max(now, parse_crl(given.crl).this_update + timedelta(days=1))
    return now


@pytest.mark.parametrize("row", GENUINE, ids=ids(GENUINE))
def test_genuine_through_the_facade(row: Row) -> None:
    files = {path.name: path.read_bytes() for path in (*folder(row).iterdir(), *lists(row))}
    verified = eaa.verify(
        (folder(row) / evidence_file(row)).read_bytes(),
        endorsements=read_endorsement_folder(files),
        report_data=None,
        now=moment(row),
        allow_missing_crl=row["id"] in WITHOUT_LIST,
    )
    assert isinstance(verified, VerifiedSnpEvidence)
    # The JSON of one vector has another report of the same guest than the file beside it.
    assert verified.measurement == parse_snp_report(evidence_of(row).report).body.measurement


@pytest.mark.parametrize("row", GENUINE, ids=ids(GENUINE))
def test_genuine_through_the_command(row: Row) -> None:
    given = [item for name in (folder(row), *lists(row)) for item in ("--collateral", name)]
    missing = ("--allow-missing-crl",) if row["id"] in WITHOUT_LIST else ()
    at = ("--at", f"{moment(row):%Y-%m-%dT%H:%M:%SZ}", "-o", "json")
    command = ("verify", folder(row) / evidence_file(row), *given, *missing, *at)
    differences = DIFFERENCES.get(row["id"], ())
    said = run(*command).json
    failing = [rule["rule"] for rule in said["rules"] if rule["verdict"] == "fail"]
    assert failing == [rule for rule, *_ in differences]
    assert said["verdict"] == ("rejected" if differences else "accepted")
    assert said["trust_anchor"]["name"].startswith("ARK-")
    done = run(*command, *(option for _, *options in differences for option in options))
    assert (done.code, done.json["code"]) == (0, "accepted")


@pytest.mark.parametrize("row", UNAVAILABLE, ids=ids(UNAVAILABLE))
def test_without_an_endorsement_it_is_unavailable(row: Row) -> None:
    given = [item for name in lists(row) for item in ("--collateral", name)]
    done = run("verify", folder(row) / evidence_file(row), *given, "-o", "json")
    said = done.json
    assert (done.code, said["verdict"], said["code"]) == (40, "unavailable", "endorsement_not_found.vcek")
    assert said["needs"]["signing_key"] == "VCEK"


@pytest.mark.parametrize("row", OTHERS, ids=ids(OTHERS))
def test_what_is_no_evidence_is_malformed(row: Row) -> None:
    done = run("verify", folder(row) / row["files"][0]["name"], "-o", "json")
    assert (done.code, done.json["verdict"]) == (30, "malformed")


@pytest.mark.parametrize("row", NEGATIVE, ids=ids(NEGATIVE))
def test_peers_negative_cases_are_rejected(row: Row) -> None:
    report = next(folder(row) / item["name"] for item in row["files"] if item["name"].endswith(".bin"))
    vcek = next(folder(row) / item["name"] for item in row["files"] if item["name"].endswith(".der"))
    given = [item for name in (vcek, *lists(row)) for item in ("--collateral", name)]
    done = run("verify", report, *given, "--at", "2025-06-01T00:00:00Z", "-o", "json")
    assert (done.code, done.json["verdict"]) == (10, "rejected")
    assert done.json["code"] in {"signature.vek", "chain.vek_issuer", "endorsement_not_found.ask"}


def test_every_difference_is_a_vector() -> None:
    assert DIFFERENCES.keys() <= {row["id"] for row in GENUINE}


INSPECTED = [*REPORTS, *snp_rows("snp-crl")]


@pytest.mark.parametrize("row", INSPECTED, ids=ids(INSPECTED))
def test_each_file_is_shown(row: Row) -> None:
    for item in row["files"]:
        done = run("inspect", folder(row) / item["name"], "-o", "json")
        if row["id"] in NOT_EVIDENCE:
            assert done.code == 30
        else:
            assert (done.code, done.err) == (0, "")
            assert done.json["kind"] in {
                "snp_report", "vek_certificate", "certificate", "certificate_chain", "revocation_list",
            }  # fmt: skip
