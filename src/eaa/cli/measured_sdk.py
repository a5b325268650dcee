"""The pages of an enclave file of the SGX SDK, compared with what each SIGSTRUCT in it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eaa.cli.rules import FAIL, PASS, rule
from eaa.errors import UnsupportedError
from eaa.evidence.sdk_image import measure_sdk_enclave
from eaa.evidence.signed_enclave import SignedEnclave

__all__ = ["own_pages"]


def own_pages(data: bytes, enclaves: Sequence[SignedEnclave]) -> tuple[list[dict[str, Any]], list[str]]:
    """A rule for each measurement of the ELF file ``data``, and notes of what could not be measured.

    Raises:
        FormatError: its pages are malformed.
    """
    rules, notes = [], []
    for enclave in enclaves:
        try:
            rules.append(_rule(enclave.sigstruct.enclave_hash, measure_sdk_enclave(data, enclave)))
        except UnsupportedError as error:
            notes.append(str(error))
    distinct = [item for number, item in enumerate(rules) if item not in rules[:number]]
    return distinct, list(dict.fromkeys(notes))


def _rule(signed: bytes, computed: bytes) -> dict[str, Any]:
    same = signed == computed
    verdict, which = (PASS, "the one") if same else (FAIL, "not the one")
    message = f"MRENCLAVE computed from the file's own pages is {which} in its SIGSTRUCT"
    return rule("sigstruct.enclave_hash", "mr_enclave", signed.hex(), computed.hex(), verdict, message)
