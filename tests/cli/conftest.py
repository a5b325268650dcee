"""A simulated guest and enclave with their endorsements as files, as a user has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eaa.attester.simulated import (
    SimulatedPlatform,
    SimulatedSgxEnclave,
    SimulatedTdxGuest,
    SimulatedVendor,
    dcap_qvl_json,
)
from eaa.codec.pem import encode_pem
from tests.cli.running import Run, run

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
AT = "2026-11-20T12:00:00Z"
NONCE = bytes(range(32))

Attester = SimulatedSgxEnclave | SimulatedTdxGuest


@dataclass(frozen=True, slots=True)
class Files:
    """An attester's evidence and endorsements in a folder."""

    folder: Path
    attester: Attester

    @property
    def quote(self) -> Path:
        return self.folder / "quote.bin"

    @property
    def collateral(self) -> Path:
        return self.folder / "collateral.json"

    @property
    def root(self) -> Path:
        return self.folder / "root.pem"

    @property
    def trusted(self) -> tuple[str, ...]:
        """Options under which good evidence is accepted."""
        return ("--collateral", str(self.collateral), "--trust-anchor", str(self.root), "--at", AT)

    def write(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    def verify(self, *options: object, quote: bytes | None = None) -> Run:
        """``shelter verify -o json`` under the vendor's root at :data:`NOW`."""
        path = self.quote if quote is None else self.write("other-quote.bin", quote)
        return run("verify", path, *self.trusted, "-o", "json", *options)


@pytest.fixture
def vendor() -> SimulatedVendor:
    return SimulatedVendor(now=NOW, unsafe_seed=b"tests/cli")


@pytest.fixture
def platform(vendor: SimulatedVendor) -> SimulatedPlatform:
    return SimulatedPlatform(vendor)


@pytest.fixture
def files(tmp_path: Path) -> Callable[[Attester], Files]:
    """Evidence and endorsements of an attester, signed as its model is now."""

    def written(attester: Attester) -> Files:
        made = Files(tmp_path, attester)
        made.quote.write_bytes(attester.collect(NONCE + bytes(32)))
        made.collateral.write_bytes(dcap_qvl_json(attester.endorsements()))
        made.root.write_bytes(encode_pem(attester.trust_anchor.der))
        return made

    return written


@pytest.fixture
def guest(platform: SimulatedPlatform, files: Callable[[Attester], Files]) -> Files:
    return files(SimulatedTdxGuest(platform))


@pytest.fixture
def enclave(platform: SimulatedPlatform, files: Callable[[Attester], Files]) -> Files:
    return files(SimulatedSgxEnclave(platform))
