"""Occlum's ``/dev/sgx``, emulated."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from pathlib import Path

import pytest

from eaa.attester.device import Ioctl
from eaa.attester.occlum import SGXIOC_GEN_DCAP_QUOTE, SGXIOC_GET_DCAP_QUOTE_SIZE, OcclumAttester
from eaa.errors import AttesterError, UsageError
from eaa.tls.peer import EvidenceKind
from tests.fakes.vendor import REPORT_DATA, make_attester, shared_evidence


def occlum(root: Path, ioctl: Ioctl) -> OcclumAttester:
    (root / "dev").mkdir()
    (root / "dev/sgx").touch()
    return OcclumAttester(root=root, ioctl=ioctl)


def libos(size: int | None = None, spare: int = 0, failing: int = 0) -> Ioctl:
    enclave = make_attester("sgx-v3")

    def ioctl(descriptor: int, request: int, argument: bytearray) -> None:
        if request == failing:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if request == SGXIOC_GET_DCAP_QUOTE_SIZE:
            room = len(shared_evidence("sgx-v3").quote) + spare if size is None else size
            argument[:] = room.to_bytes(4, "little")
            return
        assert request == SGXIOC_GEN_DCAP_QUOTE
        wanted, length, quote = struct.unpack("<QQQ", argument)
        data = enclave.collect(ctypes.string_at(wanted, 64))
        ctypes.memmove(quote, data, len(data))
        ctypes.memmove(length, len(data).to_bytes(4, "little"), 4)

    return ioctl


def test_request_codes() -> None:
    sizes = (2 << 30 | 4 << 16 | ord("s") << 8 | 7, 3 << 30 | 24 << 16 | ord("s") << 8 | 8)
    assert sizes == (SGXIOC_GET_DCAP_QUOTE_SIZE, SGXIOC_GEN_DCAP_QUOTE)


@pytest.mark.parametrize("spare", [0, 100])
def test_quote(tmp_path: Path, spare: int) -> None:
    attester = occlum(tmp_path, libos(spare=spare))
    assert attester.probe() is None
    evidence = attester.collect(REPORT_DATA)
    assert (evidence.kind, evidence.evidence) == (EvidenceKind.SGX_QUOTE, shared_evidence("sgx-v3").quote)


@pytest.mark.parametrize("size", [0, 128 * 1024 + 1])
def test_an_impossible_size(tmp_path: Path, size: int) -> None:
    with pytest.raises(AttesterError, match=f"quote of {size} bytes is not possible"):
        occlum(tmp_path, libos(size)).collect(REPORT_DATA)


@pytest.mark.parametrize("request_code", [SGXIOC_GET_DCAP_QUOTE_SIZE, SGXIOC_GEN_DCAP_QUOTE])
def test_refused(tmp_path: Path, request_code: int) -> None:
    with pytest.raises(AttesterError, match=r"/dev/sgx: SGXIOC_.*\(EINVAL\)"):
        occlum(tmp_path, libos(failing=request_code)).collect(REPORT_DATA)


def test_not_under_occlum(tmp_path: Path) -> None:
    (tmp_path / "dev/sgx").mkdir(parents=True)  # the kernel's folder of devices
    attester = OcclumAttester(root=tmp_path)
    assert attester.probe() == "there is no /dev/sgx"
    with pytest.raises(AttesterError, match="there is no /dev/sgx"):
        attester.collect(REPORT_DATA)


def test_report_data_is_64_bytes(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        occlum(tmp_path, libos()).collect(bytes(63))
