"""``python -m eaa.cli.demo``: what it shows, in which colours, and its exit code."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from eaa.cli import demo, demo_image
from eaa.cli.demo_cases import Case, Shown
from eaa.cli.demo_image_tools import Tools, find_tools
from tests.vectors.manifest import VECTORS, needs_vectors

SHOWN = (
    ("good", "ACCEPTED", "accepted"),
    ("out of date", "REJECTED", "appraisal.tcb_status"),
    ("debug", "REJECTED", "appraisal.debug"),
    ("tampered", "REJECTED", "signature.quote"),
    ("Intel's roots", "REJECTED", "chain.untrusted_root"),
)

FLOW = (
    ("nothing recorded", "REJECTED", "appraisal.reference_values"),
    ("as recorded", "ACCEPTED", "accepted"),
    ("tampered", "REJECTED", "appraisal.mr_enclave"),
    ("old certificate", "REJECTED", "remote_protocol.tls"),
    ("copied evidence", "REJECTED", "binding.pubkey_hash"),
    ("key, ratls-cert", "ACCEPTED", "accepted"),
    ("key, exporter-v1", "REJECTED", "binding.report_data"),
)

BROKER = (
    ("good", "ACCEPTED", "accepted"),
    ("out of date", "REJECTED", "access_denied.policy (tdx.tcb_status)"),
    ("wrong measurement", "REJECTED", "access_denied.policy (tdx.mr_td)"),
    ("replayed", "REJECTED", "session.spent"),
    ("another's path", "REJECTED", "access_denied.policy (deny_all)"),
    ("good", "ACCEPTED", "accepted"),
    ("out of date", "REJECTED", "access_denied.policy (snp.snp_svn)"),
    ("debug", "REJECTED", "access_denied.policy (snp.debug)"),
)

IMAGE = (
    ("encrypted", "ACCEPTED", "accepted"),
    ("as measured", "ACCEPTED", "accepted"),
    ("changed kernel", "REJECTED", "access_denied.policy (tdx.rtmr_1)"),
)


def environment(vectors: Path, **extra: str) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"EAA_VECTORS": str(vectors)} | extra


def test_each_verdict_with_its_reason_and_no_colour_off_a_terminal(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "eaa.cli.demo"],
        env=environment(tmp_path / "none"), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "")
    assert "\x1b" not in run.stdout
    shown, _, brokered = run.stdout.partition("\nVerdictd and verdict")
    rows = _rows(shown)
    for expected in SHOWN:
        assert rows.count(expected) == 2  # both TEEs
    for expected in FLOW:
        assert rows.count(expected) == 1
    assert "Remote attestation is successful" in " ".join(run.stdout.split())
    assert "a simulated platform, trusted only" in " ".join(run.stdout.split())
    assert "No real quote was verified" in run.stdout
    brokered, _, of_image = brokered.partition("\nAn encrypted image")
    assert [row for row in _rows(brokered) if row[1] in {"ACCEPTED", "REJECTED"}] == list(BROKER)
    reasons = " ".join(brokered.split())
    assert "gets 32 bytes" in reasons
    assert "the token says affirming" in reasons
    assert "tdx.tcb_status: expected UpToDate, came OutOfDate" in reasons
    assert "tdx.quote.body.mr_td: expected in reference value mr_td, came eeeeeeeeeeeeeeee…" in reasons
    assert "this session was used already" in reasons
    assert "snp.policy_debug_allowed: expected false, came true" in reasons
    assert reasons.count("verdict explain ") == 6
    assert [row for row in _rows(of_image) if row[1] in {"ACCEPTED", "REJECTED", "NOTE"}] == list(IMAGE)
    reasons = " ".join(of_image.split())
    assert "2 layers encrypted by skopeo, and pushed to docker-registry" in reasons
    assert "runc runs it, and it says: the owner's data" in reasons
    assert "tdx.quote.body.rtmr_1: expected in reference value rtmr_1" in reasons
    assert "every layer stays closed" in reasons
    assert run.stdout.endswith("Every verdict is as expected.\n")


def _rows(shown: str) -> list[tuple[str, ...]]:
    return [
        tuple(part.strip() for part in (line[:20], line[20:30], line[30:])) for line in shown.splitlines()
    ]


@pytest.mark.parametrize("tools", [("", "", "", ""), ("skopeo", "", "", "")], ids=["nothing", "skopeo alone"])
def test_what_is_not_there_is_said_and_done_without(
    tools: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def some(folder: Path) -> Tools:
        found = find_tools(folder)
        return Tools(found.skopeo if tools[0] else "", *tools[1:])

    monkeypatch.setattr(demo_image, "find_tools", some)
    found = [outcome for _, outcomes in demo_image.image() for outcome in outcomes]
    shown = [(item.title, item.shown.verdict.upper(), item.shown.code) for item in found]
    assert shown == [*IMAGE, ("not as real", "NOTE", "note")]
    assert "its file says: the owner's data" in found[1].shown.reason
    note = found[-1].shown.reason
    assert ("encrypted by EAA itself" in note) is not bool(tools[0])
    assert "docker-registry is not here" in note
    assert "runc and busybox cannot be used here" in note


@pytest.mark.parametrize(("extra", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_on_a_terminal_only(tmp_path: Path, extra: dict[str, str], coloured: bool) -> None:
    without_processes = (
        "from eaa.cli import demo; demo.flow = demo.broker = demo.image = tuple; "
        "raise SystemExit(demo.main())"
    )
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", without_processes],
        env=environment(tmp_path / "none", TERM="xterm", **extra), stdout=theirs, stderr=theirs,
    ) as process:  # fmt: skip
        os.close(theirs)
        output = read_all(ours)
    assert process.returncode == 0
    assert (b"\x1b[" in output) is coloured


@needs_vectors
def test_a_real_quote_where_the_vectors_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EAA_VECTORS", str(VECTORS))
    monkeypatch.setattr(demo, "flow", lambda: ())
    monkeypatch.setattr(demo, "broker", lambda: ())
    monkeypatch.setattr(demo, "image", lambda: ())
    assert demo.main() == 0
    _, found, real = capsys.readouterr().out.partition("TDX guest on real hardware\n")
    assert found
    assert real.splitlines()[0].split() == ["as", "of", "2026-08-26", "ACCEPTED", "accepted"]
    assert "the TCB is UpToDate" in real
    assert "no measurement was compared" in real


def test_an_unexpected_verdict_is_named_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def accept_everything(_: Case) -> Shown:
        return Shown("accepted", "accepted", "why not")

    monkeypatch.setenv("EAA_VECTORS", str(tmp_path))
    monkeypatch.setattr(demo, "judge", accept_everything)
    monkeypatch.setattr(demo, "flow", lambda: ())
    monkeypatch.setattr(demo, "broker", lambda: ())
    monkeypatch.setattr(demo, "image", lambda: ())
    assert demo.main() == 1
    assert "UNEXPECTED: should have been signature.quote" in capsys.readouterr().out


def test_a_broken_vectors_folder_is_a_configuration_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "MANIFEST.jsonl").write_text('{"id": "something else"}\n[]\n')
    monkeypatch.setenv("EAA_VECTORS", str(tmp_path))
    assert demo.main() == 2
    assert "MANIFEST.jsonl has no time for" in capsys.readouterr().err


def read_all(descriptor: int) -> bytes:
    """What a terminal shows until its other side is closed, which Linux reports as an error."""
    chunks = []
    try:
        while chunk := os.read(descriptor, 65536):
            chunks.append(chunk)
    except OSError:
        pass
    finally:
        os.close(descriptor)
    return b"".join(chunks)
