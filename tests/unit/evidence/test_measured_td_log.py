"""What is read from the log of a TD that booted as it should."""

from __future__ import annotations

import hashlib
import struct

import pytest

from eaa.errors import BindingError
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import Digest, Event, EventLog, parse_event_log
from eaa.evidence.event_payload import LINUX_INITRD_TAG, LINUX_LOAD_OPTIONS_TAG
from eaa.evidence.event_type import EventType
from eaa.evidence.measured_td_log import read_golden_log, require_quoted

SHA384 = HashAlgorithm.SHA384
QEMU_MEDIA = bytes.fromhex("0403140072f728144ab61e44b8c39ebdd7f893c7")


def sha384(data: bytes) -> bytes:
    return hashlib.sha384(data).digest()


def event(register: int, event_type: int, data: bytes, digest: bytes) -> Event:
    return Event(0, 0, register, event_type, (Digest(SHA384, digest),), data)


def log_of(*events: Event) -> EventLog:
    return parse_event_log(EventLog(1, 0, 2, 0, 0, 2, (SHA384,), b"", events, None, 0).encode())


def loaded(name: str, digest: bytes) -> Event:
    file = name.encode("utf-16-le") + b"\0\0"
    path = QEMU_MEDIA + b"\x04\x04" + (4 + len(file)).to_bytes(2, "little") + file + bytes.fromhex("7fff0400")
    data = struct.pack("<QQQQ", 0, 0, 0, len(path)) + path
    return event(2, EventType.EV_EFI_BOOT_SERVICES_APPLICATION, data, digest)


def tagged(tag: int, digest: bytes) -> Event:
    return event(3, EventType.EV_EVENT_TAG, struct.pack("<II", tag, 1) + b"x", digest)


KERNEL, OPTIONS, INITRD = sha384(b"kernel"), sha384(b"options"), sha384(b"initrd")
BOOT = (
    event(1, EventType.EV_EFI_ACTION, b"config", sha384(b"config")),
    loaded("shim", sha384(b"shim")),
    loaded("kernel", KERNEL),
    tagged(LINUX_LOAD_OPTIONS_TAG, OPTIONS),
    tagged(LINUX_INITRD_TAG, INITRD),
    event(4, EventType.EV_EFI_ACTION, b"guest", sha384(b"guest")),
)


def chain(*digests: bytes) -> bytes:
    value = bytes(48)
    for digest in digests:
        value = sha384(value + digest)
    return value


RTMRS = (chain(sha384(b"config")), chain(sha384(b"shim"), KERNEL), chain(OPTIONS, INITRD), bytes(48))


def test_registers_and_digests() -> None:
    golden = read_golden_log(log_of(*BOOT))
    assert dict(golden.rtmrs) == {0: RTMRS[0], 1: RTMRS[1], 2: RTMRS[2]}
    assert (golden.kernel, golden.load_options) == (KERNEL, OPTIONS)


def test_a_boot_without_them() -> None:
    golden = read_golden_log(log_of(BOOT[0], BOOT[1], BOOT[4]))
    assert (golden.kernel, golden.load_options) == (None, None)
    assert sorted(golden.rtmrs) == [0, 1, 2]
    assert sorted(read_golden_log(log_of(BOOT[0])).rtmrs) == [0]


def test_of_two_kernels_none_is_named() -> None:
    assert read_golden_log(log_of(*BOOT, loaded("kernel", KERNEL))).kernel is None


def test_a_kernel_from_elsewhere_and_another_type_of_event_are_not_it() -> None:
    data = BOOT[2].data
    driver = event(2, EventType.EV_EFI_BOOT_SERVICES_DRIVER, data, KERNEL)
    broken = event(2, EventType.EV_EFI_BOOT_SERVICES_APPLICATION, b"?", KERNEL)
    assert read_golden_log(log_of(driver, broken)).kernel is None


def test_the_quote_of_that_boot() -> None:
    require_quoted(log_of(*BOOT), RTMRS)
    require_quoted(log_of(BOOT[0]), (RTMRS[0], bytes(48), bytes(48), sha384(b"anything")))


@pytest.mark.parametrize("register", [0, 1, 2])
def test_the_quote_of_another_boot(register: int) -> None:
    other = (*RTMRS[:register], sha384(b"other"), *RTMRS[register + 1 :])
    with pytest.raises(BindingError, match=f"RTMR{register} of the quote") as caught:
        require_quoted(log_of(*BOOT), (other[0], other[1], other[2], other[3]))
    assert caught.value.code == "binding.event_log"
    assert caught.value.fields["rtmr"] == register
