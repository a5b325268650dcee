"""``/dev/attestation``: SGX quotes of an enclave under Gramine [GRAMINE].

Emulated, not proven on hardware.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from eaa.attester.answers import own_quote
from eaa.attester.device import device_errors, opened, require_report_data
from eaa.attester.retry import while_busy
from eaa.attester.sources import GRAMINE, why_not
from eaa.errors import AttesterError
from eaa.evidence.dcap_quote import MAX_QUOTE_BYTES
from eaa.tls.peer import AttachedEvidence, EvidenceKind

__all__ = ["GramineAttester"]

_FOLDER = "dev/attestation"
_DCAP = "dcap"
#: The files have one state for the whole process: report data and quote belong to one caller at a time.
_ONE_CALLER = threading.Lock()


class GramineAttester:
    """Quotes of this enclave, made by the host's quoting service through Gramine."""

    name = "sgx_ecdsa"

    def __init__(self, *, root: Path = Path("/"), pause: Callable[[float], object] = time.sleep) -> None:
        self._root = root
        self._pause = pause

    def probe(self) -> str | None:
        """Why it does not work here, or ``None``."""
        if reason := why_not(self._root, GRAMINE):
            return reason
        try:
            self._require_dcap()
        except AttesterError as error:
            return str(error)
        return None

    def collect(self, report_data: bytes) -> AttachedEvidence:
        """A quote with ``report_data``, 64 bytes.

        Raises:
            AttesterError, UsageError
        """
        require_report_data(report_data)
        self._require_dcap()
        return AttachedEvidence(
            EvidenceKind.SGX_QUOTE, while_busy(lambda: self._quote(report_data), self._pause)
        )

    def _quote(self, report_data: bytes) -> bytes:
        with _ONE_CALLER:
            path = f"{_FOLDER}/user_report_data"
            with opened(self._root, path, writes=True) as descriptor, device_errors(f"/{path}", "writing it"):
                os.write(descriptor, report_data)
            data = self._read("quote", MAX_QUOTE_BYTES)
        return own_quote(data, tee="sgx", report_data=report_data, device=f"/{_FOLDER}/quote")

    def _require_dcap(self) -> None:
        came = self._read("attestation_type", 64).decode("ascii", "replace").strip()
        if came != _DCAP:
            raise AttesterError(
                f"/{_FOLDER}/attestation_type is {came!r}: set sgx.remote_attestation = \"dcap\" in the "
                "manifest",
                detail="attestation_type", device=f"/{_FOLDER}/attestation_type",
            )  # fmt: skip

    def _read(self, name: str, limit: int) -> bytes:
        path = f"{_FOLDER}/{name}"
        with (
            opened(self._root, path, writes=False) as descriptor,
            device_errors(f"/{path}", "reading it"),
        ):
            data = b""
            while len(data) <= limit and (part := os.read(descriptor, limit + 1 - len(data))):
                data += part
        return data
