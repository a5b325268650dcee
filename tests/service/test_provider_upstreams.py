"""PCS, PCCS and KDS, emulated on loopback, that answer well and badly: nothing bad is ever stored."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ssl
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from eaa.attester.simulated import SimulatedPlatform, SimulatedTdxGuest, SimulatedVendor
from eaa.endorsements.subject import (
    AmdCrlSubject,
    IdentitySubject,
    PckCrlSubject,
    RootCaCrlSubject,
    Subject,
    TcbInfoSubject,
)
from eaa.endorsements.x509 import Certificate
from eaa.errors import (
    ConfigError,
    EndorsementNotFound,
    EndorsementStale,
    EndorsementUnavailable,
    ProviderError,
    StorageError,
)
from eaa.evidence.dcap_quote import parse_quote
from eaa.evidence.snp import parse_snp_report
from eaa.provider import endorser as endorser_module
from eaa.provider.cache import EndorsementCache
from eaa.provider.endorser import Endorser
from eaa.provider.kds import KdsSource
from eaa.provider.kept import Kept
from eaa.provider.limits import HttpLimits
from eaa.provider.pccs import PccsSource
from eaa.provider.pcs import PcsSource
from eaa.provider.platform_endorsements import collateral_for, endorsements_for
from eaa.provider.source import Source
from eaa.provider.upstream import open_http
from eaa.verify.dcap import Memo, verify_quote
from eaa.verify.result import Binding
from eaa.verify.snp import SnpMemo, verify_report
from tests.fakes.amd_vendor import make_snp_guest
from tests.fakes.loopback import run
from tests.fakes.openbao import write_certificate
from tests.fakes.upstream_server import Reply, Request, UpstreamServer
from tests.fakes.vendor import NOW, REPORT_DATA, make_attester, make_platform
from tests.fakes.vendor_services import answer_from, kds_answers, pccs_answers, pcs_answers

QUICK = HttpLimits(
    connect_seconds=5, attempt_seconds=5, total_seconds=10, tries=3, backoff_seconds=0.01,
    backoff_most_seconds=0.01,
)  # fmt: skip
IMPATIENT = replace(QUICK, attempt_seconds=0.2, tries=1)


#: Of simulated platforms.
FMSPC = make_platform().pck.fmspc.hex()


@asynccontextmanager
async def pcs(
    answer: Callable[[Request], Reply], limits: HttpLimits = QUICK
) -> AsyncIterator[tuple[UpstreamServer, PcsSource]]:
    async with UpstreamServer(answer) as server, open_http(limits) as http:
        yield server, PcsSource(http, server.url, certificates_url=server.url, limits=limits)


def guest_and_subject() -> tuple[SimulatedTdxGuest, TcbInfoSubject]:
    guest = make_attester("tdx-v4")
    assert isinstance(guest, SimulatedTdxGuest)
    return guest, TcbInfoSubject("tdx", guest.platform.pck.fmspc)


def endorser_of(
    *sources: Source,
    anchors: tuple[Certificate, ...],
    cache: EndorsementCache | None = None,
    now: Callable[[], datetime] = lambda: NOW,
    allow_rollback: bool = False,
) -> Endorser:
    return Endorser(sources, trust_anchors=anchors, cache=cache, now=now, allow_rollback=allow_rollback)


def test_a_quote_is_verified_with_what_pcs_answers(tmp_path: Path) -> None:
    guest, _ = guest_and_subject()
    quote = guest.collect(REPORT_DATA)

    async def main() -> int:
        async with pcs(answer_from(pcs_answers(guest.endorsements()))) as (server, source):
            cache = EndorsementCache(tmp_path)
            for _ in range(2):  # the second one by the cache alone
                endorser = endorser_of(source, anchors=(guest.trust_anchor,), cache=cache)
                collateral = await collateral_for(parse_quote(quote), endorser)
                verify_quote(
                    quote, collateral=collateral, trust_anchors=(guest.trust_anchor,), now=NOW,
                    binding=Binding(REPORT_DATA), memo=Memo(1),
                )  # fmt: skip
            return len(server.requests)

    assert run(main()) == 4


def test_a_quote_is_verified_with_what_a_pccs_answers_in_hexadecimal() -> None:
    guest, _ = guest_and_subject()
    quote = guest.collect(REPORT_DATA)

    async def main() -> None:
        async with (
            UpstreamServer(answer_from(pccs_answers(guest.endorsements()))) as server,
            open_http(QUICK) as http,
        ):
            source = PccsSource(http, f"{server.url}/sgx/certification/v4/", limits=QUICK)
            endorser = endorser_of(source, anchors=(guest.trust_anchor,))
            collateral = await collateral_for(parse_quote(quote), endorser)
        assert collateral == guest.endorsements()

    run(main())


@pytest.mark.parametrize("kind", ["milan-v3", "genoa-v4", "turin-v5", "milan-v2"])
def test_a_report_is_verified_with_what_kds_answers(kind: str) -> None:
    guest = make_snp_guest(kind)  # type: ignore[arg-type]  # parametrized
    report = guest.collect(REPORT_DATA)

    async def main() -> list[Request]:
        async with UpstreamServer(answer_from(kds_answers(guest))) as server, open_http(QUICK) as http:
            source = KdsSource(http, server.url, limits=QUICK)
            endorser = endorser_of(source, anchors=(guest.trust_anchor,))
            endorsements = await endorsements_for(parse_snp_report(report), endorser)
            verify_report(
                report, endorsements=endorsements, trust_anchors=(guest.trust_anchor,), now=NOW,
                binding=Binding(REPORT_DATA), memo=SnpMemo(1),
            )  # fmt: skip
            return server.requests

    asked = next(item for item in run(main()) if item.query)
    assert asked.query.get("blSPL") == f"{guest.platform.tcb.bootloader:02d}"
    assert ("fmcSPL" in asked.query) == kind.startswith("turin")
    assert len(asked.path.rpartition("/")[2]) == (16 if kind.startswith("turin") else 128)


def bad_replies() -> dict[str, tuple[Callable[[Reply], Reply], str]]:
    """What becomes of a good reply, and the code of the refusal."""

    def headers(reply: Reply, **changed: str) -> Reply:
        return replace(
            reply, headers={**reply.headers, **{k.replace("_", "-"): v for k, v in changed.items()}}
        )

    def spoiled(reply: Reply) -> Reply:
        return replace(reply, body=reply.body.replace(b'"version":3', b'"version":2'))

    return {
        "half a body": (lambda r: replace(r, cut=len(r.body) // 2), "unavailable.unreachable"),
        "half a body, said to be all": (
            lambda r: replace(r, body=r.body[: len(r.body) // 2]), "unavailable.not_genuine",
        ),
        "content type": (lambda r: headers(r, Content_Type="text/html"), "unavailable.content_type"),
        "no chain": (
            lambda r: replace(r, headers={"Content-Type": "application/json"}),
            "unavailable.chain_header",
        ),
        "chain of nonsense": (
            lambda r: headers(r, TCB_Info_Issuer_Chain="nonsense"), "unavailable.chain_header",
        ),
        "compressed": (lambda r: headers(r, Content_Encoding="gzip"), "unavailable.content_encoding"),
        "signed otherwise": (spoiled, "unavailable.not_genuine"),
        "a gigabyte": (
            lambda r: replace(r, body=bytes(65536), endless=True), "unavailable.too_large",
        ),
        "a gigabyte announced": (
            lambda r: headers(r, Content_Length=str(1 << 30)), "unavailable.too_large",
        ),
        "another host": (
            lambda r: Reply(302, {"Location": "http://127.0.0.2:9/tcb"}), "unavailable.redirected",
        ),
        "nowhere": (lambda r: Reply(302, {"Location": "http://[x/tcb"}), "unavailable.redirected"),
        "redirects without end": (
            lambda r: Reply(302, {"Location": f"?fmspc={FMSPC}"}), "unavailable.redirects",
        ),
        "a key is missing": (lambda r: Reply(401), "unavailable.credential"),
        "the version has ended": (lambda r: Reply(410), "unavailable.gone"),
        "failing": (lambda r: Reply(500), "unavailable.status"),
        "not there": (lambda r: Reply(404), "not_found.upstream"),
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(bad_replies()))
def test_nothing_bad_is_stored_and_what_was_good_stays_served(name: str, tmp_path: Path) -> None:
    guest, subject = guest_and_subject()
    answers = pcs_answers(guest.endorsements())
    path = next(item for item in answers if "tcb?" in item)
    good = answers[path]
    spoil, code = bad_replies()[name]

    async def main() -> None:
        async with pcs(answer_from(answers)) as (server, source):
            # Nothing is there yet: the refusal comes out.
            answers[path] = spoil(good)
            cache = EndorsementCache(tmp_path)
            endorser = endorser_of(source, anchors=(guest.trust_anchor,), cache=cache)
            with pytest.raises(ProviderError) as raised:
                await endorser.endorsement(subject)
            assert raised.value.code == f"endorsement_{code}"
            assert cache.load(subject) is None
            assert server.sent < 64 * 1024 * 1024
            # Something good is there: it stays, and is served although it is time for something newer.
            answers[path] = good
            held = await endorser.endorsement(subject, again=True)
            answers[path] = spoil(good)
            later = NOW + timedelta(days=2)
            other = endorser_of(source, anchors=(guest.trust_anchor,), cache=cache, now=lambda: later)
            asked = len(server.requests)
            assert (await other.endorsement(subject)).fetched == held.fetched
            assert len(server.requests) > asked
            kept = cache.load(subject)
            assert kept is not None
            assert kept.fetched == held.fetched

    run(main())


def test_what_expired_is_not_stored_and_not_served(tmp_path: Path) -> None:
    guest, subject = guest_and_subject()
    late = NOW + timedelta(days=40)

    async def main() -> None:
        async with pcs(answer_from(pcs_answers(guest.endorsements()))) as (_, source):
            cache = EndorsementCache(tmp_path)
            expired = endorser_of(source, anchors=(guest.trust_anchor,), cache=cache, now=lambda: late)
            with pytest.raises(EndorsementUnavailable, match="expired"):
                await expired.endorsement(subject)
            assert cache.load(subject) is None
            await endorser_of(source, anchors=(guest.trust_anchor,), cache=cache).endorsement(subject)
            with pytest.raises(EndorsementStale, match="expired at"):
                await endorser_of(
                    source, anchors=(guest.trust_anchor,), cache=cache, now=lambda: late
                ).endorsement(subject)

    run(main())


@pytest.mark.parametrize("what", ["tcb", "pckcrl"])
def test_a_rollback_is_refused_unless_it_is_allowed_by_name(what: str, tmp_path: Path) -> None:
    guest, subject = guest_and_subject()
    wanted: Subject = subject if what == "tcb" else PckCrlSubject("platform")
    vendor = guest.platform.vendor
    older = pcs_answers(guest.endorsements())
    if what == "tcb":
        guest.platform.tcb_info["tdx"].evaluation_data_number += 1
    else:
        vendor.platform_ca.crl.this_update += timedelta(hours=1)
    newer = pcs_answers(guest.endorsements())
    assert older != newer
    answers = dict(newer)

    async def main() -> None:
        async with pcs(answer_from(answers)) as (_, source):
            cache = EndorsementCache(tmp_path)
            anchors = (guest.trust_anchor,)
            first = await endorser_of(source, anchors=anchors, cache=cache).endorsement(wanted)
            answers.update(older)
            later = endorser_of(source, anchors=anchors, cache=cache, now=lambda: NOW + timedelta(days=2))
            assert (await later.endorsement(wanted)).fetched == first.fetched
            with pytest.raises(EndorsementStale) as raised:
                await later.endorsement(wanted, again=True)
            assert raised.value.code == "endorsement_stale.rollback"
            # Another process that has it in no memory is held to the cache all the same.
            fresh = endorser_of(source, anchors=anchors, cache=cache)
            with pytest.raises(EndorsementStale):
                await fresh.endorsement(wanted, again=True)
            told = endorser_of(source, anchors=anchors, cache=cache, allow_rollback=True)
            assert (await told.endorsement(wanted, again=True)).fetched != first.fetched

    run(main())


def test_what_is_in_the_cache_does_not_replace_what_is_newer_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a disk that was full when the newer one came."""
    guest, subject = guest_and_subject()
    answers = pcs_answers(guest.endorsements())

    def full(new: Kept, *, accept: object) -> None:
        raise StorageError("No space left on device", detail="endorsements")

    async def main() -> None:
        async with pcs(answer_from(answers)) as (_, source):
            cache, clock = EndorsementCache(tmp_path), [NOW]
            anchors = (guest.trust_anchor,)
            endorser = endorser_of(source, anchors=anchors, cache=cache, now=lambda: clock[0])
            older = await endorser.endorsement(subject)
            guest.platform.tcb_info["tdx"].evaluation_data_number += 1
            answers.update(pcs_answers(guest.endorsements()))
            monkeypatch.setattr(cache, "store", full)
            newer = await endorser.endorsement(subject, again=True)
            assert newer.genuine.number == older.genuine.number + 1
            clock[0] += timedelta(days=2)
            answers.clear()
            assert (await endorser.endorsement(subject)).fetched == newer.fetched

    run(main())


