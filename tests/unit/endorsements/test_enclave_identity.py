from __future__ import annotations

import json
from typing import Any

import pytest

from eaa.endorsements.enclave_identity import parse_enclave_identity
from eaa.errors import FormatError
from tests.fakes.vendor import make_vendor

MEMBERS = (
    "id", "version", "issueDate", "nextUpdate", "tcbEvaluationDataNumber", "miscselect", "miscselectMask",
    "attributes", "attributesMask", "mrsigner", "isvprodid", "tcbLevels",
)  # fmt: skip


def content() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(json.dumps(make_vendor().identities["TD_QE"].content()))
    return value


def refused(value: Any) -> FormatError:
    with pytest.raises(FormatError) as caught:
        parse_enclave_identity(json.dumps(value).encode())
    assert caught.value.what == "enclave identity"
    return caught.value


@pytest.mark.parametrize("identifier", ["QE", "TD_QE", "QVE"])
def test_all_fields_are_read(identifier: str) -> None:
    model = make_vendor().identities[identifier]
    value = model.content()
    parsed = parse_enclave_identity(json.dumps(value).encode())
    assert (parsed.id, parsed.version) == (identifier, 2)
    assert (parsed.issue_date, parsed.next_update) == (model.issue_date, model.next_update)
    assert parsed.tcb_evaluation_data_number == model.evaluation_data_number
    assert parsed.misc_select == bytes.fromhex(value["miscselect"])
    assert parsed.misc_select_mask == bytes.fromhex(value["miscselectMask"])
    assert parsed.attributes == bytes.fromhex(value["attributes"])
    assert parsed.attributes_mask == bytes.fromhex(value["attributesMask"])
    assert (parsed.mr_signer, parsed.isv_prod_id) == (model.mr_signer, model.isv_prod_id)
    svns = [level.isv_svn for level in parsed.levels]
    assert svns == sorted(svns, reverse=True)
    assert len(svns) == len(value["tcbLevels"])


@pytest.mark.parametrize("name", MEMBERS)
def test_each_member_is_required(name: str) -> None:
    value = content()
    del value[name]
    error = refused(value)
    assert (error.field, error.code) == (name, "format.missing")


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("wrong", [None, False, [], {}, "?", -1, 1 << 40])
def test_each_member_is_typed(name: str, wrong: Any) -> None:
    assert refused({**content(), name: wrong}).field == name


@pytest.mark.parametrize(("name", "wrong"), [("version", 1), ("version", 3), ("id", "qe"), ("id", "QAE")])
def test_unknown_versions_and_ids_are_refused(name: str, wrong: Any) -> None:
    assert refused({**content(), name: wrong}).field == name
