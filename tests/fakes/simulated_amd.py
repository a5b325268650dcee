"""A simulated AMD in a folder, with the run's RSA keys, so that nobody waits for new ones."""

from __future__ import annotations

from pathlib import Path

from eaa.attester.simulated.amd_keys import AmdKeys
from eaa.attester.simulated_amd_store import KEYS_FILE
from tests.fakes.amd_vendor import rsa_key

__all__ = ["seed_simulated_amd"]


def seed_simulated_amd(folder: Path) -> None:
    """The keys as if the first process that needed them had made them in ``folder``, unless one has."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / KEYS_FILE
    if file.exists():
        return
    file.write_bytes(AmdKeys(rsa_key("ark"), rsa_key("ask"), rsa_key("asvk")).encode())
    file.chmod(0o600)
