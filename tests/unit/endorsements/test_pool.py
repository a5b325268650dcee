from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from eaa.codec.pem import encode_pem
from eaa.endorsements.collateral import IntelCollateral, SignedDocument
from eaa.endorsements.pool import (
    CrlRole,
    EndorsementPool,
    PooledCrl,
    PooledIdentity,
    PooledTcbInfo,
    collateral_for,
    merge,
)
from eaa.evidence.dcap_quote import (
    CertificationData,
    CertificationType,
    DcapQuote,
    parse_certification,
    parse_quote,
)
from tests.fakes.certificates import DAY, certificate
from tests.fakes.vendor import NOW, Kind, shared_evidence

FMSPC, OTHER = b"FMSPC1", b"FMSPC2"
CA, ROOT = certificate("SGX PCK Platform CA"), certificate("root")
SIGNING = certificate("SGX TCB Signing")
CHAIN = encode_pem(SIGNING.der) + encode_pem(ROOT.der)


def tcb_info(
    label: str,
    tee: str = "sgx",
    fmspc: bytes = FMSPC,
    number: int = 5,
    date: datetime = NOW,
    chain: bytes = CHAIN,
) -> PooledTcbInfo:
    return PooledTcbInfo(tee, fmspc, number, date, SignedDocument(label.encode(), b"s", chain))


def identity(label: str, kind: str, number: int = 5, chain: bytes = CHAIN) -> PooledIdentity:
    return PooledIdentity(kind, number, NOW, SignedDocument(label.encode(), b"s", chain))


def crl(label: str, role: CrlRole, issuer: bytes, date: datetime = NOW, chain: bytes = b"") -> PooledCrl:
    return PooledCrl(role, issuer, date, label.encode(), chain)


def chosen(pool: EndorsementPool, tee: str = "sgx") -> IntelCollateral:
    return pool.select(tee, FMSPC, CA.subject)


def body(document: SignedDocument | None) -> bytes | None:
    return document.body if document else None


def test_an_empty_pool_has_nothing() -> None:
    assert EndorsementPool().empty
    assert EndorsementPool(ignored=("x",)).empty
    assert chosen(EndorsementPool()) == IntelCollateral(None, None, None, None, None)


@pytest.mark.parametrize(
    "infos",
    [
        [tcb_info("wanted"), tcb_info("x", fmspc=OTHER, number=9), tcb_info("x", tee="tdx", number=9)],
        [tcb_info("x", number=4, date=NOW + DAY), tcb_info("wanted")],
        [tcb_info("x", date=NOW - DAY), tcb_info("wanted")],
        [tcb_info("wanted", fmspc=OTHER), tcb_info("x", tee="tdx")],
        [tcb_info("wanted", fmspc=OTHER), tcb_info("wanted", fmspc=OTHER)],
        [tcb_info("wanted", tee="tdx")],
    ],
    ids=[
        "platform",
        "evaluation number",
        "issue date",
        "only one of the TEE",
        "the same twice",
        "only one at all",
    ],
)
def test_tcb_info(infos: list[PooledTcbInfo]) -> None:
    for order in (infos, infos[::-1]):
        assert body(chosen(EndorsementPool(tcb_infos=tuple(order))).tcb_info) == b"wanted"


def test_of_several_for_other_platforms_none_is_selected() -> None:
    infos = (tcb_info("x", fmspc=OTHER), tcb_info("y", fmspc=b"FMSPC3"))
    assert chosen(EndorsementPool(tcb_infos=infos)).tcb_info is None


@pytest.mark.parametrize(
    ("tee", "kinds", "expected"),
    [
        ("sgx", ["QE", "TD_QE", "QVE"], b"QE"),
        ("tdx", ["QE", "TD_QE", "QVE"], b"TD_QE"),
        ("tdx", ["QE", "QVE"], b"QE"),
        ("tdx", ["QVE"], None),
        ("snp", ["QE", "TD_QE"], None),
    ],
)
def test_identity(tee: str, kinds: list[str], expected: bytes | None) -> None:
    pool = EndorsementPool(identities=tuple(identity(kind, kind) for kind in kinds))
    assert body(chosen(pool, tee).qe_identity) == expected


def test_the_newest_identity() -> None:
    pool = EndorsementPool(identities=(identity("new", "QE", 6), identity("old", "QE", 5)))
    assert body(chosen(pool).qe_identity) == b"new"


def test_lists_are_those_of_their_issuers_and_the_latest() -> None:
    pool = EndorsementPool(
        tcb_infos=(tcb_info("info"),),
        crls=(
            crl("old", CrlRole.ROOT, ROOT.subject, NOW - DAY),
            crl("root", CrlRole.ROOT, ROOT.subject),
            crl("other root", CrlRole.ROOT, b"other", NOW + DAY),
            crl("pck", CrlRole.PCK, CA.subject, chain=b"chain"),
            crl("other pck", CrlRole.PCK, b"other", NOW + DAY),
        ),
    )
    collateral = chosen(pool)
    assert (collateral.root_ca_crl, collateral.pck_crl) == (b"root", b"pck")
    assert collateral.pck_crl_issuer_chain == b"chain"


