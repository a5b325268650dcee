from __future__ import annotations

from typing import Any

import pytest

from eaa.errors import FormatError, UnsupportedError
from eaa.oci.digest import Digest
from eaa.oci.manifest import (
    MAX_CONTENT_BYTES,
    MAX_MANIFEST_BYTES,
    Descriptor,
    ImageIndex,
    ImageManifest,
    parse_manifest,
)
from eaa.oci.media_type import Compression, LayerKind, parse_layer_media_type
from eaa.oci.platform import Platform, parse_platform
from eaa.oci.selection import select_platform
from tests.unit.oci.packets import as_json

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def descriptor(**changes: Any) -> dict[str, Any]:
    members = {"mediaType": LAYER, "digest": "sha256:" + "ab" * 32, "size": 7} | changes
    return {name: value for name, value in members.items() if value is not ...}


def manifest(**changes: Any) -> bytes:
    members = {
        "schemaVersion": 2, "config": descriptor(mediaType="application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor(), descriptor(annotations={"a": "b"})],
    } | changes  # fmt: skip
    return as_json({name: value for name, value in members.items() if value is not ...})


def index(*platforms: Any, **changes: Any) -> bytes:
    manifests = [
        descriptor(mediaType=OCI_MANIFEST, size=n, **({} if platform is None else {"platform": platform}))
        for n, platform in enumerate(platforms)
    ]
    return as_json({"schemaVersion": 2, "manifests": manifests} | changes)


def on(os: str, architecture: Any, **more: Any) -> dict[str, Any]:
    return {"os": os, "architecture": architecture, **more}


def test_a_manifest() -> None:
    parsed = parse_manifest(manifest(annotations={"made": "by hand"}))
    digest = Digest("sha256", "ab" * 32)
    assert isinstance(parsed, ImageManifest)
    assert parsed.media_type == OCI_MANIFEST
    assert parsed.layers == (Descriptor(LAYER, digest, 7, {}), Descriptor(LAYER, digest, 7, {"a": "b"}))
    assert parsed.annotations == {"made": "by hand"}


def test_an_index() -> None:
    parsed = parse_manifest(index(on("linux", "arm64", variant="v8"), None))
    assert isinstance(parsed, ImageIndex)
    assert parsed.media_type == OCI_INDEX
    assert [item.platform for item in parsed.manifests] == [Platform("linux", "arm64", "v8"), None]


@pytest.mark.parametrize(
    ("data", "transport", "kind"),
    [
        (manifest(mediaType=DOCKER_MANIFEST), None, DOCKER_MANIFEST),
        (manifest(), DOCKER_MANIFEST, DOCKER_MANIFEST),
        (manifest(mediaType=OCI_MANIFEST), OCI_MANIFEST, OCI_MANIFEST),
        (index(mediaType=DOCKER_LIST), DOCKER_LIST, DOCKER_LIST),
    ],
)
def test_its_kind(data: bytes, transport: str | None, kind: str) -> None:
    assert parse_manifest(data, media_type=transport).media_type == kind


@pytest.mark.parametrize(
    ("data", "transport"),
    [
        (manifest(manifests=[]), None),
        (manifest(manifests=[], layers=...), None),
        (index(layers=[]), None),
        (manifest(mediaType=OCI_INDEX), None),
        (index(mediaType=OCI_MANIFEST), None),
        (manifest(), OCI_INDEX),
        (index(), DOCKER_MANIFEST),
        (manifest(mediaType=OCI_MANIFEST), DOCKER_MANIFEST),
    ],
)
def test_what_two_readers_would_read_in_two_ways(data: bytes, transport: str | None) -> None:
    with pytest.raises(FormatError) as caught:
        parse_manifest(data, media_type=transport)
    assert caught.value.code == "format.ambiguous"


@pytest.mark.parametrize(
    ("data", "transport"),
    [
        (manifest(schemaVersion=1), None),
        (manifest(schemaVersion=True), None),
        (manifest(schemaVersion=...), None),
        (manifest(mediaType="application/vnd.docker.distribution.manifest.v1+prettyjws"), None),
        (manifest(), "text/html"),
    ],
)
def test_another_kind(data: bytes, transport: str | None) -> None:
    with pytest.raises(UnsupportedError) as caught:
        parse_manifest(data, media_type=transport)
    assert caught.value.code == "unsupported.manifest"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"{", "format.not_json"),
        (b" " * (MAX_MANIFEST_BYTES + 1), "format.too_large"),
        (manifest(mediaType=7), "format.bad_value"),
        (manifest(config=...), "format.missing"),
        (manifest(layers=...), "format.bad_value"),
        (manifest(layers=[7]), "format.bad_value"),
        (manifest(layers=[descriptor()] * 1025), "format.too_many"),
        (manifest(layers=[descriptor(size=-1)]), "format.bad_value"),
        (manifest(layers=[descriptor(size=True)]), "format.bad_value"),
        (manifest(layers=[descriptor(size=MAX_CONTENT_BYTES + 1)]), "format.bad_value"),
        (manifest(layers=[descriptor(size=...)]), "format.bad_value"),
        (manifest(layers=[descriptor(digest="sha256:../../x")]), "format.digest"),
        (manifest(layers=[descriptor(digest=...)]), "format.missing"),
        (manifest(layers=[descriptor(mediaType=...)]), "format.missing"),
        (manifest(layers=[descriptor(annotations={"a": 7})]), "format.bad_value"),
        (manifest(layers=[descriptor(annotations=[])]), "format.bad_value"),
        (manifest(annotations={str(n): "" for n in range(257)}), "format.too_many"),
        (index(7), "format.bad_value"),
        (index(on("linux", 7)), "format.bad_value"),
        (index({"os": "linux"}), "format.missing"),
        (index(on("linux", "arm", variant=7)), "format.bad_value"),
    ],
)
def test_no_manifest(data: bytes, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_manifest(data)
    assert caught.value.code == code


@pytest.mark.parametrize("compression", ["", "+gzip", "+zstd"])
@pytest.mark.parametrize("encrypted", ["", "+encrypted"])
def test_layers_of_oci(compression: str, encrypted: str) -> None:
    kind = parse_layer_media_type("application/vnd.oci.image.layer.v1.tar" + compression + encrypted)
    assert kind == LayerKind(Compression(compression.removeprefix("+") or "none"), bool(encrypted))


def test_layers_of_docker() -> None:
    kind = parse_layer_media_type("application/vnd.docker.image.rootfs.diff.tar.gzip")
    assert kind == LayerKind(Compression.GZIP, encrypted=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+encrypted",
        LAYER + "+encrypted+encrypted",
        LAYER.upper(),
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ],
)
def test_no_layer(text: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        parse_layer_media_type(text)
    assert caught.value.code == "unsupported.layer_media_type"


@pytest.mark.parametrize(
    ("machine", "chosen"),
    [
        ("linux/amd64", 0),
        ("linux/arm64", 1),
        ("linux/arm64/v8", 1),
        ("linux/arm64/v9", 1),
        ("linux/arm", 3),
        ("linux/arm/v7", 3),
        ("linux/arm/v6", 2),
        ("linux/arm/v8", 3),
        ("windows/amd64", 4),
        ("linux/mips/hard", 6),
    ],
)
def test_the_image_that_suits_best(machine: str, chosen: int) -> None:
    parsed = parse_manifest(
        index(
            on("linux", "amd64"),
            on("linux", "arm64", variant="v8"),
            on("linux", "arm", variant="v6"),
            on("linux", "arm", variant="v7"),
            on("windows", "amd64"),
            None,
            on("linux", "mips", variant="hard"),
            on("linux", "amd64"),
            on("linux", "amd64", variant="v3"),
        )
    )
    assert isinstance(parsed, ImageIndex)
    assert select_platform(parsed, parse_platform(machine)).size == chosen


@pytest.mark.parametrize(
    ("offered", "machine", "said"),
    [
        ([on("linux", "arm64", variant="v9")], "linux/arm64", "linux/arm64/v9"),
        ([on("linux", "mips", variant="hard")], "linux/mips", "linux/mips/hard"),
        ([on("unknown", "unknown")], "linux/amd64", "unknown/unknown"),
        ([None], "linux/amd64", "no platform"),
        ([], "linux/amd64", "no platform"),
    ],
)
def test_none_suits(offered: list[Any], machine: str, said: str) -> None:
    parsed = parse_manifest(index(*offered))
    assert isinstance(parsed, ImageIndex)
    with pytest.raises(UnsupportedError) as caught:
        select_platform(parsed, parse_platform(machine))
    assert caught.value.code == "unsupported.platform"
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["", "linux", "linux/amd64/v1/x", "linux/", "Linux/amd64", "linux/amd64\n"])
def test_no_platform(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_platform(text)
    assert caught.value.code == "format.platform"
