"""An image's layers, and the keys of those that are encrypted."""

from __future__ import annotations

from eaa.errors import EAAError, FormatError, SignatureError
from eaa.oci.annotation import KEYS_ANNOTATION, parse_annotation, split_annotations
from eaa.oci.layer_cipher import PUBLIC_OPTIONS_ANNOTATION, PublicOptions, parse_public_options
from eaa.oci.layer_key import LayerOptions, parse_layer_options, unwrap_options
from eaa.oci.manifest import Descriptor, ImageManifest
from eaa.oci.media_type import parse_layer_media_type
from eaa.services.attestation_agent.secrets import GuestSecrets
from eaa.services.image_pull.image_config import ImageConfig
from eaa.services.image_pull.layer_stream import Layer

__all__ = ["placed", "resolve_layers"]


async def resolve_layers(
    manifest: ImageManifest, config: ImageConfig, secrets: GuestSecrets
) -> tuple[Layer, ...]:
    """The layers from the bottom up, each with what opens it.

    Raises:
        UnsupportedError: ``unsupported.layer_media_type``.
        SignatureError: ``signature.layer_keys``: none of several packets opens; or as each packet's own.
        EAAError: a key is not to be had. The message names the layer.
    """
    layers: list[Layer] = []
    for number, descriptor in enumerate(manifest.layers, 1):
        try:
            kind = parse_layer_media_type(descriptor.media_type)
            sealed = await _sealed(descriptor, secrets) if kind.encrypted else None
        except EAAError as error:
            raise placed(error, f"layer {number} of {len(manifest.layers)} ({descriptor.digest})") from error
        layers.append(Layer(number, descriptor, config.diff_ids[number - 1], kind.compression, sealed))
    return tuple(layers)


def placed(error: EAAError, place: str) -> EAAError:
    """A copy of ``error`` with ``place`` before its message; its class, code and fields are the same.

    A copy, because who remembers refusals raises the one it has again.
    """
    named = type(error).__new__(type(error), f"{place}: {error}")
    named.__dict__.update(error.__dict__)
    return named


async def _sealed(descriptor: Descriptor, secrets: GuestSecrets) -> tuple[LayerOptions, PublicOptions]:
    public = parse_public_options(_annotation(descriptor, PUBLIC_OPTIONS_ANNOTATION))
    refusals: list[EAAError] = []
    for data in split_annotations(_annotation(descriptor, KEYS_ANNOTATION)):
        try:
            packet = parse_annotation(data)
            kek = await secrets.key(packet.kid)
            return parse_layer_options(unwrap_options(packet, kek=kek)), public
        except EAAError as error:
            refusals.append(error)
    if len(refusals) == 1:
        raise refusals[0]
    reasons = "; ".join(f"{number}: {error}" for number, error in enumerate(refusals, 1))
    raise SignatureError(f"none of {len(refusals)} packets opens: {reasons}", detail="layer_keys")


def _annotation(descriptor: Descriptor, name: str) -> str:
    if name not in descriptor.annotations:
        raise FormatError(
            f"an encrypted layer without {name}", what="image manifest", field="annotations", detail="missing"
        )
    return descriptor.annotations[name]
