"""``verdict reference compute``: what it prints, registers and signs, of files that are made here."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from eaa.appraisal.appraise import appraise
from eaa.appraisal.policy import Policy
from eaa.appraisal.reference_values import parse_reference_values
from eaa.attester.simulated import SimulatedPlatform, SimulatedSgxEnclave, SimulatedTdxGuest, SimulatedVendor
from eaa.broker.administration.signed_references import ReferenceSigners
from eaa.broker.kbs.init_data import expected_register, parse_init_data
from eaa.broker.kbs.tees import Tee
from eaa.cli import verdict_reference_compute_files
from eaa.cli.verdict_main import verdict
from eaa.cli.verdict_reference_compute import compute
from eaa.evidence.dcap_quote import parse_quote
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import Digest, Event, EventLog
from eaa.evidence.event_type import EventType
from eaa.evidence.measured_linux_setup import fill_setup_header
from eaa.evidence.measured_pe import pe_image_digest
from eaa.evidence.measured_td_build import PageOrder, measure_td
from eaa.evidence.measured_tdvf import parse_td_firmware
from eaa.evidence.tdx import TdReport
from eaa.policy.templates import template
from tests.cli.running import Run
from tests.fakes.admin_server import AdminServer
from tests.fakes.enclave_signer import signed_sigstruct
from tests.unit.appraisal.snp_samples import snp_evidence
from tests.vectors.manifest import VECTORS, needs_vectors

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "verdict.md").read_text("utf-8")
FOREIGN = "none of the configured signers"
LATER = "2099-01-31T00:00:00Z"
SHA384 = HashAlgorithm.SHA384
#: An enclave of SGXS without pages.
STREAM = b"ECREATE\x00" + struct.pack("<IQ44x", 1, 0x2000)


def sha384(data: bytes) -> bytes:
    return hashlib.sha384(data).digest()


def chain(*digests: bytes) -> str:
    value = bytes(48)
    for digest in digests:
        value = sha384(value + digest)
    return value.hex()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminServer]:
    with AdminServer(tmp_path_factory.mktemp("state") / "admin") as running:
        yield running


@pytest.fixture(autouse=True)
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELTER_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("VERDICTD_URL", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def registry(server: AdminServer, monkeypatch: pytest.MonkeyPatch) -> AdminServer:
    monkeypatch.setenv("VERDICTD_URL", server.url)
    monkeypatch.setenv("VERDICT_ADMIN_KEY", str(server.key_file))
    return server


def run(*args: object, stdin: bytes = b"") -> Run:
    result = CliRunner().invoke(verdict, ["reference", *map(str, args)], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Run(result.exit_code, result.stdout, result.stderr)


def computed(*args: object) -> dict[str, Any]:
    done = run("compute", *args, "-o", "json")
    assert done.code == 0, done
    values: dict[str, Any] = json.loads(done.out)
    return values


def refused(code: int, word: str, *args: object, stdin: bytes = b"") -> None:
    done = run(*args, stdin=stdin)
    assert (done.code, done.out) == (code, ""), done
    assert word in done.err


# ── SGX ──


@pytest.fixture
def sigstruct(tmp_path: Path) -> str:
    made = signed_sigstruct(isv_prod_id=7, isv_svn=3)
    (tmp_path / "encl.ss").write_bytes(made.raw)
    return "encl.ss"


def test_sgx_by_measurement(sigstruct: str) -> None:
    assert computed("sgx", sigstruct) == {"sgx_mr_enclave": [bytes(range(32)).hex()]}
    assert "pages were not measured" in run("compute", "sgx", sigstruct).err


def test_sgx_by_signer_is_instead_of_the_measurement(sigstruct: str) -> None:
    signer = signed_sigstruct(isv_prod_id=7, isv_svn=3).mr_signer.hex()
    assert computed("sgx", sigstruct, "--by-signer") == {
        "sgx_mr_signer": [signer], "sgx_isv_prod_id": [7], "sgx_minimum_isv_svn": 3,
    }  # fmt: skip


def test_sgx_with_a_signature_or_pages_that_are_not_its(sigstruct: str, tmp_path: Path) -> None:
    data = bytearray((tmp_path / sigstruct).read_bytes())
    data[1026] ^= 1
    refused(10, "signature.sigstruct", "compute", "sgx", "-", stdin=bytes(data))
    (tmp_path / "s.sgxs").write_bytes(STREAM)
    refused(10, "binding.pages", "compute", "sgx", sigstruct, "--enclave", "s.sgxs")
    own = signed_sigstruct(enclave_hash=hashlib.sha256(STREAM).digest())
    (tmp_path / "own.ss").write_bytes(own.raw)
    assert computed("sgx", "own.ss", "--enclave", "s.sgxs") == {"sgx_mr_enclave": [own.enclave_hash.hex()]}


# ── TDX ──

FOOTER = uuid.UUID("96b582de-1fb2-45f7-baea-a366c55a082d").bytes_le
METADATA = uuid.UUID("e47a6535-984a-4798-865e-4685a7bf8ec2").bytes_le


def ovmf() -> bytes:
    """A store and two pages of code."""
    sections = ((0x1000, 0x2000, 0xFFFFE000, 0x2000, 0, 1), (0, 0x1000, 0xFFFFD000, 0x1000, 1, 0),
                (0, 0, 0x809000, 0x2000, 2, 0))  # fmt: skip
    packed = b"".join(struct.pack("<IIQQII", *section) for section in sections)
    described = b"TDVF" + struct.pack("<III", 16 + len(packed), 1, len(sections)) + packed
    entry = struct.pack("<I", len(described) + 72) + struct.pack("<H", 22) + METADATA
    table = entry + struct.pack("<H", 40) + FOOTER
    return bytes(0x1000) + b"\x90" * 0x2000 + described + table + bytes(32)


def bzimage() -> bytes:
    image = bytearray(0x1000)
    image[0:2], image[0x3C:0x40] = b"MZ", (0x40).to_bytes(4, "little")
    image[0x40:0x58] = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 0, 0, 0, 0, 112, 0)
    image[0x58:0x5A] = b"\x0b\x02"
    image[0x58 + 60 : 0x58 + 64] = (0x400).to_bytes(4, "little")
    image[0x202:0x208] = b"HdrS\x0f\x02"
    image[0x211], image[0x236] = 1, 0x7F
    return bytes(image)


@pytest.fixture
def boot(tmp_path: Path) -> Path:
    for name, data in {
        "OVMF.fd": ovmf(), "vmlinuz": bzimage(), "initrd": b"initrd", "loader": b"l", "rsdp": b"r",
        "tables": b"t", "SecureBoot": b"\0",
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(data)
    return tmp_path


CALLING = sha384(b"Calling EFI Application from Boot Option")
EXITING = tuple(
    sha384(text) for text in (b"Exit Boot Services Invocation", b"Exit Boot Services Returned with Success")
)


def test_tdx_firmware_kernel_and_command_line(boot: Path) -> None:
    values = computed(
        "tdx", "--firmware", "OVMF.fd", "--kernel", "vmlinuz", "--initrd", "initrd", "--cmdline", "quiet"
    )
    kernel = pe_image_digest(bzimage(), SHA384)
    options = sha384("quiet initrd=initrd\0".encode("utf-16-le"))
    assert list(values) == ["mr_td", "rtmr_1", "tdvfkernel", "rtmr_2", "tdvfkernelparams"]
    assert values["mr_td"] == [measure_td(parse_td_firmware(ovmf()), PageOrder.EACH_PAGE).hex()]
    assert values["rtmr_1"] == [chain(kernel, CALLING, sha384(bytes(4)), *EXITING)]
    assert values["rtmr_2"] == [chain(options, sha384(b"initrd"))]
    assert (values["tdvfkernel"], values["tdvfkernelparams"]) == (kernel.hex(), options.hex())
    assert "--acpi-" in run("compute", "tdx", "--firmware", "OVMF.fd").err
    assert "rtmr_2 needs --cmdline" in run("compute", "tdx", "--kernel", "vmlinuz", "--initrd", "initrd").err


def test_tdx_of_other_releases(boot: Path) -> None:
    values = computed(
        "tdx", "--firmware", "OVMF.fd", "--page-order", "each-section", "--kernel", "vmlinuz",
        "--initrd", "initrd", "--cmdline", "quiet", "--initrd-argument", "first", "--separator", "rtmr0",
        "--setup-header", "qemu", "--memory", "4096",
    )  # fmt: skip
    filled = fill_setup_header(bzimage(), memory_mib=4096, initrd_bytes=6)
    kernel = pe_image_digest(filled, SHA384)
    assert kernel != pe_image_digest(bzimage(), SHA384)
    assert values["rtmr_1"] == [chain(kernel, CALLING, *EXITING)]
    options = sha384("initrd=initrd quiet\0".encode("utf-16-le"))
    assert values["rtmr_2"] == [chain(options, sha384(b"initrd"))]
    assert values["mr_td"] == [measure_td(parse_td_firmware(ovmf()), PageOrder.EACH_SECTION).hex()]


def test_tdx_machine(boot: Path) -> None:
    machine = (
        "--firmware", "OVMF.fd", "--memory", "2048", "--acpi-loader", "loader", "--acpi-rsdp", "rsdp",
        "--acpi-tables", "tables",
    )  # fmt: skip
    plain = computed("tdx", *machine)
    given = computed("tdx", *machine, "--variable", "SecureBoot", "SecureBoot")
    assert list(plain) == ["mr_td", "rtmr_0"]
    assert plain["mr_td"] == given["mr_td"]
    assert plain["rtmr_0"] != given["rtmr_0"]
    (boot / "tables").write_bytes(b"others")
    assert computed("tdx", *machine)["rtmr_0"] != plain["rtmr_0"]


@pytest.mark.parametrize(
    ("code", "word", "args"),
    [
        (2, "expected --firmware", ()),
        (2, "expected --firmware", ("--initrd", "initrd")),
        (2, "rtmr_0 needs", ("--firmware", "OVMF.fd", "--acpi-rsdp", "rsdp", "--memory", "1024")),
        (2, "--memory", ("--kernel", "vmlinuz", "--setup-header", "qemu")),
        (
            20,
            "vga=",
            ("--kernel", "vmlinuz", "--setup-header", "qemu", "--memory", "1024", "--cmdline", "vga=1"),
        ),
        (2, "cannot read 'none'", ("--firmware", "none")),
        (2, "cannot read 'none'", ("--kernel", "vmlinuz", "--initrd", "none")),
        (30, "not_tdx_firmware", ("--firmware", "vmlinuz")),
        (30, "not_pe", ("--kernel", "OVMF.fd")),
        (2, "command_line", ("--cmdline", "é")),
        (2, "--sign-to needs --expires", ("--kernel", "vmlinuz", "--sign-to", "signed.json")),
    ],
)
def test_tdx_refusals(boot: Path, code: int, word: str, args: tuple[str, ...]) -> None:
    refused(code, word, "compute", "tdx", *args)
    assert not (boot / "signed.json").exists()


def test_tdx_reads_no_more_than_it_says(boot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict_reference_compute_files, "MAX_IMAGE_BYTES", len(ovmf()) - 1)
    refused(30, "too_large", "compute", "tdx", "--firmware", "OVMF.fd")


# ── an event log ──


def log_bytes(digest: bytes) -> bytes:
    event = Event(0, 0, 2, EventType.EV_EFI_ACTION, (Digest(SHA384, digest),), b"x")
    return EventLog(1, 0, 2, 0, 0, 2, (SHA384,), b"", (event,), None, 0).encode()


def test_an_event_log_alone(tmp_path: Path) -> None:
    (tmp_path / "ccel").write_bytes(log_bytes(sha384(b"x")))
    assert computed("event-log", "ccel") == {"rtmr_1": [chain(sha384(b"x"))]}
    assert "anybody can have written it" in run("compute", "event-log", "ccel").err
    refused(30, "event log", "compute", "event-log", "-", stdin=b"none")


@needs_vectors
def test_an_event_log_with_its_quote() -> None:
    folder = VECTORS / "tdx" / "attestation-rs-tdx_quote_live-3ab56d67"
    log, quote = folder / "ccel-8515c152.bin", folder / "quote.bin"
    values = computed("event-log", log, "--quote", quote)
    assert list(values) == [
        "mr_td", "xfam", "rtmr_0", "rtmr_1", "rtmr_2", "tdvfkernel", "tdvfkernelparams",
    ]  # fmt: skip
    report = parse_quote(quote.read_bytes()).body
    assert isinstance(report, TdReport)
    assert values["mr_td"] == [report.mr_td.hex()]
    assert values["xfam"] == [report.xfam.hex()]
    assert [values[f"rtmr_{number}"] for number in range(3)] == [[value.hex()] for value in report.rt_mrs[:3]]
    refused(10, "RTMR2", "compute", "event-log", folder / "ccel-f1aa1f7d.bin", "--quote", quote)
    enclave = VECTORS / "sgx" / "dcap-qvl-sgx_quote-f8b81014" / "quote.bin"
    refused(20, "an enclave's", "compute", "event-log", log, "--quote", enclave)


# ── evidence ──


def test_evidence_of_a_machine_of_ones_own(tmp_path: Path) -> None:
    platform = SimulatedPlatform(SimulatedVendor(now=datetime.now(UTC)))
    td, enclave = SimulatedTdxGuest(platform), SimulatedSgxEnclave(platform)
    (tmp_path / "td").write_bytes(td.collect(bytes(64)))
    (tmp_path / "enclave").write_bytes(enclave.collect(bytes(64)))
    expected = {
        "mr_td": [td.report.mr_td.hex()], "rtmr_1": [td.report.rt_mr1.hex()],
        "rtmr_2": [td.report.rt_mr2.hex()], "xfam": [td.report.xfam.hex()],
    }  # fmt: skip
    assert computed("evidence", "td") == expected
    assert computed("evidence", "enclave") == {"sgx_mr_enclave": [enclave.report.mr_enclave.hex()]}
    quote = base64.b64encode((tmp_path / "td").read_bytes()).decode()
    document = json.dumps({"quote": quote, "cc_eventlog": None}).encode()
    done = run("compute", "evidence", "-", "-o", "json", stdin=document)
    assert json.loads(done.out) == expected
    assert "nobody has verified" in done.err
    refused(30, "expected a quote", "compute", "evidence", "-", stdin=b'{"quote": 5}')
    refused(30, "evidence", "compute", "evidence", "-", stdin=b"{")


# ── init-data ──

INIT_DATA = 'version = "0.1.0"\nalgorithm = "sha256"\n[data]\n"a.toml" = "x"\n'


def test_init_data(tmp_path: Path) -> None:
    (tmp_path / "init.toml").write_text(INIT_DATA)
    digest = parse_init_data(INIT_DATA).digest
    assert digest == hashlib.sha256(INIT_DATA.encode()).digest()
    assert computed("init-data", "init.toml") == {"init_data": [expected_register(Tee.TDX, digest).hex()]}
    both = run("compute", "init-data", "init.toml", "--tee", "snp", "--tee", "sgx", "-o", "json")
    assert json.loads(both.out) == {"init_data": [digest.hex(), digest.hex() + "00" * 32]}
    assert f"HOST_DATA of snp: {digest.hex()}" in both.err
    assert f"the sha256 digest is {digest.hex()}" in both.err
    refused(30, "not UTF-8", "compute", "init-data", "-", stdin=b"\xff")
    refused(
        20, "init_data_algorithm", "compute", "init-data", "-", stdin=INIT_DATA.replace("256", "1").encode()
    )


# ── the names ──


def test_names_are_those_that_the_template_asks_for(boot: Path, sigstruct: str) -> None:
    asked = set(re.findall(r'query_reference_value\("(\w+)"\)', template("default_cpu").text))
    names = {*computed("sgx", sigstruct), *computed("sgx", sigstruct, "--by-signer")}
    names |= {*computed("tdx", "--firmware", "OVMF.fd", "--kernel", "vmlinuz", "--cmdline", "quiet")}
    assert len(names) == 9
    assert names | {"xfam", "snp_launch_measurement"} <= asked


# ── registering and signing ──


def test_registered_values_are_those_that_were_printed(boot: Path, registry: AdminServer) -> None:
    done = run("compute", "tdx", "--kernel", "vmlinuz", "--register", "--expires", LATER, "-o", "json")
    assert done.code == 0, done
    assert "registered 2 values until 2099-01-31" in done.err
    for name, value in json.loads(done.out).items():
        stored = json.loads(run("get", name, "-o", "json").out)
        assert (stored["value"], stored["expires_at"][:10]) == (value, "2099-01-31")
    assert "registered 1 values until 20" in run("compute", "tdx", "--firmware", "OVMF.fd", "--register").err


def test_what_is_printed_can_be_set(boot: Path, registry: AdminServer) -> None:
    done = run("compute", "tdx", "--cmdline", "quiet", "-o", "json")
    assert run("set", "--file", "-", stdin=done.out.encode()).code == 0
    assert json.loads(run("get", "rtmr_2").out) == json.loads(done.out)["rtmr_2"]


def test_without_register_no_server_is_asked(boot: Path) -> None:
    assert run("compute", "tdx", "--kernel", "vmlinuz", "--url", "http://127.0.0.1:9").code == 0
    refused(40, "no answer", "compute", "tdx", "--kernel", "vmlinuz", "--register", "--url", "http://127.0.0.1:9",
            "--admin-key", key_of(boot))  # fmt: skip


def key_of(folder: Path) -> Path:
    with AdminServer(folder / "other" / "admin") as running:
        return running.key_file


def signed(boot: Path, *more: str) -> Path:
    done = run("compute", "tdx", "--kernel", "vmlinuz", "--expires", LATER, "--sign-to", "signed.json", *more)
    assert done.code == 0, done
    assert "signed by " in done.err
    return boot / "signed.json"


@pytest.fixture
def believing(boot: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AdminServer]:
    """A server that takes what the owner of this store signs, and nothing else."""
    done = run("signer")
    assert done.code == 0, done
    key = load_pem_public_key(done.out.encode())
    assert isinstance(key, Ed25519PublicKey)
    signers = ReferenceSigners.of([key], required=True)
    with AdminServer(boot / "state" / "admin", signers=signers) as running:
        monkeypatch.setenv("VERDICTD_URL", running.url)
        monkeypatch.setenv("VERDICT_ADMIN_KEY", str(running.key_file))
        yield running


@pytest.mark.parametrize("here", [True, False], ids=["verified here", "verified by the server"])
def test_a_signed_file_is_imported_until_its_expiry(
    boot: Path, here: bool, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("registry" if here else "believing")
    done = run("import", signed(boot), "-o", "json", *(("--verify-here",) if here else ()))
    assert done.code == 0, done
    assert {item["name"]: item["expires_at"][:10] for item in json.loads(done.out)["references"]} == {
        "rtmr_1": "2099-01-31", "tdvfkernel": "2099-01-31",
    }  # fmt: skip
    written = ("compute", "tdx", "--kernel", "vmlinuz", "--expires", LATER, "--sign-to", "signed.json")
    refused(2, "cannot write", *written)


def change(file: Path, **members: Any) -> bytes:
    return json.dumps(json.loads(file.read_text()) | members).encode()


@pytest.mark.parametrize("here", [True, False], ids=["verified here", "verified by the server"])
def test_a_changed_or_foreign_file_is_refused(boot: Path, here: bool, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("registry" if here else "believing")
    option = ("--verify-here",) if here else ()
    file = signed(boot)
    document = json.loads(file.read_text())
    payload = document["payload"].replace("rtmr_1", "rtmr_2")
    refused(10, "was changed", "import", "-", *option, stdin=change(file, payload=payload))
    refused(10, FOREIGN, "import", "-", *option, stdin=change(file, key_id="00" * 32))
    refused(30, "expected an object", "import", "-", *option, stdin=change(file, more=1))
    refused(30, "signature", "import", "-", *option, stdin=change(file, signature="AAAA"))
    refused(30, "not UTF-8", "import", "-", *option, stdin=change(file, payload="\ud800"))
    elsewhere = ("--kernel", "vmlinuz", "--expires", LATER, "--sign-to", "b.json", "--store", boot / "b")
    assert run("compute", "tdx", *elsewhere).code == 0
    refused(10, FOREIGN, "import", "b.json", *option)


def test_what_is_no_message_and_no_signed_file(boot: Path, registry: AdminServer) -> None:
    refused(30, "reference value message", "import", "-", stdin=b"no JSON")
    refused(2, "no owner's key", "import", signed(boot), "--verify-here", "--store", boot / "nobody")


def test_a_server_without_signers_says_what_to_configure(boot: Path, registry: AdminServer) -> None:
    refused(2, "[references] signers names public keys", "import", signed(boot))


def test_values_are_registered_signed_where_no_others_are_taken(boot: Path, believing: AdminServer) -> None:
    computing = ("compute", "tdx", "--kernel", "vmlinuz", "--register")
    refused(10, "signed alone", *computing)
    refused(10, "signed alone", "set", "mr_td", '["00"]')
    refused(2, "--signed needs --expires", *computing, "--signed")
    refused(2, "--signed goes with --register", "compute", "tdx", "--kernel", "vmlinuz", "--expires", LATER,
            "--signed")  # fmt: skip
    done = run(*computing, "--signed", "--expires", LATER)
    assert (done.code, "registered 2 values until 2099-01-31" in done.err) == (0, True), done
    assert ", signed by " in json.loads(run("get", "rtmr_1", "-o", "json").out)["created_by"]


# ── SEV-SNP, by the library ──

BOOT = VECTORS / "measured-boot"


def snp(*args: object) -> Any:
    pytest.importorskip("sevsnpmeasure")
    return computed("snp", *args)["snp_launch_measurement"]


def snp_ovmf() -> bytes:
    """A page with OVMF's table: the reset address of other processors, and two sections."""
    sections = struct.pack("<III", 0x800000, 0x2000, 1) + struct.pack("<III", 0x80D000, 0x1000, 2)
    described = b"ASEV" + struct.pack("<III", 16 + len(sections), 1, 2) + sections
    reset = struct.pack("<I", 0x80B004) + struct.pack("<H", 22)
    reset += uuid.UUID("00f771de-1a7e-4fcb-890e-68c77e2fb44e").bytes_le
    at = len(described) + 2 * 22 + 18 + 32
    located = struct.pack("<I", at) + struct.pack("<H", 22)
    located += uuid.UUID("dc886566-984a-4798-a75e-5585a7bf67cc").bytes_le
    tail = described + located + reset + struct.pack("<H", 18 + 44) + FOOTER + bytes(32)
    return bytes(4096 - len(tail)) + tail


