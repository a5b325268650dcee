"""Runtime measurement: the log's bytes, registers, crashes at every step, and a verdictd that replays it."""

from __future__ import annotations

import asyncio
import json
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from eaa.attester.simulated import SimulatedTdxGuest
from eaa.errors import AttesterError, ConfigError, EAAError, FormatError, UsageError
from eaa.evidence.event_decode import decode_event
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import MAX_EVENTS, EventLog, parse_event_log
from eaa.evidence.event_payload import AaelEntry as Decoded
from eaa.evidence.event_replay import replay
from eaa.services.attestation_agent.aael import AaelEntry, merged_log, parse_entry, tdx_register
from eaa.services.attestation_agent.measurement import EventLogTerms, Measured, RuntimeMeasurement
from eaa.services.attestation_agent.registers import (
    Extender,
    SimulatedRegisters,
    SimulatedTd,
    TdxRegisterFiles,
)
from eaa.services.configuration import HttpSection
from eaa.tls.peer import Attester
from tests.fakes.kbs_client import claims_of
from tests.service.attestation_agents import Guest, running_agent
from tests.service.verdictds import Hardware, running

SHA384 = HashAlgorithm.SHA384
ZEROS = (bytes(48),) * 4
AA = "attestation_agent.AttestationAgentService"
#: A firmware's log without events, as EDK II heads it.
CCEL = EventLog(1, 0, 2, 0, 0, 2, (SHA384,), b"", (), None, 0).encode() + b"\xff" * 64


# ── the bytes ──


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        # Of the entry "domain operation content", from the tests of guest components (eventlog/mod.rs).
        (HashAlgorithm.SHA256, "46df8dacf00a07d34a83cdf56d7978697790787cf2ba1432ef7c38f22cd96351"),
        (
            SHA384,
            "dad5f0e226318ffa9839b75a472c6aa7fdb5834949d0a0a22990cf04d5692440fb00f3aa0609db7e49cd8d793f670d02",
        ),
        (
            HashAlgorithm.SHA512,
            "b708d222ca8bd44dfe6ba0c4ca2cbb72379276fba8091025217064be45a813e5"
            "d6124ccf073219edb617d1faf007d55061465bdf34b7437dbdc9a7405bd4e9c0",
        ),
    ],
)
def test_digests_of_guest_components(algorithm: HashAlgorithm, digest: str) -> None:
    event = AaelEntry("domain", "operation", "content").event(4, algorithm)
    assert event.digests[0].value.hex() == digest


def test_an_entry_byte_for_byte() -> None:
    event = AaelEntry("d", "o", "c").event(4, HashAlgorithm.SHA256)
    text = b"d o c"
    data = b"LEAA" + (5).to_bytes(4, "little") + text
    assert event.encode() == (
        bytes.fromhex("0400000006000000010000000b00")
        + HashAlgorithm.SHA256.hash(data)
        + len(data).to_bytes(4, "little")
        + data
    )
    assert decode_event(event) == Decoded("d", "o", "c")


@pytest.mark.parametrize(
    "words",
    [("", "o", "c"), ("d", "", "c"), ("d", "o", ""), ("a b", "o", "c"), ("d", "a b", "c"), ("d", "o", "a\nb"),
     ("d\n", "o", "c"), ("d", "o\x00", "c"), ("d" * 1025, "o", "c"), ("d", "o", "c" * 65537)],
)  # fmt: skip
def test_what_is_no_entry(words: tuple[str, str, str]) -> None:
    with pytest.raises(FormatError, match=r"\[COCO-AAEL\]"):
        AaelEntry(*words)


def test_content_may_have_spaces() -> None:
    entry = AaelEntry("github.com/confidential-containers", "PullImage", 'a b {"c": 1}')
    assert parse_entry(str(entry)) == entry


def test_registers_of_pcrs() -> None:
    found = {pcr: tdx_register(pcr) for pcr in range(24)}
    expected = {1: 1, 7: 1} | dict.fromkeys(range(2, 7), 2) | dict.fromkeys(range(8, 16), 3)
    assert found == {pcr: expected.get(pcr, 4) for pcr in range(24)}
    for pcr in (-1, 24, 1 << 40):
        with pytest.raises(UsageError):
            tdx_register(pcr)


# ── the log and its registers ──


def measurement(folder: Path, extender: Extender | None, *, enabled: bool = True) -> RuntimeMeasurement:
    return RuntimeMeasurement(extender, EventLogTerms(enabled, 17, folder / "log", folder / "CCEL"))


def extend(made: RuntimeMeasurement, content: str, pcr: int | None = None) -> Measured:
    return asyncio.run(made.extend("d", "o", content, pcr))


