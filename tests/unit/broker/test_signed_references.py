"""Reference values that a configured key signs: taken, and refused with each thing wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eaa.broker.administration.signed_references import MAX_BYTES, NO_SIGNERS, ReferenceSigners
from eaa.errors import EAAError
from tests.fakes.administrators import ADMIN, NOW, SIGNER, Bureau, run, signed_references

UNTIL = datetime(2099, 1, 31, tzinfo=UTC)
SIGNERS = ReferenceSigners.of([SIGNER.public_key()])


def test_they_are_taken_until_they_say() -> None:
    bureau = Bureau(require_signed=True)
    (value,) = run(bureau.administration.references.put_signed(ADMIN, signed_references({"mr_td": ["00"]})))
    assert (value.name, value.value, value.expires_at) == ("mr_td", ["00"], UNTIL)
    (key_id,) = SIGNERS.keys
    assert value.created_by == f"{ADMIN.name}, signed by {key_id[:16]}"
    (decision,) = bureau.decisions
    assert (decision.granted, decision.explanation[0]["by"]) == (True, value.created_by)


@pytest.mark.parametrize("how", ["put", "import"])
def test_others_are_refused_where_they_have_to_be_signed(how: str) -> None:
    references = Bureau(require_signed=True).administration.references
    message = b'{"version":"0.1.0","type":"sample","payload":"eyJhIjoxfQ=="}'
    with pytest.raises(EAAError) as caught:
        run(references.put(ADMIN, {"a": 1}) if how == "put" else references.import_message(ADMIN, message))
    assert caught.value.code == "access_denied.unsigned_references"


def changed_payload() -> bytes:
    document = json.loads(signed_references({"a": 1}))
    return json.dumps(document | {"payload": document["payload"].replace("1", "2")}).encode()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (changed_payload(), "signature.reference_values"),
        (signed_references({"a": 1}, key_id="00" * 32), "signature.reference_signer"),
        (signed_references({"a": 1}, signature="AAAA"), "format.bad_value"),
        (signed_references({"a": 1}, format="eaa-named-reference-values/2"), "format.bad_value"),
        (signed_references({"a": 1}, more=1), "format.bad_value"),
        (signed_references({"a": 1}, payload="\ud800"), "format.bad_value"),
        (signed_references([1]), "format.bad_value"),
        (signed_references({"a": 1}, "tomorrow"), "format.bad_value"),
        (signed_references({"a": 1}, "2099-01-31T00:00:00"), "format.bad_value"),
        (signed_references({"a": 1}, (NOW - timedelta(days=1)).isoformat()), "usage.expiry"),
        # In UTC there is no such time: kept, it would end every reading of the values.
        (signed_references({"a": 1}, "9999-12-31T23:59:59-01:00"), "usage.expiry"),
        (signed_references({}), "usage.references"),
        (signed_references({"a b": 1}), "format.reference_name"),
        (b"[]", "format.bad_value"),
        (b"{", "format.not_json"),
        (b" " * (MAX_BYTES + 1), "format.too_large"),
    ],
)
def test_a_file_that_is_not_taken(data: bytes, code: str) -> None:
    bureau = Bureau()
    with pytest.raises(EAAError) as caught:
        run(bureau.administration.references.put_signed(ADMIN, data))
    assert caught.value.code == code
    assert [decision.granted for decision in bureau.decisions] == [False]
    assert run(bureau.administration.references.list(ADMIN)) == []


def test_without_signers_none_is_taken() -> None:
    with pytest.raises(EAAError) as caught:
        NO_SIGNERS.verify(signed_references({"a": 1}))
    assert caught.value.code == "usage.reference_signers"


def test_two_signers() -> None:
    signers = ReferenceSigners.of([Ed25519PrivateKey.generate().public_key(), SIGNER.public_key()])
    assert signers.verify(signed_references({"a": 1})).values == {"a": 1}
