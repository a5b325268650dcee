from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

from eaa.errors import EAAError, FormatError, SignatureError, UnsupportedError, UsageError
from eaa.oci.sealed_secret import (
    MAX_SEALED_SECRET_BYTES,
    EnvelopeSecret,
    VaultSecret,
    open_envelope,
    parse_sealed_secret,
)
from eaa.oci.secret_payload import open_envelope_data, parse_payload
from eaa.oci.signing_key import parse_signing_key
from tests.unit.oci.packets import as_json, b64

KEY = ec.generate_private_key(ec.SECP256R1())
KID = "kbs:///default/signing-key/sealed-secret"
KEK, DEK, IV = b"K" * 32, b"D" * 32, b"i" * 12


def url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def vault(**changes: Any) -> dict[str, Any]:
    return {
        "version": "0.1.0", "type": "vault", "name": "kbs:///one/2/trois", "provider": "kbs",
        "provider_settings": {}, "annotations": {},
    } | changes  # fmt: skip


def envelope(**changes: Any) -> dict[str, Any]:
    return {
        "version": "0.1.0", "type": "envelope", "provider": "kbs", "key_id": "kbs:///default/key/1",
        "encrypted_key": b64(IV + AESGCM(KEK).encrypt(IV, DEK, None)),
        "encrypted_data": b64(AESGCM(DEK).encrypt(IV, b"the secret", None)),
        "wrap_type": "A256GCM", "iv": b64(IV), "provider_settings": {}, "annotations": {},
    } | changes  # fmt: skip


def without(members: dict[str, Any], name: str) -> bytes:
    return as_json({key: value for key, value in members.items() if key != name})


def seal(payload: bytes, key: Any = KEY, **header: Any) -> str:
    head = url64(as_json({"alg": "ES256", "kid": KID} | header))
    signed = f"{head}.{url64(payload)}"
    r, s = utils.decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(SHA256())))
    return f"sealed.{signed}.{url64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def opened(payload: dict[str, Any]) -> EnvelopeSecret:
    parsed = parse_payload(as_json(payload))
    assert isinstance(parsed, EnvelopeSecret)
    return parsed


@pytest.mark.parametrize("as_bytes", [True, False])
def test_a_vault_secret(as_bytes: bool) -> None:
    text = seal(as_json(vault())) + "\n"
    secret = parse_sealed_secret(text.encode() if as_bytes else text)
    assert secret.kid == KID
    secret.verify(KEY.public_key())
    assert secret.payload == VaultSecret("kbs", "kbs:///one/2/trois", {}, {})


def test_an_envelope() -> None:
    secret = parse_sealed_secret(seal(as_json(envelope()), b64=True))
    secret.verify(KEY.public_key())
    assert isinstance(secret.payload, EnvelopeSecret)
    assert open_envelope(secret.payload, KEK) == b"the secret"
    assert "KKKK" not in repr(secret.payload)


def test_not_read_before_it_is_verified() -> None:
    secret = parse_sealed_secret(seal(as_json(vault())))
    with pytest.raises(UsageError) as caught:
        _ = secret.payload
    assert caught.value.code == "usage.not_verified"
    with pytest.raises(SignatureError):
        secret.verify(ec.generate_private_key(ec.SECP256R1()).public_key())
    with pytest.raises(UsageError):
        _ = secret.payload


@pytest.mark.parametrize("part", [1, 2])
def test_a_change_is_noticed(part: int) -> None:
    parts = seal(as_json(vault())).split(".")
    other = seal(as_json(vault(name="kbs:///one/2/drei")), key=KEY, x="y").split(".")
    parts[part] = other[part]
    with pytest.raises(SignatureError) as caught:
        parse_sealed_secret(".".join(parts)).verify(KEY.public_key())
    assert caught.value.code == "signature.sealed_secret"


def test_a_cut_signature() -> None:
    text, _, signature = seal(as_json(vault())).rpartition(".")
    short = url64(base64.urlsafe_b64decode(signature + "==")[:63])
    with pytest.raises(SignatureError) as caught:
        parse_sealed_secret(f"{text}.{short}").verify(KEY.public_key())
    assert "64 bytes" in str(caught.value)


def test_another_curve() -> None:
    with pytest.raises(UnsupportedError) as caught:
        parse_sealed_secret(seal(as_json(vault()))).verify(
            ec.generate_private_key(ec.SECP384R1()).public_key()
        )
    assert caught.value.code == "unsupported.sealed_secret_key"


def test_one_that_is_not_signed() -> None:
    with pytest.raises(UnsupportedError) as caught:
        parse_sealed_secret(f"sealed.fakejwsheader.{url64(as_json(vault()))}.fakesignature")
    assert caught.value.code == "unsupported.unsigned_secret"