def test_a_list_of_another_issuer_is_selected_if_it_is_the_only_one() -> None:
    pool = EndorsementPool(crls=(crl("root", CrlRole.ROOT, b"x"), crl("pck", CrlRole.PCK, b"y")))
    assert (chosen(pool).root_ca_crl, chosen(pool).pck_crl) == (b"root", b"pck")
    two = merge([pool, EndorsementPool(crls=(crl("z", CrlRole.ROOT, b"z"), crl("z", CrlRole.PCK, b"z")))])
    assert (chosen(two).root_ca_crl, chosen(two).pck_crl) == (None, None)


def test_chains_are_put_together_where_a_part_came_without() -> None:
    pool = EndorsementPool(
        tcb_infos=(tcb_info("info", chain=b""),),
        identities=(identity("QE", "QE", chain=b""),),
        crls=(crl("pck", CrlRole.PCK, CA.subject), crl("root", CrlRole.ROOT, ROOT.subject)),
        certificates=((ROOT, CA), (SIGNING, certificate("SGX PCK Certificate", "SGX PCK Platform CA"))),
    )
    collateral = chosen(pool)
    assert collateral.tcb_info == SignedDocument(b"info", b"s", CHAIN)
    assert collateral.qe_identity == SignedDocument(b"QE", b"s", CHAIN)
    assert collateral.pck_crl_issuer_chain == encode_pem(CA.der) + encode_pem(ROOT.der)
    without = replace(pool, certificates=())
    assert chosen(without).tcb_info == SignedDocument(b"info", b"s", b"")
    assert chosen(without).pck_crl_issuer_chain is None


def test_a_malformed_chain_is_left_to_verification() -> None:
    pool = EndorsementPool(
        tcb_infos=(tcb_info("info", chain=b"?"),), crls=(crl("root", CrlRole.ROOT, ROOT.subject),)
    )
    assert chosen(pool).root_ca_crl == b"root"


def test_merging_keeps_everything_in_order() -> None:
    one = EndorsementPool(tcb_infos=(tcb_info("a"),), certificates=((ROOT,),), ignored=("x",))
    two = EndorsementPool(tcb_infos=(tcb_info("b"),), identities=(identity("QE", "QE"),), ignored=("y",))
    merged = merge([one, two])
    assert [body(item.document) for item in merged.tcb_infos] == [b"a", b"b"]
    assert (merged.certificates, merged.identities, merged.ignored) == (
        ((ROOT,),),
        two.identities,
        ("x", "y"),
    )
    assert not merged.empty
    assert merge([]) == EndorsementPool()


def with_data(quote: DcapQuote, data: CertificationData) -> DcapQuote:
    certification = replace(parse_certification(quote), data=data)
    return replace(quote, certification=certification.encode(quote.header.version))


@pytest.mark.parametrize("kind", ["sgx-v3", "tdx-v4"])
def test_collateral_for_a_quote_reads_its_pck_certificate(kind: Kind) -> None:
    quote = parse_quote(shared_evidence(kind).quote)
    wanted, other = tcb_info("wanted", quote.tee, b"EAASIM"), tcb_info("other", quote.tee, OTHER, number=9)
    pool = EndorsementPool(tcb_infos=(wanted, other))
    assert collateral_for(quote, pool).tcb_info == wanted.document


@pytest.mark.parametrize(
    "data",
    [
        CertificationData(CertificationType.PPID_PLAIN, bytes(36)),
        CertificationData(CertificationType.PCK_CHAIN, b"no PEM"),
        CertificationData(CertificationType.PCK_CHAIN, CHAIN),
    ],
    ids=["by PPID", "malformed", "no PCK certificate"],
)
def test_a_quote_without_a_pck_certificate_gets_what_fits_its_tee(data: CertificationData) -> None:
    quote = with_data(parse_quote(shared_evidence("tdx-v4").quote), data)
    pool = EndorsementPool(
        tcb_infos=(tcb_info("tdx", "tdx"), tcb_info("sgx")), identities=(identity("i", "TD_QE"),)
    )
    assert body(collateral_for(quote, pool).tcb_info) == b"tdx"
    assert body(collateral_for(quote, pool).qe_identity) == b"i"


def test_a_malformed_certification_is_left_to_verification() -> None:
    quote = replace(parse_quote(shared_evidence("tdx-v4").quote), certification=b"?")
    assert collateral_for(quote, EndorsementPool()) == IntelCollateral(None, None, None, None, None)
