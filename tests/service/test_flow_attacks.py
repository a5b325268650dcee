"""The demo's attacks: what is stolen of a workload opens no channel to a client that expects it."""

from __future__ import annotations

from pathlib import Path

import pytest

from eaa.attester.simulated_store import SimulatedStore
from eaa.cli.demo_flow_attacks import attacks
from eaa.transport.engine import TlsEngine

CODES = {
    "old certificate": "remote_protocol.tls",
    "copied evidence": "binding.pubkey_hash",
    "key, ratls-cert": "accepted",  # the known weakness of that profile
    "key, exporter-v1": "binding.report_data",
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    store = SimulatedStore(tmp_path_factory.mktemp("vendor"))
    return {outcome.title: outcome.shown.code for outcome in attacks(store, b"\x11" * 32)}


@pytest.mark.parametrize("title", CODES)
def test_each_attack(found: dict[str, str], title: str) -> None:
    assert found[title] == CODES[title]


def test_all_are_expected_to_be_so(tmp_path: Path) -> None:
    expected = {item.title: item.expected for item in attacks(SimulatedStore(tmp_path), b"\x22" * 32)}
    assert expected == CODES


def test_it_is_the_exporter_that_refuses_the_relay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were both connections of the relay one to the exporter, it would pass."""
    monkeypatch.setattr(TlsEngine, "export", lambda _engine, _context: bytes(32))
    found = {item.title: item.shown.code for item in attacks(SimulatedStore(tmp_path), b"\x11" * 32)}
    assert found == {**CODES, "key, exporter-v1": "accepted"}
