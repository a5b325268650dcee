"""Subjects by their keys."""

from __future__ import annotations

import pytest

from eaa.endorsements.subject import (
    AmdChainSubject,
    AmdCrlSubject,
    HygonChainSubject,
    IdentitySubject,
    PckCertificateSubject,
    PckCrlSubject,
    RootCaCrlSubject,
    Subject,
    TcbInfoSubject,
    VekSubject,
    parse_subject,
)
from eaa.errors import FormatError, UsageError
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion

OLD, NEW = TcbVersion(4, 0, 27, 222), TcbVersion(3, 2, 5, 97, fmc=1)
SUBJECTS: tuple[Subject, ...] = (
    TcbInfoSubject("sgx", bytes(6)),
    TcbInfoSubject("tdx", bytes(range(6)), "early"),
    IdentitySubject("QE"),
    IdentitySubject("TD_QE", "early"),
    IdentitySubject("QVE"),
    PckCrlSubject("platform"),
    PckCrlSubject("processor"),
    RootCaCrlSubject(),
    PckCertificateSubject(bytes(16), bytes(2), bytes(range(16)), 13),
    AmdChainSubject(SnpProduct.MILAN),
    AmdChainSubject(SnpProduct.GENOA, SigningKey.VLEK),
    AmdCrlSubject(SnpProduct.TURIN),
    VekSubject(SnpProduct.MILAN, OLD, bytes(range(64))),
    VekSubject(SnpProduct.TURIN, NEW, bytes(range(8))),
    VekSubject(SnpProduct.GENOA, OLD, None),
    HygonChainSubject("T2K4031250502"),
)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda item: item.key)
def test_a_key_names_one_subject(subject: Subject) -> None:
    assert parse_subject(subject.key) == subject
    assert [item for item in SUBJECTS if item.key == subject.key] == [subject]


@pytest.mark.parametrize(
    "key",
    [
        "", "intel", "intel/tcb", "intel/tcb/sgx/00/standard", "intel/tcb/snp/000000000000/standard",
        "intel/tcb/sgx/000000000000/soon",
        "intel/tcb/sgx/00000000000A/standard", "intel/identity/pce/standard",
        "intel/pckcrl/root", "intel/rootcacrl/x", "intel/pckcert/00/00/00/00", "amd/chain/ark/milan",
        "amd/crl/rome", "amd/vcek/00/milan/0400000000001bde", "amd/vlek/milan/04", "hygon/hsk_cek/..",
        "hygon/hsk_cek/", "other/thing", "intel/rootcacrlx",
    ],
)  # fmt: skip
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse_subject(key)
    assert raised.value.code == "format.subject"


def test_a_chip_id_of_hygon_goes_into_a_url() -> None:
    with pytest.raises(UsageError):
        HygonChainSubject("a&b=c")


def test_a_key_certificate_is_of_the_kind_that_its_hwid_says() -> None:
    assert VekSubject(SnpProduct.MILAN, OLD, bytes(64)).kind is SigningKey.VCEK
    assert VekSubject(SnpProduct.MILAN, OLD, None).kind is SigningKey.VLEK
