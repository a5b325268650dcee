from __future__ import annotations

from urllib.parse import quote

import pytest

from eaa.codec.pem import MAX_CERTIFICATES, decode_pem, decode_pem_certificates, encode_pem
from eaa.errors import FormatError

A, B = bytes(range(100)), b"\x30\x00"


@pytest.mark.parametrize(
    "text",
    [
        encode_pem(A) + encode_pem(B),
        (encode_pem(A) + encode_pem(B)).replace(b"\n", b"\r\n"),
        encode_pem(A) + b"\n\n" + encode_pem(B) + b"\n\x00",
        quote(encode_pem(A) + encode_pem(B)).encode(),
        (encode_pem(A) + encode_pem(B)).replace(b"\n", b""),
    ],
    ids=["lf", "crlf", "nul", "url", "one line"],
)
def test_certificates_in_order(text: bytes) -> None:
    assert decode_pem_certificates(text, "chain") == (A, B)


def test_lines_have_64_characters() -> None:
    lines = encode_pem(A, "X509 CRL").splitlines()
    assert lines[0] == b"-----BEGIN X509 CRL-----"
    assert [len(line) for line in lines[1:-1]] == [64, 64, 8]
    assert decode_pem(encode_pem(A, "X509 CRL"), "X509 CRL", "list") == (A,)


@pytest.mark.parametrize(
    ("text", "code", "offset"),
    [
        (b"", "format.missing", 0),
        (b"\r\n\x00", "format.missing", 0),
        (b" ", "format.not_pem", 0),
        (b"certificate", "format.not_pem", 0),
        (encode_pem(B) + b"x", "format.not_pem", len(encode_pem(B)) - 1),
        (encode_pem(B) + b"\n\x00\x00", "format.not_pem", len(encode_pem(B)) - 1),
        (encode_pem(B, "X509 CRL"), "format.not_pem", 0),
        (encode_pem(B).replace(b"END CERT", b"END X"), "format.not_pem", 0),
        (encode_pem(B).replace(b"MAA=", b"MA A="), "format.not_pem", 0),
        (encode_pem(B).replace(b"MAA=", b"MAA"), "format.not_pem", 0),
        (encode_pem(B).replace(b"MAA=", b"MAB="), "format.not_pem", 0),
        (encode_pem(B) * (MAX_CERTIFICATES + 1), "format.too_large", None),
        (b"-" * (256 * 1024 + 1), "format.too_large", 0),
    ],
    ids=[
        "empty",
        "blank",
        "space only",
        "text",
        "tail",
        "two nuls",
        "label",
        "end",
        "space",
        "padding",
        "bits",
        "many",
        "big",
    ],
)
def test_anything_else_is_refused(text: bytes, code: str, offset: int | None) -> None:
    with pytest.raises(FormatError) as caught:
        decode_pem_certificates(text, "chain")
    assert caught.value.code == code
    assert offset is None or caught.value.offset == offset


def test_sixteen_certificates_are_read() -> None:
    assert len(decode_pem_certificates(encode_pem(B) * MAX_CERTIFICATES, "chain")) == MAX_CERTIFICATES
