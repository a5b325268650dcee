"""The decision: each step of it has a signature that fails only there."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eaa.errors import AccessDenied, BindingError, EAAError, FormatError, SignatureError
from eaa.oci.signatures.claim import MAX_PAYLOAD_BYTES, SIMPLE_TYPE, parse_claim
from eaa.oci.signatures.cosign import CosignSignature, parse_public_key, signature_tag, verify_cosign
from eaa.oci.signatures.decide import Accepted, SignedImage, require_accepted
from eaa.oci.signatures.policy_json import parse_policy
from eaa.oci.signatures.reference import parse_reference
from tests.unit.oci.signatures.signed_images import (
    DIGEST,
    OTHER,
    MarkedOpenPgp,
    make_key,
    payload,
    pem_of,
    sign,
)

IMAGE = parse_reference("example.org/a/b:1")
KEYS = {"/cosign": pem_of(make_key()), "/ring": b"ring:"}
COSIGN = {"type": "sigstoreSigned", "keyPath": "/cosign"}
SIMPLE = {"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/ring"}


def decide(image: SignedImage, *requirements: Any) -> Accepted:
    policy = parse_policy(json.dumps({"default": list(requirements)}).encode())
    return require_accepted(image, policy.requirements_for(IMAGE), keys=KEYS, openpgp=MarkedOpenPgp())


def with_cosign(*signatures: CosignSignature) -> SignedImage:
    return SignedImage(IMAGE, (OTHER, DIGEST), cosign=signatures)


def with_simple(*signatures: bytes) -> SignedImage:
    return SignedImage(IMAGE, (DIGEST,), simple=signatures)


def refusal(image: SignedImage, *requirements: Any) -> EAAError:
    with pytest.raises(EAAError) as caught:
        decide(image, *requirements)
    return caught.value


def test_accepted() -> None:
    image = SignedImage(IMAGE, (DIGEST,), (b"ring:" + payload(SIMPLE_TYPE),), (sign(make_key(), payload()),))
    accepted = decide(image, {"type": "insecureAcceptAnything"}, COSIGN, SIMPLE)
    assert accepted.scope == "default"
    assert [claim.digest for claim in accepted.claims] == [DIGEST, DIGEST]


def test_the_index_may_be_what_was_signed() -> None:
    assert decide(with_cosign(sign(make_key(), payload(digest=str(OTHER)))), COSIGN).claims[0].digest == OTHER


def test_key_in_the_policy() -> None:
    data = {"type": "sigstoreSigned", "keyData": base64.b64encode(pem_of(make_key())).decode()}
    assert decide(with_cosign(sign(make_key(), payload())), data)


def test_rejected_whatever_else_holds() -> None:
    image = with_cosign(sign(make_key(), payload()))
    assert isinstance(error := refusal(image, COSIGN, {"type": "reject"}), AccessDenied)
    assert error.code == "access_denied.image_rejected"


@pytest.mark.parametrize("requirement", [COSIGN, SIMPLE])
def test_unsigned(requirement: Any) -> None:
    assert refusal(with_cosign(), requirement).code == "signature.image_unsigned"


def test_each_requirement_has_to_hold() -> None:
    image = with_cosign(sign(make_key(), payload()))
    assert refusal(image, COSIGN, SIMPLE).code == "signature.image_unsigned"


@pytest.mark.parametrize(
    ("signature", "code"),
    [
        (sign(make_key(2), payload()), "signature.image_signature_key"),
        (
            CosignSignature(payload() + b" ", sign(make_key(), payload()).signature),
            "signature.image_signature_key",
        ),
        (CosignSignature(payload(), "?"), "signature.image_signature_key"),
        (CosignSignature(payload(), ""), "signature.image_signature_key"),
        (sign(make_key(), payload(SIMPLE_TYPE)), "format.image_signature"),
        (sign(make_key(), payload(digest="sha256:" + "3" * 64)), "binding.image_digest"),
        (sign(make_key(), payload(digest="md5:00")), "unsupported.digest"),
        (sign(make_key(), payload(reference="example.org/a/c:1")), "binding.image_identity"),
    ],
)
def test_cosign_refused(signature: CosignSignature, code: str) -> None:
    assert refusal(with_cosign(signature), COSIGN).code == code


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"other:" + payload(SIMPLE_TYPE), "signature.image_signature_key"),
        (b"ring:" + payload(), "format.image_signature"),
        (b"ring:" + payload(SIMPLE_TYPE, digest=str(OTHER)), "binding.image_digest"),
        (b"ring:" + payload(SIMPLE_TYPE, reference="example.org/a/b:2"), "binding.image_identity"),
    ],
)
def test_simple_refused(message: bytes, code: str) -> None:
    assert refusal(with_simple(message), SIMPLE).code == code


def test_one_good_signature_of_several_is_enough() -> None:
    assert decide(with_cosign(sign(make_key(2), payload()), sign(make_key(), payload())), COSIGN)


def test_every_reason_is_said_if_none_holds() -> None:
    error = refusal(
        with_cosign(sign(make_key(2), payload()), sign(make_key(), payload(reference="a.org/x:1"))), COSIGN
    )
    assert isinstance(error, SignatureError)
    assert error.code == "signature.image_signatures"
    assert "1: not signed by the key" in str(error)
    assert "2: example.org/a/b:1: the signature is for a.org/x:1" in str(error)


def test_a_bit_of_the_payload_or_the_signature() -> None:
    key = make_key()
    signed = sign(key, payload())
    for index in range(0, len(signed.payload), 7):
        changed = bytearray(signed.payload)
        changed[index] ^= 1
        with pytest.raises(SignatureError):
            verify_cosign(CosignSignature(bytes(changed), signed.signature), [key.public_key()])
    raw = base64.b64decode(signed.signature)
    for index in range(len(raw)):
        changed = bytearray(raw)
        changed[index] ^= 1
        with pytest.raises(SignatureError, match="any of 2 keys"):
            verify_cosign(
                CosignSignature(signed.payload, base64.b64encode(changed).decode()),
                [key.public_key(), make_key(2).public_key()],
            )


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        pem_of(ec.derive_private_key(7, ec.SECP384R1())),
    ],
)
def test_no_key(pem: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        parse_public_key(pem)
    assert caught.value.code == "format.image_key"


def test_tag() -> None:
    assert signature_tag(DIGEST) == "sha256-" + "1" * 64 + ".sig"


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"x",
        b" " * (MAX_PAYLOAD_BYTES + 1),
        payload(SIMPLE_TYPE, optional=[]),
        payload(SIMPLE_TYPE).replace(b'"type"', b'"extra": 1, "type"'),
        payload(SIMPLE_TYPE).replace(b'"docker-reference"', b'"reference"'),
        payload(SIMPLE_TYPE, digest="sha256:00"),
        payload(SIMPLE_TYPE, reference="?"),
        payload(SIMPLE_TYPE).replace(b'"example.org/a/b:1"', b"1"),
        payload(SIMPLE_TYPE).replace(f'"{DIGEST}"'.encode(), b"null"),
    ],
)
def test_no_claim(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_claim(data, SIMPLE_TYPE)


def test_the_signer_may_add_what_it_likes() -> None:
    claim = parse_claim(payload(SIMPLE_TYPE, optional={"creator": "x", "timestamp": 1}), SIMPLE_TYPE)
    assert claim.reference == IMAGE


def test_bindings_are_binding_errors() -> None:
    signature = sign(make_key(), payload(reference="a.org/x:1"))
    assert isinstance(refusal(with_cosign(signature), COSIGN), BindingError)
