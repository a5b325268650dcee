"""Laws of encrypted images: bytes are read or refused, what is written is read, each change is noticed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eaa.errors import FormatError, SignatureError, UnsupportedError
from eaa.oci.annotation import (
    AnnotationPacket,
    WrapType,
    encode_annotation,
    parse_annotation,
    split_annotations,
)
from eaa.oci.digest import Digest, parse_digest
from eaa.oci.key_id import KeyId, parse_key_id
from eaa.oci.keyprovider import (
    UnwrapRequest,
    encode_unwrap_request,
    parse_request,
    parse_unwrap_answer,
    unwrap_answer,
)
from eaa.oci.layer_cipher import LayerOpener, LayerSealer, PublicOptions, SealedLayer, parse_public_options
from eaa.oci.layer_key import (
    LayerOptions,
    encode_layer_options,
    parse_layer_options,
    unwrap_options,
    wrap_options,
)
from eaa.oci.manifest import parse_manifest
from eaa.oci.platform import Platform, parse_platform
from eaa.oci.sealed_secret import parse_sealed_secret
from eaa.oci.secret_payload import parse_payload
from eaa.oci.signing_key import parse_signing_key
from tests.unit.oci.packets import IV, KEK, KID, OPTIONS, as_json, options_json, packet, wrapped

NAMES = st.sampled_from(
    [
        "version", "kid", "wrapped_data", "iv", "wrap_type", "provider", "provider_settings", "annotations",
        "algorithm", "key_length", "op", "keywrapparams", "keyunwrapparams", "ec", "dc", "Parameters",
        "attestation-agent", "optsdata", "annotation", "symkey", "digest", "cipheroptions", "nonce", "cipher",
        "hmac", "schemaVersion", "mediaType", "config", "layers", "manifests", "size", "platform", "os",
        "architecture", "type", "name", "kty", "crv", "x", "y", "encrypted_key", "encrypted_data", "key_id",
    ]
)  # fmt: skip
TEXTS = st.sampled_from(
    [
        "", "0.1.0", "kbs", "kbs:///default/key/1", "A256GCM", "A256CTR", "AES", "keywrap", "keyunwrap",
        "AAAA", "AAAAAAAAAAAAAAAA", "e30=", "envelope", "vault", "EC", "P-256", "linux", "amd64",
        "sha256:" + "0" * 64, "AES_256_CTR_HMAC_SHA256", "application/vnd.oci.image.manifest.v1+json",
    ]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers(-1, 300) | TEXTS | st.text(max_size=8)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=8),
    max_leaves=24,
)
DOCUMENTS = st.binary(max_size=64) | TREES.map(lambda tree: json.dumps(tree).encode())
SEGMENTS = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,20}", fullmatch=True)
PARSERS: tuple[Callable[[bytes], Any], ...] = (
    parse_annotation,
    parse_request,
    parse_unwrap_answer,
    parse_layer_options,
    parse_manifest,
    parse_payload,
    parse_signing_key,
    parse_sealed_secret,
)
TEXT_PARSERS: tuple[Callable[[str], Any], ...] = (
    parse_key_id,
    parse_platform,
    parse_public_options,
    parse_sealed_secret,
    split_annotations,
    lambda text: parse_digest(text, what="x"),
)


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__name__)
@given(data=DOCUMENTS)
def test_any_bytes_are_read_or_refused(parse: Callable[[bytes], Any], data: bytes) -> None:
    with contextlib.suppress(FormatError, UnsupportedError):
        parse(data)


@pytest.mark.parametrize("parse", TEXT_PARSERS, ids=lambda parse: parse.__name__)
@given(text=st.text(max_size=64) | st.from_regex(r"(kbs://|sealed\.|sha256:)[a-z/.:]{0,40}", fullmatch=True))
def test_any_text_is_read_or_refused(parse: Callable[[str], Any], text: str) -> None:
    with contextlib.suppress(FormatError, UnsupportedError):
        parse(text)


@pytest.mark.parametrize("name", ["kid", "wrapped_data", "iv", "wrap_type", "version", "provider"])
@given(value=TREES)
def test_a_packet_with_one_strange_member(name: str, value: Any) -> None:
    with contextlib.suppress(FormatError, UnsupportedError):
        parse_annotation(packet(**{name: value}))


@given(value=TREES)
def test_options_with_one_strange_member(value: Any) -> None:
    for name in ("symkey", "digest", "cipheroptions"):
        with contextlib.suppress(FormatError, UnsupportedError):
            parse_layer_options(options_json(**{name: value}))


@given(st.lists(SEGMENTS, min_size=3, max_size=3), st.text("abc.:@-1", max_size=20))
def test_a_key_id_comes_back_without_its_host(segments: list[str], host: str) -> None:
    kid = parse_key_id(f"kbs://{host}/{'/'.join(segments)}")
    assert str(kid) == f"kbs:///{'/'.join(segments)}"
    assert parse_key_id(str(kid)) == kid


@given(SEGMENTS)
def test_a_plain_key_id_comes_back(name: str) -> None:
    assert parse_key_id(str(KeyId(name))) == KeyId(name)


@given(st.binary(min_size=17, max_size=400), st.binary(min_size=12, max_size=12), SEGMENTS)
def test_a_packet_comes_back(data: bytes, iv: bytes, name: str) -> None:
    made = AnnotationPacket(parse_key_id(f"kbs:///a/b/{name}"), data, iv, WrapType.A256GCM)
    assert parse_annotation(encode_annotation(made)) == made


@given(
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=32, max_size=32),
)
def test_options_come_back(symkey: bytes, nonce: bytes, digest: bytes) -> None:
    options = LayerOptions(symkey, Digest("sha256", digest.hex()), nonce)
    assert parse_layer_options(encode_layer_options(options)) == options


@given(
    st.binary(max_size=200),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=4),
)
def test_requests_and_answers_come_back(data: bytes, parameters: list[str]) -> None:
    request = UnwrapRequest(data, tuple(parameters))
    assert parse_request(encode_unwrap_request(request)) == request
    assert parse_unwrap_answer(unwrap_answer(data)) == data


@given(
    st.sampled_from(["linux", "windows"]),
    st.sampled_from(["amd64", "arm64"]),
    st.sampled_from(["", "v1", "v8"]),
)
def test_a_platform_comes_back_and_suits_itself(os: str, architecture: str, variant: str) -> None:
    platform = Platform(os, architecture, variant)
    assert parse_platform(str(platform)) == platform
    assert platform.suits(platform) is not None


@given(st.integers(0, 8 * (len(wrapped().wrapped) + len(IV)) - 1))
def test_any_bit_of_a_packet(bit: int) -> None:
    made = wrapped()
    data = bytearray(made.wrapped + made.iv)
    data[bit // 8] ^= 1 << bit % 8
    size = len(made.wrapped)
    with pytest.raises(SignatureError):
        unwrap_options(replace(made, wrapped=bytes(data[:size]), iv=bytes(data[size:])), kek=KEK)


@given(st.integers(0, 255))
def test_any_bit_of_the_key(bit: int) -> None:
    kek = bytearray(KEK)
    kek[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SignatureError):
        unwrap_options(wrapped(), kek=bytes(kek))


@given(st.binary(min_size=12, max_size=12))
def test_under_any_iv(iv: bytes) -> None:
    options = encode_layer_options(OPTIONS)
    assert unwrap_options(wrap_options(options, kek=KEK, kid=parse_key_id(KID), iv=iv), kek=KEK) == options


@given(st.lists(st.binary(max_size=100), max_size=8), st.integers(1, 50))
def test_a_layer_in_any_pieces(pieces: list[bytes], step: int) -> None:
    sealed, layer = seal(pieces)
    opener = LayerOpener(layer.options, layer.public)
    out = b"".join(opener.update(sealed[at : at + step]) for at in range(0, len(sealed), step))
    opener.finish()
    assert out == b"".join(pieces)


@given(st.binary(min_size=1, max_size=100), st.data())
def test_any_bit_of_a_layer_or_its_mac(plain: bytes, data: st.DataObject) -> None:
    sealed, layer = seal([plain])
    spoiled = bytearray(sealed + layer.public.hmac)
    bit = data.draw(st.integers(0, 8 * len(spoiled) - 1))
    spoiled[bit // 8] ^= 1 << bit % 8
    opener = LayerOpener(layer.options, PublicOptions(bytes(spoiled[len(sealed) :])))
    opener.update(bytes(spoiled[: len(sealed)]))
    with pytest.raises(SignatureError):
        opener.finish()


def seal(pieces: list[bytes]) -> tuple[bytes, SealedLayer]:
    sealer = LayerSealer(symkey=OPTIONS.symkey, nonce=OPTIONS.nonce)
    sealed = b"".join(sealer.update(piece) for piece in pieces)
    return sealed, sealer.finish()


@given(TREES)
def test_no_error_shows_what_it_refuses(tree: Any) -> None:
    members = {"kid": KID, "wrap_type": "A256GCM", "wrapped_data": "hush-hush", "iv": tree}
    with pytest.raises(FormatError) as caught:
        parse_annotation(as_json(members))
    assert "hush-hush" not in f"{caught.value} {caught.value.fields}"
