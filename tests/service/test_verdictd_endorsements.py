"""verdictd fetches the endorsements of guests that come without, keeps them fresh, and says what ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from eaa.endorsements.subject import RootCaCrlSubject
from eaa.errors import ConfigError
from eaa.provider.cache import EndorsementCache
from eaa.services.verdictd.config import load_config
from eaa.services.verdictd.core import EvidenceSource
from tests.fakes.kbs_client import KbsClientError, claims_of
from tests.fakes.upstream_server import Reply, UpstreamServer, serving
from tests.fakes.vendor_services import answer_from, pccs_answers
from tests.service.verdictds import Hardware, running

HARDWARE = Hardware()
ANSWERS = pccs_answers(HARDWARE.td.endorsements(), HARDWARE.enclave.endorsements())
SOURCE = replace(HARDWARE.source(), attached=lambda kind: None, trust_anchors=(HARDWARE.td.trust_anchor,))


@pytest.fixture
def pccs() -> Iterator[UpstreamServer]:
    with serving(answer_from(dict(ANSWERS))) as server:
        yield server


def section(server: UpstreamServer, **more: object) -> dict[str, object]:
    return {"providers": (f"pccs:{server.url}/sgx/certification/v4/",), **more}


def test_guests_without_endorsements_are_verified(tmp_path: Path, pccs: UpstreamServer) -> None:
    with running(tmp_path, SOURCE, endorsements=section(pccs)) as served:
        for collect, tee in ((HARDWARE.td.collect, "tdx"), (HARDWARE.enclave.collect, "sgx")):
            for _ in range(3):
                token = served.guest(collect, tee).handshake()
                assert claims_of(token)["submods"]["cpu0"]["ear.status"] in (
                    "affirming",
                    "warning",
                    "contraindicated",
                )
        asked = [request.path for request in pccs.requests]
        assert (
            len(asked) == len(set(asked)) == 6
        )  # root and PCK lists once, TCB info and identity of each TEE
        text = served.service.metrics_text()
        assert 'verdictd_endorsements{state="fresh"} 6.0' in text
        assert 'verdictd_endorsement_expiry_timestamp_seconds{kind="intel/tcb"}' in text
        assert served.service.not_ready == ""
        assert EndorsementCache(tmp_path / "endorsements").load(RootCaCrlSubject()) is not None

    # Another start needs nobody.
    with (
        serving(lambda _: Reply(503)) as down,
        running(tmp_path, SOURCE, endorsements=section(down)) as served,
    ):
        served.guest(HARDWARE.td.collect).handshake()
        assert down.requests == []


def test_without_providers_they_are_refused_as_before(tmp_path: Path) -> None:
    with running(tmp_path, SOURCE) as served, pytest.raises(KbsClientError, match="endorsement_not_found"):
        served.guest(HARDWARE.td.collect).handshake()


def test_a_service_that_is_down_is_said_and_may_be_tried_again(tmp_path: Path, pccs: UpstreamServer) -> None:
    pccs.answer = lambda _: Reply(401)
    with running(tmp_path, SOURCE, endorsements=section(pccs)) as served:
        guest = served.guest(HARDWARE.td.collect)
        with pytest.raises(KbsClientError, match="endorsement_unavailable"):
            guest.handshake()


def test_new_platforms_are_asked_for_at_a_bounded_rate(tmp_path: Path, pccs: UpstreamServer) -> None:
    pccs.answer = lambda _: Reply(404)
    with running(tmp_path, SOURCE, endorsements=section(pccs, fetches_per_minute=1)) as served:
        with pytest.raises(KbsClientError, match="endorsement_not_found"):
            served.guest(HARDWARE.td.collect).handshake()
        asked = len(pccs.requests)
        with pytest.raises(KbsClientError, match=r"endorsement_unavailable\.rate"):
            served.guest(HARDWARE.enclave.collect, "sgx").handshake()
        assert len(pccs.requests) == asked


def test_a_stranger_s_quotes_take_nothing_from_platforms_that_are_new(
    tmp_path: Path, pccs: UpstreamServer
) -> None:
    stranger = Hardware()
    with running(tmp_path, SOURCE, endorsements=section(pccs, fetches_per_minute=1)) as served:
        for _ in range(3):
            with pytest.raises(KbsClientError, match=r"chain\.untrusted_root"):
                served.guest(stranger.td.collect).handshake()
        assert pccs.requests == []
        served.guest(HARDWARE.td.collect).handshake()


def test_trust_anchors_read_anew_judge_endorsements_too(tmp_path: Path, pccs: UpstreamServer) -> None:
    """The verifier of evidence is the same throughout: what changes is who vouches for endorsements."""
    others = replace(SOURCE, trust_anchors=(Hardware().td.trust_anchor,))
    with running(tmp_path, others, endorsements=section(pccs)) as served:
        for source, accepted in ((others, False), (SOURCE, True), (others, False)):

            async def renew(source: EvidenceSource = source) -> None:
                served.service.replace(source, None)

            asyncio.run_coroutine_threadsafe(renew(), served.loop).result(10)
            guest = served.guest(HARDWARE.td.collect)
            if accepted:
                guest.handshake()
            else:
                with pytest.raises(KbsClientError, match=r"chain\.untrusted_root"):
                    guest.handshake()


def test_what_is_configured_is_looked_at_before_anything_starts() -> None:
    for providers in (["nobody"], ["pccs"], ["kds:http://example.org"]):
        with pytest.raises(ConfigError, match="endorsements"):
            load_config(None, {"endorsements": {"providers": providers}}, {})
