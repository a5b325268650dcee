"""``shelter endorsements``, and ``shelter verify`` with providers, against emulated services."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eaa.attester.simulated import SimulatedPlatform, SimulatedTdxGuest, SimulatedVendor
from eaa.attester.simulated.amd_guest import SimulatedSnpGuest, SimulatedSnpPlatform
from eaa.attester.simulated.amd_keys import AmdKeys
from eaa.attester.simulated.amd_vendor import SimulatedAmdVendor
from eaa.codec.pem import encode_pem
from eaa.evidence.snp_tcb import SnpProduct
from tests.cli.running import Run, process_env, run, start
from tests.fakes.amd_vendor import rsa_key
from tests.fakes.upstream_server import Reply, UpstreamServer, serving
from tests.fakes.vendor_services import answer_from, kds_answers, pcs_answers

DATA = bytes(64)


@dataclass
class Site:
    """A guest of each vendor, their evidence as files, and a service that has their endorsements."""

    folder: Path
    server: UpstreamServer
    answers: dict[str, Reply]
    tdx: SimulatedTdxGuest
    snp: SimulatedSnpGuest
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def roots(self) -> tuple[object, ...]:
        return ("--trust-anchor", self.folder / "roots.pem")

    @property
    def providers(self) -> tuple[object, ...]:
        url = self.server.url
        return ("--provider", f"pccs:{url}/sgx/certification/v4/", "--provider", f"kds:{url}")

    def endorsements(self, *arguments: object, cache: Path | None = None) -> Run:
        return run("endorsements", *arguments, *self.roots, "--endorsement-cache", cache or self.cache)

    def fetch(self, *evidence: str) -> Run:
        return self.endorsements("fetch", *(self.folder / name for name in evidence), *self.providers)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    now = datetime.now(UTC)
    tdx = SimulatedTdxGuest(SimulatedPlatform(SimulatedVendor(now=now)))
    keys = AmdKeys(rsa_key("ark"), rsa_key("ask"), rsa_key("asvk"))
    vendor = SimulatedAmdVendor(now=now, product=SnpProduct.GENOA, keys=keys)
    snp = SimulatedSnpGuest(SimulatedSnpPlatform(vendor))
    monkeypatch.setenv("QCNL_CONF_PATH", str(tmp_path / "qcnl.conf"))
    monkeypatch.delenv("EAA_PROVIDERS", raising=False)
    (tmp_path / "tdx.bin").write_bytes(tdx.collect(DATA))
    (tmp_path / "snp.bin").write_bytes(snp.collect(DATA))
    (tmp_path / "roots.pem").write_bytes(encode_pem(tdx.trust_anchor.der) + encode_pem(snp.trust_anchor.der))
    answers = {**pcs_answers(tdx.endorsements()), **kds_answers(snp)}
    answers["/sgx/certification/v4/rootcacrl"] = answers.pop("/IntelSGXRootCA.der")
    with serving(answer_from(answers)) as server:
        yield Site(tmp_path, server, answers, tdx, snp)


def test_fetched_exported_imported_and_verified_without_network(site: Site) -> None:
    fetched = site.fetch("tdx.bin", "snp.bin")
    assert fetched.code == 0, fetched.out
    assert "intel/rootcacrl" in fetched.out

    bundle, key = site.folder / "site.eaa", site.folder / "owner.pem"
    store = ("--store", site.folder / "store")
    exported = site.endorsements("export", bundle, "--public-key", key, *store)
    assert exported.code == 0, exported.err
    again = site.folder / "again.eaa"
    assert site.endorsements("export", again, *store).code == 0
    assert again.read_bytes() == bundle.read_bytes()

    other = site.folder / "air-gapped"
    imported = site.endorsements("import", bundle, "--signed-by", key, cache=other)
    assert imported.code == 0, imported.out
    asked = len(site.server.requests)
    verdict = run(
        "verify", site.folder / "tdx.bin", *site.roots, "--endorsement-cache", other,
        "--provider", f"folder:{site.folder / 'nothing'}", "-o", "json",
    )  # fmt: skip
    assert verdict.code == 2  # a folder that is not there is a mistake, not an empty folder
    (site.folder / "nothing").mkdir()
    verdict = run(
        "verify", site.folder / "tdx.bin", *site.roots, "--endorsement-cache", other,
        "--provider", f"folder:{site.folder / 'nothing'}", "-o", "json",
    )  # fmt: skip
    assert verdict.code == 0, verdict.out
    assert len(site.server.requests) == asked


def test_verify_fetches_only_when_told_to(site: Site) -> None:
    quote = site.folder / "tdx.bin"
    offline = run("verify", quote, *site.roots, "-o", "json")
    assert (offline.code, offline.json["code"]) == (40, "endorsement_not_found.collateral")
    assert site.server.requests == []

    fetched = run(
        "verify", quote, *site.roots, "--pccs-url", site.server.url, "--endorsement-cache", site.cache,
        "-o", "json",
    )  # fmt: skip
    assert fetched.code == 0, fetched.out
    assert any(site.server.url in note for note in fetched.json["notes"])


def test_fetch_uses_the_pccs_that_intels_library_is_configured_with(site: Site) -> None:
    (site.folder / "qcnl.conf").write_text(
        f'{{\n  // the PCCS of this site\n  "pccs_url": "{site.server.url}/sgx/certification/v4/",\n'
        '  "use_secure_cert": true\n}\n'
    )
    fetched = run(
        "verify",
        site.folder / "tdx.bin",
        *site.roots,
        "--fetch",
        "--endorsement-cache",
        site.cache,
        "-o",
        "json",
    )
    assert fetched.code == 0, fetched.out


def test_a_provider_that_fails_is_explained(site: Site) -> None:
    site.answers.clear()
    failed = run(
        "verify", site.folder / "tdx.bin", *site.roots, "--pccs-url", site.server.url,
        "--endorsement-cache", site.cache, "-o", "json",
    )  # fmt: skip
    assert failed.code == 40
    assert "let it fetch" in failed.json["reasons"][0]


def test_status_bites_before_something_ends(site: Site) -> None:
    nothing = site.endorsements("status")
    assert (nothing.code, "there are no endorsements" in nothing.out) == (40, True)
    assert site.fetch("tdx.bin").code == 0
    good = site.endorsements("status", "--within", "7d")
    assert good.code == 0, good.out
    assert "the first to end" in good.out
    biting = site.endorsements("status", "--within", "5w", "-o", "json")
    assert biting.code == 40
    assert biting.json["ok"] is False
    assert {item["subject"] for item in biting.json["endorsements"] if item["ending"]} >= {"intel/rootcacrl"}
    missing = site.endorsements("status", "--for", site.folder / "snp.bin")
    assert missing.code == 40
    assert "is not there" in missing.out
    assert site.endorsements("status", "--for", site.folder / "tdx.bin").code == 0


def test_list_says_whose_and_until_when(site: Site) -> None:
    assert site.endorsements("list").out.strip() == ""
    site.fetch("tdx.bin", "snp.bin")
    listed = site.endorsements("list")
    assert "amd/crl/genoa" in listed.out
    assert site.server.url in listed.out


def test_a_bundle_of_somebody_else_is_refused(site: Site) -> None:
    site.fetch("tdx.bin")
    bundle, other = site.folder / "site.eaa", site.folder / "other.pem"
    site.endorsements("export", bundle, "--store", site.folder / "one")
    site.endorsements("export", site.folder / "b", "--store", site.folder / "two", "--public-key", other)
    empty = site.folder / "empty"
    refused = site.endorsements("import", bundle, "--signed-by", other, cache=empty)
    assert refused.code == 10
    assert "not signed by the key that is believed" in refused.err
    nobody = site.endorsements("import", bundle, "--store", site.folder / "three", cache=empty)
    assert nobody.code == 2
    changed = bundle.read_bytes().replace(b"intel/rootcacrl", b"intel/rootcacrI")
    bundle.write_bytes(changed)
    assert site.endorsements("import", bundle, "--store", site.folder / "one", cache=empty).code == 10
    assert not empty.exists()


@pytest.mark.parametrize("evidence", ["tdx.bin", "snp.bin"])
def test_a_bundle_is_collateral(site: Site, evidence: str) -> None:
    site.fetch("tdx.bin", "snp.bin")
    bundle, key = site.folder / "site.eaa", site.folder / "owner.pem"
    site.endorsements("export", bundle, "--public-key", key, "--store", site.folder / "one")
    asked = len(site.server.requests)

    def verify(*arguments: object) -> Run:
        quote = site.folder / evidence
        return run("verify", quote, *site.roots, "--collateral", bundle, *arguments, "-o", "json")

    believed = verify("--signed-by", key)
    assert believed.code == 0, believed.out
    other = site.folder / "other.pem"
    site.endorsements("export", site.folder / "b", "--store", site.folder / "two", "--public-key", other)
    refused = verify("--signed-by", other)
    assert (refused.code, refused.json["code"]) == (10, "signature.endorsement_bundle")
    assert len(site.server.requests) == asked


def test_an_older_bundle_replaces_nothing(site: Site) -> None:
    site.fetch("tdx.bin")
    old, store = site.folder / "old.eaa", ("--store", site.folder / "store")
    assert site.endorsements("export", old, *store).code == 0
    site.tdx.platform.tcb_info["tdx"].evaluation_data_number += 1
    site.answers.update({k: v for k, v in pcs_answers(site.tdx.endorsements()).items() if "tcb?" in k})
    assert site.fetch("tdx.bin").code == 0
    rolled = site.endorsements("import", old, *store)
    assert rolled.code == 40
    assert "older than what is there" in rolled.out
    assert site.endorsements("import", old, "--allow-rollback", *store).code == 0


def test_vcek_certificates_in_trustees_layout_are_written_and_read(site: Site) -> None:
    site.fetch("snp.bin")
    vceks = site.folder / "kds-store"
    exported = site.endorsements(
        "export", site.folder / "b", "--store", site.folder / "store", "--vcek-store", vceks
    )
    assert exported.code == 0, exported.err
    (path,) = (item for item in vceks.rglob("*.der"))
    tcb = site.snp.platform.tcb
    assert (
        path.name
        == f"bl{tcb.bootloader:02d}_tee{tcb.tee:02d}_snp{tcb.snp:02d}_ucode{tcb.microcode:02d}_vcek.der"
    )
    assert path.parent.name == (site.snp.platform.vcek.hwid or b"").hex()
    del site.answers[f"/vcek/v1/Genoa/{path.parent.name}"]
    read = site.endorsements(
        "fetch", site.folder / "snp.bin", "--provider", f"store:{vceks}",
        "--provider", f"kds:{site.server.url}", cache=site.folder / "second",
    )  # fmt: skip
    assert read.code == 0, read.out


def test_the_process_that_users_start_knows_it(tmp_path: Path) -> None:
    done = start("endorsements", "status", "--endorsement-cache", tmp_path / "none")
    assert done.code == 40


def test_of_several_files_the_one_that_is_no_evidence_is_named(tmp_path: Path) -> None:
    vendor = SimulatedVendor(now=datetime.now(UTC))
    (tmp_path / "quote.bin").write_bytes(SimulatedTdxGuest(SimulatedPlatform(vendor)).collect(DATA))
    (tmp_path / "notes.txt").write_bytes(b"not evidence")
    done = run(
        "endorsements", "status", "--endorsement-cache", tmp_path / "cache",
        "--for", tmp_path / "quote.bin", "--for", tmp_path / "notes.txt",
    )  # fmt: skip
    assert (done.code, done.out) == (30, "")
    assert done.err.startswith(f"Error: {tmp_path / 'notes.txt'}: input: content: neither")


def test_an_unknown_provider_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    done = run("endorsements", "fetch", tmp_path / "x", "--provider", "nobody")
    assert done.code in (2, 30)
    for text in ("nobody", "aliyun:", "pccs", "kds:http://example.org"):
        assert run("verify", tmp_path / "x", "--provider", text).code == 2


def test_without_httpx_only_what_fetches_is_refused(site: Site) -> None:
    code = "import sys; sys.modules['httpx'] = None; from eaa.cli.shelter import main; main()"
    quote = str(site.folder / "tdx.bin")

    def without(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, timeout=120, check=False,
            env=process_env(),
        )  # fmt: skip

    assert without("verify", quote).returncode == 40
    assert without("endorsements", "status", "--endorsement-cache", str(site.cache)).returncode == 40
    refused = without("verify", quote, "--pccs-url", site.server.url)
    assert refused.returncode == 2
    assert b"eaa[httpx]" in refused.stderr
