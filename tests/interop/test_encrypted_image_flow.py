"""The whole story: an image that its owner encrypts, and a guest that opens and runs it.

verdictd, ``verdict``, skopeo, docker-registry, ``attestation-agent`` and runc are processes of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.brokers import Broker, broker
from tests.fakes.registry import Registry
from tests.fakes.runc import run_bundle
from tests.fakes.skopeo import Layout, Skopeo, busybox_image

_SECONDS = 120
KEY = "default/image/1"
CONTENT = b"what only the guest may read\n"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return busybox_image(tmp_path_factory.mktemp("image"), CONTENT)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry")) as started:
        yield started


@pytest.fixture(scope="module")
def skopeo(tmp_path_factory: pytest.TempPathFactory) -> Skopeo:
    return Skopeo.installed(tmp_path_factory.mktemp("skopeo"))


def _run(module: str, *arguments: object, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"eaa.cli.{module}", *(str(item) for item in arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=_SECONDS, env={**os.environ, **env}, check=False
    )


def _params(module: str, served: Broker) -> tuple[str, ...]:
    if module == "cc_kbc":
        return ("--aa-kbc-params", f"cc_kbc::{served.url}")
    channel = served.serving.said(r"tcp://(127\.0\.0\.1:\d+)")
    return ("--aa-kbc-params", f"eaa_kbc::{channel}", "--verifier", "simulated")


def _pull(
    module: str, served: Broker, reference: str, target: Path, policy: Path
) -> subprocess.CompletedProcess[str]:
    agent = (*_params(module, served), "--attester", "simulated-tdx")
    env = {"EAA_SIMULATED_DIR": str(served.folder / "vendor")}
    return _run("attestation_agent", *agent, "pull", reference, "--into", target, "--policy", policy, env=env)


@pytest.mark.parametrize("module", ["cc_kbc", "eaa_kbc"])
def test_an_encrypted_image_is_opened_only_in_an_attested_guest(
    tmp_path: Path, image: Layout, registry: Registry, skopeo: Skopeo, module: str
) -> None:
    accept = tmp_path / "policy.json"
    accept.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    reference = f"{registry.address}/secret/{module}:1"
    channel = ("--listen", "127.0.0.1:0", "--attester", "simulated", "--verifier", "simulated")
    with broker(tmp_path, *channel) as served:
        owner = {
            "VERDICTD_URL": served.url,
            "VERDICT_ADMIN_KEY": str(tmp_path / "state" / "admin" / "admin-key.pem"),
            "VERDICT_SKOPEO": str(skopeo.program),
        }
        pushed = _run(
            "verdict_main", "image", "encrypt", image.image, f"docker://{reference}",
            "--key-id", f"kbs:///{KEY}", "--insecure-policy", "--no-dest-tls-verify", env=owner,
        )  # fmt: skip
        assert pushed.returncode == 0, pushed.stderr

        refused = _pull(module, served, reference, tmp_path / "refused", accept)
        assert refused.returncode == 10
        assert "access_denied" in refused.stderr
        assert not (tmp_path / "refused").exists()

        served.trust_guests()
        opened = _pull(module, served, reference, tmp_path / "bundle", accept)
        assert opened.returncode == 0, opened.stderr
        assert run_bundle(tmp_path / "bundle", tmp_path, "/bin/busybox", "cat", "/file-1").encode() == CONTENT

        explained = served.admin().get("/eaa/v1/decisions").json()["decisions"]
        releases = [(item["target"], item["granted"]) for item in explained if item["kind"] == "release"]
        # The EAA protocol asks for the size first, which is a decision as well.
        granted = 1 if module == "cc_kbc" else 2
        assert releases == [(f"resource/{KEY}", True)] * granted + [(f"resource/{KEY}", False)]
