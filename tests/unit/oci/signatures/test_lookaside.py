"""Where simple signatures are looked for."""

from __future__ import annotations

from typing import Any

import pytest

from eaa.errors import FormatError
from eaa.oci.digest import Digest
from eaa.oci.signatures.lookaside import parse_lookaside
from eaa.oci.signatures.reference import parse_reference

DIGEST = Digest("sha256", "1" * 64)
CONFIGURED = {
    "default-docker": {"lookaside": "https://all.example.org/"},
    "docker": {
        "a.org": {"sigstore": "file:///signatures", "sigstore-staging": "file:///x"},
        "a.org/none": {"use-sigstore-attachments": True},
    },
}


@pytest.mark.parametrize(
    ("image", "url"),
    [
        ("a.org/x/y:1", f"file:///signatures/x/y@sha256={DIGEST.hex}/signature-3"),
        ("b.org/x:1", f"https://all.example.org/x@sha256={DIGEST.hex}/signature-3"),
        ("a.org/none/x:1", None),
    ],
)
def test_url(image: str, url: str | None) -> None:
    assert parse_lookaside(CONFIGURED).signature_url(parse_reference(image), DIGEST, 3) == url


@pytest.mark.parametrize("value", [None, {}])
def test_nothing_configured(value: Any) -> None:
    assert parse_lookaside(value).store_of(parse_reference("a.org/x")) is None


@pytest.mark.parametrize(
    "value",
    [
        [],
        {1: {}},
        {"other": {}},
        {"docker": []},
        {"docker": {"a.org": "https://x"}},
        {"docker": {"a.org": {"lookaside": 1}}},
        {"docker": {"a.org": {"lookaside": "ftp://x"}}},
        {"docker": {"a.org": {"lookaside": "https://x", "sigstore": "https://x"}}},
        {"docker": {"a.org": {"mirror": "https://x"}}},
        {"default-docker": {"mirror": "https://x"}},
    ],
)
def test_refused(value: Any) -> None:
    with pytest.raises(FormatError):
        parse_lookaside(value)
