"""The layers of an image as people and scripts see them, and whether they open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from eaa.cli.console import columns
from eaa.cli.verdict_image_provider import Unwrap
from eaa.cli.verdict_show import yes_or_no
from eaa.errors import EAAError, FormatError, outcome_of
from eaa.oci.annotation import KEYS_ANNOTATION, AnnotationPacket, parse_annotation, split_annotations
from eaa.oci.key_id import KeyId
from eaa.oci.manifest import Descriptor, ImageManifest

__all__ = [
    "Layer",
    "LayerFailed",
    "layers_json",
    "layers_of",
    "layers_text",
    "require_opening",
    "require_plain",
    "require_sealed",
]

_ENCRYPTED = "+encrypted"


@dataclass(frozen=True, slots=True)
class Layer:
    """Layer ``number`` of ``count`` from the bottom."""

    number: int
    count: int
    descriptor: Descriptor

    @property
    def encrypted(self) -> bool:
        return self.descriptor.media_type.endswith(_ENCRYPTED)

    def packets(self) -> tuple[bytes, ...]:
        """One packet for each key that opens it, unread; none if only other schemes do.

        Raises:
            FormatError: its annotation is none.
        """
        text = self.descriptor.annotations.get(KEYS_ANNOTATION)
        return () if text is None else split_annotations(text)

    def __str__(self) -> str:
        return f"layer {self.number} of {self.count} ({self.descriptor.digest})"


class LayerFailed(click.ClickException):
    """One layer is not as it must be, and why."""

    def __init__(self, layer: Layer, cause: Exception | str) -> None:
        code = f" [{cause.code}]" if isinstance(cause, EAAError) else ""
        super().__init__(f"{layer}: {cause}{code}")
        if isinstance(cause, EAAError):
            self.exit_code = outcome_of(cause).exit_code  # type: ignore[misc]  # click reads it of the instance
        elif isinstance(cause, click.ClickException):
            self.exit_code = cause.exit_code  # type: ignore[misc]  # as above


def layers_of(manifest: ImageManifest) -> tuple[Layer, ...]:
    """The layers, from the bottom up."""
    count = len(manifest.layers)
    return tuple(Layer(number, count, layer) for number, layer in enumerate(manifest.layers, 1))


def require_opening(layers: Sequence[Layer], unwrap: Unwrap) -> None:
    """Holds if each layer that is encrypted has a packet that ``unwrap`` opens.

    Raises:
        LayerFailed: one has not; the message has the cause for its last packet.
    """
    for layer in layers:
        if layer.encrypted:
            _open(layer, unwrap)


def require_plain(layers: Sequence[Layer]) -> None:
    """Holds if no layer is encrypted.

    Raises:
        LayerFailed: one is.
    """
    for layer in layers:
        if layer.encrypted:
            raise LayerFailed(layer, "it is encrypted")


def require_sealed(layers: Sequence[Layer], kid: KeyId) -> None:
    """Holds if each layer is encrypted, with a packet under ``kid``.

    Raises:
        LayerFailed: one is not.
    """
    for layer in layers:
        if not layer.encrypted:
            raise LayerFailed(layer, "it is not encrypted, though skopeo says nothing")
        try:
            kids = [parse_annotation(packet).kid for packet in layer.packets()]
        except EAAError as error:
            raise LayerFailed(layer, error) from None
        if kid not in kids:
            raise LayerFailed(layer, f"{kid} does not open it")


def _open(layer: Layer, unwrap: Unwrap) -> None:
    failure: Exception | str = f"it has no {KEYS_ANNOTATION}"
    try:
        packets = layer.packets()
    except FormatError as error:
        raise LayerFailed(layer, error) from None
    for packet in packets:
        try:
            unwrap(packet)
        except (EAAError, click.ClickException) as error:
            failure = error
        else:
            return
    raise LayerFailed(layer, failure)


def layers_json(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """One object for each layer; ``keys`` has key id and wrap type, or the error, of each packet."""
    return [
        {
            "digest": str(layer.descriptor.digest),
            "size": layer.descriptor.size,
            "media_type": layer.descriptor.media_type,
            "encrypted": layer.encrypted,
            "keys": _keys(layer),
        }
        for layer in layers
    ]


def layers_text(layers: Sequence[Layer]) -> list[str]:
    """A table."""
    header = ("LAYER", "DIGEST", "BYTES", "ENCRYPTED", "KEYS")
    rows = [
        (
            layer.number,
            layer.descriptor.digest,
            layer.descriptor.size,
            yes_or_no(layer.encrypted),
            _said(layer),
        )
        for layer in layers
    ]
    return columns([header, *rows])


def _said(layer: Layer) -> str:
    keys = _keys(layer)
    return ", ".join(key.get("error") or f"{key['kid']} ({key['wrap_type']})" for key in keys) or "-"


def _keys(layer: Layer) -> list[dict[str, str]]:
    try:
        packets = layer.packets()
    except EAAError as error:
        return [{"error": f"{error} [{error.code}]"}]
    return [_key(packet) for packet in packets]


def _key(packet: bytes) -> dict[str, str]:
    try:
        parsed: AnnotationPacket = parse_annotation(packet)
    except EAAError as error:
        return {"error": f"{error} [{error.code}]"}
    return {"kid": str(parsed.kid), "wrap_type": str(parsed.wrap_type)}
