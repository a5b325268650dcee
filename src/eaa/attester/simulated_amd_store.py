"""The simulated AMD of this user, in the folder of the other simulated vendor.

``amd-keys.pem`` (0600) holds the RSA keys of its authorities, which take seconds to make and are made when
they are first needed; keys of chips follow from the folder's seed. ``amd-arks.pem`` holds the ARK of each
product: it is public and stays the same, byte for byte. Endorsements are issued for the same periods as those
of the other vendor.

The folder may hold ``amd-arks.pem`` alone: then it can verify, and not attest.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from eaa.attester.simulated.amd_keys import AmdKeys
from eaa.attester.simulated.amd_vendor import SimulatedAmdVendor
from eaa.attester.simulated_store import SimulatedStore
from eaa.codec.pem import decode_pem_certificates
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.endorsements.x509 import Certificate, parse_certificate
from eaa.errors import EAAError, UsageError
from eaa.evidence.snp_tcb import SnpProduct

__all__ = ["ARKS_FILE", "KEYS_FILE", "SimulatedAmdStore"]

ARKS_FILE, KEYS_FILE = "amd-arks.pem", "amd-keys.pem"
_SEED = b"simulated AMD\x00"


class SimulatedAmdStore:
    """The simulated AMD in the folder of ``store``."""

    def __init__(self, store: SimulatedStore) -> None:
        self.store = store
        self._folder = store.folder

    def known_anchors(self) -> tuple[Certificate, ...]:
        """The ARKs that verifiers name, one for each product; none if there is no simulated AMD yet.

        Raises:
            ConfigError: the folder cannot be read, or holds something else.
        """
        data = self._folder.read(ARKS_FILE)
        return () if data is None else self._parse_arks(data)

    def trust_anchors(self, *, now: datetime) -> tuple[Certificate, ...]:
        """As :meth:`known_anchors`; the vendor is made first if there is none, which takes seconds.

        Raises:
            ConfigError
        """
        if not self.known_anchors():
            self.vendor(SnpProduct.MILAN, now=now)
        return self.known_anchors()

    def vendor(self, product: SnpProduct, *, now: datetime) -> SimulatedAmdVendor:
        """AMD for ``product`` as it is at ``now`` (aware), made if there is none.

        Raises:
            ConfigError: the folder cannot be read or made, holds something else, or can only verify.
        """
        secret = self.store.secret(now=now)
        seed = hashlib.sha256(_SEED + secret.seed).digest()
        keys = self._keys()
        data = self._folder.read(ARKS_FILE)
        if data is None:
            made = [
                SimulatedAmdVendor(now=secret.created, product=item, keys=keys, unsafe_seed=seed)
                for item in SnpProduct
            ]
            data = self._folder.link(ARKS_FILE, b"".join([item.ark.pem for item in made]), 0o644)
        arks = {item.common_name: item for item in self._parse_arks(data)}
        vendor = SimulatedAmdVendor(
            now=self.store.epoch(now=now), product=product, keys=keys, unsafe_seed=seed,
            root=arks[f"{SIMULATED_NAME_PREFIX} ARK-{product}"],
        )  # fmt: skip
        if vendor.ark.der not in [item.der for item in arks.values()]:
            raise self._folder.error(ARKS_FILE, "is not of the keys beside it: remove the folder")
        return vendor

    def _keys(self) -> AmdKeys:
        data = self._folder.read_secret(KEYS_FILE)
        if data is None:
            if self._folder.read(ARKS_FILE) is not None:
                raise self._folder.error(
                    KEYS_FILE, f"is missing beside {ARKS_FILE}: this folder can verify, and not attest"
                )
            data = self._folder.link(KEYS_FILE, AmdKeys.generate().encode(), 0o600)
        try:
            return AmdKeys.parse(data)
        except UsageError:
            raise self._folder.error(KEYS_FILE, "is not what was written here: remove the folder") from None

    def _parse_arks(self, data: bytes) -> tuple[Certificate, ...]:
        try:
            arks = tuple(
                [parse_certificate(der, what=ARKS_FILE) for der in decode_pem_certificates(data, ARKS_FILE)]
            )
        except (EAAError, ValueError) as error:
            raise self._folder.error(ARKS_FILE, f"holds no certificates: {error}") from None
        expected = [f"{SIMULATED_NAME_PREFIX} ARK-{product}" for product in SnpProduct]
        if [ark.common_name for ark in arks] != expected:
            raise self._folder.error(ARKS_FILE, f"does not hold the certificates {', '.join(expected)}")
        return arks