def save_area(eip: int, signature: int, features: int) -> bytes:
    """A processor after reset as KVM makes it [AMD APM 2, Table B-4]: only what is not zero."""
    page = bytearray(4096)
    selectors = {0x00: 0x93, 0x10: 0x9B, 0x20: 0x93, 0x30: 0x93, 0x40: 0x93, 0x50: 0x93, 0x60: 0, 0x70: 0x82,
                 0x80: 0, 0x90: 0x8B}  # fmt: skip
    for at, attributes in selectors.items():
        selector, base = (0xF000, eip & ~0xFFFF) if at == 0x10 else (0, 0)
        struct.pack_into("<HHIQ", page, at, selector, attributes, 0xFFFF, base)
    for at, value in {
        0xD0: 0x1000, 0x148: 0x40, 0x158: 0x10, 0x160: 0x400, 0x168: 0xFFFF0FF0, 0x170: 2,
        0x178: eip & 0xFFFF, 0x268: 0x0007040600070406, 0x310: signature, 0x3B0: features, 0x3E8: 1,
        0x408: 0x1F80, 0x410: 0x37F,
    }.items():  # fmt: skip
        width = {0x408: 4, 0x410: 2}.get(at, 8)
        page[at : at + width] = value.to_bytes(width, "little")
    return bytes(page)


