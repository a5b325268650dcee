from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from http.cookies import SimpleCookie

import pytest

from eaa.broker.kbs.cookie import session_cookie, set_cookie
from eaa.errors import SessionError

EXPIRES = datetime(2026, 11, 6, 8, 49, 37, 500000, UTC)


def test_set_cookie() -> None:
    expires = "Fri, 06 Nov 2026 08:49:37 GMT"
    plain = f"kbs-session-id=abc_-1; Path=/kbs/v0; Expires={expires}; HttpOnly; SameSite=Strict"
    assert set_cookie("abc_-1", expires_at=EXPIRES, secure=False) == plain
    assert set_cookie("abc_-1", expires_at=EXPIRES, secure=True) == f"{plain}; Secure"


def test_expiry_is_in_gmt() -> None:
    elsewhere = EXPIRES.astimezone(timezone(timedelta(hours=-7)))
    assert set_cookie("a", expires_at=elsewhere, secure=True) == set_cookie(
        "a", expires_at=EXPIRES, secure=True
    )


def test_read_by_another_implementation() -> None:
    morsel = SimpleCookie(set_cookie("abc", expires_at=EXPIRES, secure=True))["kbs-session-id"]
    assert (morsel.value, morsel["path"], morsel["secure"], morsel["httponly"], morsel["samesite"]) == (
        "abc", "/kbs/v0", True, True, "Strict",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ([], None),
        ([""], None),
        (["a=b; c"], None),
        (["KBS-SESSION-ID=a"], None),
        (["xkbs-session-id=a"], None),
        (["kbs-session-id=a"], "a"),
        (["kbs-session-id=a=b"], "a=b"),
        (["a=1; kbs-session-id=v ;b"], "v"),
        (["a=1", "kbs-session-id=v"], "v"),
        (["a=1;kbs-session-id =\tv"], "v"),
        (['kbs-session-id="v"'], "v"),
        (['kbs-session-id="'], '"'),
        (['a="x"; a=y; kbs-session-id="v'], '"v'),
        (["kbs-session-id=" + "v" * 511], "v" * 511),
    ],
)
def test_session_cookie(headers: list[str], value: str | None) -> None:
    assert session_cookie(headers) == value


@pytest.mark.parametrize(
    "headers",
    [
        ["kbs-session-id=a; kbs-session-id=a"],
        ["kbs-session-id=a", "kbs-session-id=b"],
        ["kbs-session-id="],
        ["kbs-session-id"],
        ['kbs-session-id=""'],
        ["kbs-session-id=" + "v" * 512],
    ],
)
def test_unusable(headers: list[str]) -> None:
    with pytest.raises(SessionError) as raised:
        session_cookie(headers)
    assert raised.value.code == "session.malformed"
