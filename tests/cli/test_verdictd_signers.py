"""A verdictd that takes reference values of one signer alone, by the commands of the guide."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.cli.brokers import Broker, broker
from tests.cli.running import Run, process_env
from tests.cli.serving import argv

LATER = "2099-01-31T00:00:00Z"
SECONDS = 60


def run_module(module: str, *arguments: object, env: Mapping[str, str] | None = None) -> Run:
    done = subprocess.run(
        argv(module, *arguments), capture_output=True, text=True, timeout=SECONDS, check=False,
        env=process_env(env),
    )  # fmt: skip
    return Run(done.returncode, done.stdout, done.stderr)


def verdict(served: Broker, *arguments: object) -> Run:
    env = {
        "VERDICTD_URL": served.url,
        "VERDICT_ADMIN_KEY": str(served.folder / "state" / "admin" / "admin-key.pem"),
        "SHELTER_STORE": str(served.folder / "store"),
    }
    return run_module("verdict_main", "reference", *arguments, env=env)


def config_of(folder: Path, signer: bytes) -> Path:
    (folder / "signer.pem").write_bytes(signer)
    config = folder / "verdictd.toml"
    config.write_text(f'[references]\nsigners = ["{folder}/signer.pem"]\nrequire_signed = true\n')
    return config


def test_values_of_one_signer_alone(tmp_path: Path) -> None:
    store = {"SHELTER_STORE": str(tmp_path / "store")}
    signer = run_module("verdict_main", "reference", "signer", env=store)
    assert signer.code == 0, signer
    computing = ("compute", "tdx", "--cmdline", "quiet")
    with broker(tmp_path, "--config", config_of(tmp_path, signer.out.encode())) as served:
        unsigned = verdict(served, *computing, "--register")
        assert (unsigned.code, "signed alone" in unsigned.err) == (10, True)
        done = verdict(served, *computing, "--register", "--signed", "--expires", LATER)
        assert done.code == 0, done
        written = verdict(served, *computing, "--sign-to", tmp_path / "values.json", "--expires", LATER)
        assert written.code == 0, written
        assert verdict(served, "import", tmp_path / "values.json").code == 0
        assert "signed by" in verdict(served, "list").out


@pytest.mark.parametrize(
    ("signer", "words"),
    [
        (b"no key", "expected a public key"),
        (
            generate_private_key(SECP256R1())
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "expected an Ed25519 public key",
        ),
    ],
)
def test_a_signer_that_is_none(tmp_path: Path, signer: bytes, words: str) -> None:
    options = ("--config", config_of(tmp_path, signer), "--state-directory", tmp_path / "state")
    done = run_module("verdictd", "--simulated", "--http", "127.0.0.1:0", "--listen", "", *options)
    assert done.code == 2
    assert words in done.err
    assert "signer.pem" in done.err