def test_a_slow_answer_ends_with_the_deadline() -> None:
    _, subject = guest_and_subject()

    async def main() -> None:
        never = asyncio.Event()
        async with pcs(lambda _: Reply(before=never), IMPATIENT) as (_, source):
            with pytest.raises(EndorsementUnavailable) as raised:
                await source.fetch(subject)
        assert raised.value.code == "endorsement_unavailable.timeout"
        assert raised.value.retryable

    run(main())


def test_waiting_for_a_place_ends_with_the_deadline() -> None:
    _, subject = guest_and_subject()

    async def main() -> None:
        never = asyncio.Event()
        limits = replace(QUICK, parallel=1, total_seconds=0.2)
        async with pcs(lambda _: Reply(before=never), limits) as (server, source):
            first = asyncio.create_task(source.fetch(subject))
            while not server.requests:
                await asyncio.sleep(0.01)
            with pytest.raises(EndorsementUnavailable, match="1 requests are under way") as raised:
                await source.fetch(subject)
            first.cancel()
            assert len(server.requests) == 1
        assert raised.value.code == "endorsement_unavailable.timeout"

    run(main())


def test_a_storm_of_429_is_met_with_silence() -> None:
    _, subject = guest_and_subject()

    async def main() -> None:
        async with pcs(lambda _: Reply(429, {"Retry-After": "3600"})) as (server, source):
            errors = await asyncio.gather(*(source.fetch(subject) for _ in range(50)), return_exceptions=True)
            assert {getattr(error, "code", "") for error in errors} == {"endorsement_unavailable.rate"}
            # Those that were under way when the first answer came, and none after it.
            assert len(server.requests) <= QUICK.parallel

    run(main())


