from __future__ import annotations

import json
from typing import Any

import pytest

from eaa.attester.simulated.tcb_info import SimulatedTcbInfo
from eaa.endorsements.tcb_info import TcbInfo, parse_tcb_info
from eaa.errors import FormatError
from tests.fakes.vendor import make_platform


def model(tee: Any = "tdx", version: int = 3) -> SimulatedTcbInfo:
    info = make_platform().tcb_info[tee]
    info.version = version
    return info


def parse(info: SimulatedTcbInfo, *path: str | int, value: Any = None, remove: bool = False) -> TcbInfo:
    """``info`` parsed, with ``value`` at ``path``."""
    content: Any = json.loads(json.dumps(info.content()))
    target = content
    for step in path[:-1]:
        target = target[step]
    if remove:
        del target[path[-1]]
    elif path:
        target[path[-1]] = value
    return parse_tcb_info(json.dumps(content).encode())


def refused(info: SimulatedTcbInfo, *path: str | int, **change: Any) -> FormatError:
    with pytest.raises(FormatError) as caught:
        parse(info, *path, **change)
    assert caught.value.what == "TCB info"
    return caught.value


@pytest.mark.parametrize(("tee", "version"), [("sgx", 2), ("sgx", 3), ("tdx", 3)])
def test_all_fields_are_read(tee: str, version: int) -> None:
    info = model(tee, version)
    parsed = parse(info)
    assert (parsed.tee, parsed.version) == (tee, version)
    assert (parsed.fmspc, parsed.pce_id) == (info.fmspc, info.pce_id)
    assert (parsed.issue_date, parsed.next_update) == (info.issue_date, info.next_update)
    assert parsed.tcb_evaluation_data_number == info.evaluation_data_number
    for level, expected in zip(parsed.levels, info.levels, strict=True):
        assert (level.sgx_components, level.pce_svn) == (expected.sgx_components, expected.pce_svn)
        assert (level.tdx_components or None) == (expected.tdx_components if tee == "tdx" else None)
        assert (level.tcb_date, level.status) == (expected.tcb_date, expected.status)
        assert level.advisory_ids == tuple(sorted(expected.advisory_ids))
    assert len(parsed.tdx_module_identities) == (2 if tee == "tdx" else 0)
    assert (parsed.tdx_module is None) == (tee == "sgx")


def test_modules_are_read() -> None:
    info = model()
    parsed = parse(info)
    assert parsed.tdx_module is not None
    assert parsed.tdx_module.mr_signer == info.tdx_module.mr_signer
    module, expected = parsed.module_identity(3), info.tdx_module_identities[0]
    assert module is not None
    assert (module.id, module.attributes_mask) == (expected.id, expected.attributes_mask)
    assert [level.isv_svn for level in module.levels] == [level.isv_svn for level in expected.levels]
    assert parsed.module_identity(2) is None
    info.tdx_module_identities = []
    assert parse(info).tdx_module_identities == ()


def test_levels_are_sorted_highest_first() -> None:
    info = model()
    expected = parse(info).levels
    info.levels.reverse()
    info.tdx_module_identities[0].levels.reverse()
    assert parse(info).levels == expected
    module = parse(info).module_identity(3)
    assert module is not None
    assert module.levels[0].isv_svn > module.levels[1].isv_svn


MEMBERS = (
    "id", "version", "issueDate", "nextUpdate", "fmspc", "pceId", "tcbType", "tcbEvaluationDataNumber",
    "tcbLevels", "tdxModule",
)  # fmt: skip


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("value", [None, True, [], {}, "?", -1])
def test_each_member_is_typed(name: str, value: Any) -> None:
    assert refused(model(), name, value=value).field.startswith(name)


@pytest.mark.parametrize("name", MEMBERS)
def test_each_member_is_required(name: str) -> None:
    error = refused(model(), name, remove=True)
    assert (error.field, error.code) == (name, "format.missing")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 1),
        (("version",), 4),
        (("id",), "tdx"),
        (("id",), "SEV"),
        (("tcbType",), 1),
        (("tcbLevels", 0), 1),
        (("tcbLevels", 0, "tcb"), []),
        (("tcbLevels", 0, "tcb", "pcesvn"), 65536),
        (("tcbLevels", 0, "tcb", "sgxtcbcomponents", 3, "svn"), 256),
        (("tcbLevels", 0, "tcb", "sgxtcbcomponents", 3), {}),
        (("tcbLevels", 0, "tcb", "tdxtcbcomponents"), []),
        (("tcbLevels", 0, "tcb", "tdxtcbcomponents"), None),
        (("tcbLevels", 0, "tcbDate"), "2020"),
        (("tcbLevels", 0, "tcbStatus"), "Fine"),
        (("tcbLevels", 0, "tcbStatus"), "TDRelaunchAdvised"),
        (("tcbLevels", 0, "tcbStatus"), ["UpToDate"]),
        (("tcbLevels", 0, "advisoryIDs"), "INTEL-SA-00001"),
        (("tcbLevels",), [{}] * 257),
        (("tdxModule", "mrsigner"), "00"),
        (("tdxModule", "attributesMask"), None),
        (("tdxModuleIdentities",), []),
        (("tdxModuleIdentities", 0, "id"), 3),
        (("tdxModuleIdentities", 0, "id"), "tdx_01"),
        (("tdxModuleIdentities", 0, "tcbLevels"), []),
        (("tdxModuleIdentities", 0, "tcbLevels", 0, "tcb", "isvsvn"), -1),
        (("tdxModuleIdentities", 0, "tcbLevels", 0, "tcbStatus"), "SWHardeningNeeded"),
    ],
)
def test_what_is_unknown_or_out_of_range_is_refused(path: tuple[str | int, ...], value: Any) -> None:
    assert refused(model(), *path, value=value).field.startswith(str(path[0]))


@pytest.mark.parametrize("value", [256, -1, None, "1"])
def test_components_of_version_2_are_bytes(value: Any) -> None:
    path = ("tcbLevels", 0, "tcb", "sgxtcbcomp07svn")
    assert refused(model("sgx", 2), *path, value=value).field == "tcbLevels[0]"


def test_text_that_is_no_object_is_refused() -> None:
    with pytest.raises(FormatError):
        parse_tcb_info(b"[]")
    with pytest.raises(FormatError):
        parse_tcb_info(b"")
