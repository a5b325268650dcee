"""Each numbered step of SNP, SEV and CSV verification has a case that one change makes fail there.

The numbers are read from the lists that the modules begin with: a step without a case fails. What else can
fail at a step is in test_snp_refusals.py, test_sev_refusals.py and test_csv_refusals.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from eaa.errors import EAAError
from eaa.evidence.psp_certificate import KeyUsage
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import TcbVersion
from eaa.verify import hygon_csv, sev, snp
from eaa.verify.result import Binding
from tests.fakes.amd_vendor import NOW, make_snp_guest, rsa_key, shared_snp_case, snp_case, verify_snp
from tests.fakes.hygon_vendor import make_csv_guest, shared_csv_case, sm2_key, verify_csv
from tests.fakes.sev_vendor import make_sev_guest, shared_sev_case, verify_sev

PAST = NOW - timedelta(seconds=1)
P384 = ec.derive_private_key(7, ec.SECP384R1())
OTHER_DATA = Binding(bytes(64))
#: What is refused at a step, and the call that is.
Case = tuple[str, Callable[[], object]]


def steps_of(module: ModuleType) -> list[int]:
    """The numbers of the list that the module begins with."""
    assert module.__doc__ is not None
    return [int(number) for number in re.findall(r"^ ?(\d+)\. ", module.__doc__, re.MULTILINE)]


def changed(guest: Any, path: str, value: object) -> Any:
    """``guest`` with what ``path`` names set to ``value``."""
    *owners, name = path.split(".")
    target = guest
    for owner in owners:
        target = target[int(owner)] if owner.isdigit() else getattr(target, owner)
    assert hasattr(target, name)
    setattr(target, name, value)
    return guest


def snp_cases() -> Mapping[int, Case]:
    def case(code: str, path: str, value: object) -> Case:
        return code, lambda: verify_snp(changed(make_snp_guest(), path, value))

    def of_the_other_kind() -> object:
        guest = make_snp_guest()
        other = guest.platform.endorsements(SigningKey.VLEK)
        return verify_snp(replace(snp_case(guest), endorsements=other))

    good, guest = shared_snp_case("milan-v5"), make_snp_guest()
    vendor, levels = guest.platform.vendor, guest.platform.vcek.tcb
    older = TcbVersion(levels.bootloader, levels.tee, levels.snp - 1, levels.microcode)
    genoa = (shared_snp_case("genoa-v5").trust_anchor,)
    return {
        1: ("chain.untrusted_root", lambda: verify_snp(good, trust_anchors=genoa)),
        2: case("signature.ask", "platform.vendor.ask.signing_key", rsa_key("wrong")),
        3: case("revoked.ask", "platform.vendor.crl.revoked", [vendor.ask.serial]),
        4: case("signature.vek", "platform.vcek.signing_key", rsa_key("wrong")),
        5: case("validity_period.vek_expired", "platform.vcek.not_after", PAST),
        6: ("endorsement.signing_key", of_the_other_kind),
        7: case("signature.report", "report_signing_key", P384),
        8: case("endorsement.product_mismatch", "fields", {"cpuid_family": 0x19, "cpuid_model": 0x11}),
        9: case("endorsement.tcb_mismatch", "platform.vcek.tcb", older),
        10: case("endorsement.chip_id_mismatch", "fields", {"chip_id": b"\x01" * 64}),
        11: case("binding.host_requested", "fields", {"vmpl": 0xFFFFFFFF}),
        12: ("binding.report_data", lambda: verify_snp(good, binding=OTHER_DATA)),
    }


def sev_cases() -> Mapping[int, Case]:
    def case(code: str, path: str, value: object) -> Case:
        return code, lambda: verify_sev(changed(make_sev_guest(), path, value))

    good = shared_sev_case("naples")
    wrong = rsa_key("wrong", make_sev_guest().platform.vendor.ark.key.private.key_size)
    return {
        1: case("chain.ark_usage", "platform.vendor.ark.usage", KeyUsage.ASK),
        2: case("signature.ask", "platform.vendor.ask.signing_key", wrong),
        3: case("signature.cek", "platform.cek.signed_by.0.signing_key", wrong),
        4: case("signature.oca", "platform.oca.signed_by.0.signing_key", P384),
        5: case("signature.pek_by_cek", "platform.pek.signed_by.1.signing_key", P384),
        6: case("signature.pdh", "platform.pdh.signed_by.0.signing_key", P384),
        7: case("signature.report", "report_signing_key", P384),
        8: ("binding.mnonce", lambda: verify_sev(good, mnonce=bytes(16))),
    }


def csv_cases() -> Mapping[int, Case]:
    def case(code: str, path: str, value: object) -> Case:
        return code, lambda: verify_csv(changed(make_csv_guest(), path, value))

    good, wrong = shared_csv_case("csv3-v1"), sm2_key("wrong")
    return {
        1: case("chain.hrk_usage", "platform.vendor.hrk.usage", KeyUsage.ASK),
        2: case("signature.hsk", "platform.vendor.hsk.signing_key", wrong),
        3: case("signature.cek", "platform.cek.signing_key", wrong),
        4: case("signature.pek", "platform.pek.signing_key", wrong),
        5: case("signature.report", "report_signing_key", wrong),
        6: case("signature.signer_mac", "mac", bytes(range(32))),
        7: ("binding.report_data", lambda: verify_csv(good, binding=OTHER_DATA)),
    }


def refuses(case: Case) -> None:
    code, call = case
    with pytest.raises(EAAError) as caught:
        call()
    assert caught.value.code == code


@pytest.mark.parametrize("number", steps_of(snp))
def test_snp(number: int) -> None:
    refuses(snp_cases()[number])


@pytest.mark.parametrize("number", steps_of(sev))
def test_sev(number: int) -> None:
    refuses(sev_cases()[number])


@pytest.mark.parametrize("number", steps_of(hygon_csv))
def test_csv(number: int) -> None:
    refuses(csv_cases()[number])


def test_the_lists_are_whole() -> None:
    for module, cases in ((snp, snp_cases()), (sev, sev_cases()), (hygon_csv, csv_cases())):
        assert steps_of(module) == list(cases) == list(range(1, len(cases) + 1))


def test_what_nothing_was_changed_in_is_accepted() -> None:
    assert verify_snp(shared_snp_case("milan-v5")).tee == "snp"
    assert verify_sev(shared_sev_case("naples")).tee == "sev"
    assert verify_csv(shared_csv_case("csv3-v1")).tee == "csv"
