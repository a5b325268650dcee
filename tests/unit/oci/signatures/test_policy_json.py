"""``policy.json``: what it means, and that nothing unknown passes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from eaa.errors import FormatError, UnsupportedError
from eaa.oci.signatures.identity import (
    ExactReference,
    ExactRepository,
    MatchExact,
    MatchRepoDigestOrExact,
    MatchRepository,
    RemapIdentity,
)
from eaa.oci.signatures.policy import AcceptAnything, KeyData, KeyPath, Reject, SignedBy, SigstoreSigned
from eaa.oci.signatures.policy_json import MAX_POLICY_BYTES, parse_policy
from eaa.oci.signatures.reference import parse_reference

ACCEPT = {"type": "insecureAcceptAnything"}
REJECT = {"type": "reject"}
GPG = {"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k"}
SIGSTORE = {"type": "sigstoreSigned", "keyPath": "kbs:///a/b/c"}
KEY = base64.b64encode(b"key").decode()


def policy(*requirements: Any, **transports: Any) -> bytes:
    return json.dumps({"default": list(requirements) or [REJECT], "transports": transports}).encode()


def only(requirement: Any) -> Any:
    (found,) = parse_policy(policy(requirement)).default
    return found


def test_requirements() -> None:
    assert parse_policy(json.dumps({"default": [ACCEPT, REJECT]}).encode()).default == (
        AcceptAnything(),
        Reject(),
    )
    assert only(GPG) == SignedBy((KeyPath("/k"),), MatchRepoDigestOrExact())
    assert only(SIGSTORE) == SigstoreSigned((KeyPath("kbs:///a/b/c"),), MatchRepoDigestOrExact())


@pytest.mark.parametrize(
    ("members", "keys"),
    [
        ({"keyPaths": ["/a", "/b"]}, (KeyPath("/a"), KeyPath("/b"))),
        ({"keyData": KEY}, (KeyData(b"key"),)),
        ({"keyDatas": [KEY, KEY]}, (KeyData(b"key"), KeyData(b"key"))),
    ],
)
def test_keys(members: dict[str, Any], keys: object) -> None:
    assert only({"type": "sigstoreSigned", **members}).keys == keys


@pytest.mark.parametrize(
    ("member", "identity"),
    [
        ({"type": "matchExact"}, MatchExact()),
        ({"type": "matchRepoDigestOrExact"}, MatchRepoDigestOrExact()),
        ({"type": "matchRepository"}, MatchRepository()),
        (
            {"type": "exactReference", "dockerReference": "a.org/b:1"},
            ExactReference(parse_reference("a.org/b:1")),
        ),
        (
            {"type": "exactRepository", "dockerRepository": "a.org/b"},
            ExactRepository(parse_reference("a.org/b")),
        ),
        (
            {"type": "remapIdentity", "prefix": "a.org:1/x", "signedPrefix": "b.org"},
            RemapIdentity("a.org:1/x", "b.org"),
        ),
    ],
)
def test_identities(member: dict[str, str], identity: object) -> None:
    assert only({**GPG, "signedIdentity": member}).identity == identity


@pytest.mark.parametrize(
    ("image", "scope"),
    [
        ("r.example.org/a/b:1", "docker:r.example.org/a/b:1"),
        ("r.example.org/a/b:2", "docker:r.example.org/a"),
        ("r.example.org/ab:1", "docker:*.example.org"),
        ("example.org/ab:1", "docker:"),
    ],
)
def test_the_most_specific_scope_alone_counts(image: str, scope: str) -> None:
    scopes = {name: [ACCEPT] for name in ("r.example.org/a/b:1", "r.example.org/a", "*.example.org", "")}
    found = parse_policy(policy(docker=scopes, oci={"": [REJECT]})).requirements_for(parse_reference(image))
    assert (found.scope, found.each) == (scope, (AcceptAnything(),))


def test_the_default_where_no_scope_fits() -> None:
    parsed = parse_policy(policy(docker={"a.org": [ACCEPT]}))
    assert parsed.requirements_for(parse_reference("b.org/x")).scope == "default"


def test_what_a_decision_needs() -> None:
    parsed = parse_policy(policy(GPG, {**SIGSTORE, "keyPath": "/k"}, SIGSTORE, {**GPG, "keyPath": "/k"}))
    found = parsed.requirements_for(parse_reference("a.org/x"))
    assert found.key_paths == ("/k", "kbs:///a/b/c")
    assert (found.needs_simple_signatures, found.needs_cosign_signatures) == (True, True)
    data = {"type": "sigstoreSigned", "keyData": KEY}
    assert parse_policy(policy(data)).requirements_for(parse_reference("a")).key_paths == ()


def without(value: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key != name}


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{}",
        b'{"default":[]}',
        b'{"default":{}}',
        b'{"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]}',
        b" " * (MAX_POLICY_BYTES + 1),
        json.dumps({"default": [REJECT], "comment": ""}).encode(),
        json.dumps({"default": [REJECT], "transports": []}).encode(),
        policy(other={"": [ACCEPT]}),
        policy(docker=[]),
        policy(docker={"a*.org": [REJECT]}),
        policy(docker={"a.org": []}),
        policy("reject"),
        policy({}),
        policy({"type": "signedBaseLayer"}),
        policy({"type": ["reject"]}),
        policy({**ACCEPT, "x": 1}),
        policy({**REJECT, "x": 1}),
        policy(without(GPG, "keyType")),
        policy({**GPG, "keyType": "X509Certificates"}),
        policy(without(GPG, "keyPath")),
        policy({**GPG, "keyData": KEY}),
        policy({**GPG, "keyPath": ""}),
        policy({**GPG, "keyPath": 1}),
        policy({**without(GPG, "keyPath"), "keyPaths": []}),
        policy({**without(GPG, "keyPath"), "keyPaths": "/k"}),
        policy({**without(GPG, "keyPath"), "keyData": "?"}),
        policy({**without(GPG, "keyPath"), "keyDatas": [KEY]}),
        policy({**SIGSTORE, "x": 1}),
        *(
            policy({**GPG, "signedIdentity": identity})
            for identity in (
                "matchExact",
                {},
                {"type": "matchAnything"},
                {"type": "matchExact", "x": 1},
                {"type": "matchRepository", "x": 1},
                {"type": "exactReference"},
                {"type": "exactReference", "dockerReference": 1},
                {"type": "exactReference", "dockerReference": "a.org/b"},
                {"type": "exactRepository", "dockerRepository": "a.org/b:1"},
                {"type": "remapIdentity", "prefix": "a.org"},
                {"type": "remapIdentity", "prefix": "", "signedPrefix": "a"},
                {"type": "remapIdentity", "prefix": "a", "signedPrefix": "a:1@b"},
                {"type": "remapIdentity", "prefix": "a", "signedPrefix": 1},
            )
        ),
    ],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_policy(data)


@pytest.mark.parametrize("root", ["fulcio", "pki", "rekorPublicKeyPath"])
def test_other_roots_of_trust_are_named_as_such(root: str) -> None:
    with pytest.raises(UnsupportedError, match=root):
        parse_policy(policy({**SIGSTORE, root: {}}))
