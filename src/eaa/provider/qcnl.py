"""Intel's ``sgx_default_qcnl.conf``, in both of its formats [QCNL].

One is ``NAME=VALUE`` in lines with ``#`` comments, the other JSON with ``//`` and ``/* */`` comments. Names
that are not known here are named in ``notes``, not refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from eaa.codec.strict_json import parse_json
from eaa.endorsements.subject import Update
from eaa.errors import ConfigError, FormatError

__all__ = ["QCNL_PATH", "QCNL_PATH_VARIABLE", "QcnlConfig", "parse_qcnl"]

QCNL_PATH = "/etc/sgx_default_qcnl.conf"
#: Names another file, for Intel's library and here.
QCNL_PATH_VARIABLE = "QCNL_CONF_PATH"
_DEFAULT_URL = "https://localhost:8081/sgx/certification/v4/"
_MAX_BYTES = 1024 * 1024
#: 90 days.
_MAX_HOURS = 2160.0
_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*+")|//[^\n]*+|/\*.*?\*/', re.DOTALL)
_NAMES = frozenset(
    {
        "pccs_url", "use_secure_cert", "collateral_service", "tcb_update_type", "pccs_api_version",
        "retry_times", "retry_delay", "local_pck_url", "pck_cache_expire_hours",
        "verify_collateral_cache_expire_hours", "local_cache_only", "custom_request_options",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class QcnlConfig:
    """What the file says, with the defaults of Intel's library for what it does not.

    ``collateral_service`` is where collateral comes from: it is ``pccs_url`` unless given. A delay of 0
    seconds is a backoff that doubles. Hours of 0 mean that the service's ``Cache-Control`` counts.
    """

    pccs_url: str = _DEFAULT_URL
    use_secure_cert: bool = True
    collateral_service: str = _DEFAULT_URL
    tcb_update_type: Update = "standard"
    pccs_api_version: str = "3.0"
    retry_times: int = 0
    retry_delay: int = 0
    local_pck_url: str = ""
    pck_cache_expire_hours: float = 0.0
    verify_collateral_cache_expire_hours: float = 0.0
    local_cache_only: bool = False
    notes: tuple[str, ...] = ()


def parse_qcnl(data: bytes, *, file: str) -> QcnlConfig:
    """The configuration in ``data``; ``file`` names it in errors.

    Raises:
        ConfigError: more than 1 MiB, JSON that is none, or a value of another type.
    """
    if len(data) > _MAX_BYTES:
        raise _error(file, "", f"more than {_MAX_BYTES} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise _error(file, "", "not UTF-8") from None
    values = (
        _json(text, file)
        if text.lstrip(" \t\r\n\ufeff").startswith(("{", "//", "/*"))
        else _lines(text, file)
    )
    unknown = sorted(values.keys() - _NAMES)
    notes = [f"{file}: {name!a:.60} is not known, and ignored" for name in unknown]
    if "custom_request_options" in values:
        notes.append(f"{file}: custom_request_options are for a cloud's PCK certificates, and not used here")
    return _config(values, file, tuple(notes))


def _config(values: dict[str, Any], file: str, notes: tuple[str, ...]) -> QcnlConfig:
    def take(name: str, kind: type, default: Any) -> Any:
        value = values.get(name, default)
        good = isinstance(value, (int, float) if kind is float else kind)
        if not good or (kind is not bool and isinstance(value, bool)):
            raise _error(file, name, f"expected {_KINDS[kind]}, came {value!a:.60}")
        return value

    pccs_url = take("pccs_url", str, _DEFAULT_URL)
    update = take("tcb_update_type", str, "standard").lower()
    if update not in ("early", "standard"):
        raise _error(file, "tcb_update_type", f"expected early or standard, came {update!a:.60}")
    times, delay = take("retry_times", int, 0), take("retry_delay", int, 0)
    hours = [take(f"{name}cache_expire_hours", float, 0.0) for name in ("pck_", "verify_collateral_")]
    if min(times, delay, *hours) < 0:
        raise _error(file, "retry_times, retry_delay, …_expire_hours", "expected no negative number")
    return QcnlConfig(
        pccs_url=pccs_url,
        use_secure_cert=take("use_secure_cert", bool, True),
        collateral_service=take("collateral_service", str, pccs_url),
        tcb_update_type="early" if update == "early" else "standard",
        pccs_api_version=take("pccs_api_version", str, "3.0"),
        retry_times=times,
        retry_delay=delay,
        local_pck_url=take("local_pck_url", str, ""),
        pck_cache_expire_hours=min(float(hours[0]), _MAX_HOURS),
        verify_collateral_cache_expire_hours=min(float(hours[1]), _MAX_HOURS),
        local_cache_only=take("local_cache_only", bool, False),
        notes=notes,
    )


_KINDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


def _json(text: str, file: str) -> dict[str, Any]:
    plain = _COMMENT.sub(lambda match: match[1] or " ", text.removeprefix("\ufeff"))
    try:
        values = parse_json(plain.strip(), file)
    except FormatError as error:
        raise _error(file, "", str(error)) from None
    if not isinstance(values, dict):
        raise _error(file, "", "expected an object")
    return values


def _lines(text: str, file: str) -> dict[str, Any]:
    """The older format. Blanks anywhere in a line mean nothing, as in Intel's reader."""
    values: dict[str, Any] = {}
    for raw in text.splitlines():
        line = "".join(raw.split())
        if not line or line[0] == "#":
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise _error(file, name[:60], "expected NAME=VALUE")
        values[name.lower()] = _value(name.lower(), value, file)
    return values


def _value(name: str, value: str, file: str) -> Any:
    if name in ("use_secure_cert", "local_cache_only"):
        if value.lower() not in ("true", "false"):
            raise _error(file, name, f"expected TRUE or FALSE, came {value!a:.60}")
        return value.lower() == "true"
    if name in ("retry_times", "retry_delay"):
        if not value.isdecimal():
            raise _error(file, name, f"expected a whole number, came {value!a:.60}")
        return int(value[:9])
    if name.endswith("_expire_hours"):
        try:
            return float(value)
        except ValueError:
            raise _error(file, name, f"expected a number, came {value!a:.60}") from None
    return value


def _error(file: str, key: str, message: str) -> ConfigError:
    place = f"{file}: {key}" if key else file
    return ConfigError(f"{place}: {message}", detail="qcnl", file=file, key=key)