def require_replays(made: RuntimeMeasurement, registers: SimulatedRegisters) -> EventLog:
    log = made.log()
    assert log is not None
    parsed = parse_event_log(log)
    replayed = replay(parsed, SHA384)
    assert tuple(replayed.get(register, bytes(48)) for register in (1, 2, 3, 4)) == tuple(registers.values)
    return parsed


def test_what_is_logged_replays_to_the_registers_that_were_extended(tmp_path: Path) -> None:
    """The original writes its default's register whatever was extended."""
    (tmp_path / "CCEL").write_bytes(CCEL)
    registers = SimulatedRegisters(ZEROS)
    made = measurement(tmp_path, registers)
    for content, pcr in (("a", None), ("b", 8), ("c", 1), ("d", 3), ("e", None)):
        assert extend(made, content, pcr) is Measured.OK
    parsed = require_replays(made, registers)
    assert [event.register for event in parsed.events] == [4, 3, 1, 2, 4]
    assert (made.log() or b"").endswith(b"\xff" * 8)
    assert stat.S_IMODE((tmp_path / "log" / "eventlog").stat().st_mode) == 0o600
    again = measurement(tmp_path, registers)
    extend(again, "f")
    assert len(require_replays(again, registers).events) == 6


def test_entries_at_once_are_one_after_another(tmp_path: Path) -> None:
    (tmp_path / "CCEL").write_bytes(CCEL)
    registers = SimulatedRegisters(ZEROS)
    made = measurement(tmp_path, registers)

    async def many() -> None:
        await asyncio.gather(*(made.extend("d", "o", str(number), None) for number in range(20)))

    asyncio.run(many())
    assert len(require_replays(made, registers).events) == 20


class Slow(SimulatedRegisters):
    def extend(self, register: int, digest: bytes) -> None:
        time.sleep(0.1)
        super().extend(register, digest)


def test_an_entry_that_nobody_waits_for_is_whole_before_the_next(tmp_path: Path) -> None:
    (tmp_path / "CCEL").write_bytes(CCEL)
    registers = Slow(ZEROS)
    made = measurement(tmp_path, registers)

    async def two() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await made.extend("d", "o", "given up", None)
        await made.extend("d", "o", "next", None)

    asyncio.run(two())
    assert len(require_replays(made, registers).events) == 2


def test_the_log_is_read_before_or_after_an_entry(tmp_path: Path) -> None:
    """Between its register and its line a quote would show what the log does not."""
    (tmp_path / "CCEL").write_bytes(CCEL)
    registers = Slow(ZEROS)
    made = measurement(tmp_path, registers)

    async def read_meanwhile() -> bytes | None:
        extending = asyncio.create_task(made.extend("d", "o", "c", None))
        while not (tmp_path / "log" / ".pending").exists():
            await asyncio.sleep(0.001)
        log = await asyncio.to_thread(made.log)
        await extending
        return log

    assert len(parse_event_log(asyncio.run(read_meanwhile()) or b"").events) == 1


def test_off_or_not_supported(tmp_path: Path) -> None:
    registers = SimulatedRegisters(ZEROS)
    assert extend(measurement(tmp_path, registers, enabled=False), "a") is Measured.NOT_ENABLED
    assert extend(measurement(tmp_path, None), "a") is Measured.NOT_SUPPORTED
    assert registers.values == list(ZEROS)
    assert not (tmp_path / "log").exists()
    assert (int(Measured.OK), int(Measured.NOT_SUPPORTED), int(Measured.NOT_ENABLED)) == (0, 1, 2)
    with pytest.raises(FormatError):
        extend(measurement(tmp_path, None), "a\nb")


def test_without_the_firmware_s_log_there_is_none_to_show(tmp_path: Path) -> None:
    made = measurement(tmp_path, SimulatedRegisters(ZEROS))
    extend(made, "a")
    assert made.log() is None
    (tmp_path / "CCEL").write_bytes(b"no log")
    with pytest.raises(ConfigError) as caught:
        made.log()
    assert caught.value.code == "config.event_log"


