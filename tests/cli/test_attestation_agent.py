"""``attestation-agent`` as the process that guests start, beside a verdictd as owners start it."""

from __future__ import annotations

import base64
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from eaa.cli.attestation_agent import COMMANDS, EXIT_CODES, attestation_agent
from eaa.evidence.dcap_quote import parse_quote_frame
from eaa.evidence.snp import parse_snp_report
from eaa.evidence.snp_evidence import parse_snp_evidence
from eaa.transport.grpc.agent_api import METHODS
from tests.cli.brokers import Broker, broker
from tests.cli.running import process_env
from tests.cli.serving import finish
from tests.fakes.agent_clients import AgentRefusal, GrpcAgent, TtrpcAgent

SECRET = bytes(range(200, 256))
RESOURCE = "api.GetResourceService/GetResource"
MODULE = "attestation_agent"
_SOCKETS = ("keyprovider", "getresource", "attestation", "attestation_ttrpc", "cdh_ttrpc", "rest")
#: No listener at all.
OFF = tuple(part for name in _SOCKETS for part in (f"--{name}_sock", ""))
_SECONDS = 60


@pytest.fixture(scope="module")
def verdictd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    folder = tmp_path_factory.mktemp("broker")
    own = ("--listen", "127.0.0.1:0", "--attester", "simulated", "--verifier", "simulated")
    with broker(folder, *own, "--drain-seconds", "1") as served:
        served.trust_guests()
        served.put_resource("default/key/1", SECRET)
        yield served


def guest(served: Broker) -> tuple[object, ...]:
    return (
        "--attester",
        "simulated-tdx",
        "--verifier",
        "simulated",
        "--simulated-dir",
        served.folder / "vendor",
    )


def params(served: Broker, module: str) -> str:
    if module == "cc_kbc":
        return f"cc_kbc::{served.url}"
    where = served.serving.said(r"attested channel on tcp://(\S+)")
    return f"eaa_kbc::{where}"


@dataclass(slots=True)
class Output:
    """What came of a command, its stdout as bytes."""

    code: int
    out: bytes
    err: str


def agent(*args: object, env: Mapping[str, str] | None = None) -> Output:
    """A command that ends by itself."""
    command = [sys.executable, "-m", f"eaa.cli.{MODULE}", *(str(arg) for arg in args)]
    done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False, env=process_env(env))
    assert b"Traceback" not in done.stderr
    return Output(done.returncode, done.stdout, done.stderr.decode())


class Served:
    """An agent that serves, until the end of the block; ``lines`` are what it said."""

    def __init__(self, *args: object, env: Mapping[str, str] | None = None) -> None:
        command = [sys.executable, "-m", f"eaa.cli.{MODULE}", *(str(arg) for arg in args)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=process_env(env))
        self.lines: list[str] = []

    def __enter__(self) -> Served:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip())
            if line.startswith("ready"):
                return self
        raise AssertionError(self.lines)

    def __exit__(self, *_: object) -> None:
        assert self.stop() == 0, self.lines

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, rest = self.process.communicate(timeout=_SECONDS)
        self.lines += (rest or "").splitlines()
        return self.process.returncode

    def where(self, what: str) -> str:
        return next(line.rpartition(" ")[2] for line in self.lines if line.startswith(what))


# ── once ──


@pytest.mark.parametrize("module", ["cc_kbc", "eaa_kbc"])
def test_a_secret_is_fetched(verdictd: Broker, tmp_path: Path, module: str) -> None:
    given = ("--aa-kbc-params", params(verdictd, module), *guest(verdictd))
    assert agent(*given, "get-resource", "default/key/1").out == SECRET
    file = tmp_path / "secret"
    assert agent(*given, "get-resource", "kbs:///default/key/1", "--out", file).code == 0
    assert file.read_bytes() == SECRET
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_simulated_snp_guest(verdictd: Broker) -> None:
    given = (
        "--aa-kbc-params",
        params(verdictd, "cc_kbc"),
        "--attester",
        "simulated-snp",
        *guest(verdictd)[2:],
    )
    shown = agent(*given, "evidence", "--runtime-data", "0xfeed")
    report = parse_snp_report(parse_snp_evidence(shown.out).report)
    assert report.body.report_data.startswith(b"\xfe\xed\x00")
    assert json.loads(agent(*given, "token").out).keys() == {"token", "tee_keypair"}
    # Genuine, and nobody has said that it is the expected one.
    assert agent(*given, "get-resource", "default/key/1").code == 10


