"""A large layer through the real skopeo with keys of the agent, and through the pull: memory does not grow.

``python -m benchmarks image-opening`` does it with a layer of 1 GB.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.fakes.large_image import large_layout
from tests.fakes.peaks import run_to_end
from tests.fakes.pull_guest import ACCEPT
from tests.fakes.registry import Registry
from tests.fakes.skopeo import Skopeo
from tests.service.attestation_agents import running_agent

SIZES = (2, 100)  # MB
GROWTH_KIB = 32 * 1024
KID = "kbs:///default/image/1"


def test_memory_does_not_grow_with_a_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skopeo = Skopeo.installed(tmp_path)
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"default/image/1": "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8="}))
    (tmp_path / "policy.json").write_text(json.dumps(ACCEPT))
    offline = ("--aa-kbc-params", "offline_fs_kbc::null", "--offline-keys", str(keys))
    peaks: dict[str, list[int]] = {}
    with (
        Registry(tmp_path / "registry") as registry,
        running_agent(tmp_path, "offline_fs_kbc::null", None, offline_keys=keys) as agent,
    ):
        providers = tmp_path / "providers.json"
        address = agent.where("key provider").removeprefix("tcp://")
        providers.write_text(json.dumps({"key-providers": {"attestation-agent": {"grpc": address}}}))
        monkeypatch.setenv("OCICRYPT_KEYPROVIDER_CONFIG", str(providers))
        for size in SIZES:
            layout, out = large_layout(tmp_path / f"layout-{size}", size), tmp_path / f"out-{size}"
            image = registry.image(f"large:{size}")
            copy = [str(skopeo.program), "--insecure-policy", "copy", "--src-tls-verify=false"]
            seal = ["--dest-tls-verify=false", "--encryption-key", f"provider:attestation-agent:keyid={KID}"]
            opening = ["--decryption-key", "provider:attestation-agent:x", image, f"oci:{out}-skopeo:1"]
            policy = str(tmp_path / "policy.json")
            agent_pull = [
                sys.executable, "-m", "eaa.cli.attestation_agent", *offline, "pull",
                image.removeprefix("docker://"), "--into", str(out), "--policy", policy,
            ]  # fmt: skip
            for what, command in (
                ("skopeo encrypts", [*copy, *seal, layout, image]),
                ("skopeo decrypts", [*copy, *opening]),
                ("the pull", agent_pull),
            ):
                peaks.setdefault(what, []).append(max(run_to_end(command).kib.values()))
            assert (out / "rootfs/data").stat().st_size == size * 1_000_000
            assert os.listdir(f"{out}-skopeo")
    for what, (small, large) in peaks.items():
        assert large - small < GROWTH_KIB, f"{what}: {small} KiB became {large} KiB"
