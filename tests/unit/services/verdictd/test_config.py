"""Flags over environment over file over default; what cannot be meant is refused by its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eaa.errors import ConfigError
from eaa.services.verdictd.config import VerdictdConfig, load_config, on_loopback, split_address


def _load(
    tmp_path: Path, text: str = "", flags: dict[str, Any] | None = None, **environment: str
) -> VerdictdConfig:
    file = tmp_path / "verdictd.toml"
    file.write_text(text)
    return load_config(file, flags or {}, {"HOME": "/nowhere", **environment})


def test_each_overrides_the_next(tmp_path: Path) -> None:
    text = 'workers = 2\n[tokens]\nissuer = "file"\nseconds = 60\nrotate_days = 9\n'
    loaded = _load(
        tmp_path, text, {"tokens": {"issuer": "flag"}},
        VERDICTD_TOKENS__ISSUER="environment", VERDICTD_TOKENS__SECONDS="120",
    )  # fmt: skip
    tokens = loaded.tokens
    assert (tokens.issuer, tokens.seconds, tokens.rotate_days, tokens.verbose) == ("flag", 120, 9, True)
    assert loaded.workers == 2


def test_files_of_the_state_directory_are_the_default(tmp_path: Path) -> None:
    loaded = _load(tmp_path, flags={"state_directory": tmp_path})
    assert loaded.storage_url == f"sqlite:///{tmp_path}/verdictd.sqlite"
    assert loaded.master_key == f"file:{tmp_path}/master.key"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("nosuch = 1", "nosuch"),
        ("[http]\nnosuch = 1", "http.nosuch"),
        ("workers = 0", "workers"),
        ('workers = "many"', "workers"),
        ('[http]\nlisten = "8080"', "http.listen"),
        ('[http]\nlisten = "0.0.0.0:8080"', "http"),
        ('[http]\ncertificate = "x.pem"', "http"),
        ('[client_api]\nlisten = "0.0.0.0:60000"', "client_api"),
        ('[client_api]\ncertificate = "x.pem"', "client_api"),
        ('[log]\nlevel = "loud"', "log.level"),
        ('[[admin.keys]]\nkid = "a"', "admin.keys.0.public_key"),
    ],
)
def test_the_key_is_named(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        _load(tmp_path, text)
    assert refused.value.fields["key"] == key
    assert str(refused.value).startswith(f"{key}: ")
    assert str(tmp_path / "verdictd.toml") in str(refused.value)


@pytest.mark.parametrize("variable", ["VERDICTD_NOSUCH", "VERDICTD_STORAG__URL"])
def test_a_variable_that_means_nothing(variable: str) -> None:
    with pytest.raises(ConfigError, match=variable):
        load_config(None, {}, {variable: "x"})


def test_what_kubernetes_sets_beside_a_service_of_this_name() -> None:
    linked = {
        "VERDICTD_PORT": "tcp://10.0.0.1:8080",
        "VERDICTD_SERVICE_HOST": "x",
        "VERDICTD_PORT_8080_TCP": "x",
    }
    load_config(None, {}, {"HOME": "/nowhere", **linked})


def test_a_variable_that_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="environment"):
        _load(tmp_path, VERDICTD_HTTP="{")


@pytest.mark.parametrize("content", [b"[[", b"\xff", b"#" * (1024 * 1024 + 1)])
def test_what_is_no_file_of_ours(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"x\.toml"):
        load_config(file, {}, {})
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "nosuch", {}, {})


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:0", ("::1", 0)), ("host:1", ("host", 1))],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert split_address(text) == address


@pytest.mark.parametrize("text", ["", ":1", "host", "host:", "::1:80", "host:65536", "host:-1", "host:٣"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="expected host:port"):
        split_address(text)


def test_loopback() -> None:
    assert on_loopback("127.9.9.9:1")
    assert on_loopback("[::1]:1")
    assert on_loopback("localhost:1")
    assert not on_loopback("10.0.0.1:1")
    assert not on_loopback("example.org:1")
