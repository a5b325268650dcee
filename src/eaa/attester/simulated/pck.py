"""PCK certificates of simulated platforms: a leaf certificate that describes its platform."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography import x509

from eaa.attester.simulated.certificates import SimulatedCertificate
from eaa.attester.simulated.sgx_extension import (
    SgxFields,
    boolean,
    encode_sgx_extension,
    enumerated,
    integer,
    octets,
)
from eaa.endorsements.pck import SGX_EXTENSION_OID, SgxType

__all__ = ["SimulatedPckCertificate", "SimulatedTcb"]


@dataclass(kw_only=True, eq=False)
class SimulatedTcb:
    """What the platform runs: CPUSVN, which is opaque, the same as 16 components, and PCESVN."""

    cpu_svn: bytes  # 16
    sgx_components: bytes  # 16: one SVN per byte
    pce_svn: int


@dataclass(kw_only=True, eq=False)
class SimulatedPckCertificate(SimulatedCertificate):
    """A PCK certificate; the fields are those of :class:`eaa.endorsements.pck.PckExtension`.

    ``platform_instance_id`` is ``None`` in certificates of the Processor CA, and the configuration is
    left out with it. ``field_overrides`` replaces or adds single fields by number (``"4"``, ``"2.17"``),
    each as DER, and ``None`` removes one. ``has_extension`` leaves out the whole extension.
    """

    ppid: bytes  # 16
    tcb: SimulatedTcb
    pce_id: bytes  # 2
    fmspc: bytes  # 6
    sgx_type: SgxType
    platform_instance_id: bytes | None  # 16
    dynamic_platform: bool = True
    cached_keys: bool = True
    smt_enabled: bool = True
    field_overrides: dict[str, bytes | None] = field(default_factory=dict)
    has_extension: bool = True

    def extensions(self) -> list[tuple[x509.ExtensionType, bool]]:
        extensions = super().extensions()
        if self.has_extension:
            value = encode_sgx_extension(self._fields())
            oid = x509.ObjectIdentifier(SGX_EXTENSION_OID)
            extensions.append((x509.UnrecognizedExtension(oid, value), False))
        return extensions

    def _fields(self) -> SgxFields:
        fields: dict[str, bytes | SgxFields] = {
            "1": octets(self.ppid),
            "2": self._overridden("2", self._tcb_fields()),
            "3": octets(self.pce_id),
            "4": octets(self.fmspc),
            "5": enumerated(self.sgx_type.value),
        }
        if self.platform_instance_id is not None:
            configuration = {
                "7.1": boolean(self.dynamic_platform),
                "7.2": boolean(self.cached_keys),
                "7.3": boolean(self.smt_enabled),
            }
            fields["6"] = octets(self.platform_instance_id)
            fields["7"] = self._overridden("7", configuration)
        return self._overridden("", fields)

    def _tcb_fields(self) -> dict[str, bytes]:
        components = {f"2.{n}": integer(svn) for n, svn in enumerate(self.tcb.sgx_components, 1)}
        return {**components, "2.17": integer(self.tcb.pce_svn), "2.18": octets(self.tcb.cpu_svn)}

    def _overridden(self, parent: str, fields: SgxFields) -> SgxFields:
        overrides = {
            name: value for name, value in self.field_overrides.items() if name.rpartition(".")[0] == parent
        }
        merged = {**fields, **overrides}
        return {name: value for name, value in merged.items() if value is not None}
