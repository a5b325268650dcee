"""``shelter mrverify``: what it accepts, what it records, and that ``shelter verify`` then enforces it."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from pathlib import Path

import pytest

from eaa.appraisal.reference_values import parse_reference_values
from eaa.cli import measured
from eaa.cli.reference_store import default_store, open_store
from eaa.evidence.dcap_quote import parse_quote
from eaa.evidence.enclave_image import parse_skeleton
from eaa.evidence.enclave_measurement import measure_enclave
from eaa.evidence.sdk_image import measure_sdk_enclave
from eaa.evidence.sgx import EnclaveReport
from eaa.evidence.signed_enclave import parse_signed_enclave
from eaa.evidence.tdx import TdReport
from eaa.storage.reference_store import ReferenceStore
from tests.cli.conftest import NONCE, Files
from tests.cli.mrverify_folder import Folder
from tests.cli.running import start
from tests.fakes.enclave_signer import metadata, signed_shared_object, signed_sigstruct
from tests.fakes.sdk_enclave import sdk_enclave, sdk_metadata

SKELETON = bytes(4096) + b"\x90" * 5000 + struct.pack("<QBQ", 0, 0, 0)
#: The SSA frame is of two pages, which the file does not say.
MR_ENCLAVE = measure_enclave(parse_skeleton(SKELETON, 2))
SIGSTRUCT = signed_sigstruct(enclave_hash=MR_ENCLAVE, isv_prod_id=7, isv_svn=3)
STREAM = b"ECREATE\x00" + struct.pack("<IQ44x", 1, 0x2000)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.write("encl.bin", SKELETON)
    made.write("encl.ss", SIGSTRUCT.raw)
    return made


def test_pages_that_are_the_signed_ones_are_recorded(folder: Folder) -> None:
    done = folder.run(
        "--sigstruct", folder.path / "encl.ss", "--enclave", folder.path / "encl.bin", "-o", "json"
    )
    assert (done.code, done.err) == (0, "")
    found = done.json
    assert (found["verdict"], found["code"]) == ("accepted", "measurement.recorded")
    assert (found["measurements"], found["tee"]) == ([MR_ENCLAVE.hex()], "sgx")
    assert (found["mr_signer"], found["isv_prod_id"], found["isv_svn"]) == (SIGSTRUCT.mr_signer.hex(), 7, 3)
    assert [rule["verdict"] for rule in found["rules"]] == ["pass", "pass"]
    assert found["recorded"]["values"] == {"mr_enclave": MR_ENCLAVE.hex()}
    (entry,) = folder.store.entries()
    assert (entry.label, found["recorded"]["label"]) == (f"sgx-{MR_ENCLAVE.hex()[:12]}",) * 2
    assert "encl.bin" in entry.source


def test_for_people(folder: Folder) -> None:
    done = folder.run("--sigstruct", folder.path / "encl.ss", "--enclave", folder.path / "encl.bin")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("ACCEPTED  measurement.recorded\n")
    for text in (
        f"mr_enclave   {MR_ENCLAVE.hex()}",
        "the signature of the SIGSTRUCT verifies, by the key inside it",
        "with SSA frames of 8192 bytes is the one in the SIGSTRUCT",
        f"recorded as sgx-{MR_ENCLAVE.hex()[:12]} in {folder.store.file}",
    ):
        assert text in done.out
    again = folder.run("--sigstruct", folder.path / "encl.ss")
    assert "was recorded already as" in again.out
    assert "note: the pages were not measured" in again.out


@pytest.mark.parametrize("option", ["--no-record", "--check"])
def test_checking_records_nothing(folder: Folder, option: str) -> None:
    done = folder.run("--sigstruct", folder.path / "encl.ss", option)
    assert (done.code, folder.store.path.exists()) == (0, False)
    assert done.out.startswith("ACCEPTED  measurement.checked\n")


@pytest.mark.parametrize(
    ("args", "computed"), [((), 4), (("--ssa-frame-pages", 1), 1), (("--ssa-frame-pages", 3), 1)]
)
def test_other_pages_are_a_mismatch(folder: Folder, args: tuple[object, ...], computed: int) -> None:
    other = SKELETON if args else SKELETON[:4096] + b"\x91" + SKELETON[4097:]
    command = ("--sigstruct", folder.path / "encl.ss", "--enclave", folder.write("other.bin", other), *args)
    done = folder.run(*command, "-o", "json")
    assert (done.code, done.json["code"]) == (10, "measurement.mismatch")
    rule = done.json["rules"][1]
    assert rule["expected"] == MR_ENCLAVE.hex()
    came = rule["came"] if isinstance(rule["came"], list) else [rule["came"]]
    assert len(came) == computed
    assert MR_ENCLAVE.hex() not in came
    text = folder.run(*command).out
    assert text.startswith("REJECTED  measurement.mismatch\n")
    assert f"expected {MR_ENCLAVE.hex()}" in text
    assert all(f"came     {value}" in text for value in came)
    assert folder.store.load() is None


def test_the_frame_size_that_is_known(folder: Folder) -> None:
    command = ("--sigstruct", folder.path / "encl.ss", "--enclave", folder.path / "encl.bin")
    assert folder.run(*command, "--ssa-frame-pages", 2).code == 0


def test_a_stream_of_pages(folder: Folder) -> None:
    signed = folder.write("s.sig", signed_sigstruct(enclave_hash=hashlib.sha256(STREAM).digest()).raw)
    done = folder.run("--sigstruct", signed, "--enclave", folder.write("s.sgxs", STREAM))
    assert done.code == 0
    assert "MRENCLAVE computed from the pages is the one in the SIGSTRUCT" in done.out


def test_a_changed_sigstruct_is_refused(folder: Folder) -> None:
    raw = bytearray(SIGSTRUCT.raw)
    raw[960] ^= 1
    done = folder.run("--sigstruct", folder.write("x.ss", bytes(raw)), "-o", "json")
    assert (done.code, done.json["code"], done.json["measurements"]) == (10, "signature.sigstruct", None)
    assert folder.store.load() is None
    done = folder.run("--sigstruct", folder.path / "x.ss")
    assert done.out == ("REJECTED  signature.sigstruct\n  the signature of the SIGSTRUCT does not verify\n")


@pytest.mark.parametrize("data", [b"", SIGSTRUCT.raw[:-1], b"\x7fELF", STREAM])
def test_what_is_no_sigstruct_is_malformed(folder: Folder, data: bytes) -> None:
    done = folder.run("--sigstruct", folder.write("x", data), "-o", "json")
    assert (done.code, done.json["verdict"]) == (30, "malformed")


def test_what_are_no_pages_is_malformed(folder: Folder) -> None:
    command = ("--sigstruct", folder.path / "encl.ss", "--enclave")
    assert folder.run(*command, folder.write("x", STREAM[:-1])).code == 30
    assert folder.run(*command, folder.write("x", b"\x7fELF" + bytes(8192))).code == 20


# ── an enclave file of the SGX SDK ──


def test_an_enclave_file_s_own_pages_are_measured(folder: Folder) -> None:
    name = folder.write("e.signed.so", signed_as_it_is())
    done = folder.run("--sigstruct", name)
    assert (done.code, done.err) == (0, "")
    assert "MRENCLAVE computed from the file's own pages is the one in its SIGSTRUCT" in done.out
    assert "the pages were not measured" not in done.out
    tampered = bytearray(name.read_bytes())
    tampered[0x1020] ^= 1
    found = folder.run("--sigstruct", folder.write("t.signed.so", bytes(tampered)), "-o", "json").json
    assert (found["code"], found["exit_code"], found["recorded"]) == ("measurement.mismatch", 10, None)


def signed_as_it_is(*versions: int) -> bytes:
    """An enclave file whose SIGSTRUCTs say what its pages are."""

    def made(mr_enclave: bytes) -> bytes:
        author = signed_sigstruct(enclave_hash=mr_enclave, isv_prod_id=7, isv_svn=3)
        return sdk_enclave(*(sdk_metadata(author, version=item) for item in versions or (0x200000004,)))

    draft = made(bytes(32))
    return made(measure_sdk_enclave(draft, parse_signed_enclave(draft)[0]))


def test_every_measurement_of_a_shared_object(folder: Folder) -> None:
    """What cannot be measured is said; each measurement is recorded as one of this enclave."""
    old = sdk_metadata(
        signed_sigstruct(enclave_hash=b"\x01" * 32, isv_prod_id=7, isv_svn=3), version=0x100000003
    )
    name = folder.write("e.signed.so", sdk_enclave(sdk_metadata(SIGSTRUCT, version=0x100000003), old))
    found = folder.run("--sigstruct", name, "-o", "json").json
    assert (found["exit_code"], found["measurements"]) == (0, [MR_ENCLAVE.hex(), "01" * 32])
    assert found["recorded"]["values"] == {"mr_enclave": [MR_ENCLAVE.hex(), "01" * 32]}
    assert any("older than 1.4" in note for note in found["notes"])
    with_pages = folder.run(
        "--sigstruct", name, "--enclave", folder.path / "encl.bin", "--label", "x", "-o", "json"
    )
    assert with_pages.json["recorded"]["values"] == {"mr_enclave": MR_ENCLAVE.hex()}


def test_a_shared_object_of_two_products(folder: Folder) -> None:
    other = signed_sigstruct(isv_prod_id=8)
    name = folder.write("e.signed.so", signed_shared_object(metadata(SIGSTRUCT), metadata(other)))
    assert folder.run("--sigstruct", name).code == 20


# ── by signer ──


def test_by_signer(folder: Folder) -> None:
    done = folder.run("--sigstruct", folder.path / "encl.ss", "--by-signer", "-o", "json")
    values = {"mr_signer": SIGSTRUCT.mr_signer.hex(), "isv_prod_id": 7, "min_isv_svn": 3}
    assert (done.code, done.json["recorded"]["values"]) == (0, values)
    assert done.json["recorded"]["label"] == f"signer-{SIGSTRUCT.mr_signer.hex()[:12]}-7-3"
    assert "min_isv_svn at least 3" in folder.run("--list").out


def test_a_signer_that_everybody_can_be(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SGX SDK's sample key: MRSIGNER 83d719e7…, as the samples' SIGSTRUCTs have it."""
    assert measured._SAMPLE_SIGNER.hex().startswith("83d719e77deaca14")
    monkeypatch.setattr(measured, "_SAMPLE_SIGNER", SIGSTRUCT.mr_signer)
    done = folder.run("--sigstruct", folder.path / "encl.ss", "--by-signer")
    assert (done.code, done.out) == (2, "")
    assert "sample key" in done.err
    assert folder.run("--sigstruct", folder.path / "encl.ss").code == 0


