"""The group: help, version, completion, and how errors leave the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from eaa import __version__
from eaa.cli import shelter as module
from eaa.cli.shelter import COMMANDS, shelter
from eaa.errors import EndorsementUnavailable, InternalError
from tests.cli.conftest import Files
from tests.cli.running import process_env, run, start


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help(command: tuple[str, ...]) -> None:
    done = run(*command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(" ".join(["Usage: shelter", *command]))
    assert "Examples:" in done.out
    assert done.out == run(*command, "-h").out


@pytest.mark.parametrize("command", [(), ("verify",), ("inspect",), ("doctor",)])
def test_help_has_the_exit_codes(command: tuple[str, ...]) -> None:
    section = run(*command, "--help").out.partition("EXIT CODES")[2]
    codes = {line.split()[0] for line in section.splitlines() if line.strip()}
    assert codes == ({"0", "1"} if command == ("doctor",) else {"0", "1", "2", "10", "20", "30", "40"})


def test_the_table_names_commands_that_exist() -> None:
    with click.Context(shelter) as ctx:
        for name in COMMANDS:
            command = shelter.get_command(ctx, name)
            assert command is not None
            assert command.name == name
        assert shelter.get_command(ctx, "nothing") is None


def test_version() -> None:
    for word in ("--version", "-V", "-v"):
        assert run(word).out == f"shelter, version {__version__}\n"


def test_verbose_is_taken_and_said_to_do_nothing() -> None:
    plain, verbose = run("doctor"), run("--verbose", "doctor")
    assert (verbose.code, verbose.out) == (plain.code, plain.out)
    assert verbose.err.startswith("--verbose has no effect: ")


@pytest.mark.parametrize("args", [("nothing",), ("--nothing",), ("verify",), ("inspect", "a", "b"), ()])
def test_usage_errors(args: tuple[str, ...]) -> None:
    done = run(*args)
    assert (done.code, done.out) == (2, "")
    assert "Usage: shelter" in done.err


@pytest.mark.parametrize(
    ("shell", "says"), [("bash", "complete -o"), ("zsh", "#compdef shelter"), ("fish", "complete")]
)
def test_completion(shell: str, says: str) -> None:
    done = start("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert says in done.out
    assert "_SHELTER_COMPLETE" in done.out
    assert run("completion", "tcsh").code == 2


def test_completion_of_commands_and_options() -> None:
    def completed(line: str, word: int) -> set[str]:
        env = {"_SHELTER_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(word)}
        return {item.partition(",")[2] for item in start(env=env).out.splitlines()}

    assert completed("shelter ", 1) == set(COMMANDS)
    assert {"--collateral", "--nonce"} <= completed("shelter verify --", 2)
    assert completed("shelter verify -o ", 3) == {"text", "json"}


# ── errors ──


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """A command that raises what the list holds."""
    errors: list[BaseException] = []

    @click.command()
    def command() -> None:
        raise errors[0]

    monkeypatch.setattr(module.ShelterGroup, "get_command", lambda *_: command)
    return errors


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (
            EndorsementUnavailable("no answer", detail="pcs"),
            40,
            "Error: no answer [endorsement_unavailable.pcs]",
        ),
        (InternalError("broken"), 1, "Error: broken [internal]"),
        (
            ValueError("oops"),
            1,
            "Error: internal error (ValueError: oops); please report it. --debug shows where.",
        ),
        (RecursionError("deep"), 1, "Error: internal error (RecursionError: deep); please report it"),
        (KeyboardInterrupt(), 130, "Error: interrupted"),
        (ValueError("\x1b[31m"), 1, "\\x1b[31m"),
    ],
)
def test_errors(failing: list[BaseException], error: BaseException, code: int, says: str) -> None:
    failing.append(error)
    done = run("verify")
    assert (done.code, done.out) == (code, "")
    assert says in done.err
    assert "\x1b" not in done.err


def test_a_traceback_only_if_asked_for(tmp_path: object) -> None:
    assert "Traceback" not in start("inspect", tmp_path).err
    for args in (("--debug", "inspect", tmp_path), ("inspect", "--debug", tmp_path)):
        done = start(*args)
        assert done.code == 2
        assert "Traceback" in done.err
        assert done.out == ""


# ── the process ──


def test_as_a_process(guest: Files) -> None:
    done = start("verify", guest.quote, *guest.trusted, "-o", "json")
    assert (done.code, done.err, done.json["verdict"]) == (0, "", "accepted")
    done = start("verify", "-", stdin=guest.quote.read_bytes())
    assert (done.code, done.err) == (40, "")


@pytest.mark.parametrize("args", [("verify", "-o", "json"), ("inspect", "-o", "json")])
def test_a_reader_that_leaves_does_not_change_the_exit_code(guest: Files, args: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", "from eaa.cli.shelter import main; main()", *args, str(guest.quote)],
        stdout=write, stderr=subprocess.PIPE, timeout=60, check=False, env=process_env(),
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == ({"verify": 40, "inspect": 0}[args[0]], b"")


def test_help_for_a_reader_that_leaves() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", "from eaa.cli.shelter import main; main()", "verify", "--help"],
        stdout=write, stderr=subprocess.PIPE, timeout=60, check=False, env=process_env(),
    )  # fmt: skip
    os.close(write)
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk(guest: Files) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", "from eaa.cli.shelter import main; main()", "inspect", str(guest.quote)],
            stdout=full, stderr=subprocess.PIPE, timeout=60, check=False, env=process_env(),
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(b"Error: cannot write to stdout: No space left")


@pytest.mark.parametrize("closed", [0, 1])
def test_a_closed_stream(guest: Files, closed: int) -> None:
    command = "from eaa.cli.shelter import main; main()"
    code = (
        f"import os, sys; os.close({closed}); "
        f"os.execv(sys.executable, [sys.executable, '-c', {command!r}, *sys.argv[1:]])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "verify", "-" if closed == 0 else str(guest.quote)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60, check=False, env=process_env(),
    )  # fmt: skip
    assert done.returncode == (2 if closed == 0 else 40)
    assert b"Traceback" not in done.stderr


def test_a_terminal_that_knows_ascii_only(guest: Files) -> None:
    done = start("verify", guest.quote, *guest.trusted, "--explain", env={"PYTHONIOENCODING": "ascii"})
    assert (done.code, done.err) == (0, "")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(
    ("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)]
)
def test_colour_on_a_terminal(env: dict[str, str], coloured: bool) -> None:
    import pty  # noqa: PLC0415 - not on every platform

    main, terminal = pty.openpty()
    environment = {
        name: value for name, value in process_env().items() if name not in ("NO_COLOR", "FORCE_COLOR")
    }
    done = subprocess.run(
        [sys.executable, "-c", "from eaa.cli.shelter import main; main()", "doctor"],
        stdout=terminal, stderr=subprocess.PIPE, timeout=60, check=False, env={**environment, **env},
    )  # fmt: skip
    out = os.read(main, 1 << 16)
    os.close(main)
    os.close(terminal)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (b"\x1b[32m" in out) is coloured
