from __future__ import annotations

from pathlib import Path

import pytest

from eaa.errors import ConfigError
from eaa.storage.sealing.file_key import FileMasterKey
from eaa.storage.sealing.uri import open_master_key

BAO = "openbao+https://bao.example:8200/transit/eaa"


def refused(uri: str) -> str:
    with pytest.raises(ConfigError) as caught:
        open_master_key(uri)
    assert caught.value.code == "config.master_key"
    return str(caught.value)


@pytest.mark.parametrize("prefix", ["file:", "file://"])
def test_a_file(tmp_path: Path, prefix: str) -> None:
    uri = f"{prefix}{tmp_path}/keys/master"
    made = open_master_key(uri)
    assert made.name == FileMasterKey.open(tmp_path / "keys" / "master", create=False).name
    assert open_master_key(uri, create=False).name == made.name


def test_a_file_is_not_made_unless_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no master key"):
        open_master_key(f"file:{tmp_path}/master", create=False)


@pytest.mark.parametrize(
    "uri", ["file:", "file:master", "file:/", "file:/a/", "file:/a?b", "file:/a#b", "file:/a%20b"]
)
def test_what_is_no_file(uri: str) -> None:
    assert "file:/absolute/path" in refused(uri)


@pytest.mark.parametrize("uri", ["", "/path", "http://bao/transit/eaa", "vault:transit/eaa", "FILE:/x"])
def test_another_scheme(uri: str) -> None:
    assert "file:, openbao+https: or pkcs11:" in refused(uri)


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        (f"{BAO}?token_file=/t", "openbao:transit/eaa"),
        (
            "openbao+https://bao.example/team/transit/eaa.v2?token_env=T&namespace=team",
            "openbao:team/transit/eaa.v2",
        ),
        ("openbao+http://127.0.0.1:8200/transit/eaa?token_file=/t", "openbao:transit/eaa"),
        ("openbao+http://[::1]:8200/transit/eaa?token_file=/t", "openbao:transit/eaa"),
        ("openbao+http://localhost/transit/eaa?token_file=/t", "openbao:transit/eaa"),
        (f"{BAO}?role_id=r&secret_id_file=/s", "openbao:transit/eaa"),
        (f"{BAO}?role_id=r&secret_id_env=S&approle_mount=machines", "openbao:transit/eaa"),
    ],
)
def test_openbao(uri: str, name: str) -> None:
    assert open_master_key(uri).name == name


@pytest.mark.parametrize(
    "uri",
    [
        BAO,
        f"{BAO}?token=hunter2",
        f"{BAO}?token_file=/t&token_env=T",
        f"{BAO}?token_file=/t&role_id=r",
        f"{BAO}?role_id=r",
        f"{BAO}?secret_id_file=/s",
        f"{BAO}?role_id=r&secret_id_file=/s&secret_id_env=S",
        f"{BAO}?token_file=/t&approle_mount=machines",
        f"{BAO}?token_file=/t&verify=no",
    ],
)
def test_openbao_takes_exactly_one_way_to_a_token(uri: str) -> None:
    message = refused(uri)
    assert "token_file, token_env" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        (f"{BAO}?token_file=/t&token_file=/t", "given twice"),
        (f"{BAO}?token_file=", "empty"),
        (f"{BAO}?token_file", "not a URI"),
        ("openbao+https://[bao/transit/eaa?token_file=/t", "not a URI"),
        (f"{BAO}/?token_file=/t", "names of"),
        ("openbao+https://bao.example/eaa?token_file=/t", "names of"),
        ("openbao+https://bao.example/transit/../eaa?token_file=/t", "names of"),
        ("openbao+https://bao.example/transit/a%2Fb?token_file=/t", "names of"),
        ("openbao+http://bao.example/transit/eaa?token_file=/t", "https is required"),
        ("openbao+http://10.0.0.1/transit/eaa?token_file=/t", "https is required"),
        ("openbao+http://127.0.0.1.example/transit/eaa?token_file=/t", "https is required"),
        ("openbao+https://user:hunter2@bao.example/transit/eaa?token_file=/t", "https://host:port"),
        ("openbao+https://bao.example:port/transit/eaa?token_file=/t", "not a URL"),
        ("openbao+https:///transit/eaa?token_file=/t", "https://host:port"),
        (f"{BAO}?token_file=/t&ca_file=/dev/null/nothing", "no certificates in PEM"),
    ],
)
def test_what_openbao_refuses(uri: str, said: str) -> None:
    message = refused(uri)
    assert said in message
    assert "hunter2" not in message


def test_a_ca_file_without_certificates(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    assert str(path) in refused(f"{BAO}?token_file=/t&ca_file={path}")


def test_a_token_that_cannot_be_read_is_said_when_it_is_needed(tmp_path: Path) -> None:
    assert open_master_key(f"{BAO}?token_file={tmp_path}/nothing").name == "openbao:transit/eaa"


def test_pkcs11() -> None:
    for source in ("/run/pin", "env:PIN"):
        master = open_master_key(f"pkcs11:token=t;object=o?module-path=/m.so&pin-source={source}")
        assert master.name == "pkcs11:token=t;object=o"
