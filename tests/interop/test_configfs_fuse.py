"""The configfs-tsm attester on real files: a FUSE file system that answers as Linux does.

Needs /dev/fuse, libfuse (``apt-get install libfuse3-3``) and the right to mount. Where one is missing these
tests fail and say so: the attester has no other proof short of hardware.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eaa.attester.configfs_tsm import ConfigfsTsmAttester
from eaa.attester.instances import AttesterOptions, choose_attester, probe_attesters
from eaa.attester.sources import CONFIGFS_TSM
from eaa.errors import AttesterError
from eaa.tls.peer import EvidenceKind
from tests.architecture.source import ROOT
from tests.fakes.vendor import Evidence, shared_evidence, verify

Mount = Callable[..., Path]
DEADLINE_SECONDS = 20.0


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """``mount(provider, interferences)`` is a root with ``sys/kernel/config/tsm/report`` mounted below."""
    running: list[tuple[subprocess.Popen[str], Path]] = []

    def start(provider: str, interferences: int = 0) -> Path:
        folder = tmp_path / CONFIGFS_TSM.paths[0]
        folder.mkdir(parents=True)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.tsm_fuse", str(folder), provider, str(interferences)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append((process, folder))
        _wait_until_mounted(process, folder)
        return tmp_path

    yield start
    for process, folder in running:
        subprocess.run(["umount", str(folder)], check=False, capture_output=True)
        try:
            process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _wait_until_mounted(process: subprocess.Popen[str], folder: Path) -> None:
    end = time.monotonic() + DEADLINE_SECONDS
    while not folder.is_mount():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            said = process.communicate()[1].strip().splitlines()[-1:]
            pytest.fail(
                f"configfs-tsm cannot be emulated here: {' '.join(said) or 'no answer'}. It takes /dev/fuse "
                f"({'there' if Path('/dev/fuse').exists() else 'missing'}), libfuse (apt-get install "
                "libfuse3-3) and the right to mount."
            )
        time.sleep(0.02)


def tdx(root: Path) -> ConfigfsTsmAttester:
    return ConfigfsTsmAttester("tdx_ecdsa", "tdx_guest", root=root)


def test_a_tdx_quote_that_verifies(mount: Mount) -> None:
    root = mount("tdx_guest")
    report_data = bytes(range(64))
    evidence = tdx(root).collect(report_data)
    assert evidence.kind is EvidenceKind.TDX_QUOTE
    known = shared_evidence("tdx-v4")
    assert verify(Evidence(evidence.evidence, known.collateral, known.trust_anchor)).tee == "tdx"
    assert list((root / CONFIGFS_TSM.paths[0]).iterdir()) == []


def test_a_snp_report_for_the_permitted_level(mount: Mount) -> None:
    attester = ConfigfsTsmAttester("sev_snp", "sev_guest", root=mount("sev_guest"), privlevel=2)
    evidence = attester.collect(b"\x07" * 64)
    assert evidence.kind is EvidenceKind.SNP_REPORT
    assert evidence.evidence[0x30] == 2
    assert evidence.evidence[0x50:0x90] == b"\x07" * 64


def test_another_writer_once_is_retried(mount: Mount) -> None:
    assert tdx(mount("tdx_guest", 1)).collect(bytes(64)).evidence


def test_another_writer_each_time_is_busy(mount: Mount) -> None:
    root = mount("tdx_guest", 100)
    with pytest.raises(AttesterError, match="another writer") as caught:
        tdx(root).collect(bytes(64))
    assert caught.value.code == "attester.busy"
    assert list((root / CONFIGFS_TSM.paths[0]).iterdir()) == []


def test_no_provider(mount: Mount) -> None:
    with pytest.raises(AttesterError, match=r"load the module tdx_guest or sev-guest \(ENXIO\)") as caught:
        tdx(mount("none")).collect(bytes(64))
    assert caught.value.code == "attester.no_device"


def test_automatic_selection(mount: Mount) -> None:
    root = mount("tdx_guest")
    available = {probe.name: probe.available for probe in probe_attesters(root)}
    assert {name for name, works in available.items() if works} == {"tdx_ecdsa"}
    chosen = choose_attester("", root=root, options=AttesterOptions(), allow_null=False)
    assert chosen.attester.name == "tdx_ecdsa"
    assert [probe.name for probe in chosen.passed_over] == ["sgx_ecdsa"]


def test_many_at_once_do_not_meet(mount: Mount) -> None:
    attester = ConfigfsTsmAttester("sev_snp", "sev_guest", root=mount("sev_guest"))
    came: dict[int, bytes] = {}

    def collect(number: int) -> None:
        came[number] = attester.collect(bytes([number]) * 64).evidence[0x50:0x90]

    threads = [threading.Thread(target=collect, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert came == {number: bytes([number]) * 64 for number in range(16)}
