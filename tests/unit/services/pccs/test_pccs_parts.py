"""The parts of pccs that need neither network nor database."""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eaa.endorsements.pck import PckExtension, SgxType
from eaa.endorsements.tcb import TcbStatus
from eaa.endorsements.tcb_info import TcbInfo, TcbLevel
from eaa.errors import (
    ConfigError,
    EndorsementError,
    EndorsementNotFound,
    EndorsementUnavailable,
    FormatError,
    LimitExceeded,
)
from eaa.provider.addresses import alibaba_cloud_url
from eaa.services.pccs.answers import Answer, refused
from eaa.services.pccs.breaker import Breaker
from eaa.services.pccs.call import read_query
from eaa.services.pccs.config import INTEL_PCS, load_config
from eaa.services.pccs.direct import Direct, plain_target
from eaa.services.pccs.negative import Negatives
from eaa.services.pccs.schedule import platform_due, recovery_due, refresh_due, retry_due
from eaa.services.pccs.selection import Candidate, select_certificate, svns_of_raw
from tests.fakes.clock import Clock

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FMSPC, PCE = bytes(6), bytes(2)


def candidate(*svns: int, pce_svn: int = 5, ppid: bytes = bytes(16), fmspc: bytes = FMSPC) -> Candidate:
    components = bytes(svns) + bytes(16 - len(svns))
    pck = PckExtension(
        ppid, components, components, pce_svn, PCE, fmspc, SgxType.STANDARD, None, None, None, None
    )
    return Candidate(components.hex().upper() + pce_svn.to_bytes(2, "little").hex().upper(), pck)


def tcb_info(*levels: tuple[int, ...], tee: str = "sgx", pce_id: bytes = PCE) -> TcbInfo:
    parsed = [
        TcbLevel(bytes(level) + bytes(16 - len(level)), 5, b"", NOW, TcbStatus.UP_TO_DATE, ())
        for level in levels
    ]
    ordered = tuple(sorted(parsed, key=lambda item: item.sgx_components, reverse=True))
    return TcbInfo(tee, 3, NOW, NOW, FMSPC, pce_id, 1, ordered, None, ())


def raw(*svns: int, pce_svn: int = 5) -> tuple[int, ...]:
    return (*svns, *bytes(16 - len(svns)), pce_svn)


@pytest.mark.parametrize(
    ("wanted", "platform"),
    [
        ((4, 4), raw(4, 4)),  # exactly
        ((4, 4), raw(9, 9)),  # above all
        ((2, 2), raw(4, 3)),  # the next below
        ((2, 2), raw(3, 9)),  # neither above nor below the highest
        (None, raw(1, 9)),  # below all in one component
        (None, raw(4, 4, pce_svn=4)),  # PCESVN too low
    ],
)
def test_the_best_certificate_is_the_highest_that_the_platform_meets(
    wanted: tuple[int, ...] | None, platform: tuple[int, ...]
) -> None:
    candidates = [candidate(2, 2), candidate(4, 4)]
    found = select_certificate(platform, candidates, tcb_info((4, 4), (2, 2)), PCE)
    assert found == (None if wanted is None else candidate(*wanted))


def test_a_certificate_of_a_published_level_goes_before_one_that_is_higher_but_meets_a_lower_level() -> None:
    """Certificates are compared by the level that they meet first: (2, 9) does not meet (4, 4)."""
    candidates = [candidate(2, 9), candidate(4, 4)]
    found = select_certificate(raw(9, 9), candidates, tcb_info((4, 4), (2, 2)), PCE)
    assert found == candidate(4, 4)
    below = select_certificate(raw(3, 9), candidates, tcb_info((4, 4), (2, 2)), PCE)
    assert below == candidate(2, 9)
    # One that meets no level at all comes last.
    assert select_certificate(raw(1, 1), [candidate(1, 1)], tcb_info((4, 4)), PCE) == candidate(1, 1)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_what_is_selected_is_met_and_nothing_that_is_met_is_above_it(
    tcbs: list[tuple[int, int]], platform: tuple[int, int]
) -> None:
    candidates = [candidate(*item) for item in dict.fromkeys(tcbs)]
    found = select_certificate(raw(*platform), candidates, tcb_info((3, 3), (2, 2), (1, 1), (0, 0)), PCE)
    met = [item for item in candidates if all(a <= b for a, b in zip(item.svns, raw(*platform), strict=True))]
    assert (found is None) == (not met)
    if found is not None:
        assert found in met
        above = [
            item
            for item in met
            if item != found and all(a >= b for a, b in zip(item.svns, found.svns, strict=True))
        ]
        assert above == []


@pytest.mark.parametrize(
    ("candidates", "info", "code"),
    [
        ([candidate(1)], tcb_info((1,), tee="tdx"), "selection_tcb_info"),
        ([candidate(1)], tcb_info((1,), pce_id=b"\x01\x00"), "selection_tcb_info"),
        ([candidate(1, fmspc=b"\x01" * 6)], tcb_info((1,)), "selection_platform"),
        ([candidate(1), candidate(2, ppid=b"\x01" * 16)], tcb_info((1,)), "selection_ppid"),
    ],
)
def test_certificates_and_levels_are_of_one_platform(
    candidates: list[Candidate], info: TcbInfo, code: str
) -> None:
    with pytest.raises(EndorsementError) as caught:
        select_certificate(raw(1), candidates, info, PCE)
    assert caught.value.code == f"endorsement.{code}"