def test_a_full_log_measures_nothing(tmp_path: Path) -> None:
    """Full is also what no verifier would read, so that nobody can fill it until the guest cannot attest."""
    (tmp_path / "CCEL").write_bytes(CCEL)
    registers = SimulatedRegisters(ZEROS)
    made = measurement(tmp_path, registers)
    entry = AaelEntry("d", "o", "c").event(4, SHA384).encode()
    (tmp_path / "log" / "eventlog").write_bytes(entry * ((512 << 10) // len(entry)))
    with pytest.raises(UsageError) as caught:
        extend(made, "a")
    assert caught.value.code == "usage.event_log_full"
    assert registers.values == list(ZEROS)
    log = made.log()
    assert log is not None
    assert len(parse_event_log(log).events) < MAX_EVENTS // 2
    assert len(log) * 4 // 3 < HttpSection(listen="127.0.0.1:0").max_body_bytes // 2


# ── crashes ──


class Crash(Exception):
    pass


@dataclass
class Crashing(SimulatedRegisters):
    """Crashes before or after it extends."""

    before: bool
    values: list[bytes] = field(default_factory=lambda: list(ZEROS))
    armed: bool = True

    def extend(self, register: int, digest: bytes) -> None:
        if self.before and self.armed:
            raise Crash
        super().extend(register, digest)
        if self.armed:
            raise Crash


@pytest.mark.parametrize("before", [True, False], ids=["before the register", "after the register"])
def test_after_a_crash_register_and_log_agree(tmp_path: Path, before: bool) -> None:
    (tmp_path / "CCEL").write_bytes(CCEL)
    registers = Crashing(before)
    registers.armed = False
    extend(measurement(tmp_path, registers), "whole")
    registers.armed = True
    with pytest.raises(Crash):
        extend(measurement(tmp_path, registers), "crashed", 8)
    registers.armed = False
    made = measurement(tmp_path, registers)
    parsed = require_replays(made, registers)
    assert [decode_event(event) for event in parsed.events] == [
        Decoded("d", "o", "whole"), Decoded("d", "o", "crashed"),
    ]  # fmt: skip
    extend(made, "next")
    assert len(require_replays(made, registers).events) == 3


@pytest.mark.parametrize("written", [0, 1, 40, None], ids=["nothing", "a byte", "half", "all"])
def test_after_a_crash_within_the_log(tmp_path: Path, written: int | None) -> None:
    (tmp_path / "CCEL").write_bytes(CCEL)
    registers = Crashing(before=False)
    with pytest.raises(Crash):
        extend(measurement(tmp_path, registers), "crashed")
    registers.armed = False
    entry = AaelEntry("d", "o", "crashed").event(4, SHA384).encode()
    (tmp_path / "log" / "eventlog").write_bytes(entry[:written])
    assert len(require_replays(measurement(tmp_path, registers), registers).events) == 1


class Refusing(SimulatedRegisters):
    """Of which only the last can be extended."""

    def extend(self, register: int, digest: bytes) -> None:
        if register != 4:
            raise AttesterError("it is read-only", detail="register")
        super().extend(register, digest)


def test_an_entry_that_the_register_did_not_take_did_not_happen(tmp_path: Path) -> None:
    (tmp_path / "CCEL").write_bytes(CCEL)
    registers = Refusing(ZEROS)
    with pytest.raises(AttesterError, match="read-only"):
        extend(measurement(tmp_path, registers), "refused", 1)
    made = measurement(tmp_path, registers)
    with pytest.raises(AttesterError, match="read-only"):
        extend(made, "refused", 1)
    extend(made, "next")
    parsed = require_replays(made, registers)
    assert [decode_event(event) for event in parsed.events] == [Decoded("d", "o", "next")]


def test_an_entry_that_the_disk_did_not_take_comes_before_the_next(tmp_path: Path) -> None:
    """Without a start in between: its register was extended, and the log has to say so."""
    (tmp_path / "CCEL").write_bytes(CCEL)
    registers = SimulatedRegisters(ZEROS)
    made = measurement(tmp_path, registers)
    log = tmp_path / "log" / "eventlog"
    log.symlink_to(tmp_path / "elsewhere")  # which is not followed
    with pytest.raises(ConfigError, match="cannot be written"):
        extend(made, "kept back")
    log.unlink()
    log.write_bytes(b"\x04\x00")  # as much as there was room for
    extend(made, "next")
    parsed = require_replays(made, registers)
    assert [decode_event(event) for event in parsed.events] == [
        Decoded("d", "o", "kept back"), Decoded("d", "o", "next"),
    ]  # fmt: skip


def test_an_entry_that_another_process_is_at_is_no_crash(tmp_path: Path) -> None:
    """A command beside the service would extend the register a second time."""
    (tmp_path / "CCEL").write_bytes(CCEL)
    registers = Slow(ZEROS)
    service = measurement(tmp_path, registers)

    async def both() -> RuntimeMeasurement:
        extending = asyncio.create_task(service.extend("d", "o", "c", None))
        while not (tmp_path / "log" / ".pending").exists():
            await asyncio.sleep(0.001)
        command = await asyncio.to_thread(measurement, tmp_path, registers)
        await extending
        return command

    assert len(require_replays(asyncio.run(both()), registers).events) == 1


def test_a_note_that_was_not_whole_is_no_entry(tmp_path: Path) -> None:
    (tmp_path / "CCEL").write_bytes(CCEL)
    (tmp_path / "log").mkdir()
    note = tmp_path / "log" / ".pending"
    for text in (
        "",
        '{"register": 4',
        "{}",
        "[]",
        '{"register":4,"offset":0,"expected":"zz","entry":"d o c"}',
    ):
        note.write_text(text)
        registers = SimulatedRegisters(ZEROS)
        assert require_replays(measurement(tmp_path, registers), registers).events == ()
        assert not note.exists()


def test_a_register_that_somebody_else_extended_is_an_error(tmp_path: Path) -> None:
    registers = Crashing(before=True)
    with pytest.raises(Crash):
        extend(measurement(tmp_path, registers), "crashed")
    registers.values[3] = b"\x01" * 48
    with pytest.raises(ConfigError, match="somebody else") as caught:
        measurement(tmp_path, registers)
    assert caught.value.code == "config.event_log"


# ── a TD's files ──


def test_registers_in_files(tmp_path: Path) -> None:
    """The kernel extends by what is written; a plain file just keeps it."""
    files = TdxRegisterFiles(tmp_path)
    for number in range(4):
        (tmp_path / f"rtmr{number}:sha384").write_bytes(bytes((number,)) * 48)
    assert [files.read(register) for register in (1, 4)] == [bytes(48), b"\x03" * 48]
    files.extend(4, b"\x09" * 48)
    assert (tmp_path / "rtmr3:sha384").read_bytes() == b"\x09" * 48
    (tmp_path / "rtmr2:sha384").write_bytes(b"short")
    (tmp_path / "rtmr1:sha384").unlink()
    for use in (lambda: files.read(3), lambda: files.read(2), lambda: files.extend(2, bytes(48))):
        with pytest.raises(AttesterError) as caught:
            use()
        assert caught.value.code == "attester.register"


def test_a_merged_log_is_one() -> None:
    with pytest.raises(FormatError):
        merged_log(CCEL, b"\x04\x00")
    entry = AaelEntry("d", "o", "c").event(4, SHA384).encode()
    assert len(parse_event_log(merged_log(CCEL, entry)).events) == 1


# ── to a verifier ──


def test_verdictd_sees_what_the_guest_measured(tmp_path: Path) -> None:
    hardware = Hardware()
    zeros: dict[str, Any] = {f"rt_mr{number}": bytes(48) for number in range(4)}
    hardware.td = SimulatedTdxGuest(hardware.platform, **zeros)
    registers = SimulatedRegisters(ZEROS)

    def make(fields: dict[str, Any]) -> Attester:
        made = Hardware.__new__(Hardware)
        made.platform, made.enclave = hardware.platform, hardware.enclave
        made.td = SimulatedTdxGuest(hardware.platform, **fields)
        return Guest(made)

    (tmp_path / "CCEL").write_bytes(CCEL)
    terms = EventLogTerms(True, 17, tmp_path / "log", tmp_path / "CCEL")
    guest = SimulatedTd("simulated-tdx", registers, make)
    with running(tmp_path / "state", hardware.source()) as served:
        served.trust(hardware)
        params = f"cc_kbc::{served.url}"
        with running_agent(tmp_path, params, guest, extender=registers, event_log=terms) as agent:
            fields: dict[str, Any] = {"Domain": "d", "Operation": "PullImage", "Content": "busybox"}
            assert agent.grpc().call(f"{AA}/ExtendRuntimeMeasurement", **fields).Result == 0
            fields["RegisterIndex"] = 8
            assert agent.attestation_ttrpc.call(f"{AA}/ExtendRuntimeMeasurement", **fields).Result == 0
            with agent.http() as http:
                entry = {"domain": "d", "operation": "o", "content": "rest"}
                assert http.post("/aa/aael", json=entry).json() == {"success": "true"}
            token = json.loads(agent.grpc().call(f"{AA}/GetToken", TokenType="kbs").Token)["token"]
        claims = claims_of(token)["submods"]["cpu0"]["ear.veraison.annotated-evidence"]
        seen = [
            (event["index"], event["details"]["data"]["content"], event["digest_matches_event"])
            for event in claims["tdx"]["uefi_event_logs"]
        ]
        assert seen == [(4, "busybox", True), (3, "busybox", True), (4, "rest", True)]
        # A log that leaves an entry out is refused, and so the secret.
        log = tmp_path / "log" / "eventlog"
        log.write_bytes(
            log.read_bytes()[: len(AaelEntry("d", "PullImage", "busybox").event(4, SHA384).encode())]
        )
        with (
            running_agent(tmp_path, params, guest, extender=registers, event_log=terms) as agent,
            pytest.raises(EAAError, match=r"binding\.event_log"),
        ):
            agent.run(agent.agent.token("kbs"))
