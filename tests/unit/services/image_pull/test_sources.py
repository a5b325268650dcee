"""Files and resources that decide about an image."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from eaa.errors import EAAError, FormatError
from eaa.oci.signatures.reference import parse_reference
from eaa.services.image_pull.layers import placed
from eaa.services.image_pull.sources import Sources
from tests.fakes.pull_guest import Secrets

IMAGE = parse_reference("a.org/x:1")


def sources(tmp_path: Path, lookaside: bytes = b"") -> Sources:
    (tmp_path / "sigstore.yaml").write_bytes(lookaside)
    secrets = Secrets(resources={"default/security-policy/test": b'{"default": [{"type": "reject"}]}'})
    return Sources(
        secrets,
        "kbs:///default/security-policy/test",
        str(tmp_path / "sigstore.yaml"),
        str(tmp_path / "auth.json"),
        proven=True,
    )


def test_a_resource_and_files(tmp_path: Path) -> None:
    found = sources(tmp_path, b"docker:\n  a.org:  # ours\n    lookaside: https://s.org\n")
    assert asyncio.run(found.load_policy()).default
    assert asyncio.run(found.load_lookaside()).store_of(IMAGE) == "https://s.org"
    (tmp_path / "auth.json").write_text('{"auths": {"a.org": {"auth": "dTpw"}}}')
    login = asyncio.run(found.load_auth()).login_for(IMAGE)
    assert login is not None
    assert login.user == "u"
    assert asyncio.run(found.load(f"file://{tmp_path}/sigstore.yaml")).startswith(b"docker:")


def test_nothing_said() -> None:
    found = Sources(Secrets(), "policy")
    assert not asyncio.run(found.load_auth()).logins
    with pytest.raises(EAAError) as caught:
        asyncio.run(found.load_lookaside())
    assert caught.value.code == "config.image_signature_store"


@pytest.mark.parametrize(
    "text",
    [
        b"docker: [",
        b"docker: {}\ndocker: {}\n",
        b"docker: {a.org: {lookaside: 'https://x'}, a.org: {}}",
        b"!!python/object/apply:os.system ['true']",
        b"- a",
        b"\xff",
        b"[" * 3000,
    ],
)
def test_no_configuration_of_stores(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(EAAError) as caught:
        asyncio.run(sources(tmp_path, text).load_lookaside())
    assert caught.value.code == "format.signature_store"


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("/nowhere/policy.json", "config.image_file"),
        ("kbs:///default/none/none", "resource_not_found.test"),
        ("kbs://x", "format.key_id"),
    ],
)
def test_not_to_be_had(where: str, code: str) -> None:
    with pytest.raises(EAAError) as caught:
        asyncio.run(Sources(Secrets(), where, proven=True).load_policy())
    assert caught.value.code == code


def test_no_resource_of_a_broker_that_anybody_may_be(tmp_path: Path) -> None:
    unproven = replace(sources(tmp_path), proven=False)
    for load in (unproven.load_policy, lambda: unproven.load("kbs:///default/cosign-public-key/test")):
        with pytest.raises(EAAError) as caught:
            asyncio.run(load())
        assert caught.value.code == "config.unproven_broker"
    assert asyncio.run(unproven.load(str(tmp_path / "sigstore.yaml"))) == b""


def test_a_file_without_end(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(5 * 1024 * 1024)
    with pytest.raises(EAAError, match="more than"):
        asyncio.run(Sources(Secrets(), str(tmp_path / "large")).load_policy())


def test_an_error_that_gets_a_place_stays_as_it_was() -> None:
    error = FormatError("wrong", what="a", field="b", detail="c")
    error.decision = "id"
    named = placed(placed(error, "inner"), "outer")
    assert str(named) == "outer: inner: a: b: wrong"
    assert str(error) == "a: b: wrong"
    assert (type(named), named.code, named.fields, named.decision) == (
        FormatError,
        "format.c",
        error.fields,
        "id",
    )