def test_evidence_and_a_token(verdictd: Broker) -> None:
    given = ("--aa-kbc-params", params(verdictd, "cc_kbc"), *guest(verdictd))
    evidence = agent(*given, "evidence", "--runtime-data", "0xfeed")
    quote = base64.b64decode(json.loads(evidence.out)["quote"])
    assert parse_quote_frame(quote).body.report_data.startswith(b"\xfe\xed\x00")
    bound_to_nothing = base64.b64decode(json.loads(agent(*given, "evidence").out)["quote"])
    assert parse_quote_frame(bound_to_nothing).body.report_data == bytes(64)
    assert json.loads(agent(*given, "token").out).keys() == {"token", "tee_keypair"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("get-resource", "default/key/none"), 1, "verdict resource put default/key/none"),
        (("get-resource", "default/key"), 30, "expected kbs:///repository/type/tag"),
        (("get-resource", "k1"), 30, "expected kbs:///repository/type/tag"),
        (("evidence", "--runtime-data", "00" * 65), 2, "65 bytes"),
        (("evidence", "--runtime-data", "no"), 2, "hexadecimal"),
        (("nosuch",), 2, "No such command"),
    ],
)
def test_exit_codes(verdictd: Broker, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = agent("--aa-kbc-params", params(verdictd, "cc_kbc"), *guest(verdictd), *arguments)
    assert (done.code, done.out) == (code, b"")
    assert words in done.err


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ("cc_kbc::http://127.0.0.1:1", 40, "attesting to http://127.0.0.1:1"),
        ("eaa_kbc::127.0.0.1:1", 40, "opening an attested channel to 127.0.0.1:1"),
        ("nosuch::x", 2, "expected cc_kbc, eaa_kbc, offline_fs_kbc"),
        ("sample_kbc::null", 20, "its key is public"),
        ("", 2, "no broker is named"),
    ],
)
def test_exit_codes_without_a_broker(verdictd: Broker, given: str, code: int, words: str) -> None:
    done = agent(
        "--aa-kbc-params", given, *guest(verdictd), "--attempts", "1", "--kernel-cmdline", "/dev/null",
        "get-resource", "default/key/1",
    )  # fmt: skip
    assert (done.code, done.out) == (code, b"")
    assert words in done.err


def test_another_guest_is_refused(verdictd: Broker) -> None:
    """An enclave, of which the policy knows nothing."""
    given = ("--aa-kbc-params", params(verdictd, "cc_kbc"), *guest(verdictd), "--attester", "simulated")
    done = agent(*given, "get-resource", "default/key/1")
    assert (done.code, done.out) == (10, b"")
    assert "verdict explain " in done.err


def test_a_broker_that_is_not_believed_is_refused(verdictd: Broker) -> None:
    """The verifier of hardware knows nothing of the simulated vendor."""
    given = ("--aa-kbc-params", params(verdictd, "eaa_kbc"), *guest(verdictd), "--verifier", "sgx_ecdsa")
    done = agent(*given, "get-resource", "default/key/1")
    assert (done.code, done.out) == (10, b"")
    assert "the broker's own evidence is not accepted" in done.err


def test_a_guest_of_another_vendor_is_refused(verdictd: Broker, tmp_path: Path) -> None:
    """Which end is the first to refuse the other is open; both do."""
    given = ("--aa-kbc-params", params(verdictd, "eaa_kbc"), *guest(verdictd), "--simulated-dir", tmp_path)
    done = agent(*given, "get-resource", "default/key/1")
    assert (done.code, done.out) == (10, b"")
    assert "opening an attested channel" in done.err


def test_offline_secrets_need_no_tee(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"default/key/1": base64.b64encode(SECRET).decode()}))
    given = ("--aa-kbc-params", "offline_fs_kbc::null", "--offline-keys", keys)
    assert agent(*given, "get-resource", "default/key/1").out == SECRET


# ── where the settings come from ──


