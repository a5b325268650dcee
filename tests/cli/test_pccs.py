"""The command ``pccs``: its options, its files, its life as a process, and how it is deployed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import signal
import ssl
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from eaa import __version__
from eaa.attester.simulated import SimulatedPlatform, SimulatedVendor
from eaa.cli.pccs import pccs
from eaa.services.pccs.config import PccsConfig, load_config
from eaa.services.pccs.metrics import FAMILIES
from tests.cli.authority import Authority
from tests.cli.serving import children, finish, serving, until
from tests.fakes.emulated_vendors import EmulatedVendors
from tests.service.test_pccs_api import FMSPC, upload

V4 = "/sgx/certification/v4"
REPOSITORY = Path(__file__).resolve().parents[2]
UNIT = (REPOSITORY / "deploy" / "systemd" / "pccs.service").read_text("utf-8")
MANIFEST = (REPOSITORY / "deploy" / "kubernetes" / "pccs.yaml").read_text("utf-8")
OPTIONS = {word for option in pccs.params for word in option.opts}
_SECONDS = 30.0
TOKEN = "a-token-of-tests"


def test_help_names_every_option_and_exit_code() -> None:
    run = finish("pccs", "--help")
    assert (run.code, run.err) == (0, "")
    for option in pccs.params:
        shown = [word for word in option.opts if word.startswith("--")]
        assert getattr(option, "hidden", False) or shown[0] in run.out
    assert "EXIT CODES" in run.out
    assert finish("pccs", "-V").out == f"pccs, version {__version__}\n"


def test_tokens_are_hashed() -> None:
    run = CliRunner().invoke(pccs, ["--hash-token"], input=f"{TOKEN}\n")
    assert run.output == f"{hashlib.sha512(TOKEN.encode()).hexdigest()}\n"
    for wrong in ("", "\n", "x" * 1025, "a\nb"):
        assert CliRunner().invoke(pccs, ["--hash-token"], input=wrong).exit_code == 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--config", "/nowhere.toml"], "/nowhere.toml"),
        (["--listen", "0.0.0.0:1"], "is not loopback"),
        (["--upstream", "http://example.org/"], "expected an https URL"),
        (["--region", "Beijing"], "expected a region's id"),
        (["--api-key-file", "/nowhere"], "/nowhere"),
        (["--trust-anchor", "/nowhere"], "/nowhere"),
        (["--certificate", "/nowhere", "--private-key", "/nowhere"], "/nowhere"),
    ],
)
def test_what_is_not_sound_is_said(options: list[str], says: str) -> None:
    run = CliRunner().invoke(pccs, [*options, "--check"])
    assert run.exit_code == 2, run.output
    assert says in run.stderr


def test_what_is_sound_is_said(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("subscription-key\n")
    run = CliRunner().invoke(pccs, ["--api-key-file", str(tmp_path / "key"), "--mode", "REQ", "--check"])
    assert (run.exit_code, run.stderr) == (0, "the configuration is sound\n")


def test_several_processes_serve_over_tls_see_each_others_changes_and_are_started_again(
    tmp_path: Path,
) -> None:
    vendor = SimulatedVendor(now=datetime.now(UTC))
    platform = SimulatedPlatform(vendor)
    body = json.dumps(upload(EmulatedVendors(vendor, [platform])))
    (tmp_path / "root.pem").write_bytes(vendor.root.pem)
    authority = Authority()
    certificate, key = tmp_path / "tls.pem", tmp_path / "tls.key"
    authority.write_server(certificate, key)
    context = ssl.create_default_context(cadata=authority.pem.decode())
    options = (
        "--mode", "offline", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--workers", 2,
        "--state-directory", tmp_path / "state", "--trust-anchor", tmp_path / "root.pem", "--certificate",
        certificate, "--private-key", key, "--drain-seconds", 2,
    )  # fmt: skip
    env = {"PCCS_TOKENS__ADMIN_SHA512": hashlib.sha512(TOKEN.encode()).hexdigest()}
    with serving("pccs", *options, env=env) as service:
        address, metrics = (
            service.said(r"listening on (https://\S+)"),
            service.said(r"metrics on (\S+)/metrics"),
        )

        def get(path: str, **query: str) -> httpx.Response:
            """By a new connection, which any of the processes may take."""
            return httpx.get(f"{address}{path}", params=query, verify=context, timeout=_SECONDS)

        assert get(f"{V4}/tcb", fmspc=FMSPC).status_code == 404
        put = httpx.put(
            f"{address}{V4}/platformcollateral", content=body, verify=context, timeout=_SECONDS,
            headers={"admin-token": TOKEN},
        )  # fmt: skip
        assert put.status_code == 200, put.headers
        answers = {get(f"{V4}/tcb", fmspc=FMSPC).content for _ in range(8)}
        assert len(answers) == 1
        platform.tcb_info["sgx"].evaluation_data_number += 1
        newer = json.dumps(upload(EmulatedVendors(vendor, [platform])))
        again = httpx.put(
            f"{address}{V4}/platformcollateral", content=newer, verify=context, timeout=_SECONDS,
            headers={"admin-token": TOKEN},
        )  # fmt: skip
        assert again.status_code == 200
        until(lambda: {get(f"{V4}/tcb", fmspc=FMSPC).content for _ in range(8)}.isdisjoint(answers))
        until(lambda: "pccs_documents 9" in httpx.get(f"{metrics}/metrics").text)
        assert (
            'pccs_expiry_timestamp_seconds{document="intel/rootcacrl"}'
            in httpx.get(f"{metrics}/metrics").text
        )
        first = children(service.process.pid)
        os.kill(first[0], signal.SIGKILL)
        until(
            lambda: len(children(service.process.pid)) == 2 and first[0] not in children(service.process.pid)
        )
        until(lambda: httpx.get(f"{metrics}/readyz").status_code == 200)
        assert get(f"{V4}/tcb", fmspc=FMSPC).status_code == 200
        assert get("/readyz").text == "ready\n"
        service.process.send_signal(signal.SIGHUP)
        assert get(f"{V4}/rootcacrl").status_code == 200
        assert service.stop() == 0
    assert not any("Traceback" in line for line in service.lines)


def test_the_unit_starts_what_there_is() -> None:
    (start,) = re.findall("^ExecStart=(.*)$", UNIT, re.MULTILINE)
    program, *options = shlex.split(start)
    assert program.endswith("/pccs")
    assert {item for item in options if item.startswith("--")} <= OPTIONS
    environment = dict(item.split("=", 1) for item in re.findall("^Environment=(.*)$", UNIT, re.MULTILINE))
    config = load_config(None, {"http": {"certificate": "/tls.pem"}}, environment)
    assert str(config.http.private_key) == "%d/tls.key"
    assert str(config.upstream.api_key_file) == "%d/api-key"
    loaded = re.findall("^LoadCredential=([^:]+):", UNIT, re.MULTILINE)
    assert sorted(loaded) == ["api-key", "tls.key"]
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    assert int(seconds) > PccsConfig.model_fields["drain_seconds"].default + 10


def _manifest_config(tmp_path: Path) -> PccsConfig:
    (found,) = re.findall(r"^( *)pccs\.toml: \|\n((?:\1 +.*\n|\n)+)", MANIFEST, re.MULTILINE)
    file = tmp_path / "pccs.toml"
    file.write_text(textwrap.dedent(found[1]))
    return load_config(file, {}, {"PCCS_STORAGE__URL": "postgresql://u@h/d"})


def test_the_manifest_configures_what_there_is(tmp_path: Path) -> None:
    config = _manifest_config(tmp_path)
    ports = dict(re.findall(r"\{name: (\w+), containerPort: (\d+)\}", MANIFEST))
    assert config.http.listen.endswith(f":{ports['https']}")
    assert config.metrics.listen.endswith(f":{ports['metrics']}")
    assert set(re.findall(r"^ +- (--[a-z-]+)$", MANIFEST, re.MULTILINE)) <= OPTIONS
    mounts = re.findall(r"mountPath: ([^,}]+)", MANIFEST)
    for file in (config.http.certificate, config.http.private_key, config.upstream.api_key_file):
        assert any(str(file).startswith(mount) for mount in mounts), file


def test_the_example_is_sound() -> None:
    config = load_config(REPOSITORY / "examples" / "pccs.toml", {}, {})
    assert config.workers == 2


def test_the_reference_names_every_key_and_metric() -> None:
    text = (REPOSITORY / "docs" / "reference" / "pccs.md").read_text("utf-8")
    for name, field in PccsConfig.model_fields.items():
        section = getattr(field.annotation, "model_fields", None)
        for key in [f"{name}.{inner}" for inner in section] if section else [name]:
            assert f"`{key}`" in text, key
    for family in FAMILIES:
        assert f"`{family.name}" in text, family.name
