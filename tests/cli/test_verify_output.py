"""What ``shelter verify`` writes for people, and where."""

from __future__ import annotations

import base64

from tests.cli.conftest import AT, NONCE, Files
from tests.cli.running import run, start


def text(files: Files, *options: object, color: bool = False) -> str:
    done = run("verify", files.quote, *files.trusted, *options, color=color)
    assert done.err == ""
    return done.out


def test_the_verdict_comes_first(guest: Files) -> None:
    lines = text(guest).splitlines()
    assert lines[0] == "ACCEPTED  accepted"
    assert any(line.split() == ["TEE", "TDX"] for line in lines)
    assert any(line.startswith("TCB status") and "UpToDate" in line for line in lines)
    assert any(line.startswith("MRTD") for line in lines)
    assert sum("no measurement was compared" in line for line in lines) == 1
    assert sum("freshness was not compared" in line for line in lines) == 1
    assert any("simulated vendor" in line for line in lines)


def test_a_refusal_gives_its_reason(guest: Files) -> None:
    lines = text(guest, "--nonce", "ff" * 16).splitlines()
    assert lines[0] == "REJECTED  binding.report_data"
    assert lines[1].startswith("  the report data is 0001")


def test_what_was_not_verified_is_marked(guest: Files) -> None:
    done = run("verify", guest.quote, "--at", AT)
    assert done.code == 40
    (line,) = [line for line in done.out.splitlines() if line.startswith("MRTD")]
    assert line.endswith("(not verified)")
    assert "curl -i" in done.out


def test_explain_shows_each_rule(guest: Files) -> None:
    shown = text(guest, "--explain", "--nonce", NONCE.hex())
    table = shown.split("RULE", 1)[1].splitlines()
    assert table[0].split() == ["CLAIM", "EXPECTED", "CAME", "VERDICT"]
    rows = {
        line.split()[0]: line.split()[-1] for line in table[1:] if line and not line.startswith(("Note", " "))
    }
    assert rows["binding.report_data"] == "pass"
    assert rows["tcb_status"] == "pass"
    assert rows["debug"] == "pass"
    assert "RULE" not in text(guest)


def test_explain_where_nothing_was_verified(guest: Files) -> None:
    assert "No rule was applied" in run("verify", guest.quote, "--explain").out


def test_quiet(guest: Files) -> None:
    done = run("verify", guest.quote, *guest.trusted, "-q")
    assert (done.code, done.out, done.err) == (0, "", "")
    done = run("verify", guest.quote, "-q", "-o", "json")
    assert (done.code, done.out, done.err) == (40, "", "")


def test_colour_only_where_it_is_wanted(guest: Files) -> None:
    args = ("verify", guest.quote, *guest.trusted)
    assert "\x1b[" not in run(*args).out
    assert "\x1b[32m" in run(*args, color=True).out
    assert "\x1b[" not in run(*args, "-o", "json", color=True).out


def test_no_colour_on_a_pipe_even_if_asked(guest: Files) -> None:
    assert "\x1b[" not in start("verify", guest.quote, *guest.trusted, env={"FORCE_COLOR": ""}).out


def test_text_from_outside_cannot_steer_the_terminal(guest: Files) -> None:
    evil = guest.write("evil\x1b[31m.json", b"nothing")
    done = run("verify", guest.quote, "--collateral", evil, color=True)
    assert done.code == 30
    assert "\x1b[31m.json" not in done.out
    assert "\\x1b[31m.json" in done.out


def test_stdin_and_wrappings(guest: Files) -> None:
    quote = guest.quote.read_bytes()
    encoded = base64.b64encode(quote)
    shapes = [
        quote, quote.hex().encode(), b"0x" + quote.hex().upper().encode() + b"\n", encoded,
        base64.encodebytes(quote), b'{"quote":"' + encoded + b'"}', b'{"tdx":{"quote":"' + encoded + b'"}}',
        b"-----BEGIN QUOTE-----\n" + encoded + b"\n-----END QUOTE-----\n",
    ]  # fmt: skip
    for shape in shapes:
        done = run("verify", "-", *guest.trusted, "-o", "json", stdin=shape)
        assert (done.code, done.json["verdict"]) == (0, "accepted"), shape[:40]