def test_flags_go_before_the_environment_that_before_the_file_that_before_the_kernel(
    verdictd: Broker, tmp_path: Path
) -> None:
    good, bad = params(verdictd, "cc_kbc"), "cc_kbc::http://127.0.0.1:1"
    file, kernel = tmp_path / "agent.toml", tmp_path / "cmdline"
    fetch = ("--kernel-cmdline", kernel, *guest(verdictd), "--attempts", "1", "get-resource", "default/key/1")

    def write(in_file: str | None, in_kernel: str) -> None:
        file.write_text(f'aa_kbc_params = "{in_file}"\nrequest-seconds = 15\n' if in_file else "")
        kernel.write_text(f"quiet agent.aa_kbc_params={in_kernel} ro\n")

    write(None, good)
    assert agent("-C", file, *fetch).out == SECRET
    write(good, bad)
    assert agent("-C", file, *fetch).out == SECRET
    write(bad, bad)
    for name in ("AA_KBC_PARAMS", "ATTESTATION_AGENT_AA_KBC_PARAMS"):
        assert agent("-C", file, *fetch, env={name: good}).out == SECRET
    env = {"AA_KBC_PARAMS": bad, "ATTESTATION_AGENT_CONFIG": str(file)}
    assert agent("--aa-kbc-params", good, *fetch, env=env).out == SECRET
    assert agent(*fetch, env=env).code == 40


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nosuch = 1", "nosuch: there is no such key"),
        ("config = 'x'", "config: there is no such key"),
        ("a = ", "not TOML"),
        ("attempts = 0", "0 is not in the range"),
        ("collateral = '/nosuch'", "collateral: expected a list"),
        ("trust_anchor = [['x']]", "trust_anchor: expected a list"),
        ("kbs_cert = ['x']", "kbs_cert: expected one value"),
        ("kbs_cert = {a = 1}", "kbs_cert: expected one value"),
        ("rest_sock = '0.0.0.0:8006'", "expected an address of loopback"),
        ("attestation_sock = '0.0.0.0:50002'", "expected an address of loopback"),
        ("cdh_ttrpc_sock = 'tcp://192.0.2.1:1'", "expected an address of loopback"),
        ("keyprovider_sock = 'x'", "expected a host and a port"),
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    off = {f"ATTESTATION_AGENT_{name[2:].upper()}": "" for name in OFF[::2] if name[2:] not in text}
    file = tmp_path / "agent.toml"
    others = "".join(f'{name[2:]} = ""\n' for name in OFF[::2] if name[2:] not in text)
    file.write_text(f"aa_kbc_params = 'offline_fs_kbc::null'\n{others}{text}\n")
    done = agent("-C", file, env=off)
    assert (done.code, done.out) == (2, b"")
    assert words in done.err


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert agent("-C", tmp_path / "nosuch").code == 2


def test_a_pull_without_a_broker_says_that_there_is_none(tmp_path: Path) -> None:
    done = agent(
        "--attester", "simulated-tdx", "--simulated-dir", tmp_path / "vendor",
        "--kernel-cmdline", "/dev/null", "pull", "127.0.0.1:9/app:1", "--into", tmp_path / "app",
    )  # fmt: skip
    assert (done.code, done.out) == (2, b"")
    assert "no broker is named" in done.err
    assert "[config.aa_kbc_params]" in done.err


# ── serving ──


def test_it_serves_where_it_is_told(verdictd: Broker, tmp_path: Path) -> None:
    sockets = (
        "--keyprovider_sock", "127.0.0.1:0", "--getresource_sock", "", "--rest_sock", "127.0.0.1:0",
        "--attestation-sock", f"unix://{tmp_path}/grpc.sock",
        "--attestation_ttrpc_sock", f"unix://{tmp_path}/run/aa/aa.sock",
        "--cdh-ttrpc-sock", f"unix://{tmp_path}/run/cdh.sock",
    )  # fmt: skip
    given = ("--aa-kbc-params", params(verdictd, "cc_kbc"), *guest(verdictd), *sockets)
    with Served(*given, "--eventlog", "--eventlog-directory", tmp_path / "log") as served:
        assert (
            GrpcAgent(f"unix:{tmp_path}/grpc.sock").call(RESOURCE, ResourcePath="default/key/1").Resource
            == SECRET
        )
        assert (
            TtrpcAgent(f"{tmp_path}/run/cdh.sock").call(RESOURCE, ResourcePath="default/key/1").Resource
            == SECRET
        )
        for name in ("grpc.sock", "run/cdh.sock", "run/aa/aa.sock"):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        service = "attestation_agent.AttestationAgentService"
        aa = TtrpcAgent(f"{tmp_path}/run/aa/aa.sock")
        entry = {"Domain": "d", "Operation": "o", "Content": "c"}
        before = quoted(aa.call(f"{service}/GetEvidence").Evidence)
        assert aa.call(f"{service}/ExtendRuntimeMeasurement", **entry).Result == 0
        assert quoted(aa.call(f"{service}/GetEvidence").Evidence) != before
        assert served.where("key provider").startswith("tcp://127.0.0.1:")
        assert not [line for line in served.lines if line.startswith("resources")]
    assert not list(tmp_path.rglob("*.sock"))


