"""``verdict image``: images encrypted by their owner, whose keys verdictd gives to attested guests."""

from __future__ import annotations

from typing import Any

import click

from eaa.cli.console import clean, debug_option, output_option
from eaa.cli.termination import ended_by_sigterm
from eaa.cli.verdict_image_agent import AgentKeys
from eaa.cli.verdict_image_copy import copy_with, recipient_keys
from eaa.cli.verdict_image_keys import OwnersKeys, obtain_key, owners_key_id
from eaa.cli.verdict_image_layers import (
    Layer,
    layers_json,
    layers_of,
    layers_text,
    require_opening,
    require_plain,
    require_sealed,
)
from eaa.cli.verdict_image_options import copy_options, inspect_options
from eaa.cli.verdict_image_provider import key_provider
from eaa.cli.verdict_image_skopeo import Skopeo
from eaa.cli.verdict_server import Server, server_options
from eaa.cli.verdict_show import show
from eaa.errors import EAAError, UsageError
from eaa.oci.digest import digest_of
from eaa.oci.keyprovider import PROVIDER
from eaa.oci.manifest import ImageIndex, ImageManifest, parse_manifest

__all__ = ["image"]


@click.group()
@click.pass_context
def image(ctx: click.Context) -> None:
    """Encrypt, decrypt and look into container images. skopeo does the copying.

    SRC and DST are as skopeo has them: docker://host/name:tag, oci:folder:tag, dir:folder and others.

    \b
    Examples:
      verdict image encrypt oci:app:v1 docker://registry.example/app:v1
      verdict image encrypt --key-id kbs:///default/key/1 docker://a/b:c oci:out:c
      verdict image inspect docker://registry.example/app:v1
    """
    ctx.with_resource(ended_by_sigterm())


@image.command()
@click.argument("src")
@click.argument("dst")
@click.option(
    "--key-id", metavar="KEY", help="kbs:///repository/type/tag of the key; made if there is none."
    "  [default: a new one in default/image-kek]",
)  # fmt: skip
@click.option(
    "--recipient", "recipients", multiple=True, metavar="SCHEME:KEY",
    help="Let this public key open it too, such as jwe:recovery.pem. May be given again.",
)  # fmt: skip
@copy_options
@output_option
@server_options
@debug_option
def encrypt(
    server: Server, skopeo: Skopeo, src: str, dst: str, key_id: str | None, recipients: tuple[str, ...],
    output: str,
) -> None:  # fmt: skip
    """Copy SRC to DST with every layer encrypted; attested guests get the key from verdictd.

    verdictd has the key before anything is copied: no image is left whose key is lost.
    """
    kid = owners_key_id(key_id)
    keys = [f"--encryption-key=provider:{PROVIDER}:{kid}", *recipient_keys(recipients)]
    skopeo.require_provider()
    source = _layers(parse_manifest(skopeo.manifest(src)))
    require_plain(source)
    key = obtain_key(server, kid, _tell)
    with key_provider(wrap=key.wrap) as provider:
        try:
            copy_with(provider, skopeo, src, dst, keys, source)
        except (click.ClickException, EAAError, KeyboardInterrupt, SystemExit):
            _tell(f"key {kid} stays at verdictd: --key-id {kid} uses it again")
            raise
    data = skopeo.manifest(dst, destination=True)
    layers = layers_of(_image(data, dst))
    require_sealed(layers, kid)
    document = {
        "image": dst, "digest": str(digest_of(data)), "key_id": str(kid), "key_created": key.created,
        "layers": layers_json(layers),
    }  # fmt: skip
    show(document, output, "\n".join([*_heading(dst, data), f"key     {kid}", *layers_text(layers)]))


@image.command()
@click.argument("src")
@click.argument("dst")
@click.option(
    "--agent", metavar="ADDRESS",
    help="Have the attestation-agent there unwrap the keys: host:port or unix:///path.  [default: verdictd]",
)  # fmt: skip
@copy_options
@output_option
@server_options
@debug_option
def decrypt(server: Server, skopeo: Skopeo, src: str, dst: str, agent: str | None, output: str) -> None:
    """Copy SRC to DST with every layer opened, with keys that an administrator may read."""
    unwrap = OwnersKeys(server).unwrap if agent is None else AgentKeys(agent).unwrap
    skopeo.require_provider()
    parsed = parse_manifest(skopeo.manifest(src))
    source = _layers(parsed)
    if isinstance(parsed, ImageManifest) and not any(layer.encrypted for layer in source):
        raise UsageError(f"no layer of {src} is encrypted", detail="not_encrypted")
    require_opening(source, unwrap)
    with key_provider(unwrap=unwrap) as provider:
        keys = [f"--decryption-key=provider:{PROVIDER}:verdict"]
        copy_with(provider, skopeo, src, dst, keys, source)
    data = skopeo.manifest(dst, destination=True)
    layers = layers_of(_image(data, dst))
    require_plain(layers)
    document = {"image": dst, "digest": str(digest_of(data)), "layers": layers_json(layers)}
    show(document, output, "\n".join([*_heading(dst, data), *layers_text(layers)]))


@image.command()
@click.argument("src")
@click.option("--check", is_flag=True, help="See whether the keys at verdictd open each layer.")
@inspect_options
@output_option
@server_options
@debug_option
def inspect(server: Server, skopeo: Skopeo, src: str, check: bool, output: str) -> None:
    """Show the layers of SRC, which are encrypted, and by which keys they open."""
    data = skopeo.manifest(src)
    parsed = parse_manifest(data)
    heading = _heading(src, data)
    document: dict[str, Any] = {"image": src, "digest": str(digest_of(data)), "media_type": parsed.media_type}
    if not isinstance(parsed, ImageManifest):
        platforms = [
            {"digest": str(item.digest), "platform": str(item.platform)} for item in parsed.manifests
        ]
        text = [*heading, *(f"{item['digest']}  {item['platform']}" for item in platforms)]
        show({**document, "manifests": platforms}, output, "\n".join(text))
        return
    layers = layers_of(parsed)
    show({**document, "layers": layers_json(layers)}, output, "\n".join([*heading, *layers_text(layers)]))
    if check:
        require_opening(layers, OwnersKeys(server).unwrap)


def _image(data: bytes, name: str) -> ImageManifest:
    parsed = parse_manifest(data)
    if isinstance(parsed, ImageManifest):
        return parsed
    raise UsageError(f"{name} is there already, as an index of several images", detail="index")


def _layers(parsed: ImageManifest | ImageIndex) -> tuple[Layer, ...]:
    """None of an index: which of its images is copied is for skopeo to choose."""
    return layers_of(parsed) if isinstance(parsed, ImageManifest) else ()


def _heading(name: str, data: bytes) -> list[str]:
    return [f"image   {clean(name)}", f"digest  {digest_of(data)}"]


def _tell(line: str) -> None:
    click.echo(clean(line), err=True)
