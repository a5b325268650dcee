"""AMD's security bulletins about SEV-SNP: which patch levels mitigate them, by product.

What AMD publishes is no signed document that could come with the evidence, unlike Intel's TCB info. So the
levels are here, each with its date and where it was read:

- *published* is the date of AMD's own record of the vulnerability [CVE];
- the levels are AMD's bulletin's, in the words of who quotes it. AMD's pages themselves could not be read.

Not here, because no level could be looked up: AMD-SB-3007, 3011, 3014, 3021, 3033 and 3045; AMD-SB-3034,
whose levels AMD withdrew in September 2026; AMD-SB-3015, whose levels are below those of AMD-SB-3016. A
bulletin that is newer than the last row is not known here at all: a policy's own minimum TCB is the means
against it.

Microcode levels are those of one kind of processor, by family, model and stepping: a Milan-X at 0x47 is newer
than a Milan at 0xD5. A report of version 2 does not say which it is; then the highest of its product counts.
A processor that a bulletin's row does not list, such as a Turin Dense, counts as one that lacks its fix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from eaa.evidence.snp_tcb import SnpProduct, TcbVersion

__all__ = ["AMD_ADVISORIES", "AmdAdvisory", "AmdLevel", "Cpu", "unmet_advisories"]

#: Family, model and stepping, as CPUID and reports from version 3 on have them.
Cpu = tuple[int, int, int]

_MILAN, _MILAN_X = (0x19, 0x01, 1), (0x19, 0x01, 2)
_GENOA, _GENOA_X, _BERGAMO, _SIENA = (0x19, 0x11, 1), (0x19, 0x11, 2), (0x19, 0xA0, 2), (0x19, 0xA0, 1)
_TURIN = (0x1A, 0x02, 1)


@dataclass(frozen=True, slots=True)
class AmdLevel:
    """What mitigates a bulletin on one product: SNP firmware, and microcode by processor. Zero: any."""

    snp: int = 0
    microcode: Mapping[Cpu, int] = field(default_factory=dict)

    def met_by(self, tcb: TcbVersion, cpu: Cpu | None) -> bool:
        """Whether ``tcb`` has it; ``cpu`` is ``None`` if the report does not say which processor it is."""
        microcode = max(self.microcode.values(), default=0) if cpu is None else self.microcode.get(cpu, 0)
        return tcb.snp >= self.snp and tcb.microcode >= microcode and self.knows(cpu)

    def knows(self, cpu: Cpu | None) -> bool:
        """Whether the level of such a processor is known."""
        return cpu is None or not self.microcode or cpu in self.microcode


@dataclass(frozen=True, slots=True)
class AmdAdvisory:
    """One bulletin. ``source`` says who quotes its levels."""

    id: str
    cve: str
    published: datetime
    source: str
    levels: Mapping[SnpProduct, AmdLevel]


#: By date. fwupd: plugins/cpu/fu-cpu-helper-amd.c; Linux: need_sha_check of its microcode/amd.c;
#: pi-tee: github.com/ariofrio/pi-tee, its SNP floors.
AMD_ADVISORIES: tuple[AmdAdvisory, ...] = (
    AmdAdvisory(
        "AMD-SB-3019", "CVE-2024-56161", datetime(2025, 2, 3, tzinfo=UTC),
        "microcode: fwupd and Linux, versions with the fix of EntrySign; SNP: pi-tee, read on 2026-10-08",
        {
            SnpProduct.MILAN: AmdLevel(microcode={_MILAN: 0xDB, _MILAN_X: 0x44}),
            SnpProduct.GENOA: AmdLevel(
                0x17, {_GENOA: 0x54, _GENOA_X: 0x4F, _BERGAMO: 0x19, _SIENA: 0x17}
            ),
        },
    ),
    AmdAdvisory(
        "AMD-SB-3020", "CVE-2025-0033", datetime(2025, 10, 14, tzinfo=UTC),
        "pi-tee, read on 2026-10-08",
        {
            SnpProduct.GENOA: AmdLevel(0x1B, {_GENOA: 0x56, _GENOA_X: 0x51}),
            SnpProduct.TURIN: AmdLevel(0x04, {_TURIN: 0x50}),
        },
    ),
    AmdAdvisory(
        "AMD-SB-3027", "CVE-2025-29943", datetime(2026, 1, 16, tzinfo=UTC),
        "pi-tee, read on 2026-10-08",
        {
            SnpProduct.GENOA: AmdLevel(microcode={_GENOA: 0x56, _GENOA_X: 0x51}),
            SnpProduct.TURIN: AmdLevel(microcode={_TURIN: 0x51}),
        },
    ),
    AmdAdvisory(
        "AMD-SB-3023", "CVE-2025-48514", datetime(2026, 2, 10, tzinfo=UTC),
        "a published policy for Milan on AWS that names the bulletin for its SNP level",
        {SnpProduct.MILAN: AmdLevel(0x1B)},
    ),
    AmdAdvisory(
        "AMD-SB-3016", "CVE-2023-20585", datetime(2026, 4, 16, tzinfo=UTC),
        "a published appraisal of Azure's machines, which quotes it for both products, of 2026-09-30; the "
        "firmware in AMD's CVE record, 1.55.35 and 1.55.49, goes with it",
        {SnpProduct.MILAN: AmdLevel(0x1B), SnpProduct.GENOA: AmdLevel(0x1B)},
    ),
    AmdAdvisory(
        "AMD-SB-3030", "CVE-2025-61971", datetime(2026, 5, 13, tzinfo=UTC),
        "a published verifier for Milan on Google Cloud, of 2026-09-11",
        {SnpProduct.MILAN: AmdLevel(0x1D)},
    ),
)  # fmt: skip


def unmet_advisories(product: SnpProduct, cpu: Cpu | None, tcb: TcbVersion) -> Iterator[AmdAdvisory]:
    """The bulletins that ``tcb`` of such a processor is below, the oldest first."""
    for advisory in AMD_ADVISORIES:
        level = advisory.levels.get(product)
        if level is not None and not level.met_by(tcb, cpu):
            yield advisory