def quoted(evidence: bytes) -> bytes:
    """RTMR3."""
    value: bytes = parse_quote_frame(base64.b64decode(json.loads(evidence)["quote"])).body.rt_mr3  # type: ignore[union-attr]  # a TD's
    return value


def test_it_serves_without_a_broker_and_says_so(tmp_path: Path) -> None:
    where = f"unix://{tmp_path}/grpc.sock"
    given = (*OFF, "--kernel-cmdline", "/dev/null", "--attestation_sock", where)
    with Served(*given, "--attester", "simulated-tdx", "--simulated-dir", tmp_path / "vendor") as served:
        with pytest.raises(AgentRefusal) as caught:
            GrpcAgent(f"unix:{tmp_path}/grpc.sock").call(RESOURCE, ResourcePath="a/b/c")
        assert (caught.value.status, caught.value.code) == ("FAILED_PRECONDITION", "config.aa_kbc_params")
        assert "agent.aa_kbc_params" in caught.value.text
        assert any("no broker is named" in line for line in served.lines)


def test_a_socket_that_cannot_be_had(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    for name in ("--attestation_sock", "--cdh_ttrpc_sock"):
        done = agent(*OFF, "--aa-kbc-params", "offline_fs_kbc::null", name, f"unix://{blocked}/x.sock")
        assert (done.code, "cannot listen" in done.err) == (2, True)


def test_the_help_names_every_command() -> None:
    shown = finish(MODULE, "--help")
    assert shown.code == 0
    for name in set(COMMANDS) - {"pull"}:
        assert name in shown.out
        assert finish(MODULE, name, "--help").code == 0


def test_no_secret_is_logged(verdictd: Broker, tmp_path: Path) -> None:
    secret = os.urandom(20).hex()
    verdictd.put_resource("default/text/1", secret.encode())
    where = ("--cdh_ttrpc_sock", f"unix://{tmp_path}/cdh.sock", "--log-level", "debug")
    served = Served(*OFF, "--aa-kbc-params", params(verdictd, "eaa_kbc"), *guest(verdictd), *where)
    with served:
        client = TtrpcAgent(f"{tmp_path}/cdh.sock")
        assert client.call(RESOURCE, ResourcePath="default/text/1").Resource.decode() == secret
        with pytest.raises(AgentRefusal):
            client.call(RESOURCE, ResourcePath="default/text/none")
    assert secret not in "\n".join(served.lines)
    assert any("resource_not_found.refused" in line for line in served.lines)


# ── the page ──

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "attestation-agent.md").read_text(
    "utf-8"
)


def test_the_reference_page_has_every_option_and_command() -> None:
    options = [item for item in attestation_agent.params if isinstance(item, click.Option)]
    for option in options:
        assert any(f"`{name}" in PAGE for name in option.opts) or option.name in ("version", "debug"), (
            option.name
        )
    for name in COMMANDS:
        assert f"| `{name}" in PAGE
    codes = [line.split()[0] for line in EXIT_CODES.splitlines() if line.strip()[:1].isdigit()]
    assert len(codes) == 7
    assert all(f"| {code} |" in PAGE for code in codes)


def test_the_reference_page_has_every_method() -> None:
    for name in METHODS:
        service, _, method = name.partition("/")
        assert f"`{name}`" in PAGE or (service in PAGE and f"/{method}`" in PAGE), name