@pytest.mark.parametrize("form", ["seconds", "date", "none"])
def test_retry_after_is_honoured_and_then_it_is_tried_again(form: str) -> None:
    guest, subject = guest_and_subject()
    good = answer_from(pcs_answers(guest.endorsements()))
    date = format_datetime(datetime.now(UTC), usegmt=True)
    headers = {"seconds": {"Retry-After": "0"}, "date": {"Retry-After": date}, "none": {}}[form]

    async def main() -> int:
        async with pcs(good) as (server, source):
            server.answer = lambda r: Reply(503, headers) if len(server.requests) < 3 else good(r)
            await source.fetch(subject)
            return len(server.requests)

    assert run(main()) == 3


def test_many_who_want_the_same_ask_once() -> None:
    guest, subject = guest_and_subject()

    async def main() -> int:
        async with pcs(answer_from(pcs_answers(guest.endorsements()))) as (server, source):
            endorser = endorser_of(source, anchors=(guest.trust_anchor,))
            found = await asyncio.gather(*(endorser.endorsement(subject) for _ in range(100)))
            assert len({id(item) for item in found}) == 1
            return len([item for item in server.requests if "tcb" in item.path])

    assert run(main()) == 1


def test_after_a_failure_the_source_is_left_alone_for_a_while() -> None:
    guest, subject = guest_and_subject()

    async def main() -> int:
        async with pcs(lambda _: Reply(404)) as (server, source):
            endorser = endorser_of(source, anchors=(guest.trust_anchor,))
            for _ in range(5):
                with pytest.raises(EndorsementNotFound):
                    await endorser.endorsement(subject)
            return len(server.requests)

    assert run(main()) == 1


