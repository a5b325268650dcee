"""What ``shelter mrverify`` is given, turned into measurements: what was compared, and what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eaa.appraisal.alternatives import by_measurement, by_signer
from eaa.appraisal.reference_values import Alternative, Pin
from eaa.cli.files import load_input
from eaa.cli.measured_sdk import own_pages
from eaa.cli.rules import FAIL, PASS, rule
from eaa.errors import UnsupportedError, UsageError
from eaa.evidence.enclave_image import is_sgxs, parse_sgxs, parse_skeleton
from eaa.evidence.enclave_measurement import PAGE_BYTES, measure_enclave
from eaa.evidence.signed_enclave import is_elf, parse_signed_enclave
from eaa.evidence.sigstruct import Sigstruct, parse_sigstruct, verify_sigstruct

__all__ = ["Measured", "from_sigstruct", "given"]

#: What the state of today's processors needs: XSAVE with AMX is 11 KiB.
_SSA_FRAME_PAGES = (1, 2, 3, 4)
#: The key of the SGX SDK's samples, with which anybody can sign: its private half is published.
_SAMPLE_SIGNER = bytes.fromhex("83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e")


@dataclass(frozen=True, slots=True)
class Measured:
    """Measurements, any of which is the code's. ``rules`` are comparisons made; ``source`` is for people.

    ``pins`` must hold as well, in the order of reference values.
    """

    tee: str
    measurements: tuple[bytes, ...]
    source: str
    sigstruct: Sigstruct | None = None
    rules: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pins: tuple[Pin, ...] = ()

    @property
    def reasons(self) -> list[str]:
        """Why the measurements are not to be believed; empty if they are."""
        return [rule["message"] for rule in self.rules if rule["verdict"] == FAIL]

    def alternative(self, *, signer: bool) -> Alternative:
        """Reference values that accept this code, or with ``signer`` this product from this version on.

        Raises:
            UsageError: everybody can sign as this signer, or there is no SIGSTRUCT that names one.
        """
        if not signer:
            code = by_measurement(self.tee, *self.measurements)
            return Alternative(self.tee, (*code.pins, *self.pins))
        if self.sigstruct is None:
            raise UsageError("--by-signer needs --sigstruct", detail="by_signer")
        if self.sigstruct.mr_signer == _SAMPLE_SIGNER:
            raise UsageError(
                "--by-signer: it is signed with the SGX SDK's sample key, which everybody has",
                detail="published_signer",
            )
        return by_signer(
            self.sigstruct.mr_signer,
            isv_prod_id=self.sigstruct.isv_prod_id,
            min_isv_svn=self.sigstruct.isv_svn,
        )

    def label(self, *, signer: bool) -> str:
        """A label that is the same for the same values."""
        if signer and self.sigstruct is not None:
            found = self.sigstruct
            return f"signer-{found.mr_signer.hex()[:12]}-{found.isv_prod_id}-{found.isv_svn}"
        label = f"{self.tee}-{self.measurements[0].hex()[:12]}"
        if not self.pins:
            return label
        further = ";".join(f"{pin.name} {pin}" for pin in self.pins)
        return f"{label}-{hashlib.sha256(further.encode()).hexdigest()[:8]}"


def from_sigstruct(name: str, enclave: str | None, ssa_frame_pages: int | None) -> Measured:
    """The measurement that the author signed; with ``enclave``, compared with that of its pages.

    Raises:
        FormatError: malformed.
        SignatureError: the SIGSTRUCT is not as its key signed it.
        UnsupportedError: pages in a form that cannot be measured.
    """
    data = load_input(name)
    enclaves = parse_signed_enclave(data) if is_elf(data) else ()
    found = [item.sigstruct for item in enclaves] or [parse_sigstruct(data)]
    for item in found:
        verify_sigstruct(item)
    products = {(item.mr_signer, item.isv_prod_id, item.isv_svn) for item in found}
    if len(products) > 1:
        raise UnsupportedError(
            f"{name}: its SIGSTRUCTs are of different signers or versions", detail="sigstructs"
        )
    signed = tuple(dict.fromkeys(item.enclave_hash for item in found))
    source, rules, notes = f"SIGSTRUCT {name}", [_signaturerule(found[0])], []
    if any(item.may_debug for item in found):
        notes.append("it may also be started for debugging: evidence then says so, and is refused by default")
    if enclave is None and enclaves:
        measured, unmeasured = own_pages(data, enclaves)
        return Measured("sgx", signed, source, found[0], rules + measured, notes + unmeasured)
    if enclave is None:
        notes.append("the pages were not measured: without --enclave, MRENCLAVE is what the SIGSTRUCT says")
        return Measured("sgx", signed, source, found[0], rules, notes)
    computed = _computed(enclave, ssa_frame_pages)
    rules.append(_pagesrule(signed, computed))
    matching = tuple(value for value in signed if value in computed.values())
    return Measured("sgx", matching or signed, f"{source}, pages of {enclave}", found[0], rules, notes)


def given(tee: str, measurement: bytes) -> Measured:
    """A measurement that the user wrote."""
    return Measured(tee, (measurement,), "given on the command line")


def _computed(name: str, ssa_frame_pages: int | None) -> dict[int | None, bytes]:
    """MRENCLAVE by size of the SSA frame, each size in turn where the file does not say it."""
    data = load_input(name)
    if is_elf(data):
        raise UnsupportedError(
            f"{name}: an enclave file of the SGX SDK goes to --sigstruct, which measures its own pages",
            detail="enclave_image",
        )
    if is_sgxs(data):
        return {None: measure_enclave(parse_sgxs(data))}
    sizes = (ssa_frame_pages,) if ssa_frame_pages else _SSA_FRAME_PAGES
    return {pages: measure_enclave(parse_skeleton(data, pages)) for pages in sizes}


def _signaturerule(sigstruct: Sigstruct) -> dict[str, Any]:
    message = "the signature of the SIGSTRUCT verifies, by the key inside it"
    return rule("sigstruct.signature", "mr_signer", None, sigstruct.mr_signer.hex(), PASS, message)


def _pagesrule(signed: Sequence[bytes], computed: dict[int | None, bytes]) -> dict[str, Any]:
    expected = _one([value.hex() for value in signed])
    for pages, value in computed.items():
        if value in signed:
            frame = f" with SSA frames of {pages * PAGE_BYTES} bytes" if pages else ""
            message = f"MRENCLAVE computed from the pages{frame} is the one in the SIGSTRUCT"
            return rule("sigstruct.enclave_hash", "mr_enclave", expected, value.hex(), PASS, message)
    message = "MRENCLAVE computed from the pages is not the one in the SIGSTRUCT"
    if len(computed) > 1:
        message += f", whether an SSA frame has {', '.join(map(str, computed))} pages"
    came = _one([value.hex() for value in computed.values()])
    return rule("sigstruct.enclave_hash", "mr_enclave", expected, came, FAIL, message)


def _one(values: list[str]) -> Any:
    return values[0] if len(values) == 1 else values
