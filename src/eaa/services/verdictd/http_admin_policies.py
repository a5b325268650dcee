"""Administrative routes of policies."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from eaa.broker.administration import Administration, StoredPolicy, TestedPolicy
from eaa.broker.administration.reference_messages import months_after
from eaa.broker.records import ReferenceValue
from eaa.errors import UsageError
from eaa.services.verdictd.admin_json import outcome_json, policy_json
from eaa.services.verdictd.http_admin_call import MAX_NUMBER, Call
from eaa.services.verdictd.http_admin_fields import (
    Answer,
    done,
    malformed,
    optional_text,
    policy_kind,
    policy_kind_of,
    rego_text,
)

__all__ = ["PolicyRoutes"]

_PREFIX = "/eaa/v1/policies"
_POLICIES = _PREFIX + "/{kind}"


class PolicyRoutes:
    """``/eaa/v1/policies``. ``now`` is when reference values of a test begin to hold."""

    def __init__(self, administration: Administration, now: Callable[[], datetime]) -> None:
        self._administration = administration
        self._now = now

    def routes(self) -> list[tuple[str, str, Answer]]:
        """Method, path and answer of each."""
        return [
            ("POST", _PREFIX + "/test", self._test_policy),
            ("GET", _POLICIES, self._list_policies),
            ("PUT", _POLICIES + "/document", self._put_policy),
            ("GET", _POLICIES + "/document", self._read_policy),
            ("DELETE", _POLICIES + "/document", self._delete_policy),
            ("GET", _POLICIES + "/history", self._policy_history),
            ("POST", _POLICIES + "/rollback", self._roll_back_policy),
        ]

    async def _list_policies(self, call: Call) -> Response:
        found = await self._administration.policies.list(call.principal, policy_kind(call))
        return JSONResponse({"policies": [policy_json(policy) for policy in found]})

    async def _put_policy(self, call: Call) -> Response:
        stored = await self._administration.policies.put(
            call.principal, policy_kind(call), call.text("id"), rego_text(call.body),
            expected_version=call.number("expected_version"),
        )  # fmt: skip
        return _stored(stored)

    async def _read_policy(self, call: Call) -> Response:
        policy = await self._administration.policies.read(
            call.principal, policy_kind(call), call.text("id"), version=call.number("version")
        )
        return JSONResponse({**policy_json(policy), "text": policy.text})

    async def _delete_policy(self, call: Call) -> Response:
        await self._administration.policies.delete(call.principal, policy_kind(call), call.text("id"))
        return done()

    async def _policy_history(self, call: Call) -> Response:
        found = await self._administration.policies.history(
            call.principal, policy_kind(call), call.text("id")
        )
        return JSONResponse({"versions": [policy_json(policy) for policy in found]})

    async def _roll_back_policy(self, call: Call) -> Response:
        version = call.number("version")
        if version is None:
            raise UsageError("expected the query parameter version", detail="parameter")
        return _stored(
            await self._administration.policies.roll_back(
                call.principal, policy_kind(call), call.text("id"), version
            )
        )

    async def _test_policy(self, call: Call) -> Response:
        document = call.json
        tested = TestedPolicy(
            policy_kind_of(document.get("kind")),
            text=optional_text(document, "text"),
            id=optional_text(document, "id"),
            version=_version(document.get("version")),
        )
        claims, data = document.get("input", {}), document.get("data", {})
        references = document.get("references")
        if (
            not isinstance(claims, dict)
            or not isinstance(data, dict)
            or not isinstance(references, dict | None)
        ):
            raise malformed("input, data and references", "expected objects")
        outcome = await self._administration.policies.test(
            call.principal, tested, claims, data=data, references=self._given(references)
        )
        return JSONResponse(outcome_json(outcome))

    def _given(self, references: dict[str, Any] | None) -> dict[str, ReferenceValue] | None:
        """Values of a request, as if they were stored now."""
        if references is None:
            return None
        now = self._now()
        expiry = months_after(now, 12)
        return {name: ReferenceValue(name, value, expiry, now, "") for name, value in references.items()}


def _stored(stored: StoredPolicy) -> Response:
    return JSONResponse({**policy_json(stored.policy), "warnings": list(stored.warnings)})


def _version(value: object) -> int | None:
    if value is None or (type(value) is int and 0 <= value <= MAX_NUMBER):
        return value
    raise malformed("version", f"expected a number from 0 to {MAX_NUMBER}")
