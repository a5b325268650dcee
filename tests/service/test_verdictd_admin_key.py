"""The first administrator's key, as a file."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from eaa.errors import ConfigError
from eaa.services.verdictd.admin_key import (
    PRIVATE_FILE,
    PUBLIC_FILE,
    default_admin_folder,
    load_admin_key,
    load_or_create_admin_key,
)


def test_it_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "admin"
    made, new = load_or_create_admin_key(folder)
    again, renewed = load_or_create_admin_key(folder)
    assert (new, renewed, made.kid) == (True, False, again.kid)
    assert load_admin_key(folder / PRIVATE_FILE).kid == made.kid
    assert stat.S_IMODE((folder / PRIVATE_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    public = load_pem_public_key((folder / PUBLIC_FILE).read_bytes())
    subject = PublicFormat.SubjectPublicKeyInfo
    assert public.public_bytes(Encoding.DER, subject) == made.public.public_key.public_bytes(
        Encoding.DER, subject
    )
    assert made.public.kid == made.kid


def test_two_starts_at_once(tmp_path: Path) -> None:
    found: list[str] = []

    def start() -> None:
        found.append(load_or_create_admin_key(tmp_path / "admin")[0].kid)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_others_may_not_read_it(tmp_path: Path, mode: int) -> None:
    load_or_create_admin_key(tmp_path / "admin")
    file = tmp_path / "admin" / PRIVATE_FILE
    file.chmod(mode)
    for use in (lambda: load_or_create_admin_key(tmp_path / "admin"), lambda: load_admin_key(file)):
        with pytest.raises(ConfigError, match="chmod 600"):
            use()


def test_others_may_not_write_to_its_folder(tmp_path: Path) -> None:
    load_or_create_admin_key(tmp_path / "admin")
    (tmp_path / "admin").chmod(0o770)
    with pytest.raises(ConfigError, match="others may write to it") as caught:
        load_admin_key(tmp_path / "admin" / PRIVATE_FILE)
    assert caught.value.code == "config.admin_key"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    load_or_create_admin_key(tmp_path / "admin")
    (tmp_path / "other").mkdir(mode=0o700)
    os.symlink(tmp_path / "admin" / PRIVATE_FILE, tmp_path / "other" / PRIVATE_FILE)
    with pytest.raises(ConfigError):
        load_admin_key(tmp_path / "other" / PRIVATE_FILE)


def test_another_key(tmp_path: Path) -> None:
    (tmp_path / "admin").mkdir(mode=0o700)
    file = tmp_path / "admin" / PRIVATE_FILE
    rsa = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (rsa, b"", b"hello", rsa[:100]):
        file.write_bytes(content)
        file.chmod(0o600)
        with pytest.raises(ConfigError) as caught:
            load_or_create_admin_key(tmp_path / "admin")
        assert caught.value.code == "config.admin_key"
        assert file.read_bytes() == content


def test_no_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_admin_key(tmp_path / PRIVATE_FILE)
    assert caught.value.code == "config.admin_key"


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_admin_folder() == Path("/var/lib/verdictd/admin")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_admin_folder() == tmp_path / "verdictd" / "admin"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_admin_folder() == tmp_path / ".local" / "state" / "verdictd" / "admin"
