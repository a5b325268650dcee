"""A simulated AMD: the certification authorities of one product and their revocation list."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from eaa.attester.simulated.amd_certificates import AmdAuthority, AmdCrl
from eaa.attester.simulated.amd_keys import AmdKeys
from eaa.attester.simulated.keys import KeySource
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.endorsements.x509 import Certificate
from eaa.errors import UsageError
from eaa.evidence.snp_tcb import SnpProduct

__all__ = ["SimulatedAmdVendor"]

_SERIALS = {SnpProduct.MILAN: 0x10000, SnpProduct.GENOA: 0x20000, SnpProduct.TURIN: 0x30000}
_YEAR = timedelta(days=365)


class SimulatedAmdVendor:
    """AMD for one product, whole and of no worth outside its process [docs/adr/0005].

    Everything may be changed and is signed when asked for. As made, all of it is valid from at least a
    day before ``now`` to at least 29 days after.

    Args:
        now: aware; around when everything is valid. Cut to seconds.
        product: which it is.
        keys: of the authorities; new ones, which takes some seconds, if not given.
        unsafe_seed: keys of chips follow from it, so that whoever knows it can sign; another each time if
            not given.
        root: the ARK's certificate from an earlier time, with these ``keys``: it stays that one for as long
            as nothing in it is changed.

    Raises:
        UsageError: ``now`` is naive.
    """

    def __init__(
        self,
        *,
        now: datetime,
        product: SnpProduct = SnpProduct.MILAN,
        keys: AmdKeys | None = None,
        unsafe_seed: bytes | None = None,
        root: Certificate | None = None,
    ) -> None:
        if now.tzinfo is None:
            raise UsageError("now must be an aware datetime", detail="naive_datetime")
        self.now = now.astimezone(UTC).replace(microsecond=0)
        self.product = product
        self.rsa_keys = AmdKeys.generate() if keys is None else keys
        self.keys = KeySource(secrets.token_bytes(32) if unsafe_seed is None else unsafe_seed)
        serial = _SERIALS[product]
        self.ark = AmdAuthority(
            common_name=f"{SIMULATED_NAME_PREFIX} ARK-{product}",
            serial=serial,
            not_before=self.now - 5 * _YEAR,
            not_after=self.now + 20 * _YEAR,
            key=self.rsa_keys.ark,
            may_sign_crl=True,
        )
        if root is not None:
            self.ark.not_before, self.ark.not_after = root.not_before, root.not_after
            self.rsa_keys.ark.remember(root)
        self.ask = self._issuer(f"SEV-{product}", serial + 1, self.rsa_keys)
        self.asvk = self._issuer(f"SEV-VLEK-{product}", serial + 0x101, self.rsa_keys)
        self.crl = AmdCrl(
            issuer=self.ark,
            this_update=self.now - timedelta(days=1),
            next_update=self.now + timedelta(days=29),
        )

    @property
    def trust_anchor(self) -> Certificate:
        """The ARK that a verifier must name to believe it."""
        return self.ark.parsed

    def _issuer(self, name: str, serial: int, keys: AmdKeys) -> AmdAuthority:
        return AmdAuthority(
            common_name=f"{SIMULATED_NAME_PREFIX} {name}",
            serial=serial,
            not_before=self.now - 4 * _YEAR,
            not_after=self.now + 20 * _YEAR,
            key=keys.asvk if "VLEK" in name else keys.ask,
            issuer=self.ark,
            path_length=0,
        )