# ── values and quotes ──


def test_a_value_as_it_is_given(folder: Folder) -> None:
    done = folder.run("--mr-enclave", "AB" * 32, "--label", "build-42")
    assert done.code == 0
    (entry,) = folder.store.entries()
    assert (entry.label, entry.values) == ("build-42", {"mr_enclave": "ab" * 32})
    assert folder.run("--mr-enclave", "cd" * 32, "--label", "build-42").code == 2


def test_a_quote_only_if_told_that_nobody_verified_it(folder: Folder, guest: Files) -> None:
    refused = folder.run("--from-quote", guest.quote)
    assert (refused.code, refused.out) == (2, "")
    assert "shelter verify" in refused.err
    done = folder.run("--from-quote", guest.quote, "--unverified", "-o", "json")
    body = parse_quote(guest.quote.read_bytes()).body
    assert isinstance(body, TdReport)
    assert (done.json["tee"], done.json["recorded"]["values"]) == ("tdx", {"mr_td": body.mr_td.hex()})
    assert "was not verified" in done.json["notes"][0]
    assert f"note: {done.json['notes'][0]}" in folder.run("--from-quote", guest.quote, "--unverified").out
    assert folder.run("--from-quote", folder.path / "encl.ss", "--unverified").code == 30
    assert folder.run("--from-quote", folder.write("short", guest.quote.read_bytes()[:600])).code == 2