def test_svns_are_read_in_their_byte_order() -> None:
    assert svns_of_raw("00" * 15 + "07", "0B01") == (*bytes(15), 7, 0x010B)


@given(st.floats(0, 1), st.timedeltas(timedelta(seconds=1), timedelta(days=60)))
def test_documents_are_fetched_anew_before_they_expire(spread: float, left: timedelta) -> None:
    due = refresh_due(NOW, NOW + left, 24 * HOUR, spread)
    assert NOW < due <= NOW + left / 2
    assert due <= NOW + 24 * HOUR
    assert refresh_due(NOW, NOW - HOUR, 24 * HOUR, spread) > NOW


@given(st.integers(0, 100), st.floats(0, 1))
def test_failures_are_tried_again_less_and_less_often(failures: int, spread: float) -> None:
    pause = retry_due(NOW, failures, spread) - NOW
    assert timedelta(seconds=30) <= pause <= HOUR
    assert retry_due(NOW, failures, spread, not_before=2 * HOUR) == NOW + 2 * HOUR


@given(st.floats(0, 1))
def test_platforms_are_spread(spread: float) -> None:
    assert NOW + 12 * HOUR <= platform_due(NOW, 24 * HOUR, spread) <= NOW + 24 * HOUR
    assert NOW <= recovery_due(NOW, spread) <= NOW + 6 * HOUR
    assert platform_due(NOW, timedelta(0), spread).year == 9999


def test_an_upstream_that_fails_is_left_alone_for_longer_each_time() -> None:
    clock = Clock()
    breaker = Breaker("PCS", clock, lambda: 1.0)
    breaker.require_open()
    pauses = []
    for _ in range(12):
        breaker.failed()
        pauses.append(breaker.pause())
        with pytest.raises(EndorsementUnavailable) as caught:
            breaker.require_open()
        assert caught.value.code == "endorsement_unavailable.backoff"
        clock.now += breaker.pause()
        breaker.require_open()
    assert pauses[:3] == [timedelta(seconds=1), timedelta(seconds=2), timedelta(seconds=4)]
    assert max(pauses) == timedelta(minutes=5)
    breaker.succeeded()
    assert breaker.failures == 0


def test_a_pause_that_was_asked_for_is_kept_but_not_for_ever() -> None:
    clock = Clock()
    breaker = Breaker("PCS", clock, lambda: 0.0)
    breaker.failed(120)
    assert breaker.pause() == timedelta(seconds=120)
    with pytest.raises(EndorsementUnavailable) as caught:
        breaker.require_open()
    assert caught.value.code == "endorsement_unavailable.rate"
    answer = refused(caught.value)
    assert (answer.status, dict(answer.headers)["Retry-After"]) == (429, "120")
    breaker.failed(10**9)
    assert breaker.pause() == HOUR


def test_negative_answers_are_forgotten_in_time() -> None:
    clock = Clock()
    negatives = Negatives(clock)
    error = EndorsementNotFound("none", detail="upstream")
    negatives.missing("a", error, HOUR)
    negatives.wrong("b", error)
    negatives.missing("c", error, timedelta(0))
    for key in ("a", "b"):
        with pytest.raises(EndorsementNotFound):
            negatives.require(key)
    negatives.require("c")
    negatives.forget("a")
    negatives.require("a")
    clock.now += timedelta(seconds=31)
    negatives.require("b")
    assert len(negatives) == 0


def test_negative_answers_do_not_hold_on_to_the_requests_that_they_answered() -> None:
    negatives = Negatives(Clock())
    seen = []

    class Request:
        pass

    def ask(question: Callable[[], None]) -> None:
        request = Request()
        seen.append(weakref.ref(request))
        question()

    def fail() -> None:
        try:
            raise ValueError
        except ValueError:
            try:
                raise FormatError("none", what="x", field="y", detail="z")
            except FormatError as caught:
                negatives.missing("a", caught, HOUR)
                raise

    for question in (fail, lambda: negatives.require("a"), lambda: negatives.require("a")):
        with contextlib.suppress(FormatError):
            ask(question)
    gc.collect()
    assert [item() for item in seen] == [None, None, None]
    with pytest.raises(FormatError, match="x: y: none") as raised:
        negatives.require("a")
    assert (raised.value.code, raised.value.field) == ("format.z", "y")


def test_negative_answers_are_bounded() -> None:
    negatives = Negatives(Clock())
    for number in range(16385):
        negatives.missing(f"{number}", EndorsementNotFound("none"), HOUR)
    assert len(negatives) == 16384
    negatives.require("0")


