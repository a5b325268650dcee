"""The simulated vendor of this user, shared by all processes through a folder.

``seed`` (0600) holds what all keys follow from and when it was made; ``root.pem`` is public and stays the
same, byte for byte, for as long as the folder is there. Endorsements are issued for periods of 14 days
that are counted from when the seed was made, each valid until 15 days after its period's end: processes
agree on them by the clock, without writing anything, and what one made yesterday verifies today.

The folder may hold ``root.pem`` alone: then it can verify, and not attest.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from eaa.attester.simulated import SimulatedVendor
from eaa.attester.simulated_folder import SimulatedFolder
from eaa.codec.pem import decode_pem_certificates
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.endorsements.x509 import Certificate, parse_certificate
from eaa.errors import EAAError

__all__ = ["ENVIRONMENT_VARIABLE", "ROOT_FILE", "SimulatedSecret", "SimulatedStore", "simulated_directory"]

ENVIRONMENT_VARIABLE = "EAA_SIMULATED_DIR"
ROOT_FILE = "root.pem"
_SEED_FILE = "seed"
_SEED_BYTES = 32
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
class SimulatedSecret:
    """What all keys of the folder follow from, 32 bytes, and when it was made."""

    seed: bytes = field(repr=False)
    created: datetime


class SimulatedStore:
    """The vendor in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.folder = SimulatedFolder(directory)

    def trust_anchor(self, *, now: datetime) -> Certificate:
        """The root that verifiers name; the vendor is made first if there is none.

        Raises:
            ConfigError: the folder cannot be read or made, or holds something else.
        """
        data = self.folder.read(ROOT_FILE)
        if data is None:
            self.vendor(now=now)
            data = self.folder.read(ROOT_FILE) or b""
        return self._parse_root(data)

    def vendor(self, *, now: datetime) -> SimulatedVendor:
        """The vendor as it is at ``now`` (aware), made if there is none.

        Raises:
            ConfigError
        """
        secret = self.secret(now=now)
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
        return self._epoch(self.secret(now=now), now)

    def secret(self, *, now: datetime) -> SimulatedSecret:
        """The secret of the folder, made if there is none.

        Raises:
            ConfigError
        """
        return self._secret() or self._create(now)

    @staticmethod
    def _epoch(secret: SimulatedSecret, now: datetime) -> datetime:
        return secret.created + (now - secret.created) // _PERIOD * _PERIOD

    def _create(self, now: datetime) -> SimulatedSecret:
        # The seed comes before the root: where the root is, another process has not merely begun.
        if self.folder.read(ROOT_FILE) is not None:
            if found := self._secret():
                return found
            raise self.folder.error(
                _SEED_FILE, f"is missing beside {ROOT_FILE}: this folder can verify, and not attest"
            )
        created = now.astimezone(UTC).replace(microsecond=0)
        text = json.dumps({"created": created.isoformat(), "seed": secrets.token_bytes(_SEED_BYTES).hex()})
        return self._parse_secret(self.folder.link(_SEED_FILE, text.encode(), 0o600))

    def _publish(self, pem: bytes) -> None:
        came = self.folder.read(ROOT_FILE)
        if came == pem:
            return
        if came is not None:
            raise self.folder.error(ROOT_FILE, "is not the root of the seed beside it: remove the folder")
        self.folder.replace(ROOT_FILE, pem, 0o644)

    def _secret(self) -> SimulatedSecret | None:
        data = self.folder.read_secret(_SEED_FILE)
        return None if data is None else self._parse_secret(data)

    def _parse_secret(self, data: bytes) -> SimulatedSecret:
        try:
            members = json.loads(data)
            secret = SimulatedSecret(
                bytes.fromhex(members["seed"]), datetime.fromisoformat(members["created"])
            )
        except (ValueError, TypeError, KeyError):
            raise self.folder.error(_SEED_FILE, "is not what was written here: remove the folder") from None
        if len(secret.seed) != _SEED_BYTES or secret.created.tzinfo is None:
            raise self.folder.error(_SEED_FILE, "is not what was written here: remove the folder")
        return secret

    def _parse_root(self, data: bytes) -> Certificate:
        try:
            (der,) = decode_pem_certificates(data, ROOT_FILE)
            root = parse_certificate(der, what=ROOT_FILE)
        except (EAAError, ValueError) as error:
            raise self.folder.error(ROOT_FILE, f"is no certificate: {error}") from None
        if not root.common_name.startswith(SIMULATED_NAME_PREFIX):
            raise self.folder.error(ROOT_FILE, f"is not of a simulated vendor: {root.common_name!r}")
        return root
