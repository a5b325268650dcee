"""Names of images, expanded as Docker expands them."""

from __future__ import annotations

import pytest

from eaa.errors import FormatError, UnsupportedError
from eaa.oci.signatures.reference import MAX_REFERENCE_BYTES, parse_reference

HEX = "a" * 64


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("busybox", "docker.io/library/busybox"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("user/app", "docker.io/user/app"),
        ("index.docker.io/busybox", "docker.io/library/busybox"),
        ("docker.io/busybox", "docker.io/library/busybox"),
        ("localhost/app", "localhost/app"),
        ("localhost:5000/app:x", "localhost:5000/app:x"),
        ("[::1]:5000/app", "[::1]:5000/app"),
        ("Example.org/a__b/c-d.e:T_1", "Example.org/a__b/c-d.e:T_1"),
        (f"example.org/a@sha256:{HEX}", f"example.org/a@sha256:{HEX}"),
        (f"example.org/a:1@sha512:{HEX}{HEX}", f"example.org/a:1@sha512:{HEX}{HEX}"),
    ],
)
def test_expanded(text: str, expanded: str) -> None:
    assert str(parse_reference(text)) == expanded


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "repository"),
        ("Upper", "repository"),
        ("example.org/", "repository"),
        ("example.org/a//b", "repository"),
        ("example.org/../b", "repository"),
        ("example.org/a..b", "repository"),
        ("example.org/" + "a" * 250, "repository"),
        ("-x.org/a", "registry"),
        ("x.org:123456/a", "registry"),
        ("user@x.org/a", "digest"),
        ("a:", "tag"),
        ("a:.x", "tag"),
        ("a:" + "x" * 129, "tag"),
        ("a@sha256:00", "digest"),
        ("a" * (MAX_REFERENCE_BYTES + 1), "length"),
    ],
)
def test_no_reference(text: str, field: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_reference(text)
    assert caught.value.field == field


def test_a_digest_of_another_algorithm() -> None:
    with pytest.raises(UnsupportedError):
        parse_reference("a@md5:00")


def test_scopes_from_the_image_to_its_registrys_domains() -> None:
    assert parse_reference("r.example.org:5000/a/b:1").scopes == (
        "r.example.org:5000/a/b:1",
        "r.example.org:5000/a/b",
        "r.example.org:5000/a",
        "r.example.org:5000",
        "*.example.org",
        "*.org",
    )
    assert parse_reference("localhost/a").scopes == ("localhost/a", "localhost")
