"""What verdictd refuses: each case is one change of a guest that gets its secret, and fails only by it."""

from __future__ import annotations

import base64
import hmac
import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from eaa.attester.simulated import SimulatedTdxGuest
from tests.fakes.kbs_client import KbsClient, KbsClientError, TeeKey, claims_of
from tests.fakes.token_authority import b64url, sign_by_hand
from tests.service.verdictds import Hardware, Running, running

HARDWARE = Hardware()
TD = HARDWARE.td.collect
PATH, SECRET = "default/key/1", b"the one secret of this test run"


@pytest.fixture(scope="module")
def verdictd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("verdictd"), HARDWARE.source()) as served:
        served.trust(HARDWARE)
        served.put_resource(PATH, SECRET)
        yield served


def _refused(call: Callable[[], Any], status: int, code: str) -> KbsClientError:
    with pytest.raises(KbsClientError) as refused:
        call()
    assert refused.value.status == status, refused.value.body
    assert f"code {code}," in refused.value.detail
    return refused.value


def test_the_good_guest_gets_it(verdictd: Running) -> None:
    guest = verdictd.guest(TD)
    guest.handshake()
    assert guest.resource(PATH) == SECRET


class TestChallenges:
    def test_a_challenge_is_used_once(self, verdictd: Running) -> None:
        guest = verdictd.guest(TD)
        challenge = guest.auth()
        body = guest.guest.attestation(challenge)
        assert guest.http.post("/kbs/v0/attest", json=body).status_code == 200
        again = guest.http.post("/kbs/v0/attest", json=body)
        assert again.status_code == 401
        assert "session.spent" in again.json()["detail"]

    def test_a_failed_attestation_spends_it_too(self, verdictd: Running) -> None:
        guest = verdictd.guest(TD)
        challenge = guest.auth()
        good = guest.guest.attestation(challenge)
        bad = json.loads(json.dumps(good))
        bad["runtime-data"]["tee-pubkey"] = TeeKey("ECDH-ES+A256KW-P256").jwk
        assert guest.http.post("/kbs/v0/attest", json=bad).status_code == 403
        assert guest.http.post("/kbs/v0/attest", json=good).status_code == 401

    def test_one_of_another_broker(self, verdictd: Running, tmp_path: Path) -> None:
        guest = verdictd.guest(TD)
        with running(tmp_path, HARDWARE.source()) as other:
            body = guest.guest.attestation(other.guest(TD).auth())
            foreign = other.http()
            foreign.post("/kbs/v0/auth", json=guest.guest.request())
            guest.http.cookies = foreign.cookies
        answer = guest.http.post("/kbs/v0/attest", json=body)
        assert answer.status_code == 401
        assert "session.unknown_key" in answer.json()["detail"]

    def test_one_that_was_changed(self, verdictd: Running) -> None:
        guest = verdictd.guest(TD)
        body = guest.guest.attestation(guest.auth())
        sealed = guest.http.cookies["kbs-session-id"]
        for place in (5, len(sealed) // 2, len(sealed) - 10):
            forged = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
            client = verdictd.http()
            answer = client.post("/kbs/v0/attest", json=body, headers={"cookie": f"kbs-session-id={forged}"})
            assert answer.status_code == 401, answer.text

    def test_an_expired_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with running(tmp_path, HARDWARE.source(), limits={"challenge_seconds": 10}) as served:
            guest = served.guest(TD)
            body = guest.guest.attestation(guest.auth())
            broker = served.service.core.broker
            later = broker._clock
            monkeypatch.setattr(broker, "_clock", lambda: later() + _seconds(11))
            answer = guest.http.post("/kbs/v0/attest", json=body, headers={"cookie": _cookie(guest)})
        assert answer.status_code == 401
        assert "session.expired" in answer.json()["detail"]

    def test_evidence_for_another_nonce(self, verdictd: Running) -> None:
        guest = verdictd.guest(TD)
        old = guest.guest.attestation(guest.auth())
        guest.auth()
        answer = guest.http.post("/kbs/v0/attest", json=old)
        assert answer.status_code == 403
        assert "binding.nonce" in answer.json()["detail"]

    def test_none_at_all(self, verdictd: Running) -> None:
        guest = verdictd.guest(TD)
        body = guest.guest.attestation(guest.auth())
        assert verdictd.http().post("/kbs/v0/attest", json=body).status_code == 401

    def test_a_session_that_has_not_attested(self, verdictd: Running) -> None:
        guest = verdictd.guest(TD)
        guest.auth()
        _refused(lambda: guest.resource(PATH), 401, "session.not_attested")

    def test_a_flood_of_them_allocates_nothing(self, verdictd: Running) -> None:
        before = _rows(verdictd)
        client = verdictd.http()
        for _ in range(200):
            assert client.post("/kbs/v0/auth", json={"version": "0.4.0", "tee": "tdx", "extra-params": ""})
        assert _rows(verdictd) == before


class TestEvidence:
    def test_of_another_key(self, verdictd: Running) -> None:
        """A relay that sends the guest's evidence with a key of its own."""
        guest = verdictd.guest(TD)
        body = guest.guest.attestation(guest.auth())
        body["runtime-data"]["tee-pubkey"] = TeeKey("ECDH-ES+A256KW-P256").jwk
        answer = guest.http.post("/kbs/v0/attest", json=body)
        assert answer.status_code == 403
        assert "binding.report_data" in answer.json()["detail"]

    def test_that_was_changed(self, verdictd: Running) -> None:
        def changed(report_data: bytes) -> bytes:
            quote = bytearray(TD(report_data))
            quote[200] ^= 1
            return bytes(quote)

        guest = verdictd.guest(changed)
        _refused(guest.handshake, 403, "signature.quote")

    def test_of_another_vendor(self, verdictd: Running) -> None:
        stranger = verdictd.guest(Hardware().td.collect)
        with pytest.raises(KbsClientError) as refused:
            stranger.handshake()
        assert refused.value.status == 403

    def test_of_a_debug_guest_gets_no_secret(self, verdictd: Running) -> None:
        guest = verdictd.guest(SimulatedTdxGuest(HARDWARE.platform, debug=True).collect)
        claims = claims_of(guest.handshake())["submods"]["cpu0"]
        assert claims["ear.trustworthiness-vector"]["configuration"] == 36
        refused = _refused(lambda: guest.resource(PATH), 403, "access_denied.policy")
        assert verdictd.decision(refused.detail)["granted"] is False

    def test_of_another_measurement_gets_no_secret_and_the_operator_sees_why(self, verdictd: Running) -> None:
        guest = verdictd.guest(SimulatedTdxGuest(HARDWARE.platform, mr_td=b"\x66" * 48).collect)
        token = guest.handshake()
        _refused(lambda: guest.resource(PATH), 403, "access_denied.policy")
        why = verdictd.decision(f"id {claims_of(token)['jti']})")["explanation"]
        assert any("66" * 48 in str(item.get("came")) for item in why), why

    def test_the_sample_tee_proves_nothing(self, verdictd: Running) -> None:
        _refused(verdictd.guest(TD, "sample").handshake, 403, "access_denied.sample")

    def test_a_quote_under_another_name(self, verdictd: Running) -> None:
        _refused(verdictd.guest(TD, "sgx").handshake, 400, "format.evidence_kind")

    @pytest.mark.parametrize("tee", ["nvidia", "cca", "se"])
    def test_what_is_not_implemented_is_said_at_once(self, verdictd: Running, tee: str) -> None:
        _refused(verdictd.guest(TD, tee).auth, 422, "unsupported.tee")


def test_out_of_date_hardware_gets_no_secret(tmp_path: Path) -> None:
    old = Hardware()
    old.platform.use_level(old.platform.tcb_info["sgx"].levels[1])
    with running(tmp_path, old.source()) as served:
        served.trust(old)
        served.put_resource(PATH, SECRET)
        guest = served.guest(old.td.collect)
        token = guest.handshake()
        assert claims_of(token)["submods"]["cpu0"]["ear.status"] == "contraindicated"
        _refused(lambda: guest.resource(PATH), 403, "access_denied.policy")
        why = served.decision(f"id {claims_of(token)['jti']})")["explanation"]
        assert any(item.get("came") == "OutOfDate" for item in why), why


class TestTokens:
    """Bearer tokens that are none of ours: the guest is told to start over."""

    @pytest.fixture
    def token(self, verdictd: Running) -> str:
        guest = verdictd.guest(TD)
        token = guest.handshake()
        assert guest.resource(PATH, token=token) == SECRET
        return token

    def _ask(self, verdictd: Running, token: str) -> httpx.Response:
        return verdictd.http().get(f"/kbs/v0/resource/{PATH}", headers={"authorization": f"Bearer {token}"})

    def _is_refused(self, verdictd: Running, token: str) -> None:
        answer = self._ask(verdictd, token)
        assert answer.status_code == 401, answer.text
        assert answer.json()["type"].endswith("TokenVerifierError")

    def test_unsigned(self, verdictd: Running, token: str) -> None:
        header = b64url(json.dumps({"alg": "none", "typ": "JWT"}).encode())
        self._is_refused(verdictd, f"{header}.{token.split('.')[1]}.")

    def test_signed_by_the_public_key_as_a_secret(self, verdictd: Running, token: str) -> None:

        keys = verdictd.http().get("/.well-known/jwks.json").content
        kid = json.loads(keys)["keys"][0]["kid"]
        signed = f"{b64url(json.dumps({'alg': 'HS256', 'kid': kid}).encode())}.{token.split('.')[1]}"
        self._is_refused(verdictd, f"{signed}.{b64url(hmac.digest(keys, signed.encode(), 'sha256'))}")

    def test_signed_by_the_key_in_its_own_header(self, verdictd: Running, token: str) -> None:
        thief = ec.generate_private_key(ec.SECP256R1())
        numbers = thief.public_key().public_numbers()
        x, y = (b64url(axis.to_bytes(32)) for axis in (numbers.x, numbers.y))
        jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        header = {"alg": "ES256", "jwk": jwk}
        self._is_refused(verdictd, sign_by_hand(header, claims_of(token), thief))

    @pytest.mark.parametrize(
        "kid", ["../../../../dev/null", "/etc/passwd", "' OR 1=1 --", "\x00", "a" * 5000]
    )
    def test_kid_is_a_name_and_never_a_path(self, verdictd: Running, token: str, kid: str) -> None:
        thief = ec.generate_private_key(ec.SECP256R1())
        self._is_refused(verdictd, sign_by_hand({"alg": "ES256", "kid": kid}, claims_of(token), thief))

    def test_changed(self, verdictd: Running, token: str) -> None:
        header, _, signature = token.split(".")
        claims = claims_of(token)
        claims["submods"]["cpu0"]["ear.status"] = "affirming"
        claims["exp"] += 1000
        self._is_refused(verdictd, f"{header}.{b64url(json.dumps(claims).encode())}.{signature}")

    def test_for_another_audience(self, verdictd: Running) -> None:
        guest = verdictd.guest(TD)
        body = guest.guest.attestation(guest.auth())
        token = guest.http.post("/kbs/v0/attest?audience=db", json=body).json()["token"]
        self._is_refused(verdictd, token)

    def test_stolen_without_the_key_is_of_no_use(self, verdictd: Running, token: str) -> None:
        """A token releases only what the guest's key decrypts."""
        answer = self._ask(verdictd, token)
        assert answer.status_code == 200
        assert SECRET not in answer.content
        thief = KbsClient(verdictd.guest(TD).guest, verdictd.http())
        with pytest.raises(Exception):  # noqa: B017 (whatever unwrapping with another key raises)
            thief.guest.decrypt(answer.json())


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        [
            "../../etc/passwd",
            "a/../b",
            "a/b/..",
            "a//b",
            "%2e%2e/b/c",
            "a/b/c%2fd",
            "a/b/c/d",
            "a/b/.c",
            "a/b/c%00",
        ],
    )
    def test_no_path_leads_elsewhere(self, verdictd: Running, path: str) -> None:
        guest = verdictd.guest(TD)
        guest.handshake()
        answer = _raw_get(verdictd, f"/kbs/v0/resource/{path}", _cookie(guest))
        assert answer.split(b" ", 2)[1] in {b"400", b"404"}, answer
        assert SECRET not in answer

    @pytest.mark.parametrize("plugin", ["key", "pkcs11", "nebula-ca", "..", ""])
    def test_other_plugins(self, verdictd: Running, plugin: str) -> None:
        guest = verdictd.guest(TD)
        guest.handshake()
        answer = guest.http.get(f"/kbs/v0/{plugin}/x/y/z")
        assert answer.status_code in {400, 404}

    def test_who_may_not_have_it_does_not_learn_whether_it_is_there(self, verdictd: Running) -> None:
        guest = verdictd.guest(SimulatedTdxGuest(HARDWARE.platform, mr_td=b"\x66" * 48).collect)
        guest.handshake()
        there = _refused(lambda: guest.resource(PATH), 403, "access_denied.policy")
        absent = _refused(lambda: guest.resource("no/such/thing"), 403, "access_denied.policy")
        assert there.detail.split("id ")[0] == absent.detail.split("id ")[0]

    def test_the_most_specific_policy_alone_decides(self, verdictd: Running) -> None:
        verdictd.put_resource("payroll/key/1", b"salaries")
        verdictd.put_policy("package policy\nimport rego.v1\ndefault allow := false\n", "resource/payroll")
        guest = verdictd.guest(TD)
        guest.handshake()
        _refused(lambda: guest.resource("payroll/key/1"), 403, "access_denied.policy")
        assert guest.resource(PATH) == SECRET


