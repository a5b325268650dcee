"""docs/guide/verdictd.md and kbs-from-trustee.md: every command runs as it is written, every key is there."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from eaa.policy.templates import template
from eaa.services.verdictd.config import AdminKeyEntry, VerdictdConfig, load_config
from tests.cli.authority import Authority
from tests.cli.brokers import simulated_td
from tests.cli.running import process_env
from tests.cli.serving import Serving, serving
from tests.fakes.kbs_client import Guest, KbsClient, TeeKey

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/guide/verdictd.md").read_text("utf-8")
TRUSTEE = (ROOT / "docs/guide/kbs-from-trustee.md").read_text("utf-8")
EXAMPLE = (ROOT / "examples/verdictd.toml").read_text("utf-8")
_SECONDS = 60
_REFUSED = 10


def commands(page: str) -> list[str]:
    """The lines of the page's shell blocks, in order."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


class Terminal:
    """A reader's: the programs are on its path, and nothing of it is outside ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.decision = ""
        programs = folder / "bin"
        programs.mkdir()
        for name, module in (("verdictd", "verdictd"), ("verdict", "verdict_main")):
            _program(programs / name, f'exec {sys.executable} -m eaa.cli.{module} "$@"')
        _program(programs / "python", f'exec {sys.executable} "$@"')
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        self.env = process_env(
            {
                "PATH": f"{programs}:{os.environ['PATH']}",
                "HOME": str(folder),
                "XDG_STATE_HOME": str(folder / "xdg"),
                "EAA_SIMULATED_DIR": str(folder / "vendor"),
                "VERDICTD_URL": self.url,
                "VERDICT_ADMIN_KEY": str(folder / "state" / "admin" / "admin-key.pem"),
                "VERDICTD_STATE_DIRECTORY": str(folder / "state"),
                "VERDICTD_STORAGE__REFRESH_SECONDS": "0.05",
            }
        )

    def serve(self, command: str) -> Any:
        """``verdictd …`` as it is written, on ports of its own."""
        name, *options = shlex.split(command)
        assert name == "verdictd"
        own = {"VERDICTD_HTTP__LISTEN": self.url.removeprefix("http://")} | {
            f"VERDICTD_{section}__LISTEN": "127.0.0.1:0" for section in ("CHANNEL", "CLIENT_API", "METRICS")
        }
        return serving("verdictd", *options, env={**self.env, **own})

    def run(self, line: str) -> str:
        """The output of a command, which fails if its comment says so."""
        command = re.sub(r"\bID\b", self.decision, line)
        done = subprocess.run(
            ["bash", "-euc", command],
            cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == (_REFUSED if "# refused" in line else 0), (line, done.stdout, done.stderr)
        if found := re.search(r"\(code [a-z_.]+, id ([0-9A-Z]+)\)", done.stderr):
            self.decision = found[1]
        return done.stdout


def _program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


@pytest.fixture
def served(terminal: Terminal) -> Iterator[Serving]:
    with terminal.serve("verdictd --simulated --attester simulated") as made:
        yield made


def test_the_guide(terminal: Terminal) -> None:
    examples = terminal.folder / "examples"
    examples.mkdir()
    (examples / "kbs_guest.py").symlink_to(ROOT / "examples" / "kbs_guest.py")
    (examples / "verdictd.toml").write_text(_with_files(terminal.folder))
    first, *others = commands(GUIDE)
    outputs: dict[str, str] = {}
    with terminal.serve(first):
        for line in others:
            outputs[line] = terminal.run(line)
        _verify_offline(terminal)
    (explained,) = (text for line, text in outputs.items() if line.startswith("verdict explain"))
    assert "affirming" in explained
    assert outputs["python examples/kbs_guest.py default/key/1"] == "the key of my disk\n"
    kid = next(text for line, text in outputs.items() if "sha256sum" in line)
    assert re.match(r"[0-9a-f]{64} ", kid)
    key = terminal.folder / "admin-key.pem"
    assert key.stat().st_mode & 0o077 == 0


def _with_files(folder: Path) -> str:
    """The example, whose files are there."""
    Authority().write_server(folder / "tls.pem", folder / "tls.key")
    (folder / "collateral").mkdir()
    moved = EXAMPLE.replace("/etc/verdictd/", f"{folder}/").replace("/var/lib/verdictd/", f"{folder}/")
    return moved.replace("/var/lib/verdictd", f"{folder}/state")


def _verify_offline(terminal: Terminal) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    with httpx.Client(base_url=terminal.url, timeout=_SECONDS) as http:
        names: dict[str, Any] = {
            "token": KbsClient(
                Guest("tdx", _quote(terminal), TeeKey("ECDH-ES+A256KW-P256")), http
            ).handshake(),
            "jwks": http.get("/.well-known/jwks.json").json(),
        }
    exec(example, names)  # noqa: S102 - the example is ours
    assert names["status"] == "affirming"


def _quote(terminal: Terminal) -> Any:
    td = simulated_td(Path(terminal.env["EAA_SIMULATED_DIR"]))
    return lambda report_data: td.collect(report_data).evidence


@pytest.mark.usefixtures("served")
def test_the_guide_from_trustee(terminal: Terminal) -> None:
    folder = terminal.folder
    (folder / "trustee-cpu.rego").write_text(template("default_cpu").text)
    (folder / "trustee-resource.rego").write_text(template("allow_genuine").text)
    values = base64.b64encode(json.dumps({"mr_td": ["00" * 48]}).encode()).decode()
    message = {"version": "0.1.0", "type": "sample", "payload": values}
    (folder / "message.json").write_text(json.dumps(message))
    (folder / "repository").mkdir()
    (folder / "repository" / r"default\x2Fkey\x2F1").write_bytes(b"content")
    for line in commands(TRUSTEE):
        terminal.run(line)
    assert terminal.run("verdict resource get default/key/1") == "content"
    assert "mr_td" in terminal.run("verdict reference list")
    token = (folder / "token.txt").read_text().strip()
    routes = ("resource-policy", "attestation-policy", "reference-value", "resource")
    for route in routes:
        answer = httpx.get(
            f"{terminal.url}/kbs/v0/{route}", headers={"authorization": f"Bearer {token}"}, timeout=_SECONDS
        )
        assert answer.status_code == 200, route


def test_commands_are_found() -> None:
    assert len(commands(GUIDE)) > 20
    assert len(commands(TRUSTEE)) > 5
    for page in (GUIDE, TRUSTEE):
        assert not re.findall(r"^```(?!sh\n|python\n|\n|$)", page, re.MULTILINE)


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _keys(inner, f"{prefix}{name}.")
        elif field.default is PydanticUndefined:
            yield f"{prefix}{name}", "`/var/lib/verdictd`" if field.default_factory else "required"
        else:
            shown = "" if field.default is None else f"`{json.dumps(field.default)}`"
            yield f"{prefix}{name}", shown


def test_every_key_with_its_default() -> None:
    _, _, section = GUIDE.partition("## Every key")
    rows = re.findall(r"^\| `([a-z_.0-9]+)` \| (.*?) ?\| (.+) \|$", section, re.MULTILINE)
    assert [(key, default) for key, default, _ in rows] == [*_keys(VerdictdConfig), *_keys(AdminKeyEntry)]
    assert all(meaning.strip() for _, _, meaning in rows)


def test_the_example_is_sound(tmp_path: Path) -> None:
    file = tmp_path / "verdictd.toml"
    file.write_text(EXAMPLE)
    config = load_config(file, {}, {})
    assert config.http.certificate is not None
    assert not config.verification.simulated
    assert not config.verification.unsafe_sample


def test_links_lead_somewhere() -> None:
    for page in (GUIDE, TRUSTEE):
        for link in re.findall(r"\]\(([^)#]+)\)", page):
            assert (ROOT / "docs" / "guide" / link).exists(), link
