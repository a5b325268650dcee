"""Each identity requirement of [CONTAINERS-POLICY signedBy], where it holds and where it does not."""

from __future__ import annotations

import pytest

from eaa.oci.signatures.identity import (
    ExactReference,
    ExactRepository,
    Identity,
    MatchExact,
    MatchRepoDigestOrExact,
    MatchRepository,
    RemapIdentity,
    identity_holds,
)
from eaa.oci.signatures.reference import parse_reference

TAG, OTHER_TAG, NAME = "example.org/a/b:1", "example.org/a/b:2", "example.org/a/b"
DIGEST = "example.org/a/b@sha256:" + "a" * 64
ELSEWHERE = "example.org/a/c:1"
MIRROR = "mirror.net/x/a/b:1"


@pytest.mark.parametrize(
    ("identity", "image", "signed", "holds"),
    [
        (MatchExact(), TAG, TAG, True),
        (MatchExact(), TAG, OTHER_TAG, False),
        (MatchExact(), NAME, NAME, False),
        (MatchExact(), DIGEST, TAG, False),
        (MatchRepoDigestOrExact(), TAG, TAG, True),
        (MatchRepoDigestOrExact(), TAG, OTHER_TAG, False),
        (MatchRepoDigestOrExact(), TAG, DIGEST, False),
        (MatchRepoDigestOrExact(), TAG, NAME, False),
        (MatchRepoDigestOrExact(), DIGEST, OTHER_TAG, True),
        (MatchRepoDigestOrExact(), DIGEST, NAME, False),
        (MatchRepoDigestOrExact(), DIGEST, ELSEWHERE, False),
        (MatchRepoDigestOrExact(), NAME, TAG, False),
        (MatchRepository(), TAG, OTHER_TAG, True),
        (MatchRepository(), TAG, ELSEWHERE, False),
        (ExactReference(parse_reference(ELSEWHERE)), TAG, ELSEWHERE, True),
        (ExactReference(parse_reference(ELSEWHERE)), TAG, TAG, False),
        (ExactRepository(parse_reference(NAME)), ELSEWHERE, TAG, True),
        (ExactRepository(parse_reference(NAME)), ELSEWHERE, ELSEWHERE, False),
        (RemapIdentity("mirror.net/x", "example.org"), MIRROR, TAG, True),
        (RemapIdentity("mirror.net/x", "example.org"), MIRROR, MIRROR, False),
        (RemapIdentity("mirror.net/x/a/b", NAME), MIRROR, TAG, True),
        (RemapIdentity("mirror.net/x/a", "example.org/a"), "mirror.net/x/ab:1", "example.org/ab:1", False),
        (RemapIdentity("mirror.net", "example.org"), TAG, TAG, True),
        (RemapIdentity("mirror.net/x", "-"), MIRROR, TAG, False),
    ],
)
def test_identity(identity: Identity, image: str, signed: str, holds: bool) -> None:
    assert identity_holds(identity, parse_reference(image), parse_reference(signed)) is holds
