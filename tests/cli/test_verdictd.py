"""The command ``verdictd``: its options, its files, its life as a process."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import stat
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from eaa import __version__
from eaa.attester.simulated import write_collateral
from eaa.cli.verdictd import verdictd
from eaa.services.verdictd.config import VerdictdConfig
from tests.cli.authority import Authority
from tests.cli.brokers import QUIET, Broker, broker, simulated_td
from tests.cli.serving import children, finish, until
from tests.fakes.kbs_client import KbsClientError, claims_of

PATH, SECRET = "default/key/1", b"what nobody but the guest may read"
_SECONDS = 30.0


def misconfigured(*options: object, says: str, env: Mapping[str, str] | None = None) -> str:
    """What ``verdictd`` says before it does anything."""
    run = CliRunner().invoke(verdictd, [str(item) for item in options], env=env)
    assert run.exit_code == 2, run.output
    assert says in run.stderr
    assert "[config" in run.stderr or "[usage" in run.stderr
    return run.stderr


def refused(*options: object, says: str, env: Mapping[str, str] | None = None) -> None:
    """``verdictd`` ends before it serves."""
    run = finish("verdictd", *QUIET, "--metrics", "", *options, env=env)
    assert run.code == 2, run.err
    assert says in run.err
    assert "listening on" not in run.err


class TestInformation:
    def test_help_names_every_option_and_exit_code(self) -> None:
        run = finish("verdictd", "--help")
        assert (run.code, run.err) == (0, "")
        for option in verdictd.params:
            shown = [word for word in option.opts if word.startswith("--")]
            assert getattr(option, "hidden", False) or shown[0] in run.out
        assert "--worker-descriptors" not in run.out
        assert "EXIT CODES" in run.out

    def test_version(self) -> None:
        run = finish("verdictd", "-V")
        assert (run.code, run.out, run.err) == (0, f"verdictd, version {__version__}\n", "")


class TestConfiguration:
    @pytest.fixture
    def simulated(self, tmp_path: Path) -> tuple[object, ...]:
        """Options under which it would start."""
        return "--state-directory", tmp_path / "state", "--simulated", "--simulated-dir", tmp_path / "vendor"

    def test_check_says_that_it_is_sound_and_makes_nothing(self, tmp_path: Path) -> None:
        run = finish(
            "verdictd", "--check", "--simulated", "--simulated-dir", tmp_path / "vendor",
            "--attester", "simulated", "--state-directory", tmp_path / "state",
        )  # fmt: skip
        assert (run.code, run.out) == (0, "")
        assert run.err.splitlines()[-1] == "the configuration is sound"
        assert not (tmp_path / "state").exists()

    @pytest.mark.parametrize("option", ["--collateral", "--trust-anchor"])
    def test_check_finds_what_is_missing(self, tmp_path: Path, option: str) -> None:
        refused("--check", option, tmp_path / "none", says=str(tmp_path / "none"))

    def test_check_opens_the_master_keys(self, tmp_path: Path, simulated: tuple[object, ...]) -> None:
        key = tmp_path / "key"
        key.write_bytes(bytes(32))
        key.chmod(0o600)
        sound = {"VERDICTD_STORAGE__MASTER_KEY": f"file:{key}"}
        assert finish("verdictd", "--check", "--listen", "", *simulated, env=sound).code == 0
        former = {"VERDICTD_STORAGE__FORMER_MASTER_KEYS": f'["file:{tmp_path / "none"}"]'}
        refused("--check", *simulated, says="there is no master key", env=sound | former)
        key.write_bytes(bytes(31))
        refused("--check", *simulated, says="a master key has 32 bytes, this file has 31", env=sound)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("htp = 1", "htp: there is no such key"),
            ("[http]\nlisen = 'x'", "http.lisen: there is no such key"),
            ("[http]\nlisten = 8080", "http.listen: "),
            ("[http]\nlisten = 'localhost'", "http.listen: expected host:port"),
            ("workers = 0", "workers: "),
            ("[[admin.keys]]\nkid = 'a'", "admin.keys.0.public_key: "),
            ("workers = ", "not TOML"),
            ("a = 1\na = 2", "not TOML"),
        ],
    )
    def test_a_file_that_is_wrong_is_named_with_its_key(self, tmp_path: Path, text: str, says: str) -> None:
        file = tmp_path / "verdictd.toml"
        file.write_text(text)
        assert str(file) in misconfigured("-C", file, "--check", says=says)

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        misconfigured("-C", tmp_path / "none.toml", says="none.toml")

    def test_a_file_that_is_too_large(self, tmp_path: Path) -> None:
        file = tmp_path / "verdictd.toml"
        file.write_text("#" * (1024 * 1024 + 1))
        misconfigured("-C", file, "--check", says="more than 1048576 bytes")

    @pytest.mark.parametrize(
        ("name", "value"),
        [("VERDICTD_HTP__LISTEN", "x"), ("VERDICTD_HTTP__LISEN", "x"), ("VERDICTD_WORKERS", "many")],
    )
    def test_a_variable_that_is_wrong(self, name: str, value: str) -> None:
        key = name.removeprefix("VERDICTD_").lower().replace("__", ".")
        said = misconfigured("--check", says="environment", env={name: value})
        assert key in said or name in said

    @pytest.mark.parametrize("flag", ["--http", "--client-api"])
    def test_not_in_clear_text_off_loopback(self, simulated: tuple[object, ...], flag: str) -> None:
        refused(*simulated, flag, "0.0.0.0:0", says="loopback")

    def test_a_certificate_without_its_key(self, tmp_path: Path) -> None:
        file = tmp_path / "verdictd.toml"
        file.write_text("[http]\ncertificate = '/etc/verdictd/tls.pem'")
        misconfigured("-C", file, says="http: certificate and private_key go together")

    @pytest.mark.parametrize(
        ("option", "name"), [("--attester", "nullattester"), ("--verifier", "nullverifier")]
    )
    def test_null_instances_are_named_twice(
        self, simulated: tuple[object, ...], option: str, name: str
    ) -> None:
        asked = ("--check", *simulated, "--listen", "127.0.0.1:0", "--attester", "simulated", option, name)
        refused(*asked, says=name)
        assert finish("verdictd", *asked, "--unsafe-null").code == 0

    def test_a_master_key_that_others_may_read(self, tmp_path: Path, simulated: tuple[object, ...]) -> None:
        key = tmp_path / "state" / "master.key"
        key.parent.mkdir(mode=0o700)
        key.write_bytes(bytes(32))
        key.chmod(0o644)
        refused(*simulated, says=f"{key}: ")

    def test_a_port_that_is_taken(self, simulated: tuple[object, ...]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            refused(*simulated, "--http", address, says=address)

    @pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nAA==\n"])
    def test_a_certificate_that_is_none(
        self, tmp_path: Path, simulated: tuple[object, ...], content: bytes | None
    ) -> None:
        certificate = tmp_path / "tls.pem"
        if content is not None:
            certificate.write_bytes(content)
        names = ("VERDICTD_HTTP__CERTIFICATE", "VERDICTD_HTTP__PRIVATE_KEY")
        refused(*simulated, says=str(certificate), env=dict.fromkeys(names, str(certificate)))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One of which flags, environment and file each have a say."""
    folder = tmp_path_factory.mktemp("verdictd")
    file = folder / "verdictd.toml"
    file.write_text(
        "[http]\nlisten = '192.0.2.1:1'\ninsecure_http = true\n"
        "[tokens]\nissuer = 'the file'\nseconds = 100\n"
        "[storage]\nrefresh_seconds = 0.05\n"
        "[log]\nlevel = 'off'\n"
    )
    env = {"VERDICTD_TOKENS__SECONDS": "200", "VERDICTD_LOG__LEVEL": "error"}
    with broker(folder, "-C", file, "--log-level", "debug", env=env) as made:
        made.trust_guests()
        made.put_resource(PATH, SECRET)
        until(lambda: claims_of(made.guest().handshake())["submods"]["cpu0"]["ear.status"] == "affirming")
        yield made


