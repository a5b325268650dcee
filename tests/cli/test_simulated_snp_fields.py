"""``EAA_SIMULATED_SNP``: what the guest of the attester ``simulated-snp`` is told to be."""

from __future__ import annotations

import pytest

from eaa.attester.simulated_snp_attester import SimulatedSnpMachine
from eaa.cli.simulated_snp_fields import SIMULATED_SNP_GUEST, SimulatedSnpGuestFields, simulated_snp_guest
from eaa.errors import ConfigError
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion


def guest(text: str) -> SimulatedSnpGuestFields:
    return simulated_snp_guest({SIMULATED_SNP_GUEST: text})


def test_unset_is_as_usual() -> None:
    assert simulated_snp_guest({}) == guest("") == guest(" , ") == SimulatedSnpGuestFields()


def test_all_of_it() -> None:
    found = guest(
        f"measurement={'11' * 48},host_data={'22' * 32}, policy=0xb0000,product=Turin,tcb=1.2.3.4.5,"
        "version=3,signing_key=VLEK,chip=second,debug"
    )
    tcb = TcbVersion(fmc=1, bootloader=2, tee=3, snp=4, microcode=5)
    assert found == SimulatedSnpGuestFields(
        {"measurement": b"\x11" * 48, "host_data": b"\x22" * 32, "policy": 0xB0000},
        SimulatedSnpMachine(SnpProduct.TURIN, tcb, 3, SigningKey.VLEK, "second"),
        True,
    )
    assert guest("tcb=4.0.27.222").machine.tcb == TcbVersion(bootloader=4, tee=0, snp=27, microcode=222)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("measured=11", "'measured' is not known; there are measurement, host_data"),
        ("measurement=11", "measurement: '11' cannot be meant"),
        (f"measurement={'zz' * 48}", "measurement: "),
        ("policy=many", "policy: 'many'"),
        ("policy=-1", "policy: '-1'"),
        ("product=Naples", "product: 'Naples'"),
        ("version=6", "version: '6'"),
        ("signing_key=PEK", "signing_key: 'PEK'"),
        ("debug=no", "debug: 'no'"),
        ("tcb=1.2.3", "tcb: '1.2.3'"),
        ("tcb=1.2.3.256", r"tcb: '1\.2\.3\.256'"),
        ("tcb=1.2.3.4.5.6", "tcb: "),
        ("tcb=1.2.3.4.5", "tcb: that of Milan has four numbers"),
        ("product=Turin,tcb=1.2.3.4", "tcb: that of Turin has five numbers"),
    ],
)
def test_what_cannot_be_meant(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=f"{SIMULATED_SNP_GUEST}: {reason}") as caught:
        guest(text)
    assert caught.value.code == "config.simulated_snp"
