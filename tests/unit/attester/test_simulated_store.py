"""The simulated vendor that processes share: stable, race-safe, mutually verifiable over time."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from eaa.attester.simulated.platform import Tee
from eaa.attester.simulated_attester import StoredSimulatedAttester
from eaa.attester.simulated_folder import SimulatedFolder
from eaa.attester.simulated_store import SimulatedStore, simulated_directory
from eaa.codec.pem import encode_pem
from eaa.endorsements.collateral import IntelCollateral
from eaa.errors import ConfigError, UsageError
from eaa.evidence.dcap_quote import parse_quote
from eaa.tls.peer import EvidenceKind
from tests.fakes.certificates import certificate
from tests.fakes.vendor import NOW, REPORT_DATA, Evidence, verify

DAY = timedelta(days=1)


def attester(store: SimulatedStore, tee: Tee = "sgx", now: datetime = NOW) -> StoredSimulatedAttester:
    return StoredSimulatedAttester("simulated", tee, store=store, now=lambda: now, fields={}, debug=False)


def evidence(store: SimulatedStore, now: datetime, anchor: datetime | None = None) -> Evidence:
    came = attester(store, "tdx", now).collect(REPORT_DATA)
    assert isinstance(came.collateral, IntelCollateral)
    return Evidence(came.evidence, came.collateral, store.trust_anchor(now=anchor or now))


def refused(store: SimulatedStore, text: str) -> None:
    with pytest.raises(ConfigError, match=text) as caught:
        store.vendor(now=NOW)
    assert caught.value.code == "config.simulated_store"
    assert str(store.directory) in caught.value.fields["file"]


def test_made_at_first_use(tmp_path: Path) -> None:
    store = SimulatedStore(tmp_path / "state" / "eaa")
    anchor = store.trust_anchor(now=NOW)
    assert anchor.common_name == "EAA Simulated SGX Root CA"
    modes = {path.name: path.stat().st_mode & 0o777 for path in store.directory.iterdir()}
    assert modes == {"seed": 0o600, "root.pem": 0o644}
    assert store.directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("days", [-3, 0, 1, 13, 14, 40, 1000, 3650])
def test_the_root_stays_the_same(tmp_path: Path, days: int) -> None:
    store = SimulatedStore(tmp_path)
    first = store.trust_anchor(now=NOW)
    later = NOW + days * DAY
    assert SimulatedStore(tmp_path).vendor(now=later).root.parsed == first
    assert verify(evidence(store, later), now=later, trust_anchors=(first,)).tee == "tdx"


@pytest.mark.parametrize("hours", [-1, 0, 1, 24, 15 * 24])
@pytest.mark.parametrize("made", [0, 13.9, 14, 100])
def test_evidence_made_at_another_time(tmp_path: Path, made: float, hours: int) -> None:
    store = SimulatedStore(tmp_path)
    store.trust_anchor(now=NOW)
    then = NOW + made * DAY
    assert verify(evidence(store, then), now=then + timedelta(hours=hours)).tee == "tdx"


@pytest.mark.parametrize(("quoted", "issued"), [(13, 15), (15, 13)])
def test_quote_and_endorsements_of_different_periods(tmp_path: Path, quoted: int, issued: int) -> None:
    store = SimulatedStore(tmp_path)
    store.trust_anchor(now=NOW)
    quote, other = evidence(store, NOW + quoted * DAY), evidence(store, NOW + issued * DAY)
    mixed = Evidence(quote.quote, other.collateral, other.trust_anchor)
    assert verify(mixed, now=NOW + 15 * DAY).tee == "tdx"


def test_a_long_lived_attester_renews(tmp_path: Path) -> None:
    now = [NOW]
    kept = StoredSimulatedAttester(
        "simulated", "sgx", store=SimulatedStore(tmp_path), now=lambda: now[0], fields={}, debug=True
    )
    first, again = kept.collect(REPORT_DATA), kept.collect(REPORT_DATA)
    assert first == again
    now[0] += 20 * DAY
    later = kept.collect(REPORT_DATA)
    assert (later.kind, later.collateral == first.collateral) == (EvidenceKind.SGX_QUOTE, False)
    assert str(tmp_path) in kept.warning
    with pytest.raises(UsageError):
        kept.collect(b"")


def test_only_the_quote_itself_is_signed_anew(tmp_path: Path) -> None:
    kept = attester(SimulatedStore(tmp_path))
    one, two = (parse_quote(kept.collect(bytes((n,)) * 64).evidence) for n in (1, 2))
    assert one.certification == two.certification
    assert one.signature != two.signature
    came = kept.collect(REPORT_DATA)
    assert isinstance(came.collateral, IntelCollateral)
    anchor = kept.store.trust_anchor(now=NOW)
    assert verify(Evidence(came.evidence, came.collateral, anchor)).tee == "sgx"


def test_two_stores_are_two_vendors(tmp_path: Path) -> None:
    one, two = (SimulatedStore(tmp_path / name).trust_anchor(now=NOW) for name in "ab")
    assert one != two


def test_processes_that_make_it_at_once_agree(tmp_path: Path) -> None:
    program = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from eaa.attester.simulated_store import SimulatedStore\n"
        "anchor = SimulatedStore(Path(sys.argv[1])).trust_anchor(now=datetime.now(UTC))\n"
        "print(anchor.der.hex())"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "store")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    printed = [process.communicate(timeout=60)[0] for process in started]
    assert len(set(printed)) == 1
    assert printed[0].strip()
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == ["root.pem", "seed"]


def test_a_root_alone_verifies_and_does_not_attest(tmp_path: Path) -> None:
    store = SimulatedStore(tmp_path / "store")
    anchor = store.trust_anchor(now=NOW)
    copy = SimulatedStore(tmp_path / "copy")
    copy.directory.mkdir()
    (copy.directory / "root.pem").write_bytes((store.directory / "root.pem").read_bytes())
    assert copy.trust_anchor(now=NOW) == anchor
    refused(copy, "can verify, and not attest")


def test_a_seed_found_after_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process makes seed and root between our two looks."""
    store = SimulatedStore(tmp_path)
    anchor = store.trust_anchor(now=NOW)
    look = SimulatedStore._secret
    looks: list[int] = []

    def late(self: SimulatedStore) -> object:
        looks.append(1)
        return None if len(looks) == 1 else look(self)

    monkeypatch.setattr(SimulatedStore, "_secret", late)
    assert store.vendor(now=NOW).root.parsed == anchor


