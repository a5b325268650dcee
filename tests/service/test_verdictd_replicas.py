"""Two verdictd on one PostgreSQL are one service: any step at any of them, also while one is killed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from tests.fakes.kbs_client import KbsClientError
from tests.fakes.postgresql import postgresql_server
from tests.service.verdictd_replicas import ALLOW, Fleet, Load, eventually, fleet, full_round

#: As configured by default, and a second for what is under way.
REFRESH_SECONDS = 1.0 + 1.0
SECRETS = {f"default/key/{n}": f"secret {n} ".encode() * 40 for n in range(5)}
DENY = "package policy\nimport rego.v1\ndefault allow := false\n"


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("replicas")
    with (
        postgresql_server(durable=False) as server,
        fleet(folder, server.url(server.create_database()), 2) as found,
    ):
        first = found.replicas[0]
        first.put_policy(ALLOW)
        for path, content in SECRETS.items():
            first.put_resource(path, content)
        _holds_everywhere(found)
        yield found


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30) as client:
        yield client


def _released(found: Fleet, http: httpx.Client, *order: int) -> bytes | KbsClientError:
    """The first secret by a round whose steps go to the replicas of these numbers, or why not."""
    urls = [found.replicas[number].url for number in order]
    try:
        return full_round(found.guest(), http, urls, next(iter(SECRETS)))
    except KbsClientError as error:
        return error


def _holds_everywhere(found: Fleet) -> None:
    for number in range(len(found.replicas)):
        eventually(partial(_releases, found, number), 10)


def _releases(found: Fleet, number: int) -> bool:
    with httpx.Client(timeout=30) as http:
        return isinstance(_released(found, http, number, number, number), bytes)


@pytest.mark.parametrize("order", [(0, 1, 0), (1, 0, 1), (0, 0, 1), (1, 0, 0)])
def test_any_replica_serves_any_step(replicas: Fleet, http: httpx.Client, order: tuple[int, ...]) -> None:
    assert _released(replicas, http, *order) == next(iter(SECRETS.values()))


def test_a_resource_written_at_one_is_read_at_the_other_at_once(replicas: Fleet, http: httpx.Client) -> None:
    guest, (a, b) = replicas.guest(), replicas.replicas
    for number in range(3):
        a.put_resource("default/rotated/1", f"version {number}".encode())
        assert full_round(guest, http, [b.url] * 3, "default/rotated/1") == f"version {number}".encode()


def test_a_policy_withdrawn_at_one_does_not_hold_at_the_other_any_more(
    replicas: Fleet, http: httpx.Client
) -> None:
    try:
        replicas.replicas[0].put_policy(DENY)
        written = time.monotonic()
        denied = eventually(lambda: _denied(replicas, http), REFRESH_SECONDS + 5)
        # The last round may have begun just before the end of the period.
        assert denied - written <= REFRESH_SECONDS, f"{denied - written:.2f} s"
    finally:
        replicas.replicas[0].put_policy(ALLOW)
        _holds_everywhere(replicas)


def _denied(found: Fleet, http: httpx.Client) -> float:
    """When a round at the second replica began that was denied, or 0."""
    began = time.monotonic()
    came = _released(found, http, 1, 1, 1)
    if isinstance(came, bytes):
        return 0.0
    assert (came.status, came.variant) == (403, "PolicyDeny"), str(came)
    return began


def test_a_challenge_spent_at_one_is_refused_at_the_other(replicas: Fleet, http: httpx.Client) -> None:
    guest, (a, b) = replicas.guest(), replicas.replicas
    challenge = http.post(f"{a.url}/kbs/v0/auth", json=guest.request()).json()
    body = guest.attestation(challenge)
    assert http.post(f"{a.url}/kbs/v0/attest", json=body).status_code == 200
    again = http.post(f"{b.url}/kbs/v0/attest", json=body)
    assert again.status_code == 401
    assert "session.spent" in again.json()["detail"]


def test_one_is_killed_under_load_and_no_client_fails(replicas: Fleet, http: httpx.Client) -> None:
    killed, other = replicas.replicas
    with Load(replicas, SECRETS, guests=8) as load:
        load.more_rounds(40)
        killed.kill()
        load.more_rounds(40)
        killed.start()
        load.more_rounds(40)
    assert not load.wrong
    assert not load.failures, load.failures[0]
    # What fails is the connection to the one that was killed, never a session or a decision.
    assert load.healed
    assert {type(error) for error in load.attempts} <= {
        httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError
    }  # fmt: skip
    assert {error.request.url.port for error in load.attempts if isinstance(error, httpx.TransportError)} == {
        killed.port
    }
    for replica in (killed, other):
        assert replica.ready() == (200, "ready")
    assert _released(replicas, http, 0, 0, 0) == next(iter(SECRETS.values()))