class TestServing:
    def test_flags_over_environment_over_file_over_default(self, served: Broker) -> None:
        claims = claims_of(served.guest().handshake())
        assert claims["iss"] == "the file"
        assert claims["exp"] - claims["iat"] == 200
        assert served.url.startswith("http://127.0.0.1:")
        assert any('"level": "debug"' in line or '"level": "info"' in line for line in served.serving.lines)
        default = VerdictdConfig.model_fields["workers"].default
        assert len(children(served.pid)) == default - 1

    def test_a_guest_gets_its_secret(self, served: Broker) -> None:
        guest = served.guest()
        guest.handshake()
        assert guest.resource(PATH) == SECRET

    def test_health(self, served: Broker) -> None:
        for url in (served.url, served.metrics_url):
            assert httpx.get(f"{url}/healthz").text == "ok\n"
            assert httpx.get(f"{url}/readyz").text == "ready\n"

    def test_metrics_have_no_paths(self, served: Broker) -> None:
        guest = served.guest()
        guest.handshake()
        guest.resource(PATH)
        with pytest.raises(KbsClientError):
            guest.resource("default/key/none")
        text = httpx.get(f"{served.metrics_url}/metrics").text
        for name in (
            "kbs_http_requests_total", "kbs_http_request_duration_seconds_bucket", "kbs_auth_requests_total",
            "kbs_attestation_requests_total", "kbs_policy_approvals_total", "kbs_resource_reads_total",
            "kbs_plugin_errors_total", "kbs_build_info",
        ):  # fmt: skip
            assert f"\n{name}" in text
        assert "default" not in text
        assert "key/1" not in text

    def test_metrics_are_not_served_to_guests(self, served: Broker) -> None:
        assert served.http().get("/metrics").status_code == 404

    def test_files_are_the_owners_alone(self, served: Broker) -> None:
        state = served.folder / "state"
        paths = [state, *state.rglob("*")]
        assert {"master.key", "verdictd.sqlite", "admin-key.pem"} <= {path.name for path in paths}
        for path in paths:
            mode = stat.S_IMODE(path.stat().st_mode)
            assert mode == (0o700 if path.is_dir() else 0o600), path


