"""verdictd while its PostgreSQL is stopped and started again: refusals that say so, and nothing to repair."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import httpx

from tests.fakes.kbs_client import Guest, KbsClientError
from tests.fakes.postgresql import postgresql_server
from tests.service.verdictd_replicas import ALLOW, Load, Replica, eventually, fleet, full_round

SECRETS = {f"default/key/{n}": f"secret {n} ".encode() * 40 for n in range(3)}
#: Decisions go on for fifteen seconds by the policies that were read last.
UNREADY_SECONDS = 25.0


def test_an_outage_under_load(tmp_path: Path) -> None:
    with (
        postgresql_server(durable=False) as server,
        fleet(tmp_path, server.url(server.create_database()), 2) as found,
    ):
        first, _ = found.replicas
        first.put_policy(ALLOW)
        for path, content in SECRETS.items():
            first.put_resource(path, content)
        for replica in found.replicas:
            eventually(partial(_serves, found.guest(), replica), 10)
        with Load(found, SECRETS, guests=4) as load:
            load.more_rounds(20)
            server.stop()
            done = load.rounds
            for replica in found.replicas:
                code, reason = eventually(partial(_unready, replica), UNREADY_SECONDS)
                assert (code, reason.partition(".")[0]) == (503, "storage")
            assert load.rounds - done <= load.guests, "released while nothing could be kept"
            server.start()
            for replica in found.replicas:
                eventually(partial(_is_ready, replica), 15)
            load.more_rounds(20)
        assert not load.wrong
        assert load.failures
        for error in load.attempts:
            assert isinstance(error, KbsClientError), repr(error)
            assert error.status == 503, str(error)
            assert "storage." in error.detail
        for replica in found.replicas:
            assert _serves(found.guest(), replica)


def _unready(replica: Replica) -> tuple[int, str] | None:
    said = replica.ready()
    return said if said[0] != 200 else None


def _is_ready(replica: Replica) -> bool:
    return replica.ready() == (200, "ready")


def _serves(guest: Guest, replica: Replica) -> bool:
    path = next(iter(SECRETS))
    with httpx.Client(timeout=30) as http:
        try:
            return full_round(guest, http, [replica.url] * 3, path) == SECRETS[path]
        except KbsClientError:
            return False
