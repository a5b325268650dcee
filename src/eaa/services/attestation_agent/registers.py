"""Runtime measurement registers: those of a TD in the kernel's files, and those of a simulated one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from eaa.errors import AttesterError
from eaa.evidence.event_hash import HashAlgorithm
from eaa.services.attestation_agent.aael import tdx_register
from eaa.tls.peer import AttachedEvidence, Attester

__all__ = ["TDX_REGISTERS", "Extender", "SimulatedRegisters", "SimulatedTd", "TdxRegisterFiles"]

#: Of Linux 6.16 and later.
TDX_REGISTERS = Path("/sys/devices/virtual/misc/tdx_guest/measurements")
_BYTES = 48


class Extender(Protocol):
    """Registers that only ever become the hash of their value and a digest."""

    @property
    def algorithm(self) -> HashAlgorithm: ...

    def register_of(self, pcr: int) -> int:
        """The register, as event logs count them, that stands for a PCR."""
        ...

    def read(self, register: int) -> bytes:
        """Its value.

        Raises:
            AttesterError: it cannot be had.
        """
        ...

    def extend(self, register: int, digest: bytes) -> None:
        """Make it the hash of its value and ``digest``, of the algorithm's length.

        Raises:
            AttesterError: it cannot be extended.
        """
        ...


class _Tdx:
    algorithm = HashAlgorithm.SHA384

    def register_of(self, pcr: int) -> int:
        return tdx_register(pcr)


class TdxRegisterFiles(_Tdx):
    """RTMRs in ``folder``: reading gives the value, writing 48 bytes extends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, register: int) -> bytes:
        path = self._path(register)
        try:
            with path.open("rb") as stream:
                value = stream.read(_BYTES + 1)
        except OSError as error:
            raise _error(path, f"cannot be read: {error.strerror}") from None
        if len(value) != _BYTES:
            raise _error(path, f"expected {_BYTES} bytes, came {len(value)}")
        return value

    def extend(self, register: int, digest: bytes) -> None:
        path = self._path(register)
        try:
            with path.open("r+b", buffering=0) as stream:
                stream.write(digest)
        except OSError as error:
            raise _error(path, f"cannot be extended: {error.strerror}") from None

    def _path(self, register: int) -> Path:
        return self._folder / f"rtmr{register - 1}:sha384"


class SimulatedRegisters(_Tdx):
    """In memory; ``values`` are RTMR0 to RTMR3 at the start."""

    def __init__(self, values: tuple[bytes, bytes, bytes, bytes]) -> None:
        self.values = list(values)

    def read(self, register: int) -> bytes:
        return self.values[register - 1]

    def extend(self, register: int, digest: bytes) -> None:
        self.values[register - 1] = self.algorithm.hash(self.values[register - 1] + digest)


class SimulatedTd:
    """An attester whose quotes show ``registers`` as they are; ``make`` gives the one for their values."""

    def __init__(
        self, name: str, registers: SimulatedRegisters, make: Callable[[dict[str, bytes]], Attester]
    ) -> None:
        self.name = name
        self._registers, self._make = registers, make
        self._shown: tuple[bytes, ...] = ()
        self._attester: Attester | None = None

    def collect(self, report_data: bytes) -> AttachedEvidence:
        values = tuple(self._registers.values)
        if self._attester is None or values != self._shown:
            self._attester = self._make({f"rt_mr{number}": value for number, value in enumerate(values)})
            self._shown = values
        return self._attester.collect(report_data)


def _error(path: Path, message: str) -> AttesterError:
    return AttesterError(f"{path} {message}", detail="register")
