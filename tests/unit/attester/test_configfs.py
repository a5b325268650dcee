"""The configfs-tsm attester: each refusal, by a model of the kernel's files in memory."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eaa.attester.configfs_tsm import ConfigfsTsmAttester
from eaa.attester.sources import CONFIGFS_TSM
from eaa.attester.tsm_files import KernelFiles
from eaa.errors import AttesterError, UsageError
from eaa.evidence.snp_certificates import encode_certificate_table
from eaa.tls.peer import EvidenceKind
from tests.fakes.amd_vendor import make_snp_guest
from tests.fakes.tsm import FakeTsmFiles, TsmModel, snp_report_of
from tests.fakes.vendor import REPORT_DATA, Kind, make_attester, shared_evidence

pauses: list[float] = []


@pytest.fixture(autouse=True)
def no_pauses() -> None:
    pauses.clear()


def snp(model: TsmModel, **options: Any) -> ConfigfsTsmAttester:
    return ConfigfsTsmAttester(
        "sev_snp", "sev_guest", files=FakeTsmFiles(model), pause=pauses.append, **options
    )


def tdx(model: TsmModel) -> ConfigfsTsmAttester:
    return ConfigfsTsmAttester("tdx_ecdsa", "tdx_guest", files=FakeTsmFiles(model), pause=pauses.append)


def refused(attester: ConfigfsTsmAttester, code: str, text: str) -> None:
    with pytest.raises(AttesterError, match=text) as caught:
        attester.collect(REPORT_DATA)
    assert caught.value.code == code
    assert "/sys/kernel/config/tsm/report" in str(caught.value)


def test_snp_report() -> None:
    model = TsmModel("sev_guest")
    evidence = snp(model).collect(REPORT_DATA)
    assert (evidence.kind, evidence.collateral) == (EvidenceKind.SNP_REPORT, None)
    assert evidence.evidence == snp_report_of(REPORT_DATA)
    assert (model.entries, model.made, pauses) == ({}, 1, [])


def test_tdx_quote() -> None:
    evidence = tdx(TsmModel("tdx_guest", make_attester("tdx-v4").collect)).collect(REPORT_DATA)
    assert evidence.kind is EvidenceKind.TDX_QUOTE
    assert evidence.evidence == shared_evidence("tdx-v4").quote


@pytest.mark.parametrize("kind", ["tdx-v4", "tdx-v5", "tdx15-v5"])
def test_padding_behind_a_quote_is_cut(kind: Kind) -> None:
    quote = shared_evidence(kind).quote
    model = TsmModel("tdx_guest", lambda _: quote + bytes(500))
    assert tdx(model).collect(REPORT_DATA).evidence == quote


def test_what_follows_a_quote_is_not_cut() -> None:
    quote = shared_evidence("tdx-v4").quote
    refused(tdx(TsmModel("tdx_guest", lambda _: quote + b"\0x")), "attester.answer", "no quote that is known")


def test_certificate_table() -> None:
    model = TsmModel("sev_guest")
    model.auxblob = b"table"
    assert snp(model).report(REPORT_DATA).auxblob == b"table"


def test_the_hosts_certificates_are_attached() -> None:
    guest = make_snp_guest()
    model = TsmModel("sev_guest", sign=guest.collect)
    model.auxblob = encode_certificate_table(guest.collect_extended(REPORT_DATA).certificates)
    found = snp(model).collect(REPORT_DATA)
    assert (found.kind, found.evidence) == (EvidenceKind.SNP_REPORT, guest.collect(REPORT_DATA))
    assert found.collateral == replace(guest.endorsements(), crl=None)
    model.auxblob = b""
    assert snp(model).collect(REPORT_DATA).collateral is None
    model.auxblob = b"no table"
    with pytest.raises(AttesterError, match="do not fit together: SNP certificate table") as caught:
        snp(model).collect(REPORT_DATA)
    assert caught.value.code == "attester.answer"


def test_tdx_has_no_auxblob() -> None:
    model = TsmModel("tdx_guest", make_attester("tdx-v4").collect)
    assert tdx(model).report(REPORT_DATA).auxblob == b""


@pytest.mark.parametrize(("options", "floor", "level"), [({}, 0, 0), ({}, 2, 2), ({"privlevel": 3}, 1, 3)])
def test_privilege_level(options: dict[str, int], floor: int, level: int) -> None:
    model = TsmModel("sev_guest")
    model.floor = floor
    assert snp(model, **options).collect(REPORT_DATA).evidence[0x30] == level


def test_a_privilege_level_below_the_floor() -> None:
    model = TsmModel("sev_guest")
    model.floor = 2
    refused(snp(model, privlevel=1), "attester.refused", r"writing privlevel: .*EINVAL")


@pytest.mark.parametrize("level", [-1, 4])
def test_no_such_privilege_level(level: int) -> None:
    with pytest.raises(UsageError, match="0 to 3"):
        snp(TsmModel("sev_guest"), privlevel=level)


@pytest.mark.parametrize("length", [0, 32, 63, 65])
def test_report_data_is_64_bytes(length: int) -> None:
    model = TsmModel("sev_guest")
    with pytest.raises(UsageError) as caught:
        snp(model).collect(bytes(length))
    assert (caught.value.code, model.made) == ("usage.report_data_length", 0)


@pytest.mark.parametrize("what", ["interferences", "dropped_writes"])
def test_a_generation_that_is_not_ours(what: str) -> None:
    model = TsmModel("sev_guest")
    setattr(model, what, 1)
    assert snp(model).collect(REPORT_DATA).evidence == snp_report_of(REPORT_DATA)
    assert (model.made, len(pauses), model.entries) == (2, 1, {})


def test_a_generation_that_is_never_ours() -> None:
    model = TsmModel("sev_guest")
    model.interferences = 100
    refused(snp(model), "attester.busy", "another writer")
    assert (model.made, model.entries) == (4, {})
    assert pauses == [0.05, 0.1, 0.2]


def test_report_data_that_is_not_ours() -> None:
    refused(
        tdx(TsmModel("tdx_guest", lambda _: make_attester("tdx-v4").collect(bytes(64)))),
        "attester.busy", "other report data",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("what", "number", "code", "text"),
    [
        ("make", errno.ENOENT, "attester.no_device", "it is not there"),
        ("make", errno.ENXIO, "attester.no_device", "no provider is registered"),
        ("make", errno.EACCES, "attester.permission", "this user may not"),
        ("make", errno.EROFS, "attester.permission", "read-only"),
        ("provider", errno.ENXIO, "attester.no_device", "no provider is registered"),
        ("generation", errno.EIO, "attester.firmware", "reading generation"),
        ("privlevel_floor", errno.EIO, "attester.answer", "privlevel_floor cannot be read"),
        ("inblob", errno.EINVAL, "attester.refused", "writing inblob"),
        ("outblob", errno.ENXIO, "attester.no_device", "firmware reported a status"),
        ("outblob", errno.EINVAL, "attester.refused", "privilege level"),
        ("outblob", errno.ENOTTY, "attester.unknown_request", "restart the guest"),
        ("outblob", errno.ETIMEDOUT, "attester.timeout", "quoting service running"),
        ("outblob", errno.EIO, "attester.firmware", "kernel's log"),
        ("outblob", errno.EFBIG, "attester.too_large", "maximum"),
        ("outblob", errno.ENOMEM, "attester.os_error", "ENOMEM"),
        ("auxblob", errno.EIO, "attester.firmware", "reading auxblob"),
    ],
)
def test_what_the_kernel_says(what: str, number: int, code: str, text: str) -> None:
    model = TsmModel("sev_guest")
    model.failures[what] = [number]
    refused(snp(model), code, text)
    assert (model.entries, pauses) == ({}, [])


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EAGAIN, errno.EINTR])
def test_busy_once(number: int) -> None:
    model = TsmModel("sev_guest")
    model.failures["outblob"] = [number]
    assert snp(model).collect(REPORT_DATA)
    assert model.made == 2


def test_an_entry_that_cannot_be_removed_is_left() -> None:
    model = TsmModel("sev_guest")
    model.failures["remove"] = [errno.EBUSY]
    assert snp(model).collect(REPORT_DATA)
    assert len(model.entries) == 1


@pytest.mark.parametrize(
    ("attribute", "answer", "code", "text"),
    [
        ("provider", b"arm_cca_guest\n", "attester.provider", "'arm_cca_guest', sev_snp needs 'sev_guest'"),
        ("provider", b"x" * 5000, "attester.too_large", "provider has more than"),
        ("generation", b"many\n", "attester.answer", "not a number"),
        ("privlevel_floor", b"low\n", "attester.answer", "privlevel_floor"),
        ("outblob", bytes(1183), "attester.answer", "1184 bytes, came 1183"),
        ("outblob", bytes(1185), "attester.answer", "1184 bytes, came 1185"),
        ("outblob", bytes((1 << 20) + 1), "attester.too_large", "outblob has more than"),
    ],
)
def test_answers_that_cannot_be(attribute: str, answer: bytes, code: str, text: str) -> None:
    model = TsmModel("sev_guest")
    model.answers[attribute] = answer
    refused(snp(model), code, text)


def test_an_sgx_quote_from_a_tdx_guest() -> None:
    quote = shared_evidence("sgx-v3").quote
    refused(tdx(TsmModel("tdx_guest", lambda _: quote)), "attester.answer", "of TDX was expected, one of SGX")


@pytest.mark.parametrize("answer", [b"", b"\x04", b"\x05\0" + bytes(60)])
def test_no_quote(answer: bytes) -> None:
    refused(tdx(TsmModel("tdx_guest", lambda _: answer)), "attester.answer", "no quote that is known")


def test_probe(tmp_path: Path) -> None:
    model = TsmModel("sev_guest")
    (tmp_path / CONFIGFS_TSM.paths[0]).mkdir(parents=True)

    def attester(name: str, provider: str, root: Path) -> ConfigfsTsmAttester:
        return ConfigfsTsmAttester(name, provider, root=root, files=FakeTsmFiles(model))

    assert attester("sev_snp", "sev_guest", tmp_path).probe() is None
    assert "needs 'tdx_guest'" in str(attester("tdx_ecdsa", "tdx_guest", tmp_path).probe())
    assert "there is no /sys" in str(attester("sev_snp", "sev_guest", tmp_path / "none").probe())
    assert model.entries == {}


def test_the_real_files(tmp_path: Path) -> None:
    files = KernelFiles()
    entry = tmp_path / "entry"
    files.make(entry)
    (entry / "inblob").touch()
    files.write(entry / "inblob", b"abc")
    assert files.read(entry / "inblob", 10) == b"abc"
    assert files.read(entry / "inblob", 1) == b"ab"
    (entry / "inblob").unlink()
    files.remove(entry)
    assert not entry.exists()
