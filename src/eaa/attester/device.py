"""What the attesters of devices share: opening, ioctl, bounds, and errors that name the device."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from eaa.attester.sources import Source, locate, why_not
from eaa.errors import AttesterError, UsageError
from eaa.tls.peer import REPORT_DATA_BYTES

__all__ = [
    "DeviceAttester",
    "Ioctl",
    "device_errors",
    "find_device",
    "fixed",
    "kernel_ioctl",
    "opened",
    "require_report_data",
]

#: ``(file descriptor, request code, argument)``; changes the argument in place, raises OSError.
Ioctl = Callable[[int, int, bytearray], None]

_DETAILS: Mapping[int, tuple[str, str]] = {
    errno.ENOENT: ("no_device", "it is not there"),
    errno.ENODEV: ("no_device", "there is nothing behind it: is this a confidential guest?"),
    errno.ENXIO: ("no_device", "no driver stands behind it: load the module tdx_guest or sev-guest"),
    errno.ENOTDIR: ("no_device", "it is not what its name says"),
    errno.EACCES: ("permission", "this user may not: run as a user that may, or change the device's group"),
    errno.EPERM: ("permission", "this user may not: run as a user that may, or change the device's group"),
    errno.EROFS: ("permission", "it is mounted read-only: mount it for writing"),
    errno.EBUSY: ("busy", "a request is under way: try again later"),
    errno.EAGAIN: ("busy", "a request is under way: try again later"),
    errno.EINTR: ("busy", "interrupted: try again"),
    errno.ETIMEDOUT: ("timeout", "the host did not answer: is its quoting service running?"),
    errno.ENOTTY: ("unknown_request", "the driver does not know the request: a newer kernel is needed"),
    errno.EINVAL: ("refused", "driver or firmware refused the request's values"),
    errno.EIO: ("firmware", "firmware or host reported a failure: see the kernel's log"),
    errno.EFBIG: ("too_large", "the report exceeds the driver's maximum"),
}


def kernel_ioctl(descriptor: int, request: int, argument: bytearray) -> None:
    """The real one."""
    fcntl.ioctl(descriptor, request, argument, True)


class DeviceAttester:
    """What attesters behind one device share: where it is below ``root``, and how it is asked."""

    source: ClassVar[Source]

    def __init__(self, *, root: Path = Path("/"), ioctl: Ioctl = kernel_ioctl) -> None:
        self._root = root
        self._ioctl = ioctl

    def probe(self) -> str | None:
        """Why it does not work here, or ``None``."""
        return why_not(self._root, self.source)


def require_report_data(report_data: bytes) -> None:
    """
    Raises:
        UsageError: not exactly 64 bytes; nothing is padded or cut.
    """
    if len(report_data) != REPORT_DATA_BYTES:
        raise UsageError(
            f"report data has {REPORT_DATA_BYTES} bytes, came {len(report_data)}", detail="report_data_length"
        )


def find_device(root: Path, source: Source) -> str:
    """The path of ``source`` below ``root``, without a leading slash.

    Raises:
        AttesterError: it is not there.
    """
    found = locate(root, source)
    if found is None:
        raise AttesterError(f"{source.name}: there is no {source.where}", detail="no_device")
    return found


@contextmanager
def opened(root: Path, path: str, *, writes: bool) -> Iterator[int]:
    """A file descriptor of ``path``, closed afterwards; it is not inherited by other programs.

    Raises:
        AttesterError: it cannot be opened.
    """
    with device_errors(f"/{path}", "opening it"):
        descriptor = os.open(root / path, (os.O_RDWR if writes else os.O_RDONLY) | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def device_errors(device: str, doing: str, advice: Mapping[int, str] | None = None) -> Iterator[None]:
    """Turns OSError into AttesterError that says which device, doing what, and what to do about it.

    ``advice`` replaces the usual sentence for single errno values.
    """
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        detail, usual = _DETAILS.get(number, ("os_error", os.strerror(number)))
        sentence = (advice or {}).get(number, usual)
        name = errno.errorcode.get(number, str(number))
        raise AttesterError(
            f"{device}: {doing}: {sentence} ({name})", detail=detail, device=device, errno=name
        ) from None


def fixed(data: bytes, length: int, what: str, device: str) -> bytes:
    """``data`` if it has exactly ``length`` bytes.

    Raises:
        AttesterError
    """
    if len(data) != length:
        raise AttesterError(
            f"{device}: {what} has {length} bytes, came {len(data)}", detail="answer", device=device
        )
    return data
