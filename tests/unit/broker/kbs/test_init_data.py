from __future__ import annotations

import hashlib
import time
from typing import Any

import pytest

from eaa.broker.kbs.init_data import MAX_INIT_DATA_BYTES, expected_register, parse_init_data
from eaa.broker.kbs.tees import Tee
from eaa.errors import FormatError, UnsupportedError, UsageError

HEAD = 'version = "0.1.0"\nalgorithm = "sha384"\n'

INIT_DATA = (
    HEAD
    + """
[data]
"aa.toml" = '''
[token_configs.kbs]
url = "https://kbs.example"
since = 2026-05-04T03:02:01Z
day = 2026-05-04
at = 03:02:01
weights = [1, 2.5, nan, true]
'''
"cdh.toml" = "socket = 'unix:///run/cdh.sock'"
"other.toml" = "a = 1"
"policy.rego" = '''
package agent_policy
default CreateContainerRequest := false
policy_data := {
  "containers": [{"OCI": {"Process": {"User": {"UID": 65535}}}}]
}
'''
"""
)

CLAIMS = {
    "aa.toml": {
        "token_configs": {
            "kbs": {
                "url": "https://kbs.example",
                "since": "2026-05-04T03:02:01+00:00",
                "day": "2026-05-04",
                "at": "03:02:01",
                "weights": [1, 2.5, None, True],
            }
        }
    },
    "cdh.toml": {"socket": "unix:///run/cdh.sock"},
    "other.toml": "a = 1",
    "agent_policy_claims": {"containers": [{"OCI": {"Process": {"User": {"UID": 65535}}}}]},
}


def data(name: str, value: str) -> dict[str, Any]:
    """The claims of init-data with one entry, in a text without three single quotes."""
    return dict(parse_init_data(f"{HEAD}[data]\n\"{name}\" = '''{value}'''\n").claims)


def test_claims() -> None:
    assert parse_init_data(INIT_DATA).claims == CLAIMS


def test_claims_are_not_shown() -> None:
    assert "kbs.example" not in repr(parse_init_data(INIT_DATA))


@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512", "sha-384", "SHA256"])
def test_digest_is_over_the_exact_text(name: str) -> None:
    text = INIT_DATA.replace("sha384", name) + "# ä\r\n"
    parsed = parse_init_data(text)
    assert parsed.digest == hashlib.new(parsed.algorithm.value, text.encode()).digest()
    assert parsed.algorithm == name.lower().replace("-", "")


@pytest.mark.parametrize(
    "value",
    [
        "no TOML",
        "a = 9223372036854775808",
        "a = " + "[" * 65 + "]" * 65,
        "a = " + "[" * 2000,
        "a." * 70 + "a = 1",
    ],
)
def test_files_that_are_no_toml_stay_text(value: str) -> None:
    assert data("cdh.toml", value) == {"cdh.toml": value}


def test_extremes_of_toml() -> None:
    value = f"a = [9223372036854775807, -9223372036854775808, inf, -inf]\nb = {'[' * 63}{']' * 63}"
    assert data("aa.toml", value)["aa.toml"]["a"] == [9223372036854775807, -9223372036854775808, None, None]


@pytest.mark.parametrize(
    "policy",
    [
        "package agent_policy",
        "policy_data := [1]",
        "policy_data := {",
        'policy_data := {"a": 1}\ndefault allow := true',
        'policy_data := {"a": 1, "a": 2}',
        "policy_data := {" + '"a":{' * 64 + "}" * 65,
        "",
    ],
)
def test_policies_without_data_stay_text(policy: str) -> None:
    assert data("policy.rego", policy) == {"policy.rego": policy}


def test_policy_data() -> None:
    policy = 'package p\npolicy_data := {"a": "policy_data := {}"}\n\n'
    assert data("policy.rego", policy) == {"agent_policy_claims": {"a": "policy_data := {}"}}


