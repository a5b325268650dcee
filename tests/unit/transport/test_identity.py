from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from eaa.errors import AttesterError
from eaa.tls.peer import AttachedEvidence, Profile, Role
from eaa.transport.identity import Identity
from tests.fakes.channel import FakeAttester, both_ends, client_config, server_config
from tests.fakes.clock import Clock


class Attester(FakeAttester):
    fail = False

    def collect(self, report_data: bytes) -> AttachedEvidence:
        if self.fail:
            raise AttesterError("busy", detail="busy")
        return super().collect(report_data)


def identity(attester: Attester, clock: Clock, profile: Profile = Profile.RATLS_CERT) -> Identity:
    config = server_config(profile, attester=attester, clock=clock)
    return Identity(Role.SERVER, config, attester.collect, ThreadPoolExecutor(1))


def settle(made: Identity) -> None:
    """Until a renewal in the background is over."""
    made._executor.submit(lambda: None).result(10)


def test_a_certificate_lasts_two_thirds_of_five_minutes() -> None:
    attester, clock = Attester(), Clock()
    made = identity(attester, clock)
    first = made.credentials().result(10)
    clock.now += timedelta(seconds=139)
    assert made.credentials().result(10) is first
    clock.now += timedelta(seconds=1)
    assert made.credentials().result(10) is first  # still valid: another is made meanwhile
    settle(made)
    second = made.credentials().result(10)
    assert second is not first
    assert second.spki == first.spki
    assert len(attester.collected) == 2


def test_a_renewal_that_fails_is_tried_again_and_waited_for_at_the_end() -> None:
    attester, clock = Attester(), Clock()
    made = identity(attester, clock)
    first = made.credentials().result(10)
    attester.fail = True
    clock.now += timedelta(seconds=200)
    assert made.credentials().result(10) is first
    settle(made)
    clock.now += timedelta(seconds=40)
    with pytest.raises(AttesterError):
        made.credentials().result(10)
    attester.fail = False
    assert made.credentials().result(10) is not first


def test_exporter_v1_needs_no_evidence_for_a_certificate() -> None:
    attester = Attester()
    assert identity(attester, Clock(), Profile.EXPORTER_V1).credentials().result(10).spki
    assert attester.collected == []


def test_a_client_shows_a_certificate_only_if_mutual() -> None:
    executor = ThreadPoolExecutor(1)
    for config, shown in ((client_config(), False), (both_ends(), True)):
        made = Identity(Role.CLIENT, config, FakeAttester().collect, executor)
        assert bool(made.credentials().result(10).spki) is shown
