from __future__ import annotations

from pathlib import Path

import pytest

from eaa.errors import ConfigError
from eaa.storage.sealing.secret_text import MAX_BYTES, from_environment, from_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "secret"
    made.write_text("hunter2\n")
    made.chmod(0o600)
    return made


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        from_file(path)()
    assert caught.value.code == "config.master_key"
    assert caught.value.fields["file"] == str(path)
    return str(caught.value)


def test_it_is_read_anew_each_time(path: Path) -> None:
    read = from_file(path)
    assert read() == "hunter2"
    path.write_text("  other \r\n")
    assert read() == "other"


def test_a_mounted_secret_is_a_link_that_the_group_may_read(path: Path) -> None:
    path.chmod(0o440)
    link = path.with_name("link")
    link.symlink_to(path)
    assert from_file(link)() == "hunter2"


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o602, 0o601])
def test_others_may_not_read_or_write_it(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert "chmod" in refused(path)


@pytest.mark.parametrize(
    "data", [b"", b" \n", b"hunter 2", b"hunter\x002", "höhle".encode(), b"h\nunter2", b"h" * (MAX_BYTES + 1)]
)
def test_what_is_no_token_is_refused_and_not_shown(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    message = refused(path)
    assert "printable ASCII" in message
    assert "hunter" not in message


def test_no_file(path: Path) -> None:
    assert "No such file" in refused(path.with_name("nothing"))


def test_a_folder(path: Path) -> None:
    assert "cannot be read" in refused(path.parent)


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    read = from_environment("EAA_TEST_SECRET")
    with pytest.raises(ConfigError, match="EAA_TEST_SECRET") as caught:
        read()
    assert caught.value.fields["key"] == "EAA_TEST_SECRET"
    monkeypatch.setenv("EAA_TEST_SECRET", "hunter2")
    assert read() == "hunter2"
