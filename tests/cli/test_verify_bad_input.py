"""Bad input: a typed refusal that names what is wrong, never a traceback, in bounded time and memory."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from eaa.attester.simulated import (
    SimulatedPlatform,
    SimulatedSgxEnclave,
    SimulatedTdxGuest,
    SimulatedVendor,
    dcap_qvl_json,
)
from tests.cli.conftest import AT, NOW, Attester, Files
from tests.cli.running import process_env, run

FilesOf = Callable[[Attester], Files]
REFUSALS = {10, 20, 30, 40}
TDX_BODY, SGX_BODY = 584, 384


def test_truncated_at_every_part(guest: Files) -> None:
    quote = guest.quote.read_bytes()
    edges = {0, 1, 2, 47, 48, 49, 48 + TDX_BODY, 48 + TDX_BODY + 3, 48 + TDX_BODY + 4, len(quote) - 1}
    for length in sorted(edges | set(range(0, len(quote), 211))):
        done = guest.verify(quote=quote[:length])
        assert (done.code, done.json["verdict"]) == (30, "malformed"), length


def lengths(body: int) -> dict[str, int]:
    """Offsets of the two least significant bytes of each length in a quote with authentication data of 32."""
    data = 48 + body + 4
    outer = data + 64 + 64
    qe_report = outer if body == SGX_BODY else outer + 6
    authentication = qe_report + 384 + 64
    found = {"signature_data_len": data - 4, "qe_auth_data.size": authentication}
    found["qe_certification_data.size"] = authentication + 2 + 32 + 2
    return found if body == SGX_BODY else {**found, "certification_data.size": outer + 2}


@pytest.mark.parametrize("by", [-1, 1, 0x100])
@pytest.mark.parametrize("kind", [SimulatedTdxGuest, SimulatedSgxEnclave])
def test_each_length_grown_or_shrunk(
    kind: type[Attester], by: int, platform: SimulatedPlatform, files: FilesOf
) -> None:
    made = files(kind(platform))
    quote = made.quote.read_bytes()
    for name, at in lengths(TDX_BODY if made.attester.tee == "tdx" else SGX_BODY).items():
        length = int.from_bytes(quote[at : at + 2], "little") + by
        done = made.verify(quote=quote[:at] + (length & 0xFFFF).to_bytes(2, "little") + quote[at + 2 :])
        assert done.code == 30, (name, done.out)
        assert "at offset" in done.json["reasons"][0], name


@pytest.mark.parametrize(
    ("offset", "value", "field"),
    [
        (0, b"\x06\x00", "header.version"),
        (0, b"\x00\x00", "header.version"),
        (2, b"\x09\x00", "header.attestation_key_type"),
        (4, b"\x42\x00\x00\x00", "header.tee_type"),
        (12, bytes(16), "header.qe_vendor_id"),
    ],
)
def test_magic_and_versions(guest: Files, offset: int, value: bytes, field: str) -> None:
    quote = guest.quote.read_bytes()
    done = guest.verify(quote=quote[:offset] + value + quote[offset + len(value) :])
    assert (done.code, done.json["verdict"]) == (30, "malformed")
    assert f"{field} at offset {offset}" in done.json["reasons"][0]


def test_an_attestation_key_of_p384_is_unsupported(guest: Files) -> None:
    quote = guest.quote.read_bytes()
    done = guest.verify(quote=quote[:2] + b"\x03" + quote[3:])
    assert (done.code, done.json["code"]) == (20, "unsupported.attestation_key_type")


def test_trailing_bytes(guest: Files) -> None:
    done = guest.verify(quote=guest.quote.read_bytes() + b"\x00")
    assert (done.code, done.json["code"]) == (30, "format.trailing_bytes")


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x00", b"hello", b"\n", b"\xff" * 100, bytes(5000), b"-----BEGIN", b"-----BEGIN QUOTE-----",
        b"{", b"[]", b"null", b'{"quote":1}', b'{"quote":"!"}', b'{"quote":{"quote":{}}}', b"\xc3\x28",
        b'{"quote":"' + b"00" * 20 + b'"}', b"\x30\x82\xff\xff", b"HTTP/1.1 200 OK\r\n\r\n", b"=" * 50,
    ],
)  # fmt: skip
def test_nothing_known(guest: Files, data: bytes) -> None:
    done = guest.verify(quote=data)
    assert (done.code, done.json["verdict"]) == (30, "malformed")
    assert done.json["reasons"]


@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"quote":' * 100_000, b'{"quote":[' * 50_000])
def test_deeply_nested_json(guest: Files, deep: bytes) -> None:
    assert guest.verify(quote=deep).code == 30
    done = guest.verify("--collateral", guest.write("deep.json", b'{"tcbInfo":' + deep))
    assert (done.code, done.json["verdict"]) == (30, "malformed")


def test_duplicate_json_keys(guest: Files) -> None:
    text = base64.b64encode(guest.quote.read_bytes()).decode()
    done = guest.verify(quote=f'{{"quote":"{text}","quote":"{text}"}}'.encode())
    assert (done.code, done.json["code"]) == (30, "format.duplicate_key")
    twice = guest.collateral.read_bytes().replace(b'"tcb_info":', b'"pck_crl":"", "tcb_info":', 1)
    done = guest.verify("--collateral", guest.write("twice.json", twice))
    assert (done.code, done.json["code"]) == (30, "format.duplicate_key")


def test_more_than_16_mib_is_refused_and_not_read(guest: Files) -> None:
    big = guest.folder / "big"
    with big.open("wb") as stream:
        stream.truncate(100 << 20)
    for option in ((), ("--collateral", str(big)), ("--event-log", str(big))):
        name = big if not option else guest.quote
        done = run("verify", name, *guest.trusted, *option, "-o", "json")
        assert (done.code, done.json["code"]) == (30, "format.too_large")


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
from eaa.cli.shelter import main
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is Linux's")
@pytest.mark.parametrize("command", [("verify", "-", "-o", "json"), ("inspect", "-")])
def test_100_mib_of_zeros_on_stdin_in_bounded_memory(command: tuple[str, ...]) -> None:
    code = LIMITED.format(limit=768 << 20)
    with Path("/dev/zero").open("rb") as zeros:
        done = subprocess.run(
            [sys.executable, "-c", code, *command],
            stdin=zeros, capture_output=True, timeout=60, check=False, env=process_env(),
        )  # fmt: skip
    assert done.returncode == 30
    assert b"Traceback" not in done.stderr
    assert b"too_large" in done.stdout + done.stderr


# ── endorsements ──


def verify_with(files: Files, **replaced: str) -> tuple[int, str]:
    """Code and slug with members of the collateral replaced."""
    members = json.loads(files.collateral.read_bytes()) | replaced
    files.collateral.write_bytes(json.dumps(members).encode())
    done = files.verify()
    return done.code, done.json["code"]


def test_collateral_of_the_other_tee(guest: Files, enclave: Files, platform: SimulatedPlatform) -> None:
    guest.collateral.write_bytes(dcap_qvl_json(platform.collateral("sgx")))
    guest.quote.write_bytes(SimulatedTdxGuest(platform).collect(bytes(64)))
    done = guest.verify()
    assert (done.code, done.json["code"]) == (10, "endorsement.tcb_info_tee")


def test_collateral_of_another_platform(vendor: SimulatedVendor, files: FilesOf) -> None:
    made = files(SimulatedSgxEnclave(SimulatedPlatform(vendor)))
    other = SimulatedPlatform(vendor, name="other", fmspc=b"OTHER!")
    made.collateral.write_bytes(dcap_qvl_json(other.collateral("sgx")))
    done = made.verify()
    assert (done.code, done.json["verdict"]) == (10, "rejected")
    assert done.json["code"].startswith("endorsement.")
    assert "FMSPC" in done.json["reasons"][0]


@pytest.mark.parametrize(("days", "ending"), [(40, "_expired"), (-4000, "_not_yet_valid")])
def test_periods(guest: Files, days: int, ending: str) -> None:
    done = guest.verify("--at", (NOW + timedelta(days=days)).isoformat())
    assert (done.code, done.json["verdict"]) == (10, "rejected")
    assert done.json["code"].startswith("validity_period.")
    assert done.json["code"].endswith(ending)


@pytest.mark.parametrize("what", ["leaf", "intermediate", "signing"])
def test_revoked(what: str, vendor: SimulatedVendor, platform: SimulatedPlatform, files: FilesOf) -> None:
    vendor.revoke({"leaf": platform.pck, "intermediate": platform.ca, "signing": vendor.tcb_signing}[what])
    done = files(SimulatedTdxGuest(platform)).verify()
    assert (done.code, done.json["verdict"]) == (10, "rejected")
    assert done.json["code"].startswith("revoked.")


def test_swapped_issuer_chains(guest: Files) -> None:
    members = json.loads(guest.collateral.read_bytes())
    code, slug = verify_with(
        guest,
        tcb_info_issuer_chain=members["pck_crl_issuer_chain"],
        pck_crl_issuer_chain=members["tcb_info_issuer_chain"],
    )  # fmt: skip
    assert code == 10
    assert slug.startswith("chain.")


def test_altered_and_unsigned_tcb_info(guest: Files) -> None:
    members = json.loads(guest.collateral.read_bytes())
    altered = members["tcb_info"].replace("OutOfDate", "UpToDate", 1)
    assert altered != members["tcb_info"]
    assert verify_with(guest, tcb_info=altered) == (10, "signature.tcb_info")
    assert verify_with(guest, tcb_info_signature="00" * 64) == (10, "signature.tcb_info")
    assert verify_with(guest, tcb_info_signature="")[0] == 30


def test_every_flipped_byte_of_a_sample_is_refused(guest: Files) -> None:
    quote = guest.quote.read_bytes()
    for at in range(0, len(quote), 173):
        done = guest.verify(quote=quote[:at] + bytes((quote[at] ^ 0x40,)) + quote[at + 1 :])
        assert done.code in REFUSALS, at


# ── files ──


def test_unreadable_files_are_usage_errors(guest: Files, tmp_path: Path) -> None:
    for name in (tmp_path / "missing", tmp_path, "bad\x00name"):
        done = run("verify", name, "--at", AT)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("Error: cannot read ")
