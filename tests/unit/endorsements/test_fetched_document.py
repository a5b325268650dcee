"""A fetched endorsement's digest, and the document in it."""

from __future__ import annotations

import pytest

from eaa.endorsements.fetched import Fetched, signed_document
from eaa.errors import FormatError


def test_body_and_chain_are_told_apart_by_the_digest() -> None:
    assert Fetched(b"ab", b"c").digest != Fetched(b"a", b"bc").digest
    assert Fetched(b"a").digest == Fetched(b"a", b"").digest


def test_the_exact_bytes_of_the_document() -> None:
    body = b'{"tcbInfo":{"a": 1},"signature":"%b"}' % (b"ab" * 64)
    document = signed_document(Fetched(body, b"chain"), "tcbInfo", "TCB info")
    assert (document.body, document.issuer_chain) == (b'{"a": 1}', b"chain")
    assert document.signature == b"\xab" * 64


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b'{"tcbInfo":{}}', b'{"tcbInfo":{},"signature":1}', b'{"tcbInfo":{},"signature":"ab"}',
        b'{"tcbInfo":{},"signature":"zz"}', b'{"enclaveIdentity":{},"signature":""}',
        b'{"tcbInfo":{},"signature":"%b","more":1}' % (b"ab" * 64),
    ],
)  # fmt: skip
def test_what_is_no_signed_document(body: bytes) -> None:
    with pytest.raises(FormatError):
        signed_document(Fetched(body), "tcbInfo", "TCB info")
