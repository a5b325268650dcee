"""Packets, options and sealed secrets as other implementations wrote them."""

from __future__ import annotations

from pathlib import Path

import pytest

from eaa.errors import SignatureError
from eaa.oci.annotation import AnnotationPacket, WrapType, encode_annotation, parse_annotation
from eaa.oci.key_id import parse_key_id
from eaa.oci.layer_key import parse_layer_options, unwrap_options
from eaa.oci.sealed_secret import VaultSecret, parse_sealed_secret
from eaa.oci.signing_key import parse_signing_key
from tests.vectors.manifest import VECTORS, needs_vectors

FOLDER = VECTORS / "ocicrypt-kbs"
README = FOLDER / "coco-keyprovider-readme-annotation/annotation.json"
SAMPLE = FOLDER / "ocicrypt-rs-data/sample_kbc_annotation.json"
SEALED = FOLDER / "caa-sealed-secret/sealed-secret.txt"

#: The key of the sample key provider, which guest-components publishes (coco_keyprovider, HARDCODED_KEY).
SAMPLE_KEK = bytes.fromhex("d99b7705b0ba7a168295b3a3367270b0dd9b371bf514ca8b9ba7f0a33711daea")
#: What verifies the sealed secret, as Kata Containers' tests have it (confidential_common.sh).
SIGNING_KEY = (
    b'{"alg":"ES256","crv":"P-256","kid":"sealed-secret-test-key","kty":"EC","use":"sig",'
    b'"x":"4jH376AuwTUCIx65AJ_56D7SZzWf7sGcEA7_Csq21UM","y":"rjdceysnSa5ZfzWOPGCURMUuHndxBAGUu4ISTIVN0yA"}'
)
#: Another key of theirs: that of guest-components' own tests.
OTHER_KEY = (
    b'{"kty":"EC","crv":"P-256","alg":"ES256","x":"QT3_slJmispaOwnAo6hxebXGLRuiveFuRCLpS4j4S4k",'
    b'"y":"jcDn4N4nRBQ-a7_D3qjqtb6hwOAXh_ve1wvibPSi1G0"}'
)

pytestmark = needs_vectors


def test_the_packet_of_the_sample_provider_opens() -> None:
    packet = parse_annotation(SAMPLE.read_bytes())
    assert packet.kid == parse_key_id("kbs:///default/key/1")
    options = parse_layer_options(unwrap_options(packet, kek=SAMPLE_KEK))
    assert str(options.digest) == "sha256:18be1897f9402f27c8c0eba7c86e0c00f5656db62961b5949d55f9565c42c6e7"
    assert (len(options.symkey), len(options.nonce)) == (32, 16)


def test_the_packet_of_the_key_providers_documentation() -> None:
    packet = parse_annotation(README.read_bytes())
    assert packet == AnnotationPacket(
        parse_key_id("kbs:///default/key/key_id1"), packet.wrapped, packet.iv, WrapType.A256GCM
    )
    assert (len(packet.wrapped), len(packet.iv)) == (209, 12)
    with pytest.raises(SignatureError):
        unwrap_options(packet, kek=SAMPLE_KEK)


@pytest.mark.parametrize("path", [README, SAMPLE], ids=["readme", "sample"])
def test_written_anew_it_is_the_same(path: Path) -> None:
    packet = parse_annotation(path.read_bytes())
    assert parse_annotation(encode_annotation(packet)) == packet


def test_the_sealed_secret_verifies() -> None:
    secret = parse_sealed_secret(SEALED.read_bytes())
    assert secret.kid == "kbs:///default/signing-key/sealed-secret"
    secret.verify(parse_signing_key(SIGNING_KEY))
    assert secret.payload == VaultSecret("kbs", "kbs:///default/sealed-secret/test", {}, {})


def test_the_sealed_secret_and_another_key() -> None:
    with pytest.raises(SignatureError) as caught:
        parse_sealed_secret(SEALED.read_bytes()).verify(parse_signing_key(OTHER_KEY))
    assert caught.value.code == "signature.sealed_secret"