def test_quotes_of_both_kinds(folder: Folder, enclave: Files) -> None:
    done = folder.run("--from-quote", enclave.quote, "--unverified", "-o", "json")
    assert (done.code, done.json["tee"]) == (0, "sgx")


# ── what is recorded ──


def test_list_remove_and_export(folder: Folder) -> None:
    assert folder.run("--list").out == f"Nothing is recorded in {folder.store.file}\n"
    assert folder.run("--list", "-o", "json").json == {"store": str(folder.store.file), "entries": []}
    assert folder.run("--export").code == 2
    folder.run("--mr-enclave", "01" * 32, "--label", "one")
    folder.run("--mr-enclave", "02" * 32, "--label", "two")
    listed = folder.run("--list", "-o", "json").json["entries"]
    assert [(item["label"], item["values"]) for item in listed] == [
        ("one", {"mr_enclave": "01" * 32}), ("two", {"mr_enclave": "02" * 32}),
    ]  # fmt: skip
    assert set(listed[0]) == {"label", "tee", "values", "source", "recorded_at"}
    assert [line.split()[0] for line in folder.run("--list").out.splitlines()] == ["one", "two"]
    exported = folder.run("--export").out
    assert parse_reference_values(exported.encode()) == folder.store.load()
    assert folder.run("--remove", "one").out == "REMOVED  one\n"
    assert folder.run("--remove", "two", "-o", "json").json["removed"]["label"] == "two"
    gone = folder.run("--remove", "two")
    assert (gone.code, gone.out) == (2, "")


def test_a_store_that_cannot_be_trusted_is_refused(folder: Folder) -> None:
    folder.run("--mr-enclave", "01" * 32)
    folder.store.file.write_bytes(folder.store.file.read_bytes().replace(b"0101", b"0201"))
    for args in (("--list",), ("--export",), ("--mr-enclave", "02" * 32), ("--remove", "x")):
        done = folder.run(*args)
        assert (done.code, done.out) == (2, "")
        assert f"{folder.store.file}: its signature does not verify" in done.err


