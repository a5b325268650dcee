"""What verdictd reads again and again: keys that rotate, sessions that expire, a storage that goes away."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from datetime import datetime, timedelta

import pytest
from cryptography import x509

from eaa.broker.key_book import TOKEN, Rotation
from eaa.broker.records import Decision, DecisionKind, Session
from eaa.broker.tokens import issue_token, verify_token
from eaa.errors import InternalError, StorageError
from eaa.services.verdictd.books import GRACE, Books
from eaa.services.verdictd.service_keys import current_keys, ensure_keys
from tests.fakes.clock import Clock
from tests.fakes.memory_stores import MemoryStores
from tests.fakes.vendor import NOW

ROTATION = Rotation(timedelta(days=30), timedelta(minutes=20), timedelta(hours=1))
CLAIMS = {"iss": "verdictd", "iat": 0, "nbf": 0, "exp": 2**40}


def _books(stores: MemoryStores, clock: Clock, refresh_seconds: float = 0.01) -> Books:
    return Books(stores, rotation=ROTATION, issuer="verdictd", clock=clock, refresh_seconds=refresh_seconds)


def _verified(token: str, books: Books, now: datetime) -> None:
    keys = books.keys.published
    verify_token(token, now=now, keys=keys, trust_anchors=(), issuer="", audience="", nonce="")


def test_tokens_outlive_the_key_that_signed_them_and_the_next_is_published_before_it_signs() -> None:
    async def rotate() -> None:
        stores, clock = MemoryStores(), Clock()
        books = _books(stores, clock)
        await books.refresh()
        first = books.keys.signing
        token = issue_token(CLAIMS, first)
        clock.now = NOW + timedelta(days=30) - timedelta(minutes=20)
        await books.refresh()
        assert books.keys.signing.kid == first.kid
        assert len(books.keys.published["keys"]) == 2
        clock.now += timedelta(minutes=20)
        await books.refresh()
        second = books.keys.signing
        assert second.kid != first.kid
        _verified(token, books, clock.now)
        _verified(issue_token(CLAIMS, second), books, clock.now)
        clock.now += timedelta(hours=2)
        await books.refresh()
        assert [key["kid"] for key in books.keys.published["keys"]] == [second.kid]

    asyncio.run(rotate())


def test_replicas_that_start_at_once_share_their_first_keys() -> None:
    async def start() -> None:
        stores = MemoryStores()
        await asyncio.gather(
            *(ensure_keys(stores.service_keys, rotation=ROTATION, issuer="v", now=NOW) for _ in range(4))
        )
        keys = await current_keys(stores.service_keys)
        assert len([key for key in keys if key.purpose == TOKEN]) == 1

    asyncio.run(start())


def test_every_signing_key_is_below_one_authority() -> None:
    async def start() -> None:
        books = _books(MemoryStores(), Clock())
        await books.refresh()
        token = issue_token(CLAIMS, books.keys.signing)
        (published,) = books.keys.published["keys"]
        anchor = x509.load_der_x509_certificate(base64.b64decode(published["x5c"][-1]))
        verify_token(
            token, now=NOW, keys=None, trust_anchors=[anchor], issuer="verdictd", audience="", nonce=""
        )

    asyncio.run(start())


def test_expired_sessions_are_forgotten() -> None:
    async def expire() -> None:
        stores, clock = MemoryStores(), Clock()
        decision = Decision(
            "d", NOW, DecisionKind.ATTESTATION, "x", "tdx", "", "", "", True, "attested", "", ()
        )
        await stores.sessions.spend(Session("s", "token", NOW + timedelta(minutes=5)), decision)
        books = _books(stores, clock)
        await books.refresh()
        assert await stores.sessions.read("s") is not None
        clock.now += timedelta(minutes=6)
        await books.refresh()
        # A replica whose clock is five minutes behind takes its challenge still.
        assert await stores.sessions.read("s") is not None
        clock.now += timedelta(minutes=5)
        await books.refresh()
        assert await stores.sessions.read("s") is None
        assert await stores.decisions.read("d") == decision

    asyncio.run(expire())


def test_a_clock_that_was_set_back_stops_nothing() -> None:
    """A first start in the wrong year: its keys begin then, and those of the right one are made."""

    async def set_back() -> None:
        stores, clock = MemoryStores(), Clock()
        books = _books(stores, clock)
        clock.now = NOW + timedelta(days=365)
        await books.refresh()
        wrong = books.keys.signing.kid
        clock.now = NOW
        await books.refresh()
        assert books.keys.signing.kid != wrong
        claims = {**CLAIMS, "iat": int(NOW.timestamp())}
        (published,) = [key for key in books.keys.published["keys"] if key["kid"] == books.keys.signing.kid]
        anchor = x509.load_der_x509_certificate(base64.b64decode(published["x5c"][-1]))
        verify_token(
            issue_token(claims, books.keys.signing), now=NOW, keys=None, trust_anchors=[anchor],
            issuer="verdictd", audience="", nonce="",
        )  # fmt: skip
        again = _books(stores, clock)
        await again.refresh()
        assert again.keys.signing.kid == books.keys.signing.kid

    asyncio.run(set_back())


def test_without_the_storage_decisions_go_on_for_a_while_and_then_stop() -> None:
    async def lose() -> None:
        stores, clock = MemoryStores(), Clock()
        books = _books(stores, clock)
        await books.start()

        async def down() -> int:
            raise StorageError("down")

        working, stores.policies.generation = stores.policies.generation, down  # type: ignore[method-assign]  # a fault
        await asyncio.sleep(0.05)
        clock.now += GRACE
        _ = books.policies
        clock.now += timedelta(seconds=1)
        with pytest.raises(StorageError) as refused:
            _ = books.policies
        assert refused.value.code == "storage.policies_stale"
        stores.policies.generation = working  # type: ignore[method-assign]  # mended
        deadline = asyncio.get_running_loop().time() + 5
        while True:
            await asyncio.sleep(0.02)
            try:
                _ = books.policies
                break
            except StorageError:
                assert asyncio.get_running_loop().time() < deadline
        await books.stop()

    asyncio.run(lose())


def test_what_is_read_seldom_holds_until_it_is_due_again() -> None:
    async def wait() -> None:
        clock = Clock()
        books = _books(MemoryStores(), clock, refresh_seconds=60)
        await books.refresh()
        clock.now += timedelta(seconds=60) + GRACE
        _ = books.policies
        clock.now += timedelta(seconds=1)
        with pytest.raises(StorageError):
            _ = books.policies

    asyncio.run(wait())


def test_a_reading_that_breaks_is_not_the_last(caplog: pytest.LogCaptureFixture) -> None:
    async def break_once() -> None:
        stores, clock = MemoryStores(), Clock()
        books = _books(stores, clock)
        await books.start()

        async def broken() -> int:
            raise ValueError("a secret")

        working, stores.policies.generation = stores.policies.generation, broken  # type: ignore[method-assign]  # a fault
        deadline = asyncio.get_running_loop().time() + 5
        while "reading policies and keys failed: ValueError" not in caplog.text:
            await asyncio.sleep(0.01)
            assert asyncio.get_running_loop().time() < deadline
        stores.policies.generation = working  # type: ignore[method-assign]  # mended
        clock.now += timedelta(minutes=1)
        while True:
            await asyncio.sleep(0.01)
            with contextlib.suppress(StorageError):
                _ = books.policies
                break
            assert asyncio.get_running_loop().time() < deadline
        await books.stop()

    asyncio.run(break_once())


def test_nothing_is_decided_before_the_start() -> None:
    books = _books(MemoryStores(), Clock())
    with pytest.raises(InternalError):
        _ = books.policies
    with pytest.raises(InternalError):
        _ = books.keys
