from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from eaa.errors import EAAError, FormatError, SignatureError, UnsupportedError, UsageError
from eaa.oci.annotation import AnnotationPacket, WrapType
from eaa.oci.key_id import parse_key_id
from eaa.oci.layer_key import (
    encode_layer_options,
    parse_layer_options,
    unwrap_options,
    wrap_options,
)
from tests.unit.oci.packets import IV, KEK, KID, OPTIONS, b64, options_json, wrapped

ENCODED = encode_layer_options(OPTIONS)


def counter_mode() -> AnnotationPacket:
    """Options under AES-256-CTR, made with another implementation of it: ECB of the counter."""
    ecb = Cipher(algorithms.AES(KEK), modes.ECB()).encryptor()  # noqa: S305 - ECB of the counter is CTR
    blocks = (ecb.update(n.to_bytes(16, "big")) for n in range(1 + len(ENCODED) // 16))
    stream = b"".join(blocks)[: len(ENCODED)]
    sealed = bytes(a ^ b for a, b in zip(ENCODED, stream, strict=True))
    return AnnotationPacket(parse_key_id(KID), sealed, bytes(16), WrapType.A256CTR)


def test_options_of_ocicrypt() -> None:
    assert parse_layer_options(options_json()) == OPTIONS
    assert parse_layer_options(ENCODED) == OPTIONS


def test_options_do_not_show_the_key() -> None:
    assert "kkkk" not in repr(OPTIONS)
    assert "nnnn" not in repr(OPTIONS)


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b" " * 4097,
        options_json(symkey=...),
        options_json(symkey=b64(b"k" * 31)),
        options_json(digest=...),
        options_json(digest="sha256:ab"),
        options_json(cipheroptions=...),
        options_json(cipheroptions=None),
        options_json(cipheroptions={}),
        options_json(cipheroptions={"nonce": b64(b"n" * 12)}),
        options_json(cipheroptions={"nonce": b64(b"n" * 16), "mode": "e30="}),
    ],
)
def test_no_options(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_layer_options(data)


def test_what_was_wrapped_comes_out() -> None:
    assert unwrap_options(wrapped(), kek=KEK) == ENCODED


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(SignatureError) as caught:
        unwrap_options(wrapped(), kek=bytes(32))
    assert caught.value.code == "signature.wrapped_key"
    assert KID in str(caught.value)


def test_a_change_of_the_wrapped_key_is_noticed() -> None:
    with pytest.raises(SignatureError):
        unwrap_options(replace(wrapped(), wrapped=flipped(wrapped().wrapped)), kek=KEK)


def test_a_change_of_the_iv_is_noticed() -> None:
    with pytest.raises(SignatureError):
        unwrap_options(replace(wrapped(), iv=flipped(wrapped().iv)), kek=KEK)


def flipped(data: bytes) -> bytes:
    return data[:3] + bytes([data[3] ^ 1]) + data[4:]


def test_no_counter_mode() -> None:
    with pytest.raises(UnsupportedError) as caught:
        unwrap_options(counter_mode(), kek=KEK)
    assert caught.value.code == "unsupported.unauthenticated"


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_the_key_has_32_bytes(size: int) -> None:
    kid = parse_key_id(KID)
    for act in (
        lambda: unwrap_options(wrapped(), kek=bytes(size)),
        lambda: wrap_options(ENCODED, kek=bytes(size), kid=kid, iv=IV),
    ):
        with pytest.raises(EAAError) as caught:
            act()
        assert caught.value.code == "format.kek"


def test_the_iv_has_12_bytes() -> None:
    with pytest.raises(UsageError) as caught:
        wrap_options(ENCODED, kek=KEK, kid=parse_key_id(KID), iv=bytes(16))
    assert caught.value.code == "usage.iv"


def test_only_options_are_wrapped() -> None:
    with pytest.raises(FormatError):
        wrap_options(b"{}", kek=KEK, kid=parse_key_id(KID), iv=IV)
