"""Configuration of a service: flags over environment over file over default.

The file is TOML. A variable is the service's prefix with the section and key in capitals and two underscores
between them, e.g. ``VERDICTD_STORAGE__URL``; lists and tables are JSON. Unknown keys are refused.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
)

from eaa.codec.hosts import is_loopback
from eaa.errors import ConfigError

__all__ = [
    "MAX_FILE_BYTES",
    "HttpSection",
    "LogSection",
    "Section",
    "load_settings",
    "on_loopback",
    "require_tls_off_loopback",
    "split_address",
    "state_directory",
]

MAX_FILE_BYTES = 1024 * 1024
_MAX_PORT = 0xFFFF

S = TypeVar("S", bound=BaseSettings)


class Section(BaseModel):
    """A table of the file: unknown keys are refused, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class HttpSection(Section):
    """Where HTTP is served: over TLS, or on loopback, or in clear text if that is said to be meant."""

    listen: str
    certificate: Path | None = Field(
        default=None, description="PEM; with private_key, the listener speaks TLS"
    )
    private_key: Path | None = None
    insecure_http: bool = False
    max_body_bytes: int = Field(default=2 * 1024 * 1024, ge=1024, le=64 * 1024 * 1024)
    max_head_bytes: int = Field(default=64 * 1024, ge=4096, description="of a request")
    max_connections: int = Field(default=2000, ge=1)
    request_seconds: float = Field(default=30, gt=0, le=600)

    @model_validator(mode="after")
    def _safe(self) -> HttpSection:
        require_tls_off_loopback(self.listen, self.certificate, self.private_key, insecure=self.insecure_http)
        return self

    @field_validator("listen")
    @classmethod
    def _address(cls, value: str) -> str:
        split_address(value)
        return value


class LogSection(Section):
    """One line for each event on stderr."""

    level: Literal["debug", "info", "warn", "error", "fatal", "off"] = "info"
    format: Literal["json", "text"] = "json"


def load_settings(
    settings: type[S],
    file: Path | None,
    flags: Mapping[str, Any],
    environment: Mapping[str, str],
    *,
    prefix: str,
    of_others: Collection[str] = (),
    of_kubernetes: tuple[str, ...] = (),
) -> S:
    """The configuration of ``file``, if any, overridden by ``environment``, overridden by ``flags``.

    Args:
        settings: what is configured; a subclass comes back.
        file: TOML, at most 1 MiB.
        flags: nested as the sections are; only what was given.
        environment: as ``os.environ``.
        prefix: of the service's variables.
        of_others: variables that begin with ``prefix`` and are not for the service.
        of_kubernetes: the beginnings of those that Kubernetes sets beside a Service of the same name.

    Raises:
        ConfigError: names the file, or the variable, or the flag's key, and what is wrong with it.
    """
    tables = _read(file) if file else {}
    for name in environment:
        if name.startswith(prefix) and name not in of_others and not name.startswith(of_kubernetes or "\0"):
            first = name.removeprefix(prefix).split("__")[0].lower()
            if first not in settings.model_fields:
                raise ConfigError(f"environment: {name}: there is no such key", detail="value", key=name)

    class Loaded(settings):  # type: ignore[misc, valid-type]  # a class that is an argument
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: Any, **__: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (
                InitSettingsSource(settings_cls, dict(flags)),
                _Environment(settings_cls, environment),
                InitSettingsSource(settings_cls, tables),
            )

    try:
        loaded: S = Loaded()
    except ValidationError as error:
        raise _refused(error, file) from None
    except ValueError as error:
        raise ConfigError(f"environment: {error}", detail="value", key="environment") from None
    return loaded


def require_tls_off_loopback(
    listen: str, certificate: Path | None, private_key: Path | None, *, insecure: bool | None = None
) -> None:
    """Holds if ``listen`` is loopback, or there are certificate and key, or it is allowed to be ``insecure``.

    Raises:
        ValueError: as pydantic's validators do; ``insecure`` is ``None`` where that cannot be allowed.
    """
    if (certificate is None) != (private_key is None):
        raise ValueError("certificate and private_key go together")
    if not (certificate or insecure or on_loopback(listen)):
        more = "" if insecure is None else ", or insecure_http = true"
        raise ValueError(f"listen = {listen!r} is not loopback: give certificate and private_key{more}")


def split_address(text: str) -> tuple[str, int]:
    """Host and port of ``host:port`` or ``[v6]:port``.

    Raises:
        ValueError: it is neither.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"expected host:port or [v6]:port, got {text!r}")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > _MAX_PORT:
        raise ValueError(f"expected host:port or [v6]:port, got {text!r}")
    return host, int(port)


def on_loopback(address: str) -> bool:
    """Whether only this machine can reach ``address``, host and port."""
    return is_loopback(split_address(address)[0])


def state_directory(service: str, environment: Mapping[str, str]) -> Path:
    """``/var/lib/<service>`` for root, else below the user's state directory."""
    if os.geteuid() == 0:
        return Path("/var/lib") / service
    home = environment.get("XDG_STATE_HOME") or f"{environment.get('HOME', '')}/.local/state"
    return Path(home) / service


class _Environment(EnvSettingsSource):
    """Of a given environment, so that the process's own is nobody's hidden argument."""

    def __init__(self, settings_cls: type[BaseSettings], environment: Mapping[str, str]) -> None:
        self._given = {name.lower(): value for name, value in environment.items()}
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._given


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", detail="file", file=str(file)) from None
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"{file}: more than {MAX_FILE_BYTES} bytes", detail="file", file=str(file))
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not TOML: {error}", detail="file", file=str(file)) from None


def _refused(error: ValidationError, file: Path | None) -> ConfigError:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "there is no such key"
    where = f" (from {file}, the environment or a flag)" if file else " (from the environment or a flag)"
    return ConfigError(f"{key}: {message}{where}", detail="value", key=key, file=str(file or ""))
