"""A real PKCS #11 module with tokens of a test: Debian's ``softhsm2``."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["PIN", "SoftHsm"]

PIN = "5678-user"
_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)


class SoftHsm:
    """Tokens below ``folder``. Sets ``SOFTHSM2_CONF`` of this process through ``monkeypatch``."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        found = [path for path in _MODULES if Path(path).exists()]
        if not found or shutil.which("softhsm2-util") is None:
            pytest.fail("SoftHSM is missing: apt-get install softhsm2")
        self.module = found[0]
        self.tokens = folder / "tokens"
        self.tokens.mkdir(mode=0o700, parents=True)
        self._config = folder / "softhsm2.conf"
        self._config.write_text(f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\n")
        monkeypatch.setenv("SOFTHSM2_CONF", str(self._config))
        self.pin_file = folder / "pin"
        self.write_pin(PIN)

    def write_pin(self, pin: str) -> None:
        self.pin_file.write_text(f"{pin}\n")
        self.pin_file.chmod(0o600)

    def make_token(self, label: str) -> None:
        """A new token, whose user's PIN is :data:`PIN`."""
        pins = ["--so-pin", "1234-officer", "--pin", PIN]
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", label, *pins],
            check=True,
            capture_output=True,
            timeout=20,
            env=os.environ | {"SOFTHSM2_CONF": str(self._config)},
        )

    def uri(self, token: str = "eaa", key: str = "master", *, generate: bool = True) -> str:  # noqa: S107 - a label
        """Of the AES key ``key`` in the token labelled ``token``."""
        make = "yes" if generate else "no"
        query = f"module-path={self.module}&pin-source=file:{self.pin_file}&generate={make}"
        return f"pkcs11:token={token};object={key};type=secret-key?{query}"
