"""``shelter verify --event-log``: the CCEL against the RTMRs of the quote."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence

import pytest

from eaa.attester.simulated import SimulatedPlatform, SimulatedTdxGuest
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import Digest, Event, EventLog
from eaa.evidence.event_replay import replay
from eaa.evidence.event_type import EventType
from tests.cli.conftest import NONCE, Attester, Files
from tests.cli.running import run

FilesOf = Callable[[Attester], Files]
EVENTS = ((1, b"firmware"), (1, b"variables"), (2, b"kernel"), (3, b"initrd"), (3, b"command line"))


def event_log(events: Sequence[tuple[int, bytes]] = EVENTS) -> EventLog:
    """A log with one bank and an action event for each register and text."""
    logged = tuple(
        Event(
            index=index,
            offset=0,
            register=register,
            event_type=EventType.EV_EFI_ACTION,
            digests=(Digest(HashAlgorithm.SHA384, hashlib.sha384(data).digest()),),
            data=data,
        )
        for index, (register, data) in enumerate(events)
    )
    return EventLog(1, 0, 2, 0, 0, 2, (HashAlgorithm.SHA384,), b"", logged, None, 0)


@pytest.fixture
def booted(platform: SimulatedPlatform, files: FilesOf) -> Files:
    """A guest whose RTMRs are those of :func:`event_log`."""
    values = replay(event_log(), HashAlgorithm.SHA384)
    rtmrs: dict[str, bytes | int] = {f"rt_mr{n}": values.get(n + 1, bytes(48)) for n in range(4)}
    guest = SimulatedTdxGuest(platform)
    guest.report = guest.report.replace(**rtmrs)
    return files(guest)


def test_a_log_that_replays_to_the_quote(booted: Files) -> None:
    log = booted.write("ccel", event_log().encode())
    done = booted.verify("--event-log", log)
    assert (done.code, done.json["code"]) == (0, "accepted")
    rules = {rule["rule"]: rule["verdict"] for rule in done.json["rules"]}
    assert [rules[f"event_log.rtmr{n}"] for n in range(4)] == ["pass"] * 4


def test_the_acpi_area_with_its_filler_and_base64(booted: Files) -> None:
    area = event_log().encode() + b"\xff" * 4096
    assert booted.verify("--event-log", booted.write("ccel", area)).code == 0
    assert booted.verify("--event-log", booted.write("ccel", base64.b64encode(area))).code == 0


def test_a_mismatch_names_the_event(booted: Files) -> None:
    log = booted.write("ccel", event_log([*EVENTS[:4], (2, b"module"), EVENTS[4]]).encode())
    done = booted.verify("--event-log", log)
    said = done.json
    assert (done.code, said["verdict"], said["code"]) == (10, "rejected", "event_log.mismatch")
    (reason,) = said["reasons"]
    assert reason.startswith(
        "RTMR1 is not the replay of the event log: event 4 (EV_EFI_ACTION) of register 2"
    )
    assert said["tcb_status"] == "UpToDate"
    (rule,) = [rule for rule in said["rules"] if rule["verdict"] == "fail"]
    assert (rule["rule"], rule["claim"]) == ("event_log.rtmr1", "rt_mr1")
    assert rule["came"] == booted.attester.report.rt_mr1.hex()  # type: ignore[union-attr]  # a TDX guest


def test_a_missing_event_is_a_mismatch(booted: Files) -> None:
    done = booted.verify("--event-log", booted.write("ccel", event_log(EVENTS[:3]).encode()))
    assert done.json["code"] == "event_log.mismatch"
    assert "RTMR2" in done.json["reasons"][0]


def test_both_refusals_are_told(platform: SimulatedPlatform, files: FilesOf) -> None:
    made = files(SimulatedTdxGuest(platform, debug=True))
    said = made.verify("--event-log", made.write("ccel", event_log().encode())).json
    assert said["code"] == "event_log.mismatch"
    assert len(said["reasons"]) == 4  # RTMR0 to RTMR2 and debug
    assert said["result"] is not None


def test_an_enclave_has_no_event_log(enclave: Files) -> None:
    done = enclave.verify("--event-log", enclave.write("ccel", event_log().encode()))
    assert (done.code, done.json["code"]) == (10, "event_log.mismatch")
    assert "SGX" in done.json["reasons"][0]


@pytest.mark.parametrize("data", [b"", b"junk", event_log().encode()[:-1], bytes(1000)])
def test_a_malformed_log(booted: Files, data: bytes) -> None:
    done = booted.verify("--event-log", booted.write("ccel", data))
    assert (done.code, done.json["verdict"]) == (30, "malformed")
    assert done.json["reasons"][0].startswith("event log: ")
    assert done.json["tcb_status"] == "UpToDate"


def test_a_log_beside_the_quote_is_mentioned(booted: Files) -> None:
    both = {
        "quote": base64.b64encode(booted.attester.collect(NONCE + bytes(32))).decode(),
        "cc_eventlog": base64.b64encode(event_log().encode()).decode(),
    }
    path = booted.write("evidence.json", json.dumps(both).encode())
    said = run("verify", path, *booted.trusted, "-o", "json").json
    assert said["verdict"] == "accepted"
    assert any("event log beside the quote was not replayed" in note for note in said["notes"])
    assert booted.verify("--event-log", path).json["verdict"] == "accepted"
