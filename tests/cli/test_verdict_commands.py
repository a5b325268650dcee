"""``verdict`` and its subcommands against a server on loopback: output, exit code, what was changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
from click.testing import CliRunner

from eaa.broker.names import ResourcePath
from eaa.cli.verdict_main import COMMANDS, verdict
from eaa.services.verdictd.admin_key import load_or_create_admin_key
from tests.cli.running import Run, process_env
from tests.fakes.admin_server import AdminServer
from tests.fakes.administrators import ADMIN

ALLOW = "package policy\nimport rego.v1\ndefault allow := false\nallow if input.good == true\n"
TRUST = """package policy
import rego.v1
default executables := 33
executables := 3 if input.x in query_reference_value("xs")
trust_claims := {"executables": executables}
"""
MAIN = "from eaa.cli.verdict_main import main; main()"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminServer]:
    with AdminServer(tmp_path_factory.mktemp("state") / "admin") as running:
        yield running


@pytest.fixture
def env(server: AdminServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    made = {"VERDICTD_URL": server.url, "VERDICT_ADMIN_KEY": str(server.key_file)}
    for name, value in made.items():
        monkeypatch.setenv(name, value)
    return made


def run(*args: object, stdin: bytes = b"") -> Run:
    """``verdict`` in this process."""
    result = CliRunner().invoke(verdict, [str(arg) for arg in args], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return Run(result.exit_code, result.stdout, result.stderr)


def ok(*args: object, stdin: bytes = b"") -> Run:
    done = run(*args, stdin=stdin)
    assert (done.code, done.err) == (0, ""), done
    return done


def read(server: AdminServer, path: str) -> bytes:
    content = server.call(server.stores.resources.read(ResourcePath.parse(path))).content
    assert isinstance(content, bytes)
    return content


# ── help, and how it ends ──


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help(command: tuple[str, ...]) -> None:
    done = run(*command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(" ".join(["Usage: verdict", *command]))
    assert "Examples:" in done.out


def test_the_table_names_commands_that_exist() -> None:
    with click.Context(verdict) as ctx:
        for name in COMMANDS:
            command = verdict.get_command(ctx, name)
            assert command is not None
            assert command.name == name
        assert verdict.get_command(ctx, "nothing") is None


@pytest.mark.parametrize(
    "args",
    [
        (), ("nothing",), ("--nothing",), ("resource",), ("resource", "put", "a/b/c"),
        ("key", "destroy", "k"),
        ("key", "destroy", "k", "--version", "1", "--all"), ("reference", "set", "a"),
        ("reference", "set", "a", "1", "--file", "-"), ("policy", "test", "--input", "-"),
        ("policy", "test", "x", "--version", "1", "--input", "-"), ("explain", "../status"),
        ("token", "--seconds", "3601"), ("--list-gpg-keys", "status"), ("policy", "set", "other", "x", "-"),
    ],
)  # fmt: skip
def test_usage_errors(env: dict[str, str], args: tuple[str, ...]) -> None:
    done = run(*args)
    assert (done.code, done.out) == (2, "")
    assert "Usage: verdict" in done.err


def test_completion() -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_VERDICT_COMPLETE" in ok("completion", shell).out
    words = {"_VERDICT_COMPLETE": "bash_complete", "COMP_WORDS": "verdict resource ", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-c", MAIN], env=process_env(words), capture_output=True, timeout=60, check=False
    )
    found = {line.partition(",")[2] for line in done.stdout.decode().splitlines()}
    assert found == {"put", "get", "list", "versions", "enable", "disable", "delete"}


# ── who asks, and whom ──


def test_nobody_answers(env: dict[str, str]) -> None:
    done = run("status", "--url", "http://127.0.0.1:9")
    assert (done.code, done.out) == (40, "")
    assert "no answer from verdictd at http://127.0.0.1:9" in done.err


@pytest.mark.parametrize("url", ["http://192.0.2.1:8080", "http://example.org", "ftp://127.0.0.1", "x", ""])
def test_addresses_that_are_not_asked(env: dict[str, str], url: str) -> None:
    done = run("status", "--url", url)
    assert (done.code, done.out) == (2, "")
    assert "--url" in done.err


def test_no_key(env: dict[str, str], tmp_path: Path) -> None:
    done = run("status", "--admin-key", tmp_path / "none.pem")
    assert done.code == 2
    assert "verdictd makes one when it starts for the first time" in done.err


def test_a_key_that_others_read(server: AdminServer, env: dict[str, str], tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(server.key_file.read_bytes())
    key.chmod(0o640)
    for args in (("status",), ("--list-gpg-keys", "-c", server.client_api), ("token",)):
        place = ("--admin-key", key)
        done = run(*place, *args) if args[0].startswith("-") else run(*args, *place)
        assert (done.code, done.out) == (2, "")
        assert "chmod 600" in done.err


def test_no_private_key(env: dict[str, str], tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("hello")
    key.chmod(0o600)
    done = run("status", "--admin-key", key)
    assert done.code == 2
    assert "expected an unencrypted Ed25519 private key in PEM" in done.err


def test_a_key_of_another_server(env: dict[str, str], tmp_path: Path) -> None:
    load_or_create_admin_key(tmp_path / "admin")
    done = run("status", "--admin-key", tmp_path / "admin" / "admin-key.pem")
    assert (done.code, done.out) == (1, "")
    assert "[credential.unknown_key]" in done.err
    assert str(tmp_path / "admin" / "admin-key.pem") in done.err
    assert "--admin-key names another" in done.err


def test_the_default_key(env: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VERDICT_ADMIN_KEY")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    done = run("status")
    assert done.code == 2
    assert str(tmp_path / "verdictd" / "admin" / "admin-key.pem") in done.err


def test_options_of_the_group_hold_for_commands(server: AdminServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VERDICT_ADMIN_KEY", raising=False)
    assert run("--admin-key", server.key_file, "status", "--url", server.url).code == 0


def test_a_certificate_authority_that_is_none(env: dict[str, str], tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("hello")
    assert "expected certificates in PEM" in run("status", "--ca", ca).err


# ── commands ──


def test_resources(server: AdminServer, env: dict[str, str], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"\x00one")
    assert ok("resource", "put", "cli/key/1", secret).out == "cli/key/1 is at version 1\n"
    assert ok("resource", "put", "cli/key/1", "-", "-o", "json", stdin=b"two").json["version"] == 2
    assert ok("resource", "get", "cli/key/1").out == "two"
    out = tmp_path / "out"
    ok("resource", "get", "cli/key/1", "--version", "1", "--out", out)
    assert (out.read_bytes(), out.stat().st_mode & 0o777) == (b"\x00one", 0o600)
    again = run("resource", "get", "cli/key/1", "--out", out)
    assert (again.code, out.read_bytes()) == (2, b"\x00one")
    ok("resource", "get", "cli/key/1", "--out", out, "--force")
    assert out.read_bytes() == b"two"
    ok("resource", "disable", "cli/key/1", "--version", "2")
    versions = ok("resource", "versions", "cli/key/1", "-o", "json").json["versions"]
    assert [info["enabled"] for info in versions] == [False, True]
    ok("resource", "enable", "cli/key/1")
    assert "cli/key/1  2        3      yes" in ok("resource", "list", "--prefix", "cli/").out
    ok("resource", "delete", "cli/key/1")
    assert ok("resource", "list", "--prefix", "cli/", "-o", "json").json == {"resources": []}
    gone = run("resource", "get", "cli/key/1")
    assert (gone.code, gone.out) == (1, "")
    assert "[resource_not_found.missing]" in gone.err


def test_a_list_of_more_than_a_page(server: AdminServer, env: dict[str, str]) -> None:
    values = {f"many{number:04}": number for number in range(1001)}
    server.call(server.administration.references.put(_admin(), values))
    found = ok("reference", "list", "-o", "json").json["references"]
    assert {value["name"] for value in found} >= set(values)
    for name in values:
        del server.stores.references.values[name]


@pytest.mark.parametrize("path", ["a/b", "a/b/../c", "a/b/c/d", "../b/c"])
def test_paths_that_are_none(env: dict[str, str], path: str) -> None:
    for command in (("put", path, "-"), ("get", path), ("delete", path)):
        assert run("resource", *command).code == 30


def test_a_secret_and_a_terminal(server: AdminServer, env: dict[str, str]) -> None:
    ok("resource", "put", "cli/key/tty", "-", stdin=b"secret")
    master, slave = os.openpty()
    for extra, code in (((), 2), (("--force",), 0)):
        done = subprocess.run(
            [sys.executable, "-c", MAIN, "resource", "get", "cli/key/tty", *extra],
            stdout=slave, stderr=subprocess.PIPE, env=process_env(env), timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code
        assert (b"not shown on a terminal" in done.stderr) is (code == 2)
    os.close(slave)
    assert os.read(master, 100) == b"secret"
    os.close(master)


def test_keys(server: AdminServer, env: dict[str, str], tmp_path: Path) -> None:
    assert ok("key", "create", "cli", "--bits", "128").out == "cli\n"
    assert len(ok("key", "create").out.strip()) == 36
    assert ok("key", "rotate", "cli").out == "cli is at version 2, 128 bits\n"
    assert ok("key", "import", "cli", "-", stdin=bytes(32)).out == "cli is at version 3, 256 bits\n"
    out = tmp_path / "key"
    ok("key", "get", "cli", "--out", out)
    assert out.read_bytes() == bytes(32)
    ok("key", "destroy", "cli", "--version", "3")
    versions = ok("key", "versions", "cli", "-o", "json").json["versions"]
    assert [info["destroyed"] for info in versions] == [True, False, False]
    ok("key", "destroy", "cli", "--all")
    assert "cli" in ok("key", "list").out
    assert run("key", "import", "cli", "-", stdin=bytes(31)).code == 2
    assert run("key", "create", "a/b").code == 30
    assert run("key", "rotate", "a/b").code == 30


def test_policies(server: AdminServer, env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "policy.rego"
    file.write_text(ALLOW)
    put = ("policy", "set", "resource", "resource/cli", file)
    assert ok(*put, "--expect-version", "0").out == "resource resource/cli is at version 1\n"
    conflict = run(*put, "--expect-version", "0")
    assert (conflict.code, "[conflict.version]" in conflict.err) == (2, True)
    file.write_text(ALLOW + "# two\n")
    ok(*put)
    assert ok("policy", "get", "resource", "resource/cli").out == ALLOW + "# two\n"
    assert ok("policy", "get", "resource", "resource/cli", "--version", "1").out == ALLOW
    assert ok("policy", "rollback", "resource", "resource/cli", "1").out.endswith("version 3\n")
    history = ok("policy", "history", "resource", "resource/cli", "-o", "json").json["versions"]
    assert [item["version"] for item in history] == [3, 2, 1]
    ok("policy", "set", "resource", "resource-policy", file)
    listed = ok("policy", "list", "-o", "json").json["policies"]
    assert {"", "resource/cli"} <= {item["id"] for item in listed}
    assert "resource-policy" in ok("policy", "list").out
    assert "resource-policy, version 1" in ok("status").out
    ok("policy", "delete", "resource", "resource-policy")
    ok("policy", "delete", "resource", "resource/cli")
    assert ok("status", "-o", "json").json["resource_policies"] == []


def test_policies_that_are_refused(env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "policy.rego"
    file.write_text("package policy\nallow {")
    done = run("policy", "set", "resource", "resource/cli", file)
    assert (done.code, done.out) == (30, "")
    assert "[format.policy]" in done.err
    file.write_bytes(b"\xff")
    assert run("policy", "set", "resource", "resource/cli", file).code == 30


def test_a_warning(env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "policy.rego"
    file.write_text(TRUST)
    done = run("policy", "set", "attestation", "strange", file)
    assert done.code == 0
    assert "Warning: strange is never asked" in done.err
    ok("policy", "delete", "attestation", "strange")


@pytest.fixture
def tested(tmp_path: Path) -> dict[str, Path]:
    contents = {
        "allow": ALLOW, "trust": TRUST, "good": '{"good": true, "x": 1}', "bad": '{"x": 2}',
        "values": '{"xs": [1]}', "broken": "package policy\nallow {", "list": "[]",
        "expired": json.dumps({"references": [
            {"name": "xs", "value": [1], "expires_at": "2020-01-01T00:00:00Z"}]}),
        "strange": '{"references": [{"name": "xs"}]}',
    }  # fmt: skip
    for name, text in contents.items():
        (tmp_path / name).write_text(text)
    return {name: tmp_path / name for name in contents}


def test_policies_tested_without_a_server(tested: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERDICTD_URL", "http://127.0.0.1:9")

    def outcome(*args: object) -> dict[str, Any]:
        return ok("policy", "test", *args, "-o", "json").json

    resource = ("--kind", "resource", tested["allow"], "--input")
    assert outcome(*resource, tested["good"])["allow"] is True
    assert outcome(*resource, tested["bad"], "--data", tested["good"])["allow"] is False
    assert ok("policy", "test", *resource, tested["good"]).out.startswith("allow  yes")
    trust = (tested["trust"], "--input", tested["good"])
    assert outcome(*trust, "--reference", tested["values"])["trust_claims"] == {"executables": 3}
    assert outcome(*trust)["queries"] == [{"name": "xs", "state": "missing"}]
    assert outcome(*trust, "--reference", tested["expired"])["queries"] == [
        {"name": "xs", "state": "expired"}
    ]
    text = ok("policy", "test", *trust, "--reference", tested["expired"]).out
    assert "reference value xs  expired" in text
    for wrong in (
        ("--kind", "resource", tested["broken"], "--input", tested["good"]),
        (tested["trust"], "--input", tested["list"]),
        (*trust, "--reference", tested["strange"]),
    ):
        assert run("policy", "test", *wrong).code == 30


def test_policies_tested_at_the_server(
    server: AdminServer, env: dict[str, str], tested: dict[str, Path]
) -> None:
    ok("reference", "set", "--file", tested["values"])
    asked = (tested["trust"], "--input", tested["good"], "-o", "json")
    assert ok("policy", "test", *asked, "--remote").json["trust_claims"] == {"executables": 3}
    put = run("policy", "set", "attestation", "cli_cpu", tested["trust"])
    assert (put.code, put.err) == (0, "Warning: asks for the reference values xs\n")
    stored = ("policy", "test", "--id", "cli_cpu", "--input", tested["bad"], "-o", "json")
    assert ok(*stored).json["trust_claims"] == {"executables": 33}
    given = ("--version", "1", "--reference", tested["values"])
    assert ok(*stored, *given).json["queries"] == [{"name": "xs", "state": "found"}]
    ok("policy", "delete", "attestation", "cli_cpu")
    assert run(*stored).code == 1


def test_templates(tmp_path: Path) -> None:
    listed = ok("policy", "template", "-o", "json").json["templates"]
    names = [item["name"] for item in listed]
    assert {"default_cpu", "deny_all"} <= set(names)
    assert all(name in ok("policy", "template").out for name in names)
    text = ok("policy", "template", "deny_all").out
    assert ok("policy", "template", "deny_all", "-o", "json").json["text"] == text
    for name, content in (("policy", text), ("claims", "{}")):
        (tmp_path / name).write_text(content)
    tested = ("policy", "test", tmp_path / "policy", "--kind", "resource", "--input", tmp_path / "claims")
    assert ok(*tested, "-o", "json").json["allow"] is False
    assert run("policy", "template", "nothing").code == 2


def test_reference_values(server: AdminServer, env: dict[str, str], tmp_path: Path) -> None:
    done = ok("reference", "set", "cli", '["aa"]', "--expires", "2999-01-01T00:00:00Z")
    assert "2999-01-01T00:00:00Z" in done.out
    assert ok("reference", "get", "cli").out == '["aa"]\n'
    assert ok("reference", "get", "cli", "-o", "json").json["value"] == ["aa"]
    message = tmp_path / "message"
    message.write_text('{"version":"0.1.0","type":"sample","payload":"eyJjbGkyIjoxfQ=="}')
    ok("reference", "import", message)
    assert "cli2" in ok("reference", "list").out
    ok("reference", "delete", "cli")
    assert run("reference", "get", "cli").code == 1
    assert run("reference", "set", "cli", "not json").code == 30
    assert run("reference", "set", "--file", "-", stdin=b"[]").code == 30
    assert run("reference", "set", "cli", "1", "--expires", "2020-01-01T00:00:00Z").code == 2


def test_decisions(server: AdminServer, env: dict[str, str]) -> None:
    run("key", "destroy", "none", "--all")
    (decision,) = ok("decisions", "--refused", "--limit", "1", "-o", "json").json["decisions"]
    assert decision["target"] == "none"
    explained = ok("explain", decision["id"]).out
    assert "code: resource_not_found.missing" in explained
    assert ok("explain", decision["id"], "-o", "json").json == decision
    assert "yes" in ok("decisions", "--granted", "--kind", "administration").out
    assert ok("decisions", "--kind", "release", "-o", "json").json == {"decisions": []}
    assert run("explain", "0" * 26).code == 1


def test_tokens(server: AdminServer, env: dict[str, str], tmp_path: Path) -> None:
    made = ok("token", "--role", "reader", "--name", "carl").out.strip()
    headers = {"authorization": f"Bearer {made}"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as client:
        assert client.get("/eaa/v1/status").status_code == 200
        assert client.put("/eaa/v1/resources/a/b/c").status_code == 403
    assert server.seen[-1] == f"carl@{server.key.kid}"
    out = tmp_path / "token"
    ok("token", "--out", out, "--seconds", "60")
    assert out.stat().st_mode & 0o777 == 0o600


def test_an_answer_of_something_else(env: dict[str, str], server: AdminServer) -> None:
    done = run("status", "--url", server.url + "/nothing")
    assert (done.code, done.out) == (1, "")
    assert "[no_verdictd]" in done.err


def test_no_secret_is_an_argument() -> None:
    with click.Context(verdict) as ctx:
        for name in ("resource", "key"):
            group = verdict.get_command(ctx, name)
            assert isinstance(group, click.Group)
            for command in group.commands.values():
                names = {parameter.name for parameter in command.params}
                assert not names & {"content", "material", "secret", "value"}


def _admin() -> Any:
    return ADMIN


#: Reads one image, and is interrupted, with whoever called it, when it shall copy it.
#: What was started in the background of a shell ignores it otherwise.
TAKES_SIGINT = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
SKOPEO = """#!/bin/sh
case "$*" in
*inspect*) cat "$(dirname "$0")/manifest.json" ;;
*provider:attestation-agent:probe*) exit 1 ;;
*) kill -INT $PPID; sleep 5 ;;
esac
"""


def test_an_interrupted_encryption_says_where_its_key_is(env: dict[str, str], tmp_path: Path) -> None:
    descriptor = {"digest": f"sha256:{'1' * 64}", "size": 1}
    manifest = {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **descriptor},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **descriptor}],
    }  # fmt: skip
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    skopeo = tmp_path / "skopeo"
    skopeo.write_text(SKOPEO)
    skopeo.chmod(0o755)
    key = "kbs:///default/image-kek/interrupted"
    words = ("image", "encrypt", "dir:a", "dir:b", "--skopeo", skopeo, "--key-id", key)
    done = subprocess.run(
        [sys.executable, "-c", f"{TAKES_SIGINT}; {MAIN}", *words],
        capture_output=True, timeout=60, check=False, env=process_env(env),
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert f"key {key} stays at verdictd: --key-id {key} uses it again" in done.stderr.decode()
