from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import pytest

from eaa.errors import BindingError, EAAError, FormatError, SignatureError, UnsupportedError, UsageError
from eaa.oci.digest import Digest, digest_of
from eaa.oci.layer_cipher import (
    CIPHER,
    LayerOpener,
    LayerSealer,
    PublicOptions,
    SealedLayer,
    encode_public_options,
    parse_public_options,
)
from eaa.oci.layer_key import LayerOptions
from tests.unit.oci.packets import as_json, b64

KEY, NONCE = b"k" * 32, b"n" * 16
PLAIN = bytes(range(256)) * 300


def sealed(data: bytes = PLAIN, *, step: int = 1000) -> tuple[bytes, SealedLayer]:
    sealer = LayerSealer(symkey=KEY, nonce=NONCE)
    out = b"".join(sealer.update(data[at : at + step]) for at in range(0, len(data), step))
    return out, sealer.finish()


def opened(data: bytes, layer: SealedLayer, *, step: int = 777) -> bytes:
    opener = LayerOpener(layer.options, layer.public)
    out = b"".join(opener.update(data[at : at + step]) for at in range(0, len(data), step))
    opener.finish()
    return out


def public(**changes: Any) -> str:
    members = {"cipher": CIPHER, "hmac": b64(bytes(32)), "cipheroptions": {}} | changes
    return b64(as_json({name: value for name, value in members.items() if value is not ...}))


@pytest.mark.parametrize("data", [b"", b"x", PLAIN])
def test_what_was_sealed_comes_out(data: bytes) -> None:
    cipher, layer = sealed(data)
    assert len(cipher) == len(data)
    assert layer.options == LayerOptions(KEY, digest_of(data), NONCE)
    assert opened(cipher, layer) == data


def test_the_mac_is_over_the_ciphertext() -> None:
    cipher, layer = sealed()
    assert layer.public.hmac == hmac.digest(KEY, cipher, "sha256")


def test_sealed_does_not_depend_on_the_pieces() -> None:
    assert sealed(step=1) == sealed(step=len(PLAIN))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: b"",
        lambda data: bytes([data[0] ^ 1]) + data[1:],
    ],
    ids=["cut", "longer", "nothing", "flipped"],
)
def test_a_change_is_noticed_at_the_end(spoil: Any) -> None:
    cipher, layer = sealed()
    with pytest.raises(SignatureError) as caught:
        opened(spoil(cipher), layer)
    assert caught.value.code == "signature.layer_hmac"


def test_another_key() -> None:
    cipher, layer = sealed()
    with pytest.raises(SignatureError):
        opened(cipher, replace(layer, options=replace(layer.options, symkey=bytes(32))))


def test_another_mac() -> None:
    cipher, layer = sealed()
    with pytest.raises(SignatureError):
        opened(cipher, replace(layer, public=PublicOptions(bytes(32))))


def test_another_nonce_passes_the_mac_and_fails_the_digest() -> None:
    cipher, layer = sealed()
    with pytest.raises(BindingError) as caught:
        opened(cipher, replace(layer, options=replace(layer.options, nonce=bytes(16))))
    assert caught.value.code == "binding.layer_digest"


def test_the_digest_may_be_sha512() -> None:
    cipher, layer = sealed()
    digest = Digest("sha512", hashlib.sha512(PLAIN).hexdigest())
    assert opened(cipher, replace(layer, options=replace(layer.options, digest=digest))) == PLAIN


def test_nothing_after_the_end() -> None:
    cipher, layer = sealed()
    opener, sealer = LayerOpener(layer.options, layer.public), LayerSealer(symkey=KEY, nonce=NONCE)
    opener.update(cipher)
    opener.finish()
    sealer.finish()
    acts = (lambda: opener.update(b"x"), opener.finish, lambda: sealer.update(b"x"), sealer.finish)
    for act in acts:
        with pytest.raises(UsageError) as caught:
            act()
        assert caught.value.code == "usage.finished"


def test_public_options_of_ocicrypt() -> None:
    mac = bytes(range(32))
    text = encode_public_options(PublicOptions(mac))
    assert base64.b64decode(text).startswith(b'{"cipher":"AES_256_CTR_HMAC_SHA256","hmac":"')
    assert json.loads(base64.b64decode(text))["cipheroptions"] == {}
    assert parse_public_options(text) == PublicOptions(mac)


@pytest.mark.parametrize("options", [None, ..., {}])
def test_no_cipher_options(options: Any) -> None:
    assert parse_public_options(public(cipheroptions=options)) == PublicOptions(bytes(32))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "format.not_json"),
        ("!", "format.bad_value"),
        ("A" * 4097, "format.too_large"),
        (public(cipher=...), "format.missing"),
        (public(hmac=...), "format.missing"),
        (public(hmac=""), "format.bad_value"),
        (public(hmac=b64(bytes(31))), "format.bad_value"),
        (public(cipheroptions={"nonce": b64(bytes(16))}), "format.bad_value"),
        (public(cipheroptions=[]), "format.bad_value"),
    ],
)
def test_no_public_options(text: str, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_public_options(text)
    assert caught.value.code == code


def test_another_cipher() -> None:
    with pytest.raises(EAAError) as caught:
        parse_public_options(public(cipher="AES_GCM"))
    assert isinstance(caught.value, UnsupportedError)
    assert caught.value.code == "unsupported.layer_cipher"
