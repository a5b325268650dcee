"""SNP guests at a verdictd: every version of the KBS protocol, both forms of their JSON, and each refusal."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eaa.appraisal.amd_advisories import AMD_ADVISORIES
from eaa.attester.simulated.amd_guest import SimulatedSnpGuest, SimulatedSnpPlatform
from eaa.errors import ConfigError
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion
from eaa.services.verdictd.config import load_config
from tests.fakes.kbs_client import VERSIONS, KbsClient, KbsClientError, claims_of
from tests.service.snp_guests import SnpHardware
from tests.service.verdictds import Running, running

PATH, SECRET = "default/key/1", b"the secret of an SNP guest"
OTHER_MEASUREMENT = b"\xee" * 48
_DEBUG, _MIGRATE_MA, _MUST_BE_ONE = 1 << 19, 1 << 18, 1 << 17


@pytest.fixture(scope="module")
def hardware() -> SnpHardware:
    return SnpHardware()


@pytest.fixture(scope="module")
def verdictd(tmp_path_factory: pytest.TempPathFactory, hardware: SnpHardware) -> Iterator[Running]:
    state = tmp_path_factory.mktemp("verdictd")
    with running(state, hardware.source(), verification={"allow_rsa1_5": True}) as served:
        served.put_references(hardware.references())
        served.put_resource(PATH, SECRET)
        yield served


def client(verdictd: Running, document: Callable[[bytes], Any], **options: Any) -> KbsClient:
    return verdictd.guest(lambda _: b"", "snp", document=document, **options)


def refused(guest: KbsClient, code: str) -> KbsClientError:
    """What the broker says of evidence that it does not take."""
    with pytest.raises(KbsClientError) as caught:
        guest.handshake()
    assert code in caught.value.detail
    return caught.value


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_guest_gets_its_secret(verdictd: Running, hardware: SnpHardware, version: str, old: bool) -> None:
    kind = "RSA1_5" if version in ("0.1.0", "0.1.1") else "ECDH-ES+A256KW-P256"
    # The form before v0.14 has no place for the vectors of a report of version 5.
    attests = SimulatedSnpGuest(hardware.platform, version=2 if old else 5)
    guest = client(verdictd, hardware.document(attests, old=old), version=version, key_kind=kind)
    claims = claims_of(guest.handshake())
    assert claims["submods"]["cpu0"]["ear.status"] == "affirming"
    assert guest.resource(PATH) == SECRET


def test_claims_have_trustees_names(verdictd: Running, hardware: SnpHardware) -> None:
    guest = client(verdictd, hardware.document(hardware.guest))
    seen = claims_of(guest.handshake())["submods"]["cpu0"]["ear.veraison.annotated-evidence"]
    claims, tcb = seen["snp"], hardware.platform.tcb
    trustee = {
        "policy_abi_major": 0, "policy_abi_minor": 0, "policy_smt_allowed": True, "policy_migrate_ma": False,
        "policy_debug_allowed": False, "policy_single_socket": False,
        "reported_tcb_bootloader": tcb.bootloader, "reported_tcb_tee": tcb.tee, "reported_tcb_snp": tcb.snp,
        "reported_tcb_microcode": tcb.microcode,
        "platform_tsme_enabled": False, "platform_smt_enabled": True,
        "measurement": hashlib.sha384(b"simulated SNP guest").hexdigest(),
        "chip_id": hardware.platform.chip_id.hex(),
    }  # fmt: skip
    assert trustee.items() <= claims.items()
    assert seen["init_data"] == bytes(32).hex()
    assert len(seen["report_data"]) == 128
    assert claims["vmpl"] == 0
    assert claims["signing_key"] == "VCEK"


def test_init_data_is_the_host_data(tmp_path: Path) -> None:
    text = 'version = "0.1.0"\nalgorithm = "sha384"\n[data]\n"aa.toml" = "x = 1"\n'
    own = SnpHardware()
    own.guest.fields["host_data"] = hashlib.sha384(text.encode()).digest()[:32]
    with running(tmp_path, own.source()) as served:
        guest = client(served, own.document(own.guest), init_data=text)
        seen = claims_of(guest.handshake())["submods"]["cpu0"]["ear.veraison.annotated-evidence"]
        assert seen["init_data_claims"] == {"aa.toml": {"x": 1}}
        other = client(served, own.document(own.guest), init_data=text.replace("x = 1", "x = 2"))
        error = refused(other, "binding.config_id")
        assert (error.status, error.variant) == (403, "AttestationError")


def test_evidence_of_another_challenge(verdictd: Running, hardware: SnpHardware) -> None:
    replayed = hardware.document(hardware.guest)(bytes(64))
    refused(client(verdictd, lambda _: replayed), "binding.report_data")


def test_a_wrong_measurement_gets_nothing(verdictd: Running, hardware: SnpHardware) -> None:
    changed = SimulatedSnpGuest(hardware.platform, measurement=OTHER_MEASUREMENT)
    denied(verdictd, hardware, changed, "executables", "snp.measurement")


def test_a_guest_under_debug_gets_nothing(verdictd: Running, hardware: SnpHardware) -> None:
    debugged = SimulatedSnpGuest(hardware.platform, debug=True)
    denied(verdictd, hardware, debugged, "configuration", "snp.debug")


def test_a_guest_that_can_be_migrated_gets_nothing(verdictd: Running, hardware: SnpHardware) -> None:
    migratable = SimulatedSnpGuest(hardware.platform, policy=_MUST_BE_ONE | 1 << 16 | _MIGRATE_MA)
    denied(verdictd, hardware, migratable, "configuration", "snp.migration_agent")


def test_an_old_tcb_gets_nothing(verdictd: Running, hardware: SnpHardware) -> None:
    tcb = hardware.platform.tcb
    old = TcbVersion(bootloader=tcb.bootloader, tee=tcb.tee, snp=tcb.snp - 1, microcode=tcb.microcode)
    platform = SimulatedSnpPlatform(hardware.vendor, name="old machine", tcb=old)
    denied(verdictd, hardware, SimulatedSnpGuest(platform), "hardware", "snp.snp_svn")


def denied(
    verdictd: Running, hardware: SnpHardware, attests: SimulatedSnpGuest, aspect: str, rule: str
) -> None:
    """Genuine, attested, and refused the secret; the owner reads why."""
    guest = client(verdictd, hardware.document(attests))
    token = claims_of(guest.handshake())
    submodule = token["submods"]["cpu0"]
    assert submodule["ear.status"] != "affirming"
    affirming = claims_of(client(verdictd, hardware.document(hardware.guest)).handshake())
    known = affirming["submods"]["cpu0"]["ear.trustworthiness-vector"]
    vector = submodule["ear.trustworthiness-vector"]
    assert {name for name in known if vector[name] != known[name]} == {aspect}
    with pytest.raises(KbsClientError) as caught:
        guest.resource(PATH)
    assert (caught.value.status, caught.value.variant) == (403, "PolicyDeny")
    explained = verdictd.decision(f"id {token['jti']})")["explanation"]
    assert [item["rule"] for item in explained if item.get("verdict") == "fail"] == [rule]


def test_the_vcek_of_another_chip(verdictd: Running, hardware: SnpHardware) -> None:
    other = SimulatedSnpPlatform(hardware.vendor, name="another chip")
    foreign = SimulatedSnpGuest(hardware.platform, chip_id=other.chip_id)
    refused(client(verdictd, hardware.document(foreign)), "endorsement.chip_id_mismatch")


def test_the_vcek_of_another_tcb(verdictd: Running, hardware: SnpHardware) -> None:
    lying = SimulatedSnpGuest(
        hardware.platform, reported_tcb=TcbVersion(bootloader=9, tee=0, snp=40, microcode=250).encode()
    )
    refused(client(verdictd, hardware.document(lying)), "endorsement.tcb_mismatch")


def test_another_vendor(verdictd: Running, hardware: SnpHardware) -> None:
    other = SnpHardware()
    other.vendor.rsa_keys.ark  # noqa: B018 - the same keys: another certificate all the same
    other.vendor.ark.serial += 1
    refused(client(verdictd, other.document(other.guest)), "chain.untrusted_root")


def test_a_revoked_ask(tmp_path: Path) -> None:
    own = SnpHardware()
    own.vendor.crl.revoked.append(own.vendor.ask.serial)
    with running(tmp_path, own.source()) as served:
        refused(client(served, own.document(own.guest)), "revoked.")


def test_a_revocation_list_is_needed_unless_it_is_waived(tmp_path: Path) -> None:
    own = SnpHardware()
    with running(tmp_path / "a", own.source(crl=False)) as served:
        refused(client(served, own.document(own.guest)), "crl")
    with running(tmp_path / "b", own.source(crl=False, allow_missing_crl=True)) as served:
        seen = claims_of(client(served, own.document(own.guest)).handshake())
        claims = seen["submods"]["cpu0"]["ear.veraison.annotated-evidence"]["snp"]
        assert claims["revocation_checked"] is False


def vlek(hardware: SnpHardware) -> SimulatedSnpGuest:
    return SimulatedSnpGuest(hardware.platform, signing_key=SigningKey.VLEK)


def masked(hardware: SnpHardware) -> SimulatedSnpGuest:
    return SimulatedSnpGuest(hardware.platform, chip_id=bytes(64))


def provisional(hardware: SnpHardware) -> SimulatedSnpGuest:
    return SimulatedSnpGuest(hardware.platform, current_build=9)


def of_vmpl_2(hardware: SnpHardware) -> SimulatedSnpGuest:
    return SimulatedSnpGuest(hardware.platform, vmpl=2)


@pytest.mark.parametrize(
    ("make", "strict", "lenient", "code"),
    [
        (vlek, {"require_vcek": True}, {}, "appraisal.signing_key"),
        (masked, {}, {"allow_masked_chip_id": True}, "appraisal.chip_id"),
        (provisional, {}, {"allow_provisional_firmware": True}, "appraisal.provisional_firmware"),
        (of_vmpl_2, {}, {"max_vmpl": 2}, "appraisal.vmpl"),
    ],
)
def test_what_the_configuration_puts_up_with(
    tmp_path: Path,
    hardware: SnpHardware,
    make: Callable[[SnpHardware], SimulatedSnpGuest],
    strict: dict[str, Any],
    lenient: dict[str, Any],
    code: str,
) -> None:
    document = hardware.document(make(hardware))
    with running(tmp_path / "strict", hardware.source(**strict)) as served:
        error = refused(client(served, document), code)
        assert error.status == 403
    with running(tmp_path / "lenient", hardware.source(**lenient)) as served:
        client(served, document).handshake()


OLDER = TcbVersion(bootloader=4, tee=0, snp=28, microcode=219)


@pytest.mark.parametrize(
    ("strict", "lenient", "code", "why"),
    [
        (
            {"minimum_tcb": ("Milan:snp=29,microcode=219",)},
            {"minimum_tcb": ("Milan:snp=28", "Turin:fmc=1")},
            "appraisal.minimum_tcb",
            ("reported_tcb is", "the policy has at least"),
        ),
        ({"minimum_tcb": ("Genoa:snp=1",)}, {}, "appraisal.minimum_tcb", ("the policy has none for Milan",)),
        (
            {"accepted_advisories": ()},
            {"accepted_advisories": tuple(item.id for item in AMD_ADVISORIES)},
            "appraisal.advisories",
            ("lacks the fixes of AMD-SB-",),
        ),
    ],
)
def test_an_old_platform_is_refused_and_the_log_says_why(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    strict: dict[str, Any],
    lenient: dict[str, Any],
    code: str,
    why: tuple[str, ...],
) -> None:
    own = SnpHardware()
    document = own.document(SimulatedSnpGuest(SimulatedSnpPlatform(own.vendor, name="old", tcb=OLDER)))
    with running(tmp_path / "strict", own.source(**strict)) as served:
        error = refused(client(served, document), code)
        assert error.status == 403
    (said,) = (record.getMessage() for record in caplog.records if code in record.getMessage())
    assert all(words in said for words in why), said
    with running(tmp_path / "lenient", own.source(**lenient)) as served:
        client(served, document).handshake()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('minimum_tcb = ["Rome:snp=1"]', "'Rome' is not one of Milan, Genoa, Turin"),
        ('minimum_tcb = ["Milan:snp=1", "milan:snp=2"]', "at most one for each product"),
        ('minimum_tcb = "Milan:snp=1"', "minimum_tcb"),
        ('accepted_advisories = ["SB-3027"]', "expected ids such as AMD-SB-3027"),
        ("max_vmpl = 4", "max_vmpl"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_the_start(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "verdictd.toml"
    file.write_text(f"[verification.snp]\n{text}\n")
    with pytest.raises(ConfigError, match=re.escape(words)):
        load_config(file, {}, {})


def test_the_example_of_the_guide(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "guide" / "verdictd.md").read_text("utf-8")
    (example,) = re.findall(r"^```\n(\[verification\.snp\]\n.*?)^```", page, re.DOTALL | re.MULTILINE)
    file = tmp_path / "verdictd.toml"
    file.write_text(example)
    policy = load_config(file, {}, {}).verification.snp.policy
    assert policy.require_vcek
    assert policy.minimum_of(SnpProduct.TURIN) == TcbVersion(bootloader=0, tee=0, snp=5, microcode=0, fmc=1)
    assert policy.accepted_advisories == {"AMD-SB-3027"}


def test_evidence_that_is_none(verdictd: Running, hardware: SnpHardware) -> None:
    def unknown_bit(report_data: bytes) -> dict[str, Any]:
        document = hardware.document(hardware.guest)(report_data)
        document["attestation_report"]["policy"] |= 1 << 40
        return document

    assert refused(client(verdictd, unknown_bit), "format.").status == 400
    assert refused(client(verdictd, lambda _: {"quote": "AAAA"}), "format.").status == 400


@pytest.mark.parametrize("product", [SnpProduct.GENOA, SnpProduct.TURIN])
def test_other_products(tmp_path: Path, product: SnpProduct) -> None:
    own = SnpHardware(product)
    with running(tmp_path, own.source()) as served:
        served.put_references(own.references())
        claims = claims_of(client(served, own.document(own.guest)).handshake())
        assert claims["submods"]["cpu0"]["ear.status"] == "affirming"