class TestAdministration:
    ROUTES = (
        ("POST", "/kbs/v0/attestation-policy"),
        ("POST", "/kbs/v0/resource-policy"),
        ("GET", "/kbs/v0/resource-policy"),
        ("POST", "/kbs/v0/reference-value"),
        ("GET", "/kbs/v0/reference-value/x"),
        ("POST", f"/kbs/v0/resource/{PATH}"),
        ("DELETE", f"/kbs/v0/resource/{PATH}"),
        ("GET", "/kbs/v0/resource"),
        ("GET", "/eaa/v1/decisions"),
        ("GET", "/eaa/v1/keys"),
    )

    @pytest.mark.parametrize(("method", "path"), ROUTES)
    def test_nothing_without_a_credential(self, verdictd: Running, method: str, path: str) -> None:
        answer = verdictd.http().request(method, path, content=b"{}")
        assert answer.status_code == 401, (path, answer.text)

    @pytest.mark.parametrize(("method", "path"), ROUTES)
    def test_nor_with_a_guest_s_token(self, verdictd: Running, method: str, path: str) -> None:
        token = verdictd.guest(TD).handshake()
        headers = {"authorization": f"Bearer {token}"}
        assert verdictd.http().request(method, path, content=b"{}", headers=headers).status_code == 401

    def test_a_reader_changes_nothing(self, verdictd: Running) -> None:
        reader = verdictd.admin("reader")
        assert reader.delete(f"/kbs/v0/resource/{PATH}").status_code == 403
        assert reader.post("/kbs/v0/resource-policy", json={"policy": ""}).status_code == 403

    def test_no_administration_in_clear_text_off_loopback(self, tmp_path: Path) -> None:
        http = {"listen": "0.0.0.0:0", "insecure_http": True}
        with running(tmp_path, HARDWARE.source(), http=http) as served:
            assert served.admin().get("/eaa/v1/decisions").status_code == 404
            assert served.admin().post(f"/kbs/v0/resource/{PATH}", content=b"x").status_code == 404
            assert served.guest(TD).handshake()


