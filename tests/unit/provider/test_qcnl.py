"""``sgx_default_qcnl.conf`` in both formats."""

from __future__ import annotations

import pytest

from eaa.errors import ConfigError
from eaa.provider.qcnl import QcnlConfig, parse_qcnl

URL = "https://pccs.example:8081/sgx/certification/v4/"
INTEL = "https://api.trustedservices.intel.com/sgx/certification/v4/"

LINES = f"""# PCCS server address
PCCS_URL={URL}
 USE_SECURE_CERT = FALSE

#COLLATERAL_SERVICE=https://not.this.one/
COLLATERAL_SERVICE={INTEL}
PCCS_API_VERSION=3.1
RETRY_TIMES=6
RETRY_DELAY=10
LOCAL_PCK_URL=http://localhost:8081/sgx/certification/v4/
PCK_CACHE_EXPIRE_HOURS=168
VERIFY_COLLATERAL_CACHE_EXPIRE_HOURS=9999
LOCAL_CACHE_ONLY=true
SOMETHING_NEW=1
"""
JSON = f"""{{
  // *** ATTENTION : the URL of a PCCS has // in it, a comment too ***
  "pccs_url": "{URL}", /* over
  two lines */
  "use_secure_cert": false,
  "collateral_service": "{INTEL}",
  "tcb_update_type" : "Early",
  "pccs_api_version": "3.1",
  "retry_times": 6,
  "retry_delay": 10,
  "local_pck_url": "http://localhost:8081/sgx/certification/v4/",
  "pck_cache_expire_hours": 168.0,
  "verify_collateral_cache_expire_hours": 9999,
  "custom_request_options" : {{"get_cert" : {{"headers": {{"metadata": "true"}}}}}},
  "something_new": 1,
  "local_cache_only": true
}}
"""


@pytest.mark.parametrize("text", [LINES, JSON, "\ufeff" + JSON, "// first a comment\n" + JSON])
def test_everything_that_it_may_say(text: str) -> None:
    found = parse_qcnl(text.encode(), file="qcnl.conf")
    assert found.pccs_url == URL
    assert found.collateral_service == INTEL
    assert found.use_secure_cert is False
    assert found.tcb_update_type == ("early" if "Early" in text else "standard")
    assert (found.pccs_api_version, found.retry_times, found.retry_delay) == ("3.1", 6, 10)
    assert found.local_pck_url.startswith("http://localhost")
    assert (found.pck_cache_expire_hours, found.verify_collateral_cache_expire_hours) == (168, 2160)
    assert found.local_cache_only is True
    assert any("something_new" in note for note in found.notes)


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "{ // nothing\n}"])
def test_what_it_does_not_say(text: str) -> None:
    assert parse_qcnl(text.encode(), file="qcnl.conf") == QcnlConfig()


@pytest.mark.parametrize("text", [f"PCCS_URL={URL}", f'{{"pccs_url": "{URL}"}}'])
def test_collateral_comes_from_the_pccs_unless_it_says_otherwise(text: str) -> None:
    assert parse_qcnl(text.encode(), file="qcnl.conf").collateral_service == URL


@pytest.mark.parametrize(
    "text",
    [
        "PCCS_URL", "USE_SECURE_CERT=maybe", "RETRY_TIMES=-1", "RETRY_TIMES=x",
        "PCK_CACHE_EXPIRE_HOURS=x",
        "PCK_CACHE_EXPIRE_HOURS=-1", "TCB_UPDATE_TYPE=late", "{", "[]", '{"pccs_url": 1}',
        '{"pccs_url": "a"} x',
        '{"use_secure_cert": "false"}', '{"retry_times": true}', '{"retry_times": 1.5}',
        '{"retry_delay": -1}',
        '{"pccs_url": "a", "pccs_url": "b"}', "{ /* without end", '{"tcb_update_type": "late"}',
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(text: str) -> None:
    if text == "[]":
        assert_refused(b"// a list\n[]")
    else:
        assert_refused(text.encode())


def test_what_is_no_text() -> None:
    assert_refused(b"\xff\xfe")
    assert_refused(b"#" * (1024 * 1024 + 1))


def assert_refused(data: bytes) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_qcnl(data, file="qcnl.conf")
    assert "qcnl.conf" in str(raised.value)
    assert raised.value.code == "config.qcnl"
