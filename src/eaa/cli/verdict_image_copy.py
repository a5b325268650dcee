"""One run of ``skopeo copy`` beside a key provider, and whom to blame if it fails."""

from __future__ import annotations

from collections.abc import Sequence

import click

from eaa.cli.console import clean
from eaa.cli.verdict_image_layers import Layer, LayerFailed
from eaa.cli.verdict_image_provider import KeyProvider
from eaa.cli.verdict_image_skopeo import Failed, Skopeo
from eaa.errors import EAAError, UsageError
from eaa.oci.layer_cipher import PUBLIC_OPTIONS_ANNOTATION, parse_public_options

__all__ = ["ENCRYPTION_SCHEMES", "copy_with", "recipient_keys"]

#: The schemes of ocicrypt that need no provider.
ENCRYPTION_SCHEMES = ("jwe", "pkcs7", "pgp", "pkcs11")


def copy_with(
    provider: KeyProvider, skopeo: Skopeo, src: str, dst: str, keys: Sequence[str], layers: Sequence[Layer]
) -> None:
    """Copy ``src``, which has ``layers`` as far as is known.

    Raises:
        LayerFailed: a layer is to blame, by what skopeo says.
        EAAError: what the key provider answered; skopeo's words are on stderr.
        Failed: anything else.
    """
    try:
        skopeo.copy(src, dst, keys, provider.config)
    except Failed as failed:
        if isinstance(provider.failure, EAAError | click.ClickException):
            click.echo(clean(failed.format_message()), err=True)
            raise provider.failure from None
        blamed = next((layer for layer in layers if _is_named(layer, failed.stderr)), None)
        if blamed is None:
            raise
        raise LayerFailed(blamed, failed) from None


def recipient_keys(recipients: Sequence[str]) -> list[str]:
    """The options for skopeo that let other keys open an image too.

    Raises:
        UsageError: ``usage.recipient``.
    """
    for recipient in recipients:
        if recipient.partition(":")[0] not in ENCRYPTION_SCHEMES:
            schemes = ", ".join(f"{name}:…" for name in ENCRYPTION_SCHEMES)
            raise UsageError(f"--recipient {recipient}: expected one of {schemes}", detail="recipient")
    return [f"--encryption-key={recipient}" for recipient in recipients]


def _is_named(layer: Layer, text: str) -> bool:
    """Whether ``text`` has the layer's digest, or its HMAC: ocicrypt says no more of one that was changed."""
    if layer.descriptor.digest.hex in text:
        return True
    options = layer.descriptor.annotations.get(PUBLIC_OPTIONS_ANNOTATION)
    try:
        return options is not None and parse_public_options(options).hmac.hex() in text
    except EAAError:
        return False