class TestFloods:
    def test_a_body_that_is_too_large(self, verdictd: Running) -> None:
        guest = verdictd.guest(TD)
        guest.auth()
        answer = guest.http.post("/kbs/v0/attest", content=b"x" * (2 * 1024 * 1024 + 1))
        assert answer.status_code == 413

    def test_a_request_for_a_challenge_that_is_too_large(self, verdictd: Running) -> None:
        http = verdictd.http()
        request = {"version": "0.4.0", "tee": "tdx", "extra-params": ""}
        body = json.dumps(request).encode()
        assert http.post("/kbs/v0/auth", content=body.ljust(64 * 1024)).status_code == 200
        answer = http.post("/kbs/v0/auth", content=body.ljust(64 * 1024 + 1))
        assert answer.status_code == 413

    def test_json_that_is_nested_too_deeply(self, verdictd: Running) -> None:
        guest = verdictd.guest(TD)
        guest.auth()
        began = time.monotonic()
        answer = guest.http.post("/kbs/v0/attest", content=b"[" * 1_000_000)
        assert answer.status_code == 400
        assert time.monotonic() - began < 5

    @pytest.mark.parametrize("body", [b"", b"null", b"[]", b'{"version":5}', b'{"a":1,"a":1}', b"\xff" * 100])
    def test_what_is_no_request(self, verdictd: Running, body: bytes) -> None:
        assert verdictd.http().post("/kbs/v0/auth", content=body).status_code == 400

    def test_a_request_that_never_ends_is_cut(self, tmp_path: Path) -> None:
        with running(tmp_path, HARDWARE.source(), http={"request_seconds": 0.5}) as served:
            with _connected(served) as slow:
                slow.sendall(b"POST /kbs/v0/auth HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
                slow.settimeout(10)
                assert b" 408 " in slow.recv(4096)
            assert served.guest(TD).handshake()

    def test_too_many_at_once(self, tmp_path: Path) -> None:
        limits = {"max_connections": 2, "request_seconds": 5}
        with running(tmp_path, HARDWARE.source(), http=limits) as served:
            held = [_connected(served) for _ in range(2)]
            for connection in held:
                connection.sendall(b"POST /kbs/v0/auth HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
            _until(lambda: served.http().get("/healthz").status_code == 429)
            for connection in held:
                connection.close()
            _until(lambda: served.http().get("/healthz").status_code == 200)


def test_logs_and_decisions_hold_no_secret(verdictd: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    guest = verdictd.guest(TD)
    token = guest.handshake()
    assert guest.resource(PATH) == SECRET
    verdictd.http().get(f"/kbs/v0/resource/{PATH}", headers={"authorization": f"Bearer {token}x"})
    admin = verdictd.admin()
    ours = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith(("eaa", "uvicorn"))
    )
    assert "refused: session.token" in ours
    said = ours + admin.get("/eaa/v1/decisions").text + verdictd.service.metrics_text()
    secrets = [
        SECRET.decode(), base64.b64encode(SECRET).decode(), token.split(".")[2],
        guest.http.cookies["kbs-session-id"], admin.headers["authorization"].split(".")[2],
    ]  # fmt: skip
    assert [text for text in secrets if text in said] == []
    assert "default" not in verdictd.service.metrics_text()


def test_what_breaks_inside_is_neither_shown_nor_logged(
    verdictd: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> bytes:
        raise ValueError(f"not a key: {SECRET!r}")

    guest = verdictd.guest(TD)
    guest.handshake()
    monkeypatch.setattr(verdictd.service.core.database.resources, "read", broken)
    answer = guest.http.get(f"/kbs/v0/resource/{PATH}")
    assert answer.status_code == 500
    assert "the one secret" not in answer.text
    assert "resource/default/key/1 failed: ValueError" in caplog.text
    assert "the one secret" not in caplog.text


def _seconds(count: float) -> timedelta:

    return timedelta(seconds=count)


def _cookie(guest: KbsClient) -> str:
    return f"kbs-session-id={guest.http.cookies['kbs-session-id']}"


def _rows(verdictd: Running) -> int:
    """Bytes of the database and its log."""
    return sum(item.stat().st_size for item in verdictd.state.iterdir() if "sqlite" in item.name)


def _connected(verdictd: Running) -> socket.socket:
    host, _, port = verdictd.url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def _raw_get(verdictd: Running, target: str, cookie: str) -> bytes:
    """Clients tidy paths up; attackers do not."""
    with _connected(verdictd) as connection:
        head = f"GET {target} HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\nconnection: close\r\n\r\n"
        connection.sendall(head.encode())
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class TestHeads:
    """What uvicorn alone does not bound."""

    def test_headers_without_end(self, tmp_path: Path) -> None:
        with running(tmp_path, HARDWARE.source(), http={"max_head_bytes": 8192}) as served:
            with _connected(served) as flood:
                flood.settimeout(10)
                flood.sendall(b"GET /healthz HTTP/1.1\r\n" + b"x-a: " + b"a" * 4000)
                flood.sendall(b"b" * 5000)
                assert b" 431 " in flood.recv(4096)
            assert served.http().get("/healthz", headers={"x-a": "a" * 4000}).status_code == 200

    def test_a_head_that_never_ends(self, tmp_path: Path) -> None:
        with running(tmp_path, HARDWARE.source(), http={"request_seconds": 0.5}) as served:
            for begun in (b"", b"GET /healthz HTTP/1.1\r\nx-a:"):
                with _connected(served) as slow:
                    slow.settimeout(10)
                    slow.sendall(begun)
                    assert b" 408 " in slow.recv(4096)

    def test_connections_that_only_wait(self, tmp_path: Path) -> None:
        with running(tmp_path, HARDWARE.source(), http={"max_connections": 3}) as served:
            held = [_connected(served) for _ in range(3)]
            _until(lambda: _status(served) == 429)
            for connection in held:
                connection.close()
            _until(lambda: _status(served) == 200)

    def test_challenges_faster_than_allowed(self, tmp_path: Path) -> None:
        with running(tmp_path, HARDWARE.source(), limits={"auth_per_second": 0.001}) as served:
            guest = served.guest(TD)
            statuses = [
                guest.http.post("/kbs/v0/auth", json=guest.guest.request()).status_code for _ in range(3)
            ]
            assert statuses == [200, 429, 429]

    def test_nor_attestations_for_one_that_is_spent(self, tmp_path: Path) -> None:
        with running(tmp_path, HARDWARE.source(), limits={"auth_per_second": 0.001}) as served:
            guest = served.guest(TD)
            guest.auth()
            statuses = [guest.http.post("/kbs/v0/attest", json={}).status_code for _ in range(3)]
            assert statuses == [400, 429, 429]


def _status(verdictd: Running) -> int:
    try:
        return verdictd.http().get("/healthz").status_code
    except httpx.HTTPError:
        return 0
