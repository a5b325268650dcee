"""``--pcs-key-file``: read within a bound, and never cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import run


@pytest.mark.parametrize("content", [b"a" * 5000, b"", b"two\nlines", b"\xff"])
def test_a_key_file_that_holds_no_key(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    done = run("verify", "-", "--fetch", "--pcs-key-file", file)
    assert (done.code, done.out) == (2, "")
    assert f"{file}: expected a key in one line [config.pcs_key]" in done.err