def launch_digest(image: bytes, vcpus: int, signature: int) -> str:
    """Page after page [SNP-ABI 8.17.2]: normal 1, VMSA 2, zero 3, secrets 5."""
    pages = [(1, (1 << 32) - 4096, sha384(image)), (3, 0x800000, bytes(48)), (3, 0x801000, bytes(48))]
    pages.append((5, 0x80D000, bytes(48)))
    for number in range(vcpus):
        state = save_area(0x80B004 if number else 0xFFFFFFF0, signature, 1)
        pages.append((2, 0xFFFFFFFFF000, sha384(state)))
    value = bytes(48)
    for kind, address, content in pages:
        value = sha384(value + content + struct.pack("<HBBBBBBQ", 0x70, kind, 0, 0, 0, 0, 0, address))
    return value.hex()


def test_snp_against_a_computation_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "OVMF.fd").write_bytes(snp_ovmf())
    # EPYC-Milan is family 25, model 1, stepping 1.
    assert snp("--firmware", "OVMF.fd", "--vcpus", 2, "--vcpu-type", "EPYC-Milan") == [
        launch_digest(snp_ovmf(), 2, 0x00A00F11)
    ]


def test_what_was_computed_is_a_reference_file_of_the_appraisal(tmp_path: Path) -> None:
    (tmp_path / "OVMF.fd").write_bytes(snp_ovmf())
    machine = ("--firmware", "OVMF.fd", "--vcpus", 2, "--vcpu-type", "EPYC-Milan")
    (digest,) = snp(*machine, "--reference-to", "reference.json")
    data = (tmp_path / "reference.json").read_bytes()
    (alternative,) = parse_reference_values(data).of("snp")
    assert [(pin.name, str(pin)) for pin in alternative.pins] == [("measurement", digest)]
    evidence = snp_evidence(measurement=bytes.fromhex(digest))
    policy = Policy(reference_values=parse_reference_values(data))
    assert appraise(evidence, policy, now=evidence.verified_at).tier.label == "affirming"
    other = snp_evidence(measurement=bytes(48))
    assert appraise(other, policy, now=other.verified_at).code == "appraisal.measurement"
    refused(2, "cannot write", "compute", "snp", *machine, "--reference-to", "reference.json")


