"""``verdict`` with the original's options, over gRPC to a server on loopback."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eaa.cli.verdict_main import ORIGINAL
from eaa.services.verdictd.admin_key import PRIVATE_FILE, load_or_create_admin_key
from tests.cli.running import Run, process_env
from tests.cli.test_verdict_commands import MAIN
from tests.cli.test_verdict_commands import run as run_verdict
from tests.fakes.admin_server import AdminServer

REGO = "package policy\ndefault allow = false\nallow { input.svn >= data.svn }\n"
KEYS = Path(__file__).resolve().parents[1] / "service" / "gpg_public_keys.asc"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminServer]:
    with AdminServer(tmp_path_factory.mktemp("state") / "admin") as running:
        yield running


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "policy.rego").write_text(REGO)
    (tmp_path / "deny.rego").write_text("package policy\ndefault allow = false\n")
    (tmp_path / "data").write_text('{"svn": 2}')
    (tmp_path / "high").write_text('{"svn": 9}')
    (tmp_path / "input").write_text('{"svn": 3}')
    (tmp_path / "image").write_text('{"default":[{"type":"reject"}]}')
    (tmp_path / "sigstore").write_text("default:\n  sigstore: file:///x\n")
    return tmp_path


def run(server: AdminServer, *args: object) -> Run:
    return run_verdict("-c", server.client_api, "--admin-key", server.key_file, *args)


def ok(server: AdminServer, *args: object) -> str:
    done = run(server, *args)
    assert (done.code, done.err) == (0, ""), done
    return done.out


def test_policies_and_data(server: AdminServer, files: Path) -> None:
    assert ok(server, "--set-opa-policy", "p.rego", files / "policy.rego") == "p.rego: OK\n"
    assert ok(server, "--set-opa-reference", "pData", files / "data") == "pData: OK\n"
    out = files / "out"
    out.mkdir()
    ok(server, "--export-opa-policy", "p.rego", "--export-opa-reference", "pData", "-p", out)
    assert (out / "p.rego").read_text() == REGO
    assert json.loads((out / "pData").read_text()) == {"svn": 2}


def test_an_export_that_cannot_be_written_whole_leaves_the_old_one(server: AdminServer, files: Path) -> None:
    ok(server, "--set-opa-policy", "whole.rego", files / "policy.rego")
    out = files / "out"
    out.mkdir()
    (out / "whole.rego").write_text("the old one")
    command = [
        "sh", "-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "-",
        sys.executable, "-B", "-c", MAIN, "-c", server.client_api, "--admin-key", str(server.key_file),
        "--export-opa-policy", "whole.rego", "-p", str(out),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, text=True, env=process_env())
    assert (done.returncode, "[usage.unwritable]" in done.stderr) == (2, True), done
    assert [(file.name, file.read_text()) for file in out.iterdir()] == [("whole.rego", "the old one")]


def test_tests(server: AdminServer, files: Path) -> None:
    ok(
        server,
        "--set-opa-policy",
        "t.rego",
        files / "policy.rego",
        "--set-opa-reference",
        "tData",
        files / "high",
    )
    cases = {
        ("--test-opa-remote", "t.rego", "tData"): (False, 9),
        ("--test-opa-local", files / "policy.rego", files / "data"): (True, 2),
        ("--test-opa-local-policy", files / "deny.rego", "tData"): (False, 9),
        ("--test-opa-local-reference", "t.rego", files / "data"): (True, 2),
    }
    for args, (allow, svn) in cases.items():
        decision = json.loads(ok(server, *args, files / "input"))
        assert decision == {"allow": allow, "parseInfo": {"svn": [3, svn]}}


def test_several_at_once_in_the_order_of_the_original(server: AdminServer, files: Path) -> None:
    ok(server, "--set-image-policy", files / "image")
    done = ok(
        server, "--export-image-policy", "--set-image-sigstore", files / "sigstore",
        "--test-opa-remote", "o.rego", "oData", files / "input", "--set-image-policy", files / "image",
        "--set-opa-reference", "oData", files / "data", "--set-opa-policy", "o.rego", files / "policy.rego",
        "-p", files,
    )  # fmt: skip
    said = [line.split(":")[0].rpartition("/")[2] for line in done.splitlines()]
    assert said == ["o.rego", "oData", '{"allow"', "sigstore", "image_policy.json", "image"]


def test_the_keyring(server: AdminServer) -> None:
    assert ok(server, "--import-gpg-key", KEYS).endswith("OK\n")
    listed = ok(server, "--list-gpg-keys")
    fingerprints = [line[4:] for line in listed.splitlines() if line.startswith("pub ")]
    assert len(fingerprints) == 2
    assert "uid Ada <ada@example.org>" in listed
    assert base64.b64decode(ok(server, "--export-gpg-keyring"), validate=False)[0] & 0x80
    ok(server, "--delete-gpg-key", fingerprints[0])
    assert fingerprints[0] not in ok(server, "--list-gpg-keys")
    missing = run(server, "--delete-gpg-key", fingerprints[0])
    assert (missing.code, missing.out) == (1, "")


def test_image_documents(server: AdminServer, files: Path) -> None:
    ok(server, "--set-image-policy", files / "image", "--set-image-sigstore", files / "sigstore")
    ok(server, "--export-image-policy", "--export-image-sigstore", "-p", files)
    assert (files / "image_policy.json").read_bytes() == (files / "image").read_bytes()
    assert (files / "image_sigstore.ymal").read_bytes() == (files / "sigstore").read_bytes()


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("--set-opa-policy", "x", "none"), 2, "none"),
        (("--set-opa-reference", "x", "policy.rego"), 30, "policy.rego"),
        (("--set-opa-policy", "../x", "policy.rego"), 30, "[format.name]"),
        (("--set-opa-policy", "x", "image"), 30, "[format.policy]"),
        (("--export-opa-policy", "none"), 1, "[resource_not_found.missing]"),
        (("--export-opa-policy", "../none"), 30, "[format.name]"),
        (("--set-image-policy", "data"), 30, "[format.image_policy]"),
        (("--set-image-sigstore", "data"), 30, "[format.sigstore_config]"),
        (("--import-gpg-key", "data"), 30, "[format.openpgp]"),
        (("--delete-gpg-key", "abcd"), 30, "[format.openpgp]"),
        (("--test-opa-local", "policy.rego", "data", "policy.rego"), 30, "policy.rego"),
    ],
)
def test_failures(server: AdminServer, files: Path, args: tuple[str, ...], code: int, says: str) -> None:
    done = run(server, *(files / arg if (files / arg).is_file() else arg for arg in args))
    assert (done.code, done.out) == (code, "")
    assert says in done.err


def test_an_export_that_cannot_be_written(server: AdminServer, files: Path) -> None:
    ok(server, "--set-image-policy", files / "image")
    done = run(server, "--export-image-policy", "-p", files / "nowhere")
    assert (done.code, "cannot write" in done.err) == (2, True)


def test_nobody_answers(server: AdminServer) -> None:
    done = run_verdict("-c", "127.0.0.1:9", "--admin-key", server.key_file, "--list-gpg-keys")
    assert (done.code, done.out) == (40, "")


@pytest.mark.parametrize("address", ["192.0.2.1:60000", "example.org:60000", "nothing", "[::1]"])
def test_addresses_that_are_not_asked(server: AdminServer, address: str) -> None:
    done = run_verdict("-c", address, "--admin-key", server.key_file, "--list-gpg-keys")
    assert (done.code, done.out) == (2, "")


def test_a_key_that_the_server_does_not_know(server: AdminServer, tmp_path: Path) -> None:
    done = run_verdict(
        "-c", server.client_api, "--admin-key", _other_key(tmp_path), "--list-gpg-keys"
    )  # fmt: skip
    assert (done.code, "[credential.unknown_key]" in done.err) == (1, True)


def _other_key(folder: Path) -> Path:
    load_or_create_admin_key(folder / "other")
    return folder / "other" / PRIVATE_FILE


def test_the_options_of_the_original() -> None:
    names = (
        "set-opa-policy export-opa-policy set-opa-reference export-opa-reference test-opa-remote "
        "test-opa-local test-opa-local-policy test-opa-local-reference list-gpg-keys import-gpg-key "
        "delete-gpg-key export-gpg-keyring export-image-sigstore set-image-sigstore "
        "export-image-policy set-image-policy"
    )
    assert list(ORIGINAL) == names.split()
    out = run_verdict("--help").out
    assert all(f"--{name}" in out for name in names.split())
    assert "-c, --client-api" in out
    assert "[default: [::1]:60000]" in out
    assert "-p, --path" in out


def test_as_a_process(server: AdminServer) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "-c", server.client_api, "--list-gpg-keys"],
        env=process_env({"VERDICT_ADMIN_KEY": os.fspath(server.key_file)}),
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