def test_logs_are_json_and_hold_no_secret(tmp_path: Path) -> None:
    with broker(tmp_path, "--log-level", "debug") as served:
        served.put_resource(PATH, SECRET)
        served.trust_guests()
        guest = served.guest()
        session = guest.guest.attestation(guest.auth())
        cookie = guest.http.cookies["kbs-session-id"]
        token = guest.http.post("/kbs/v0/attest", json=session).json()["token"]
        guest.http.get(f"/kbs/v0/resource/{PATH}")
        served.http().get(
            f"/kbs/v0/resource/{PATH}", headers={"authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}
        )
        served.http().post("/kbs/v0/attest", json=session, headers={"cookie": f"kbs-session-id={cookie}"})
        admin = served.admin_token()
        keys = [served.folder / "state" / name for name in ("master.key", "admin/admin-key.pem")]
        secrets = [SECRET, *(path.read_bytes() for path in keys)]
        served.serving.stop()
        lines = served.serving.lines
    said = [line for line in lines if not line.startswith("{")]
    assert [line.split(" on ")[0] for line in said] == ["metrics", "listening"]
    events = [json.loads(line) for line in lines if line.startswith("{")]
    assert all({"event", "level", "logger", "timestamp"} <= event.keys() for event in events)
    requests = [event for event in events if event["logger"] == "eaa.verdictd.access"]
    assert len(requests) >= 6
    assert len({event["request_id"] for event in requests}) == len(requests)
    text = "\n".join(lines)
    nonce = session["runtime-data"]["nonce"]
    held = [token, cookie, admin, nonce, "eyJhbGciOiJub25lIn0"]
    for secret in secrets:
        held += [base64.b64encode(secret).decode().rstrip("="), secret.hex()]
    held.append(SECRET.decode())
    for item in held:
        assert item not in text


def test_a_request_under_way_ends_when_it_is_told_to_stop(tmp_path: Path) -> None:
    body = b'{"version":"0.4.0","tee":"tdx","extra-params":""}'
    head = f"POST /kbs/v0/auth HTTP/1.1\r\nHost: kbs\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with broker(tmp_path) as served:
        where = ("127.0.0.1", int(served.serving.port))
        with socket.create_connection(where, timeout=_SECONDS) as slow:
            slow.sendall(head + body[:10])
            until(lambda: _one_is_under_way(served))
            served.serving.process.send_signal(signal.SIGTERM)
            until(lambda: _refuses(where))
            assert served.serving.process.poll() is None
            slow.sendall(body[10:])
            assert slow.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert served.serving.process.wait(_SECONDS) == 0


def test_a_request_that_never_ends_does_not_keep_it(tmp_path: Path) -> None:
    with broker(tmp_path, "--drain-seconds", "1") as served:
        with socket.create_connection(("127.0.0.1", int(served.serving.port)), timeout=_SECONDS) as slow:
            slow.sendall(b"POST /kbs/v0/auth HTTP/1.1\r\nHost: kbs\r\nContent-Length: 9\r\n\r\n{")
            until(lambda: _one_is_under_way(served))
            began = time.monotonic()
            assert served.serving.stop() == 0
        assert time.monotonic() - began < 10


def _one_is_under_way(served: Broker) -> bool:
    return "kbs_http_active_connections 1.0" in httpx.get(f"{served.metrics_url}/metrics").text


def _refuses(where: tuple[str, int]) -> bool:
    try:
        socket.create_connection(where, timeout=_SECONDS).close()
    except ConnectionError:
        return True
    return False


def test_sighup_reads_endorsements_anew(tmp_path: Path) -> None:
    endorsements = simulated_td(tmp_path / "vendor").collateral()
    folder, root = tmp_path / "collateral", tmp_path / "root.pem"
    folder.mkdir()
    root.write_bytes((tmp_path / "vendor" / "root.pem").read_bytes())
    with broker(tmp_path, "--collateral", folder, "--trust-anchor", root) as served:
        with pytest.raises(KbsClientError) as error:
            served.guest().handshake()
        assert error.value.status == 424
        write_collateral(endorsements, folder)
        served.serving.process.send_signal(signal.SIGHUP)
        until(lambda: _attests(served))
        # What cannot be read is said, and what was there goes on.
        root.write_bytes(b"")
        served.serving.process.send_signal(signal.SIGHUP)
        until(lambda: any("nothing was renewed" in line for line in served.serving.lines))
        assert _attests(served)


def _attests(served: Broker) -> bool:
    try:
        served.guest().handshake()
    except KbsClientError as error:
        if error.status != 424:
            raise
        return False
    return True


def test_two_workers_serve_one_port_and_one_that_is_killed_is_started_again(tmp_path: Path) -> None:
    with broker(tmp_path, "--workers", "2") as served:
        first = children(served.pid)
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        until(lambda: len(set(children(served.pid)) - {first[0]}) == 2)
        until(lambda: httpx.get(f"{served.metrics_url}/readyz").status_code == 200)
        with ThreadPoolExecutor(8) as threads:
            # Each on a connection of its own; what comes while a worker starts waits.
            tokens = list(threads.map(lambda _: served.guest().handshake(), range(24)))
        assert len({claims_of(token)["jti"] for token in tokens}) == 24
        text = httpx.get(f"{served.metrics_url}/metrics").text
        assert "kbs_attestation_requests_total 24.0" in text
        assert served.serving.stop() == 0
    assert any("a process ended with -9; started again" in line for line in served.serving.lines)


def test_tls_by_an_authority_of_ones_own(tmp_path: Path) -> None:
    authority = Authority()
    certificate, key = tmp_path / "tls.pem", tmp_path / "tls.key"
    authority.write_server(certificate, key)
    env = {"VERDICTD_HTTP__CERTIFICATE": str(certificate), "VERDICTD_HTTP__PRIVATE_KEY": str(key)}
    with broker(tmp_path, env=env, verify=authority.client_context()) as served:
        assert served.url.startswith("https://")
        guest = served.guest()
        answer = guest.http.post("/kbs/v0/auth", json=guest.guest.request())
        assert "Secure" in answer.headers["set-cookie"]
        served.put_resource(PATH, SECRET)
        assert claims_of(guest.handshake())["submods"]["cpu0"]["ear.status"] == "contraindicated"
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{served.url}/healthz")
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"{served.url.replace('https', 'http')}/healthz")


def test_sighup_takes_a_new_certificate(tmp_path: Path) -> None:
    first, second = Authority(), Authority()
    certificate, key = tmp_path / "tls.pem", tmp_path / "tls.key"
    first.write_server(certificate, key)
    env = {"VERDICTD_HTTP__CERTIFICATE": str(certificate), "VERDICTD_HTTP__PRIVATE_KEY": str(key)}
    with broker(tmp_path, env=env) as served:
        assert _healthy(served, first)
        second.write_server(certificate, key)
        served.serving.process.send_signal(signal.SIGHUP)
        until(lambda: _healthy(served, second))
        assert not _healthy(served, first)
        key.write_bytes(b"")
        served.serving.process.send_signal(signal.SIGHUP)
        until(lambda: any("nothing was renewed" in line for line in served.serving.lines))
        assert _healthy(served, second)


def _healthy(served: Broker, authority: Authority) -> bool:
    try:
        return httpx.get(f"{served.url}/healthz", verify=authority.client_context()).text == "ok\n"
    except httpx.ConnectError:
        return False