def test_values_that_do_not_say_which_code_it_is_are_no_reference_file(tmp_path: Path) -> None:
    refused(2, "does not pin the code", "compute", "tdx", "--cmdline", "quiet", "--reference-to", "r.json")
    assert not (tmp_path / "r.json").exists()


@pytest.mark.skipif(not BOOT.is_dir(), reason="there is no folder of published boot images")
def test_snp_against_what_the_library_publishes() -> None:
    suffix = BOOT / "sev-snp-measure-ovmf_AmdSev_suffix.bin"
    machine = ("--firmware", suffix, "--vcpus", 1, "--vcpu-type", "EPYC-v4")
    assert snp(*machine) == [
        "19358ba9a7615534a9a1e2f0dfc29384dcd4dcb7062ff9c6013b26869a5fc6ecabe033c48dd6f6db5d6d76e7c5df632d"
    ]
    kernel = ("--kernel", "/dev/null", "--initrd", "/dev/null", "--cmdline", "console=ttyS0 loglevel=7")
    assert snp(*machine, "--guest-features", 33, *kernel) == [
        "803f691094946e42068aaa3a8f9e26a5c89f36f7b73ecfb28c653360fe4b3aba7e534442e7e1e17895dfe778d0228977"
    ]


def test_snp_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "eaa.cli.verdict_reference_compute_snp_library", None)
    machine = ("--vcpus", "1", "--vcpu-type", "EPYC-Milan")
    refused(2, "pip install eaa[snp-measure]", "compute", "snp", "--firmware", "OVMF.fd", *machine)


