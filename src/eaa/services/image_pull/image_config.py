"""An image's configuration: what its layers unpack to, and what runs in it [OCI-IMAGE config]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eaa.codec.strict_json import parse_json
from eaa.errors import FormatError
from eaa.oci.digest import Digest, parse_digest

__all__ = ["MAX_CONFIG_BYTES", "ImageConfig", "parse_image_config"]

MAX_CONFIG_BYTES = 4 * 1024 * 1024
_WHAT = "image configuration"


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """``diff_ids`` from the bottom up; the rest as the image has it, empty where it has nothing."""

    diff_ids: tuple[Digest, ...]
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] | None = None
    stop_signal: str = ""


def parse_image_config(data: bytes, *, layers: int) -> ImageConfig:
    """The configuration in ``data``, JSON of at most 4 MiB, of an image of ``layers`` layers.

    Raises:
        FormatError: it is none; ``format.diff_ids``: not one for each layer.
    """
    whole = _object(parse_json(data, _WHAT), "document")
    root = _object(whole.get("rootfs"), "rootfs")
    if root.get("type") != "layers":
        raise _error("rootfs.type", "expected layers")
    diff_ids = tuple(
        parse_digest(text, what=_WHAT) for text in _texts(root.get("diff_ids"), "rootfs.diff_ids")
    )
    if len(diff_ids) != layers:
        raise _error(
            "rootfs.diff_ids", f"expected {layers}, one for each layer, came {len(diff_ids)}", "diff_ids"
        )
    config = _object(whole.get("config") or {}, "config")
    labels = _object(config.get("Labels") or {}, "config.Labels")
    if not all(isinstance(value, str) for value in labels.values()):
        raise _error("config.Labels", "expected texts")
    return ImageConfig(
        diff_ids,
        entrypoint=_texts(config.get("Entrypoint"), "config.Entrypoint"),
        cmd=_texts(config.get("Cmd"), "config.Cmd"),
        env=_texts(config.get("Env"), "config.Env"),
        working_dir=_text(config.get("WorkingDir"), "config.WorkingDir"),
        user=_text(config.get("User"), "config.User"),
        volumes=tuple(_object(config.get("Volumes") or {}, "config.Volumes")),
        labels=labels,
        stop_signal=_text(config.get("StopSignal"), "config.StopSignal"),
    )


def _texts(value: Any, field: str) -> tuple[str, ...]:
    items = [] if value is None else value
    if not isinstance(items, list):
        raise _error(field, "expected an array of text")
    return tuple(_text(item, field) for item in items)


def _text(value: Any, field: str) -> str:
    text = "" if value is None else value
    if not isinstance(text, str) or "\x00" in text:
        raise _error(field, "expected text without NUL")
    return text


def _object(value: Any, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _error(field, "expected an object")
    return value


def _error(field: str, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec="[OCI-IMAGE config]", detail=detail)