def test_a_source_that_is_left_alone_is_asked_again_in_time_however_often_others_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guest, subject = guest_and_subject()
    seconds = [0.0]
    monkeypatch.setattr(endorser_module, "time", SimpleNamespace(monotonic=lambda: seconds[0]))

    async def main() -> None:
        answers = answer_from(pcs_answers(guest.endorsements()))
        failing = [True]
        async with pcs(lambda request: Reply(500) if failing[0] else answers(request)) as (_, source):
            endorser = endorser_of(source, anchors=(guest.trust_anchor,))
            for _ in range(6):  # each ten seconds, for less than a minute
                with pytest.raises(EndorsementUnavailable):
                    await endorser.endorsement(subject)
                seconds[0] += 10
                failing[0] = False
            assert (await endorser.endorsement(subject)).genuine.subject == subject

    run(main())


def test_what_a_root_vouched_for_that_is_believed_no_more_is_forgotten(tmp_path: Path) -> None:
    guest, subject = guest_and_subject()
    other = SimulatedTdxGuest(SimulatedPlatform(SimulatedVendor(now=NOW, unsafe_seed=b"another")))

    async def main() -> None:
        async with pcs(answer_from(pcs_answers(guest.endorsements()))) as (upstream, source):
            endorser = endorser_of(source, anchors=(other.trust_anchor,), cache=EndorsementCache(tmp_path))
            with pytest.raises(EndorsementUnavailable, match="not a trust anchor"):
                await endorser.endorsement(subject)
            endorser.believe((guest.trust_anchor,))
            held = await endorser.endorsement(subject)
            asked = len(upstream.requests)
            endorser.believe((guest.trust_anchor,))
            assert endorser.known(subject) is held
            endorser.believe((other.trust_anchor,))
            assert endorser.known(subject) is None
            with pytest.raises(EndorsementUnavailable, match="not a trust anchor"):
                await endorser.endorsement(subject)  # what is in the cache counts as absent
            assert len(upstream.requests) > asked

    run(main())