@pytest.mark.parametrize(
    ("text", "field", "code"),
    [
        ("", "version", "format.missing"),
        ("no TOML", "TOML", "format.not_toml"),
        ("\ud800", "body", "format.not_toml"),
        ('version = "0.1.0"\n[data]', "algorithm", "format.missing"),
        ('version = 1\nalgorithm = "sha384"', "version", "format.bad_value"),
        (HEAD + HEAD, "TOML", "format.not_toml"),
        (HEAD + "x = " + "[" * 3000, "TOML", "format.not_toml"),
        (HEAD + "a." * 64 + "a = 1", "TOML", "format.not_toml"),
        (HEAD + "a=" + "1" * 4000, "TOML", "format.not_toml"),
        ("#" * 4097, "TOML", "format.too_large"),
        ('a = """\n[data]\n"""\n' + HEAD, "TOML", "format.not_toml"),
    ],
)
def test_malformed(text: str, field: str, code: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse_init_data(text)
    assert (raised.value.field, raised.value.code) == (field, code)


@pytest.mark.parametrize(
    ("text", "field", "code"),
    [
        ("", "data", "format.missing"),
        ("data = 1", "data", "format.bad_value"),
        ("[data]\na = 1", "a", "format.bad_value"),
        ("[data.a]", "a", "format.bad_value"),
        ("[data", "TOML", "format.not_toml"),
        ("[data]\nx = " + "[" * 3000, "TOML", "format.not_toml"),
        ("[data]\n" + HEAD + HEAD, "TOML", "format.not_toml"),
    ],
)
def test_malformed_claims(text: str, field: str, code: str) -> None:
    init_data = parse_init_data(HEAD + text)
    with pytest.raises(FormatError) as raised:
        _ = init_data.claims
    assert (raised.value.field, raised.value.code) == (field, code)


def test_longest_head() -> None:
    text = HEAD + "#"
    assert parse_init_data(text.ljust(4095, "x") + "\n [data]").claims == {}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('version = "0.2.0"', "unsupported.init_data_version"),
        ('version = "0.1.0"\nalgorithm = "sm3"', "unsupported.init_data_algorithm"),
        ('version = "0.1.0"\nalgorithm = "md5"', "unsupported.init_data_algorithm"),
    ],
)
def test_unsupported(text: str, code: str) -> None:
    with pytest.raises(UnsupportedError) as raised:
        parse_init_data(text)
    assert raised.value.code == code


def test_size() -> None:
    text = HEAD + "[data]\n#ä"
    largest = text + "x" * (MAX_INIT_DATA_BYTES - len(text.encode()))
    assert parse_init_data(largest).claims == {}
    with pytest.raises(FormatError) as raised:
        parse_init_data(largest + "x")
    assert raised.value.code == "format.too_large"


PARTS = {
    "bare": "a",
    "quoted": '"a.b"',
    "escaped": r'"\""',
    "literal": "'a\\'",
    "empty": '""',
    "spaced": "a \t",
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_keys_of_many_parts_are_refused_at_once(part: str) -> None:
    """The parser's time grows with the square of their number: this text would take it minutes."""
    init_data = parse_init_data(HEAD + "[data]\n" + f"{part}." * (500_000 // (len(part) + 1)) + "a = 1")
    started = time.process_time()
    with pytest.raises(FormatError):
        _ = init_data.claims
    assert time.process_time() - started < 20


def test_keys_of_63_parts_are_read() -> None:
    assert parse_init_data(HEAD + "[data]\n[" + "a." * 62 + "a]").claims == {}


@pytest.mark.parametrize(
    "line",
    ["a" * 400_000, r"\"" * 200_000, '"' * 400_000, "'\" " * 130_000, "a.b " * 100_000, ". " * 200_000],
)
def test_long_lines_take_no_longer(line: str) -> None:
    init_data = parse_init_data(f"{HEAD}[data]\na = 1\nb = {line}")
    started = time.process_time()
    with pytest.raises(FormatError):
        _ = init_data.claims
    assert time.process_time() - started < 20


@pytest.mark.parametrize(("tee", "size"), [(Tee.TDX, 48), (Tee.SGX, 64), (Tee.SNP, 32)])
@pytest.mark.parametrize("length", [32, 48, 64])
def test_register(tee: Tee, size: int, length: int) -> None:
    digest = bytes(range(1, length + 1))
    assert expected_register(tee, digest) == (digest + bytes(64))[:size]


@pytest.mark.parametrize("tee", sorted(set(Tee) - {Tee.TDX, Tee.SGX, Tee.SNP}))
def test_no_register(tee: Tee) -> None:
    with pytest.raises(UnsupportedError) as raised:
        expected_register(tee, bytes(48))
    assert raised.value.code == "unsupported.init_data"


@pytest.mark.parametrize("length", [0, 20, 47, 65])
def test_no_digest(length: int) -> None:
    with pytest.raises(UsageError):
        expected_register(Tee.TDX, bytes(length))
