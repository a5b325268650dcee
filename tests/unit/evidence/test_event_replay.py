"""Replay, and where a log and a quote part: what is established, and what is only said to be unknown."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import pytest

from eaa.errors import FormatError, UsageError
from eaa.evidence import event_replay
from eaa.evidence.event_digest import DigestCheck, check_digest, matches_load_options, preimages
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import Digest, Event, EventLog, parse_event_log
from eaa.evidence.event_payload import AAEL_TAG, LINUX_INITRD_TAG, LINUX_LOAD_OPTIONS_TAG
from eaa.evidence.event_replay import (
    Parting,
    PartingKind,
    RtmrComparison,
    compare_with_rtmrs,
    replay,
    startup_locality,
)
from eaa.evidence.event_type import EventType

SHA256, SHA384 = HashAlgorithm.SHA256, HashAlgorithm.SHA384
ZERO = bytes(48)


def sha384(data: bytes) -> bytes:
    return hashlib.sha384(data).digest()


def measured(register: int, event_type: int, data: bytes, value: bytes | None = None) -> Event:
    """An event with the SHA-384 digest ``value``, that of its data by default; place it with ``log_of``."""
    digest = Digest(SHA384, sha384(data) if value is None else value)
    return Event(0, 0, register, event_type, (digest,), data)


def log_of(*events: Event, algorithms: tuple[HashAlgorithm, ...] = (SHA384,)) -> EventLog:
    header = EventLog(1, 0, 2, 0, 0, 2, algorithms, b"", events, None, 0)
    return parse_event_log(header.encode())


def chain(digests: Iterable[bytes], start: bytes = ZERO) -> bytes:
    for digest in digests:
        start = sha384(start + digest)
    return start


def quote(**registers: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    values = [registers.get(f"rtmr{number}", ZERO) for number in range(4)]
    return values[0], values[1], values[2], values[3]


ACTION = EventType.EV_EFI_ACTION
BLOB = EventType.EV_EFI_PLATFORM_FIRMWARE_BLOB
NO_ACTION = EventType.EV_NO_ACTION


# -- replay ------------------------------------------------------------------------------------------


def test_registers_are_chains_of_their_own_events() -> None:
    log = log_of(measured(1, ACTION, b"a"), measured(2, ACTION, b"b"), measured(1, ACTION, b"c"))
    assert replay(log, SHA384) == {1: chain([sha384(b"a"), sha384(b"c")]), 2: chain([sha384(b"b")])}


def test_no_action_extends_nothing() -> None:
    log = log_of(measured(1, NO_ACTION, b"SP800-155 Event3"), measured(2, ACTION, b"b"))
    assert replay(log, SHA384) == {2: chain([sha384(b"b")])}


@pytest.mark.parametrize("locality", [0, 3, 4])
def test_pcr_0_starts_from_the_locality(locality: int) -> None:
    startup = measured(0, NO_ACTION, b"StartupLocality\0" + bytes((locality,)))
    log = log_of(startup, measured(0, ACTION, b"a"), measured(1, ACTION, b"b"))
    assert startup_locality(log.events[0]) == locality
    start = bytes(47) + bytes((locality,))
    assert replay(log, SHA384) == {0: chain([sha384(b"a")], start), 1: chain([sha384(b"b")])}


def test_a_locality_of_another_register_or_after_the_first_event_changes_nothing() -> None:
    startup = b"StartupLocality\0\3"
    plain = {0: chain([sha384(b"a")]), 1: chain([sha384(b"b")])}
    other = log_of(measured(1, NO_ACTION, startup), measured(0, ACTION, b"a"), measured(1, ACTION, b"b"))
    assert replay(other, SHA384) == plain
    late = log_of(measured(0, ACTION, b"a"), measured(0, NO_ACTION, startup), measured(1, ACTION, b"b"))
    assert replay(late, SHA384) == plain


@pytest.mark.parametrize("locality", [b"", b"\2", b"\3\0"])
def test_localities_that_do_not_exist(locality: bytes) -> None:
    log = log_of(measured(0, NO_ACTION, b"StartupLocality\0" + locality))
    with pytest.raises(FormatError) as caught:
        replay(log, SHA384)
    assert (caught.value.field, caught.value.offset) == ("events[0].StartupLocality", 65)


def test_a_bank_that_the_log_does_not_have() -> None:
    with pytest.raises(FormatError) as caught:
        replay(log_of(), SHA256)
    assert caught.value.code == "format.missing_algorithm"


def test_an_event_without_a_digest_for_the_bank() -> None:
    log = log_of(measured(1, ACTION, b"a"), algorithms=(SHA256, SHA384))
    assert set(replay(log, SHA384)) == {1}
    with pytest.raises(FormatError) as caught:
        replay(log, SHA256)
    assert caught.value.code == "format.missing_digest"


def test_other_banks() -> None:
    algorithms = (HashAlgorithm.SHA1, HashAlgorithm.SM3_256)
    digests = tuple(Digest(algorithm, algorithm.hash(b"a")) for algorithm in algorithms)
    log = log_of(Event(0, 0, 4, ACTION, digests, b"a"), algorithms=algorithms)
    for algorithm in algorithms:
        expected = algorithm.hash(bytes(algorithm.digest_size) + algorithm.hash(b"a"))
        assert replay(log, algorithm) == {4: expected}


# -- digests and data --------------------------------------------------------------------------------

LABEL = b"LOADED_IMAGE::LoadOptions\0"


def tagged(tag: int, data: bytes) -> bytes:
    return tag.to_bytes(4, "little") + len(data).to_bytes(4, "little") + data


def variable(data: bytes) -> bytes:
    return bytes(16) + (1).to_bytes(8, "little") + len(data).to_bytes(8, "little") + b"x\0" + data


CONFIG = b"td_payload_info\0" + (5).to_bytes(4, "little") + b"quiet"
SECTION = ".linux\0".encode("utf-16-le")


@pytest.mark.parametrize(
    ("event_type", "data", "hashed"),
    [
        (EventType.EV_SEPARATOR, bytes(4), bytes(4)),
        (EventType.EV_SEPARATOR, b"\1\0\0\0", b"\1\0\0\0"),
        (EventType.EV_SEPARATOR, b"what went wrong", b"\1\0\0\0"),
        (EventType.EV_ACTION, b"a", b"a"),
        (EventType.EV_EFI_ACTION, b"a", b"a"),
        (EventType.EV_S_CRTM_VERSION, b"a", b"a"),
        (EventType.EV_OMIT_BOOT_DEVICE_EVENTS, b"a", b"a"),
        (EventType.EV_EFI_GPT_EVENT, b"a", b"a"),
        (EventType.EV_EFI_SPDM_DEVICE_POLICY, b"a", b"a"),
        (EventType.EV_EFI_VARIABLE_DRIVER_CONFIG, variable(b"v"), variable(b"v")),
        (EventType.EV_EFI_VARIABLE_BOOT, variable(b"v"), b"v"),
        (EventType.EV_EFI_VARIABLE_BOOT, variable(b"v"), variable(b"v")),
        (EventType.EV_EFI_VARIABLE_BOOT2, variable(b"v"), variable(b"v")),
        (EventType.EV_EFI_VARIABLE_AUTHORITY, variable(b"v"), b"v"),
        (EventType.EV_IPL, b"grub_cmd: ls\0", b"ls"),
        (EventType.EV_IPL, b"grub_cmd ls\0", b"ls\0"),
        (EventType.EV_IPL, b"kernel_cmdline: /vmlinuz quiet\0", b"/vmlinuz quiet"),
        (EventType.EV_EVENT_TAG, tagged(AAEL_TAG, b"a b c"), tagged(AAEL_TAG, b"a b c")),
        (EventType.EV_EVENT_TAG, tagged(AAEL_TAG, b"INIT/sha256 00"), tagged(AAEL_TAG, b"INIT/sha256 00")),
    ],
)
def test_data_that_must_be_what_was_hashed(event_type: int, data: bytes, hashed: bytes) -> None:
    assert check_digest(measured(1, event_type, data, sha384(hashed)), SHA384) is DigestCheck.MATCHES
    assert check_digest(measured(1, event_type, data, sha384(b"other")), SHA384) is DigestCheck.DIFFERS


@pytest.mark.parametrize(
    ("event_type", "data", "hashed"),
    [
        (EventType.EV_NONHOST_INFO, b"a", b"a"),
        (EventType.EV_PLATFORM_CONFIG_FLAGS, CONFIG, b"quiet"),
        (EventType.EV_PLATFORM_CONFIG_FLAGS, b"FeatureTME=0", b"FeatureTME=0"),
        (EventType.EV_IPL, SECTION, b".linux\0"),
        (EventType.EV_IPL, b"(hd0)/vmlinuz\0", b"(hd0)/vmlinuz\0"),
        (EventType.EV_EVENT_TAG, tagged(7, b"a"), tagged(7, b"a")),
        (EventType.EV_EFI_VARIABLE_BOOT, b"not a variable", b"not a variable"),
    ],
)
def test_data_that_may_be_what_was_hashed(event_type: int, data: bytes, hashed: bytes) -> None:
    assert check_digest(measured(1, event_type, data, sha384(hashed)), SHA384) is DigestCheck.MATCHES
    assert check_digest(measured(1, event_type, data, sha384(b"other")), SHA384) is DigestCheck.NOT_COVERED


def test_a_separator_without_error_does_not_match_the_digest_of_one() -> None:
    event = measured(1, EventType.EV_SEPARATOR, bytes(4), sha384(b"\1\0\0\0"))
    assert check_digest(event, SHA384) is DigestCheck.DIFFERS


def test_a_variables_value_alone_is_no_driver_configuration() -> None:
    event = measured(1, EventType.EV_EFI_VARIABLE_DRIVER_CONFIG, variable(b"v"), sha384(b"v"))
    assert check_digest(event, SHA384) is DigestCheck.DIFFERS


def test_no_action_is_hashed_nowhere() -> None:
    event = measured(1, NO_ACTION, b"a")
    assert preimages(event) == ()
    assert check_digest(event, SHA384) is DigestCheck.NOT_COVERED


def test_a_digest_that_the_event_does_not_have() -> None:
    with pytest.raises(FormatError):
        check_digest(measured(1, ACTION, b"a"), SHA256)


@pytest.mark.parametrize("end", ["", "\0"])
@pytest.mark.parametrize("data", [tagged(LINUX_LOAD_OPTIONS_TAG, LABEL), LABEL])
def test_load_options(end: str, data: bytes) -> None:
    line = "BOOT_IMAGE=/vmlinuz ro"
    event = measured(3, EventType.EV_EVENT_TAG, data, sha384((line + end).encode("utf-16-le")))
    assert matches_load_options(event, line, SHA384)
    assert not matches_load_options(event, line + " debug", SHA384)
    assert check_digest(event, SHA384) is DigestCheck.NOT_COVERED


def test_load_options_of_events_that_have_none() -> None:
    value = sha384("quiet".encode("utf-16-le"))
    initrd = measured(3, EventType.EV_EVENT_TAG, tagged(LINUX_INITRD_TAG, b"Linux initrd\0"), value)
    assert not matches_load_options(initrd, "quiet", SHA384)
    assert not matches_load_options(measured(3, ACTION, b"quiet", value), "quiet", SHA384)


# -- comparison with a quote -------------------------------------------------------------------------

EVENTS = (
    measured(3, ACTION, b"first"),
    measured(3, BLOB, b"second", b"\2" * 48),
    measured(3, BLOB, b"third", b"\3" * 48),
)
DIGESTS = tuple(event.digests[0].value for event in EVENTS)


def rtmr2_of(log: EventLog, quoted: bytes) -> RtmrComparison:
    comparisons = compare_with_rtmrs(log, quote(rtmr2=quoted))
    assert [comparison.matches for comparison in comparisons if comparison.rtmr != 2] == [True] * 3
    return comparisons[2]


def parting_of(log: EventLog, quoted: bytes) -> Parting:
    comparison = rtmr2_of(log, quoted)
    assert not comparison.matches
    assert comparison.parting is not None
    return comparison.parting


def test_every_rtmr_is_one_register_further_in_the_log() -> None:
    events = tuple(measured(register, ACTION, bytes((register,))) for register in range(6))
    quoted = tuple(chain([sha384(bytes((register,)))]) for register in range(1, 5))
    comparisons = compare_with_rtmrs(log_of(*events), quoted)  # type: ignore[arg-type]  # a tuple of any length
    assert [(c.rtmr, c.register, c.events) for c in comparisons] == [
        (0, 1, (1,)),
        (1, 2, (2,)),
        (2, 3, (3,)),
        (3, 4, (4,)),
    ]
    assert all(c.matches and c.parting is None and c.replayed == c.quoted for c in comparisons)


def test_a_register_that_matches() -> None:
    comparison = rtmr2_of(log_of(*EVENTS, measured(3, NO_ACTION, b"")), chain(DIGESTS))
    assert (comparison.matches, comparison.events, comparison.parting) == (True, (0, 1, 2), None)
    assert comparison.describe() == {
        "rtmr": 2,
        "register": 3,
        "matches": True,
        "replayed": chain(DIGESTS).hex(),
        "quoted": chain(DIGESTS).hex(),
        "events": [0, 1, 2],
        "inconsistent": [],
        "parting": None,
    }


@pytest.mark.parametrize("covered", [0, 1, 2])
def test_a_log_that_goes_on_after_the_quote(covered: int) -> None:
    log = log_of(*EVENTS)
    parting = parting_of(log, chain(DIGESTS[:covered]))
    assert parting == Parting(PartingKind.NOT_IN_QUOTE, log.events[covered])
    assert parting.established
    assert parting.describe().startswith(f"event {covered} (EV_EFI_")
    assert "not in the quote" in parting.describe()


@pytest.mark.parametrize("extra", [0, 1])
def test_a_log_with_an_event_too_many(extra: int) -> None:
    log = log_of(*EVENTS)
    parting = parting_of(log, chain(DIGESTS[:extra] + DIGESTS[extra + 1 :]))
    assert parting == Parting(PartingKind.EXTRA_EVENT, log.events[extra])
    assert parting.established


def test_a_digest_that_was_altered_while_the_data_was_not() -> None:
    altered = measured(3, ACTION, b"first", b"\xee" * 48)
    log = log_of(altered, *EVENTS[1:])
    parting = parting_of(log, chain(DIGESTS))
    assert parting == Parting(PartingKind.DIGEST_ALTERED, log.events[0])
    assert parting.established
    assert rtmr2_of(log, chain(DIGESTS)).inconsistent == (0,)


def test_data_and_digest_that_disagree_are_a_suspicion_only() -> None:
    altered = measured(3, ACTION, b"other", b"\xee" * 48)
    log = log_of(EVENTS[1], altered, altered)
    parting = parting_of(log, b"\x55" * 48)
    assert parting == Parting(PartingKind.DATA_MISMATCH, log.events[1])
    assert not parting.established


def test_data_that_disagrees_is_named_in_a_register_that_matches() -> None:
    altered = measured(3, ACTION, b"told otherwise", DIGESTS[0])
    comparison = rtmr2_of(log_of(altered, *EVENTS[1:]), chain(DIGESTS))
    assert (comparison.matches, comparison.inconsistent) == (True, (0,))


def test_a_difference_that_cannot_be_localised_names_the_last_event() -> None:
    log = log_of(*EVENTS)
    parting = parting_of(log, b"\x55" * 48)
    assert parting == Parting(PartingKind.NOT_LOCALISED, log.events[2])
    assert not parting.established
    assert parting.describe() == (
        "event 2 (EV_EFI_PLATFORM_FIRMWARE_BLOB) of register 3: "
        "cannot be localised; the last event of the register"
    )


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_event_cannot_be_localised(missing: int) -> None:
    log = log_of(*EVENTS[:missing], *EVENTS[missing + 1 :])
    assert parting_of(log, chain(DIGESTS)).kind is PartingKind.NOT_LOCALISED


def test_a_register_without_events_that_was_extended() -> None:
    parting = parting_of(log_of(), b"\x55" * 48)
    assert parting == Parting(PartingKind.NO_EVENTS, None)
    assert not parting.established
    assert "no event" in parting.describe()


def test_long_registers_are_not_searched_for_an_extra_event(monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_of(*EVENTS)
    without_first = chain(DIGESTS[1:])
    monkeypatch.setattr(event_replay, "MAX_LOCALISED_EVENTS", 3)
    assert parting_of(log, without_first).kind is PartingKind.EXTRA_EVENT
    monkeypatch.setattr(event_replay, "MAX_LOCALISED_EVENTS", 2)
    assert parting_of(log, without_first).kind is PartingKind.NOT_LOCALISED
    assert parting_of(log, chain(DIGESTS[:1])).kind is PartingKind.NOT_IN_QUOTE


@pytest.mark.parametrize(
    "rtmrs", [(), (ZERO, ZERO, ZERO), (ZERO, ZERO, ZERO, ZERO, ZERO), (ZERO, ZERO, ZERO, bytes(47))]
)
def test_rtmrs_of_another_size_are_the_callers_fault(rtmrs: tuple[bytes, ...]) -> None:
    with pytest.raises(UsageError):
        compare_with_rtmrs(log_of(), rtmrs)  # type: ignore[arg-type]  # a tuple of any length


def test_a_log_without_sha384_cannot_be_compared() -> None:
    with pytest.raises(FormatError) as caught:
        compare_with_rtmrs(log_of(algorithms=(SHA256,)), quote())
    assert caught.value.code == "format.missing_algorithm"


def test_an_extended_event_without_sha384_cannot_be_compared() -> None:
    event = Event(0, 0, 1, ACTION, (Digest(SHA256, bytes(32)),), b"")
    with pytest.raises(FormatError) as caught:
        compare_with_rtmrs(log_of(event, algorithms=(SHA256, SHA384)), quote())
    assert caught.value.code == "format.missing_digest"
