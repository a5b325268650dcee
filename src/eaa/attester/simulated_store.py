"""The simulated vendor of this user, shared by all processes through a folder.

``seed`` (0600) holds what all keys follow from and when it was made; ``root.pem`` is public and stays the
same, byte for byte, for as long as the folder is there. Endorsements are issued for periods of 14 days
that are counted from when the seed was made, each valid until 15 days after its period's end: processes
agree on them by the clock, without writing anything, and what one made yesterday verifies today.

The folder may hold ``root.pem`` alone: then it can verify, and not attest.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from eaa.attester.simulated import SimulatedVendor
from eaa.codec.pem import decode_pem_certificates
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.endorsements.x509 import Certificate, parse_certificate
from eaa.errors import ConfigError, EAAError

__all__ = ["ENVIRONMENT_VARIABLE", "ROOT_FILE", "SimulatedStore", "simulated_directory"]

ENVIRONMENT_VARIABLE = "EAA_SIMULATED_DIR"
ROOT_FILE = "root.pem"
_SEED_FILE = "seed"
_SEED_BYTES = 32
_MAX_FILE_BYTES = 16 * 1024
_PERIOD = timedelta(days=14)


def simulated_directory(environment: Mapping[str, str]) -> Path:
    """``EAA_SIMULATED_DIR``, else ``eaa/simulated`` in ``XDG_STATE_HOME`` or ``~/.local/state``."""
    if named := environment.get(ENVIRONMENT_VARIABLE):
        return Path(named)
    state = environment.get("XDG_STATE_HOME", "")
    # The specification of base directories has relative paths ignored.
    base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return base / "eaa" / "simulated"


@dataclass(frozen=True, slots=True)
class _Secret:
    seed: bytes
    created: datetime


class SimulatedStore:
    """The vendor in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def trust_anchor(self, *, now: datetime) -> Certificate:
        """The root that verifiers name; the vendor is made first if there is none.

        Raises:
            ConfigError: the folder cannot be read or made, or holds something else.
        """
        data = self._read(ROOT_FILE)
        if data is None:
            self.vendor(now=now)
            data = self._read(ROOT_FILE) or b""
        return self._parse_root(data)

    def vendor(self, *, now: datetime) -> SimulatedVendor:
        """The vendor as it is at ``now`` (aware), made if there is none.

        Raises:
            ConfigError
        """
        secret = self._secret() or self._create(now)
        root = SimulatedVendor(now=secret.created, unsafe_seed=secret.seed).root
        vendor = SimulatedVendor(now=self._epoch(secret, now), unsafe_seed=secret.seed)
        vendor.root.not_before, vendor.root.not_after = root.not_before, root.not_after
        self._publish(vendor.root.pem)
        return vendor

    def epoch(self, *, now: datetime) -> datetime:
        """When the period began that the vendor's endorsements at ``now`` were issued for.

        Raises:
            ConfigError
        """
        return self._epoch(self._secret() or self._create(now), now)

    @staticmethod
    def _epoch(secret: _Secret, now: datetime) -> datetime:
        return secret.created + (now - secret.created) // _PERIOD * _PERIOD

    def _create(self, now: datetime) -> _Secret:
        # The seed comes before the root: where the root is, another process has not merely begun.
        if self._read(ROOT_FILE) is not None:
            if found := self._secret():
                return found
            raise self._error(
                _SEED_FILE, f"is missing beside {ROOT_FILE}: this folder can verify, and not attest"
            )
        created = now.astimezone(UTC).replace(microsecond=0)
        text = json.dumps({"created": created.isoformat(), "seed": secrets.token_bytes(_SEED_BYTES).hex()})
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._link(text.encode())
        except OSError as error:
            raise self._error("", f"cannot be made: {error.strerror}") from None
        secret = self._secret()
        if secret is None:
            raise self._error(_SEED_FILE, "was removed while it was made")
        return secret

    def _link(self, data: bytes) -> None:
        """The first process to link its file decides; the others find that one."""
        temporary = self._write_temporary(data, 0o600)
        try:
            with suppress(FileExistsError):
                os.link(temporary, self.directory / _SEED_FILE)
        finally:
            temporary.unlink()

    def _publish(self, pem: bytes) -> None:
        came = self._read(ROOT_FILE)
        if came == pem:
            return
        if came is not None:
            raise self._error(ROOT_FILE, "is not the root of the seed beside it: remove the folder")
        try:
            os.replace(self._write_temporary(pem, 0o644), self.directory / ROOT_FILE)
        except OSError as error:
            raise self._error(ROOT_FILE, f"cannot be written: {error.strerror}") from None

    def _write_temporary(self, data: bytes, mode: int) -> Path:
        path = self.directory / f".{secrets.token_hex(8)}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        return path

    def _secret(self) -> _Secret | None:
        data = self._read(_SEED_FILE)
        if data is None:
            return None
        if (self.directory / _SEED_FILE).stat().st_mode & 0o077:
            raise self._error(_SEED_FILE, "may be read by others: chmod 600 it, or remove the folder")
        try:
            members = json.loads(data)
            secret = _Secret(bytes.fromhex(members["seed"]), datetime.fromisoformat(members["created"]))
        except (ValueError, TypeError, KeyError):
            raise self._error(_SEED_FILE, "is not what was written here: remove the folder") from None
        if len(secret.seed) != _SEED_BYTES or secret.created.tzinfo is None:
            raise self._error(_SEED_FILE, "is not what was written here: remove the folder")
        return secret

    def _parse_root(self, data: bytes) -> Certificate:
        try:
            (der,) = decode_pem_certificates(data, ROOT_FILE)
            root = parse_certificate(der, what=ROOT_FILE)
        except (EAAError, ValueError) as error:
            raise self._error(ROOT_FILE, f"is no certificate: {error}") from None
        if not root.common_name.startswith(SIMULATED_NAME_PREFIX):
            raise self._error(ROOT_FILE, f"is not of a simulated vendor: {root.common_name!r}")
        return root

    def _read(self, name: str) -> bytes | None:
        try:
            with (self.directory / name).open("rb") as stream:
                return stream.read(_MAX_FILE_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error(name, f"cannot be read: {error.strerror}") from None

    def _error(self, name: str, what: str) -> ConfigError:
        path = self.directory / name if name else self.directory
        return ConfigError(f"simulated vendor: {path} {what}", detail="simulated_store", file=str(path))
