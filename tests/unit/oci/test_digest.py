from __future__ import annotations

import hashlib

import pytest

from eaa.errors import BindingError, FormatError, UnsupportedError
from eaa.oci.digest import Digest, digest_of, parse_digest

SHA256 = "sha256:" + hashlib.sha256(b"abc").hexdigest()
SHA512 = "sha512:" + hashlib.sha512(b"abc").hexdigest()


@pytest.mark.parametrize("text", [SHA256, SHA512])
def test_the_text_comes_back_and_the_content_matches(text: str) -> None:
    digest = parse_digest(text, what="x")
    hasher = digest.hasher()
    hasher.update(b"abc")
    digest.require(hasher, what="content")
    assert str(digest) == text


def test_of_bytes() -> None:
    assert str(digest_of(b"abc")) == SHA256


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        SHA256.upper(),
        SHA256 + "0",
        SHA256[:-1],
        "sha256:" + "A" * 64,
        "sha512:" + "0" * 64,
        "../sha256:" + "0" * 64,
        SHA256 + "\n",
        "sha256:" + "0" * 300,
    ],
)
def test_no_digest(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_digest(text, what="x")
    assert caught.value.code == "format.digest"


@pytest.mark.parametrize("text", ["md5:" + "0" * 32, "sha384:" + "0" * 96, "sha256+b64:AAAA"])
def test_unregistered_algorithm(text: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        parse_digest(text, what="x")
    assert caught.value.code == "unsupported.digest"


def test_other_content() -> None:
    with pytest.raises(BindingError) as caught:
        Digest("sha256", "00" * 32).require(hashlib.sha256(b"abc"), what="layer", detail="layer_digest")
    assert caught.value.code == "binding.layer_digest"
