from __future__ import annotations

import json
from typing import Any

import pytest

from eaa.errors import FormatError, UnsupportedError, UsageError
from eaa.oci.annotation import (
    MAX_PACKET_BYTES,
    AnnotationPacket,
    WrapType,
    encode_annotation,
    parse_annotation,
    split_annotations,
)
from eaa.oci.key_id import parse_key_id
from tests.unit.oci.packets import IV, KID, as_json, b64, packet, wrapped

WRAPPED = wrapped()
NEWEST: dict[str, Any] = {"version": "0.1.0", "provider": "kbs", "provider_settings": {}, "annotations": {}}


@pytest.mark.parametrize(
    "data",
    [
        packet(),
        packet(wrap_type="aes-gcm"),
        packet(**NEWEST),
        packet(provider_settings=None, annotations=None),
        packet(wrapped_data=list(WRAPPED.wrapped), iv=list(IV)),
        packet(
            wrapped_data=list(WRAPPED.wrapped), iv=list(IV), wrap_type=..., algorithm="AES", key_length=256
        ),
        packet(later_member=7),
    ],
    ids=["v0.5", "sample_kbc", "0.1.0", "nulls", "rust", "verdictd", "more"],
)
def test_every_published_form_is_the_same_packet(data: bytes) -> None:
    assert parse_annotation(data) == WRAPPED


@pytest.mark.parametrize("name", ["A256CTR", "aes_256_ctr"])
def test_counter_mode_is_read(name: str) -> None:
    parsed = parse_annotation(packet(wrap_type=name, iv=b64(b"i" * 16), wrapped_data="eA=="))
    assert parsed == AnnotationPacket(parse_key_id(KID), b"x", b"i" * 16, WrapType.A256CTR)


def test_a_plain_key_id() -> None:
    assert str(parse_annotation(packet(kid="84688df7")).kid) == "84688df7"


def test_written_as_the_newest_in_base64() -> None:
    assert json.loads(encode_annotation(WRAPPED)) == {
        **NEWEST,
        "kid": KID,
        "wrapped_data": b64(WRAPPED.wrapped),
        "iv": b64(IV),
        "wrap_type": "A256GCM",
    }


def test_counter_mode_is_not_written() -> None:
    with pytest.raises(UsageError) as caught:
        encode_annotation(AnnotationPacket(parse_key_id(KID), b"x", b"i" * 16, WrapType.A256CTR))
    assert caught.value.code == "usage.wrap_type"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (packet(version="0.2.0"), "unsupported.annotation_version"),
        (packet(provider="aliyun"), "unsupported.annotation_provider"),
        (packet(wrap_type="A128GCM"), "unsupported.wrap_type"),
        (packet(wrap_type=..., algorithm="DES", key_length=256), "unsupported.wrap_type"),
        (packet(wrap_type=..., algorithm="AES", key_length=128), "unsupported.wrap_type"),
        (packet(wrap_type=..., algorithm="AES", key_length=256.0), "unsupported.wrap_type"),
        (packet(kid="kbs+pkcs11:///a/b/c"), "unsupported.key_plugin"),
    ],
)
def test_not_supported(data: bytes, code: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        parse_annotation(data)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "format.not_json"),
        (b"[]", "format.bad_value"),
        (b'{"kid":"a","kid":"b"}', "format.duplicate_key"),
        (b" " * (MAX_PACKET_BYTES + 1), "format.too_large"),
        (packet(version=1), "format.bad_value"),
        (packet(provider_settings=[]), "format.bad_value"),
        (packet(annotations="x"), "format.bad_value"),
        (packet(kid=...), "format.missing"),
        (packet(kid=7), "format.bad_value"),
        (packet(kid="a/b"), "format.key_id"),
        (packet(wrapped_data=...), "format.missing"),
        (packet(wrapped_data=None), "format.missing"),
        (packet(wrapped_data="!"), "format.bad_value"),
        (packet(wrapped_data=[256] * 20), "format.bad_value"),
        (packet(wrapped_data=[-1] * 20), "format.bad_value"),
        (packet(wrapped_data=[True] * 20), "format.bad_value"),
        (packet(wrapped_data={}), "format.bad_value"),
        (packet(wrapped_data=[0]), "format.bad_value"),
        (packet(wrapped_data=b64(b"t" * 16)), "format.bad_value"),
        (packet(iv=...), "format.missing"),
        (packet(iv=b64(b"i" * 16)), "format.bad_value"),
        (packet(wrap_type="A256CTR"), "format.bad_value"),
        (packet(wrap_type="A256CTR", iv=b64(b"i" * 16), wrapped_data=""), "format.bad_value"),
        (packet(wrap_type=...), "format.missing"),
        (packet(algorithm="AES", key_length=256), "format.bad_value"),
    ],
)
def test_no_packet(data: bytes, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_annotation(data)
    assert caught.value.code == code


def test_packets_of_several_recipients() -> None:
    assert split_annotations(f"{b64(b'one')},{b64(b'two')}") == (b"one", b"two")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a", "format.bad_value"),
        ("YQ==, YQ==", "format.bad_value"),
        (",".join(["YQ=="] * 17), "format.too_many"),
        ("A" * (16 * MAX_PACKET_BYTES + 1), "format.too_large"),
    ],
)
def test_no_annotation(text: str, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        split_annotations(text)
    assert caught.value.code == code


def test_neither_text_shows_what_is_in_it() -> None:
    assert b64(WRAPPED.wrapped) not in repr(WRAPPED)
    with pytest.raises(FormatError) as caught:
        parse_annotation(
            as_json({"kid": KID, "wrap_type": "A256GCM", "wrapped_data": "hush", "iv": "c2VjcmV0"})
        )
    assert "hush" not in str(caught.value)
    assert "c2VjcmV0" not in str(caught.value)
