"""deploy/systemd/verdictd.service and deploy/kubernetes/verdictd.yaml say what verdictd understands."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections import defaultdict
from pathlib import Path

import pytest

from eaa.cli.verdictd import verdictd
from eaa.services.verdictd.config import VerdictdConfig, load_config, split_address

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
UNIT = (DEPLOY / "systemd" / "verdictd.service").read_text("utf-8")
MANIFEST = (DEPLOY / "kubernetes" / "verdictd.yaml").read_text("utf-8")
OPTIONS = {word for option in verdictd.params for word in option.opts}


@pytest.fixture
def unit() -> dict[str, list[str]]:
    """The directives of ``[Service]``, in order of their lines."""
    section = UNIT.partition("[Service]\n")[2].partition("\n[Install]")[0]
    lines = [line for line in section.splitlines() if line.strip() and not line.startswith("#")]
    found = defaultdict(list)
    for line in lines:
        name, equals, value = line.partition("=")
        assert equals, line
        found[name].append(value)
    return dict(found)


def test_the_unit_starts_what_there_is(unit: dict[str, list[str]]) -> None:
    (start,) = unit["ExecStart"]
    program, *options = shlex.split(start)
    assert program.endswith("/verdictd")
    assert {item for item in options if item.startswith("--")} <= OPTIONS
    for variable in unit["Environment"]:
        name, _, value = variable.partition("=")
        config = load_config(None, {"http": {"certificate": "/tls.pem"}}, {name: value})
        assert str(config.http.private_key) == "%d/tls.key"
    assert [item.partition(":")[0] for item in unit["LoadCredential"]] == ["tls.key"]


def test_the_unit_waits_for_the_drain(unit: dict[str, list[str]]) -> None:
    assert int(unit["TimeoutStopSec"][0]) > VerdictdConfig.model_fields["drain_seconds"].default + 10
    assert unit["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


@pytest.mark.parametrize(
    ("directive", "value"),
    [
        ("DynamicUser", "yes"),
        ("StateDirectory", "verdictd"),
        ("StateDirectoryMode", "0700"),
        ("UMask", "0077"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("RestrictNamespaces", "yes"),
        ("SystemCallArchitectures", "native"),
    ],
)
def test_the_unit_is_locked_down(unit: dict[str, list[str]], directive: str, value: str) -> None:
    assert unit[directive] == [value]


def _block(key: str) -> str:
    """The lines below ``key: |``, without their indentation."""
    (found,) = re.findall(rf"^( *){re.escape(key)}: \|\n((?:\1 +.*\n|\n)+)", MANIFEST, re.MULTILINE)
    return textwrap.dedent(found[1])


@pytest.fixture
def config(tmp_path: Path) -> VerdictdConfig:
    """What the pod is configured with."""
    file = tmp_path / "verdictd.toml"
    file.write_text(_block("verdictd.toml"))
    return load_config(file, {}, {"VERDICTD_STORAGE__URL": "postgresql://u@h/d"})


def test_the_manifest_configures_what_there_is(config: VerdictdConfig) -> None:
    assert config.storage.url == "postgresql://u@h/d"
    assert config.admin.keys
    assert not config.http.insecure_http
    assert not config.verification.simulated
    assert not config.verification.unsafe_sample
    assert set(re.findall(r"^ +- (--[a-z-]+)$", MANIFEST, re.MULTILINE)) <= OPTIONS


def test_ports_of_the_manifest_are_those_of_the_configuration(config: VerdictdConfig) -> None:
    ports = dict(re.findall(r"\{name: (\w+), containerPort: (\d+)\}", MANIFEST))
    assert int(ports["https"]) == split_address(config.http.listen)[1]
    assert int(ports["metrics"]) == split_address(config.metrics.listen)[1]
    assert set(re.findall(r"httpGet: \{port: (\w+), path: (/\w+)\}", MANIFEST)) == {
        ("metrics", "/healthz"),
        ("metrics", "/readyz"),
    }


def test_every_file_of_the_configuration_is_mounted(config: VerdictdConfig) -> None:
    mounts = re.findall(r"mountPath: ([^,}]+)", MANIFEST)
    files = [
        config.http.certificate,
        config.http.private_key,
        config.state_directory,
        config.storage.master_key.removeprefix("file:"),
        *config.verification.collateral,
        *(entry.public_key for entry in config.admin.keys),
    ]
    for file in files:
        assert any(str(file).startswith(mount) for mount in mounts), file


def test_the_master_key_is_put_where_it_is_looked_for(config: VerdictdConfig) -> None:
    path = config.storage.master_key.removeprefix("file:")
    assert f"install -m 0600 /secret/master.key {path}" in MANIFEST
    assert f"install -d -m 0700 {Path(path).parent} {config.state_directory}" in MANIFEST


def test_secrets_are_referred_to_and_none_is_inside() -> None:
    introduction = "\n".join(line for line in MANIFEST.splitlines() if line.startswith("#"))
    used = re.findall(r"secretName: ([\w-]+)", MANIFEST) + re.findall(
        r"secretKeyRef: \{name: ([\w-]+)", MANIFEST
    )
    assert set(used) == {"verdictd-tls", "verdictd-master-key", "verdictd-database"}
    assert all(f"secret {name}" in introduction for name in used)
    assert "kind: Secret" not in MANIFEST


def test_the_pod_is_locked_down_and_waits_for_the_drain(config: VerdictdConfig) -> None:
    for line in (
        "automountServiceAccountToken: false", "enableServiceLinks: false", "runAsNonRoot: true",
        "allowPrivilegeEscalation: false", "readOnlyRootFilesystem: true", "capabilities: {drop: [ALL]}",
        "seccompProfile: {type: RuntimeDefault}",
    ):  # fmt: skip
        assert line in MANIFEST
    (grace,) = re.findall(r"terminationGracePeriodSeconds: (\d+)", MANIFEST)
    assert int(grace) > config.drain_seconds + 10