def test_failures_that_are_remembered_do_not_hold_on_to_who_asked() -> None:
    guest, subject = guest_and_subject()
    seen = []

    class Evidence:
        pass

    async def ask(endorser: Endorser) -> None:
        evidence = Evidence()
        seen.append(weakref.ref(evidence))
        await endorser.endorsement(subject)

    async def main() -> None:
        async with pcs(lambda _: Reply(404)) as (_, source):
            endorser = endorser_of(source, anchors=(guest.trust_anchor,))
            for _ in range(3):
                with contextlib.suppress(EndorsementNotFound):
                    await ask(endorser)
            await asyncio.sleep(0)  # the step that the error was thrown into has ended
            gc.collect()
            assert [item() for item in seen] == [None, None, None]

    run(main())


def test_the_next_source_is_asked_where_one_fails() -> None:
    guest, subject = guest_and_subject()
    other = make_platform()

    async def main() -> None:
        async with (
            pcs(lambda _: Reply(500)) as (_, failing),
            pcs(answer_from(pcs_answers(other.collateral("tdx")))) as (_, foreign),
            pcs(answer_from(pcs_answers(guest.endorsements()))) as (_, good),
        ):
            anchors = (guest.trust_anchor,)
            held = await endorser_of(failing, good, anchors=anchors).endorsement(subject)
            assert held.kept.source == good.name
            with pytest.raises(EndorsementUnavailable) as raised:
                await endorser_of(failing, anchors=anchors).endorsement(subject)
            assert "500" in str(raised.value)
            del foreign

    run(main())