def test_a_seed_that_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimulatedFolder, "read", lambda _, name: None)
    refused(SimulatedStore(tmp_path), "removed while it was made")


def test_a_root_of_another_seed(tmp_path: Path) -> None:
    SimulatedStore(tmp_path / "a").vendor(now=NOW)
    store = SimulatedStore(tmp_path / "b")
    store.vendor(now=NOW)
    (tmp_path / "b/root.pem").write_bytes((tmp_path / "a/root.pem").read_bytes())
    refused(store, "is not the root of the seed")


def test_a_seed_that_others_may_read(tmp_path: Path) -> None:
    store = SimulatedStore(tmp_path)
    store.vendor(now=NOW)
    (tmp_path / "seed").chmod(0o644)
    refused(store, "chmod 600")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{}", b"\xff", b'{"seed": 1, "created": "2026-01-01T00:00:00+00:00"}',
        json.dumps({"seed": "00" * 31, "created": "2026-01-01T00:00:00+00:00"}).encode(),
        json.dumps({"seed": "00" * 32, "created": "2026-01-01T00:00:00"}).encode(),
        json.dumps({"seed": "00" * 32, "created": "yesterday"}).encode(),
    ],
)  # fmt: skip
def test_a_seed_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "seed").write_bytes(content)
    (tmp_path / "seed").chmod(0o600)
    refused(SimulatedStore(tmp_path), "is not what was written here")


def test_a_root_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_bytes(b"no certificate")
    with pytest.raises(ConfigError, match="is no certificate"):
        SimulatedStore(tmp_path).trust_anchor(now=NOW)


def test_a_root_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_bytes(encode_pem(certificate().der))
    with pytest.raises(ConfigError, match="not of a simulated vendor"):
        SimulatedStore(tmp_path).trust_anchor(now=NOW)


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(SimulatedStore(tmp_path / "file" / "store"), "cannot be read")
    store = SimulatedStore(tmp_path / "store")
    (tmp_path / "store").symlink_to(tmp_path / "nowhere")
    refused(store, "cannot be made")


def test_a_root_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("eaa.attester.simulated_folder.os.replace", failing)
    refused(SimulatedStore(tmp_path), "root.pem cannot be written")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"EAA_SIMULATED_DIR": "/there", "XDG_STATE_HOME": "/state"}, Path("/there")),
        ({"XDG_STATE_HOME": "/state"}, Path("/state/eaa/simulated")),
        ({"XDG_STATE_HOME": "relative"}, Path.home() / ".local/state/eaa/simulated"),
        ({}, Path.home() / ".local/state/eaa/simulated"),
    ],
)
def test_which_folder(environment: dict[str, str], expected: Path) -> None:
    assert simulated_directory(environment) == expected
