"""A simulated SNP guest with its endorsements as files, as a user has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eaa.attester.simulated.amd_guest import SimulatedSnpGuest
from eaa.codec.pem import encode_pem
from tests.cli.running import Run, run
from tests.fakes.amd_vendor import NOW

AT = f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
NONCE = bytes(range(32))


@dataclass(frozen=True, slots=True)
class SnpFiles:
    """Report, endorsements and root in a folder."""

    folder: Path
    guest: SimulatedSnpGuest

    @property
    def report(self) -> Path:
        return self.folder / "report.bin"

    @property
    def collateral(self) -> Path:
        return self.folder / "amd"

    @property
    def root(self) -> Path:
        return self.folder / "ark.pem"

    @property
    def trusted(self) -> tuple[str, ...]:
        """Options under which good evidence is accepted."""
        return ("--collateral", str(self.collateral), "--trust-anchor", str(self.root), "--at", AT)

    def verify(self, *options: object, evidence: bytes | None = None) -> Run:
        """``shelter verify -o json`` under the vendor's root at :data:`AT`."""
        path = self.report
        if evidence is not None:
            path = self.folder / "other.bin"
            path.write_bytes(evidence)
        return run("verify", path, *self.trusted, "-o", "json", *options)


def write_snp(folder: Path, guest: SimulatedSnpGuest) -> SnpFiles:
    """What ``guest`` says now; the VEK in DER, issuer and root in PEM, the list in DER, and a stray file."""
    made = SnpFiles(folder, guest)
    given = guest.endorsements()
    assert None not in (given.vek, given.ask, given.ark, given.crl)
    made.collateral.mkdir()
    made.report.write_bytes(guest.collect(NONCE + bytes(32)))
    (made.collateral / "one").write_bytes(given.vek or b"")
    (made.collateral / "chain.pem").write_bytes(encode_pem(given.ask or b"") + encode_pem(given.ark or b""))
    (made.collateral / "list").write_bytes(given.crl or b"")
    (made.collateral / "notes.txt").write_bytes(b"not an endorsement")
    made.root.write_bytes(encode_pem(given.ark or b""))
    return made