def test_verify_takes_what_was_recorded(folder: Folder, enclave: Files) -> None:
    """The stored payload, and --export, are what ``shelter verify --reference`` reads."""
    body = parse_quote(enclave.quote.read_bytes()).body
    assert isinstance(body, EnclaveReport)
    folder.run("--mr-enclave", body.mr_enclave.hex(), "--label", "it")
    payload = json.loads(folder.store.file.read_bytes())["payload"].encode()
    options = ("--nonce", NONCE.hex(), "--reference")
    for data in (payload, folder.run("--export").out.encode()):
        assert enclave.verify(*options, folder.write("reference.json", data)).code == 0
    folder.run("--remove", "it")
    folder.run("--mr-enclave", "00" * 32)
    done = enclave.verify(*options, folder.write("other.json", folder.run("--export").out.encode()))
    assert (done.code, done.json["verdict"]) == (10, "rejected")


# ── options ──


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("--list", "--export"),
        ("--sigstruct", "x", "--mr-enclave", "00" * 32),
        ("--mr-enclave", "00"),
        ("--mr-enclave", "00" * 32, "--by-signer"),
        ("--mr-enclave", "00" * 32, "--check"),
        ("--mr-enclave", "00" * 32, "--enclave", "x"),
        ("--mr-enclave", "00" * 32, "--label", "a b"),
        ("--sigstruct", "x", "--unverified"),
        ("--sigstruct", "x", "--ssa-frame-pages", 1),
        ("--sigstruct", "x", "--enclave", "y", "--ssa-frame-pages", 0),
        ("--sigstruct", "-", "--enclave", "-"),
        ("--mr-td", "00" * 32),
        ("--mr-td", "00" * 48, "--check"),
        ("--mr-td", "00" * 48, "--unverified"),
        ("--mr-td", "00" * 48, "--field", "xfam"),
        ("--mr-td", "00" * 48, "--mr-enclave", "00" * 32),
        ("--mr-td", "00" * 48 + "/" + "ff" * 48),
        ("--mr-td", "00" * 48, "--xfam", "00"),
        ("--mr-td", "00" * 48, "--xfam", "00" * 8 + "/" + "00" * 8),
        ("--mr-td", "00" * 48, "--xfam", "01" + "00" * 7 + "/" + "02" + "00" * 7),
        ("--mr-td", "00" * 48, "--xfam", "00" * 8 + "/"),
        ("--rt-mr0", "00" * 48),
        ("--mr-enclave", "00" * 32, "--rt-mr0", "00" * 48),
        ("--sigstruct", "x", "--mr-seam", "00" * 48),
        ("--list", "--label", "x"),
        ("--sigstruct", "there is no such file"),
    ],
)
def test_usage_errors(folder: Folder, args: tuple[object, ...]) -> None:
    done = folder.run(*args)
    assert (done.code, done.out) == (2, "")
    assert done.err
    assert folder.store.load() is None


def test_the_store_by_its_environment(folder: Folder) -> None:
    quiet = {"SHELTER_STORE": str(folder.path / "named"), "XDG_CONFIG_HOME": str(folder.path / "xdg")}
    assert start("mrverify", "--mr-enclave", "01" * 32, env=quiet).code == 0
    assert ReferenceStore(folder.path / "named").load() is not None
    del quiet["SHELTER_STORE"]
    env = {key: value for key, value in os.environ.items() if key != "SHELTER_STORE"}
    assert start("mrverify", "--mr-enclave", "02" * 32, env={**env, **quiet}).code == 0
    assert ReferenceStore(folder.path / "xdg" / "shelter").load() is not None


def test_the_store_by_default() -> None:
    home = Path.home() / ".config" / "shelter"
    assert default_store({}) == default_store({"XDG_CONFIG_HOME": "relative"}) == home
    assert default_store({"XDG_CONFIG_HOME": "/etc/xdg"}) == Path("/etc/xdg/shelter")
    assert open_store("folder").path == Path("folder")


def test_a_name_that_would_steer_the_terminal(folder: Folder) -> None:
    folder.run("--sigstruct", folder.write("\x1b[31m.ss", SIGSTRUCT.raw))
    listed = folder.run("--list").out
    assert "\x1b" not in listed
    assert "\\x1b[31m.ss" in listed


def test_a_debuggable_enclave_is_named(folder: Folder) -> None:
    raw = signed_sigstruct(attribute_mask=bytes(16)).raw
    found = folder.run("--sigstruct", folder.write("d.ss", raw), "-o", "json").json
    assert found["may_debug"] is True
    assert any("debug" in note for note in found["notes"])