def test_errors_say_what_was_asked_of_whom_what_came_and_what_to_do() -> None:
    _, subject = guest_and_subject()
    reply = Reply(404, {"Request-ID": "f00d", "Error-Code": "NoFMSPC", "Error-Message": "there is none"}, b"")

    async def main() -> str:
        async with pcs(lambda _: reply) as (server, source):
            with pytest.raises(EndorsementNotFound) as raised:
                await source.fetch(subject)
            return str(raised.value).replace(server.url, "URL")

    text = run(main())
    for part in (
        "TDX TCB info of FMSPC",
        "PCS URL",
        "404",
        "f00d",
        "NoFMSPC",
        "there is none",
        "look at the FMSPC",
    ):
        assert part in text


def test_a_server_whose_certificate_is_not_trusted_is_asked_once_and_gets_nothing(tmp_path: Path) -> None:
    guest, subject = guest_and_subject()
    ca, key = tmp_path / "ca.pem", tmp_path / "key.pem"
    write_certificate(ca, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca, key)
    trusting = ssl.create_default_context(cafile=str(ca))

    async def main() -> None:
        answer = answer_from(pcs_answers(guest.endorsements()))
        async with UpstreamServer(answer, tls=context) as server:
            async with open_http(QUICK) as http:
                with pytest.raises(EndorsementUnavailable) as raised:
                    await PcsSource(http, server.url, limits=QUICK).fetch(subject)
            assert raised.value.code == "endorsement_unavailable.tls"
            assert server.requests == []
            async with open_http(QUICK, tls=trusting) as http:
                await PcsSource(http, server.url, limits=QUICK).fetch(subject)

    run(main())


def test_clear_text_off_loopback_is_refused() -> None:
    async def main() -> None:
        async with open_http(QUICK) as http:
            for url in (
                "http://example.org",
                "https://user@example.org",
                "ftp://127.0.0.1",
                "https://e.org/?a=b",
            ):
                with pytest.raises(ConfigError):
                    PcsSource(http, url)
            with pytest.raises(ConfigError, match="certification"):
                PccsSource(http, "https://e.org/sgx/certification/v9/")

    run(main())


def test_what_a_service_does_not_have_is_not_found() -> None:
    async def main() -> None:
        async with open_http(QUICK) as http:
            for source in (PcsSource(http, "https://e.org"), PccsSource(http, "https://e.org")):
                with pytest.raises(EndorsementNotFound):
                    await source.fetch(AmdCrlSubject(make_snp_guest().platform.vendor.product))
            for subject in (RootCaCrlSubject(), IdentitySubject("QE")):
                with pytest.raises(EndorsementNotFound):
                    await KdsSource(http, "https://e.org").fetch(subject)
            v3 = PcsSource(http, "https://e.org", version=3)
            with pytest.raises(EndorsementNotFound, match="no TDX"):
                await v3.fetch(IdentitySubject("TD_QE"))

    run(main())