def _request(line: str = "GET /x?y=1 HTTP/1.1", *headers: str) -> bytes:
    return "\r\n".join([line, "Host: h", *headers, "", ""]).encode()


def test_plain_requests_are_recognised() -> None:
    assert plain_target(_request()) == b"/x?y=1"
    assert plain_target(_request("GET /x?y=1 HTTP/1.1", "Accept: */*", "Connection: keep-alive")) == b"/x?y=1"


@pytest.mark.parametrize(
    "data",
    [
        _request("POST /x HTTP/1.1"), _request("GET /x HTTP/1.0"), _request("GET /x  HTTP/1.1"),
        _request("GET /x HTTP/1.1", "Connection: close"), _request("GET /x HTTP/1.1", "Content-Length: 1"),
        _request("GET /x HTTP/1.1", "Transfer-Encoding: chunked"),
        _request("GET /x HTTP/1.1", "Expect: 100-continue"),
        _request("GET /x HTTP/1.1", "If-None-Match: x"), _request("GET /x HTTP/1.1", "Range: bytes=0-1"),
        _request("GET /x HTTP/1.1", "Upgrade: h2c"), _request("GET /x HTTP/1.1", "Host: other"),
        _request() + _request(), _request()[:-1], _request() + b"body", b"GET /x HTTP/1.1\r\n\r\n", b"",
        _request("GET /x HTTP/1.1", "X: " + "x" * 4096),
    ],
)  # fmt: skip
def test_requests_that_are_not_plain_go_the_long_way(data: bytes) -> None:
    assert plain_target(data) is None


def test_direct_answers_hold_until_they_expire() -> None:
    clock = Clock()
    direct = Direct(clock)
    direct.put(b"/x", Answer(200, (("A", "b"),), b"body", NOW + HOUR))
    first, second = direct.response(b"/x"), direct.response(b"/x")
    assert first is not None
    assert first.startswith(b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 4\r\nDate: ")
    assert first.endswith(b"\r\n\r\nbody")
    assert first != second, "each has a Request-ID of its own"
    assert direct.response(b"/y") is None
    clock.now += HOUR + timedelta(seconds=1)
    assert direct.response(b"/x") is None
    assert (len(direct), direct.size) == (0, 0)
    for answer in (Answer(404, (), b"", NOW + 9 * HOUR), Answer(200, (), b"")):
        direct.put(b"/z", answer)
    direct.put(b"/" + b"x" * 2048, Answer(200, (), b"", NOW + 9 * HOUR))
    assert len(direct) == 0


def test_direct_answers_are_bounded() -> None:
    direct = Direct(Clock())
    body = bytes(1024 * 1024)
    for number in range(80):
        direct.put(b"/%d" % number, Answer(200, (), body, NOW + HOUR))
    assert direct.size <= 64 * 1024 * 1024
    assert direct.response(b"/0") is None
    assert direct.response(b"/79") is not None
    direct.clear()
    assert (len(direct), direct.size) == (0, 0)


def test_queries_are_read_once_and_strictly() -> None:
    assert read_query(b"A=1&a=2&b=&c=%41%20") == {"a": "1", "b": "", "c": "A "}
    for text in (b"a=%ff", b"\xff", b"&".join(b"a=1" for _ in range(65))):
        with pytest.raises(FormatError):
            read_query(text)


def test_refusals_say_what_pccs_says_and_why() -> None:
    answer = refused(LimitExceeded("a\nb\u20ac", detail="size"))
    assert (answer.status, answer.body) == (413, b"Content too large.")
    assert dict(answer.headers)["Error-Message"] == "a b?"


@pytest.mark.parametrize(
    ("flags", "key"),
    [
        ({"mode": "eager"}, "mode"),
        ({"http": {"listen": "0.0.0.0:8081"}}, "http"),
        ({"http": {"listen": "x"}}, "http.listen"),
        ({"tokens": {"admin_sha512": "abc"}}, "tokens.admin_sha512"),
        ({"upstream": {"region": "https://evil"}}, "upstream"),
        ({"cache": {"unknown": 1}}, "cache.unknown"),
    ],
)
def test_configurations_that_are_not_sound(flags: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, flags, {})
    assert caught.value.fields["key"] == key


def test_where_upstream_is() -> None:
    assert load_config(None, {}, {}).upstream.pcs_url == INTEL_PCS
    region = load_config(None, {"upstream": {"region": "cn-beijing"}}, {}).upstream
    assert region.pcs_url == "https://sgx-dcap-server.cn-beijing.aliyuncs.com/sgx/certification/v4/"
    assert region.is_pccs
    inside = alibaba_cloud_url("ap-southeast-5", vpc=True)
    assert inside == "https://sgx-dcap-server-vpc.ap-southeast-5.aliyuncs.com/sgx/certification/v4/"
    environment = {"PCCS_UPSTREAM__URL": "https://pccs.example/sgx/certification/v4", "PCCS_MODE": "REQ"}
    config = load_config(None, {}, environment)
    assert config.upstream.pcs_url == "https://pccs.example/sgx/certification/v4/"
    assert config.mode == "req"