def test_what_is_not_verified_is_not_read() -> None:
    with pytest.raises(UsageError):
        _ = parse_sealed_secret(seal(as_json(vault()))).payload


@pytest.mark.parametrize(
    "header",
    [{"alg": "none"}, {"alg": "HS256"}, {"alg": "ES384"}, {"crit": ["b64"]}, {"b64": False}],
)
def test_another_kind_of_signature(header: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError) as caught:
        parse_sealed_secret(seal(as_json(vault()), **header))
    assert caught.value.code == "unsupported.sealed_secret_algorithm"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sealed",
        "sealed.a.b",
        "sealed.a.b.c.d",
        "opened.e30.e30.e30",
        "sealed.e30.e30.e30",
        "sealed.W10.e30.e30",
        "sealed.!.e30.e30",
        seal(b"{}", kid=7),
        seal(b"{}") + "=",
        b"\xff",
        "a" * (MAX_SEALED_SECRET_BYTES + 1),
    ],
)
def test_no_sealed_secret(text: str | bytes) -> None:
    with pytest.raises(FormatError):
        parse_sealed_secret(text)


@pytest.mark.parametrize("name", ["version", "type", "name", "provider", "provider_settings"])
def test_a_member_of_a_vault_secret_is_missing(name: str) -> None:
    with pytest.raises(FormatError):
        parse_payload(without(vault(), name))


@pytest.mark.parametrize(
    "name", ["key_id", "encrypted_key", "encrypted_data", "wrap_type", "iv", "provider", "provider_settings"]
)
def test_a_member_of_an_envelope_is_missing(name: str) -> None:
    with pytest.raises(FormatError):
        parse_payload(without(envelope(), name))


def test_annotations_are_optional() -> None:
    assert parse_payload(without(vault(), "annotations")) == parse_payload(as_json(vault()))


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (vault(version="0.2.0"), "unsupported.sealed_secret_version"),
        (vault(type="safe"), "unsupported.sealed_secret_type"),
    ],
)
def test_another_payload(payload: dict[str, Any], code: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        parse_payload(as_json(payload))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"provider": "aliyun"}, "unsupported.envelope_provider"),
        ({"wrap_type": "A256CTR"}, "unsupported.unauthenticated"),
        ({"encrypted_key": b64(b"i" * 11)}, "format.bad_value"),
        ({"encrypted_key": b64(b"i" * 28)}, "format.bad_value"),
        ({"encrypted_key": b64(b"i" * 60)}, "signature.wrapped_key"),
        ({"encrypted_key": b64(IV + AESGCM(KEK).encrypt(IV, b"short", None))}, "format.kek"),
        ({"encrypted_data": b64(b"x" * 15)}, "format.bad_value"),
        ({"encrypted_data": b64(b"x" * 16)}, "signature.wrapped_key"),
        ({"iv": b64(b"i" * 16)}, "format.bad_value"),
    ],
)
def test_an_envelope_that_does_not_open(change: dict[str, Any], code: str) -> None:
    with pytest.raises(EAAError) as caught:
        open_envelope(opened(envelope(**change)), KEK)
    assert caught.value.code == code


def test_an_envelope_with_another_key() -> None:
    for kek, code in ((bytes(32), "signature.wrapped_key"), (bytes(16), "format.kek")):
        with pytest.raises(EAAError) as caught:
            open_envelope(opened(envelope()), kek)
        assert caught.value.code == code


def test_an_envelope_whose_key_somebody_else_opened() -> None:
    assert open_envelope_data(opened(envelope(provider="aws")), DEK) == b"the secret"


def jwk(**changes: Any) -> bytes:
    numbers = KEY.public_key().public_numbers()
    members = {
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "test-key",
        "x": url64(numbers.x.to_bytes(32, "big")), "y": url64(numbers.y.to_bytes(32, "big")),
    } | changes  # fmt: skip
    return as_json({name: value for name, value in members.items() if value is not ...})


@pytest.mark.parametrize("data", [jwk(), jwk(alg=...), jwk(d=url64(bytes(32)))])
def test_a_signing_key(data: bytes) -> None:
    secret = parse_sealed_secret(seal(as_json(vault())))
    secret.verify(parse_signing_key(data))
    assert secret.payload == VaultSecret("kbs", "kbs:///one/2/trois", {}, {})


@pytest.mark.parametrize("changes", [{"kty": "OKP"}, {"crv": "P-384"}, {"alg": "ES384"}])
def test_another_kind_of_key(changes: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError) as caught:
        parse_signing_key(jwk(**changes))
    assert caught.value.code == "unsupported.sealed_secret_key"


@pytest.mark.parametrize(
    "data",
    [b"-----BEGIN", jwk(x=...), jwk(x="AA"), jwk(x="!"), jwk(x=url64(bytes(32))), b" " * (16 * 1024 + 1)],
)
def test_no_key(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_signing_key(data)