def test_snp_refusals(tmp_path: Path) -> None:
    pytest.importorskip("sevsnpmeasure")
    (tmp_path / "OVMF.fd").write_bytes(snp_ovmf())
    (tmp_path / "short").write_bytes(b"x")
    machine = ("--vcpus", "1", "--vcpu-type", "EPYC-Milan")
    refused(2, "vcpu_type", "compute", "snp", "--firmware", "OVMF.fd", "--vcpus", 1, "--vcpu-type", "i486")
    refused(2, "cannot read 'none'", "compute", "snp", "--firmware", "none", *machine)
    refused(30, "snp_firmware", "compute", "snp", "--firmware", "short", *machine)
    refused(30, "snp_firmware", "compute", "snp", "--firmware", "OVMF.fd", *machine, "--kernel", "OVMF.fd")
    refused(2, "--kernel", "compute", "snp", "--firmware", "OVMF.fd", *machine, "--cmdline", "x")


# ── the reference page ──


@pytest.mark.parametrize("name", sorted(compute.commands))
def test_the_page_names_the_command_and_its_options(name: str) -> None:
    section = PAGE.partition("### `verdict reference compute`")[2]
    assert f"`{name}" in section
    for option in compute.commands[name].params:
        if isinstance(option, click.Option) and not {*option.opts} & {
            "--debug",
            "-o",
            "--url",
            "--ca",
            "--admin-key",
        }:
            assert any(f"`{word}" in section for word in option.opts), option.name
