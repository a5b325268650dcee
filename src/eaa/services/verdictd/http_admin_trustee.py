"""Trustee's administrative routes below ``/kbs/v0``, with list, read and delete where Trustee has none."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from eaa.broker.administration import Administration
from eaa.broker.names import ResourcePath
from eaa.broker.records import Policy, PolicyKind
from eaa.codec.base64url import decode_base64url, encode_base64url
from eaa.errors import FormatError
from eaa.services.verdictd.http_admin_call import Call
from eaa.services.verdictd.http_admin_fields import Answer

__all__ = ["EVERYWHERE", "TrusteeAdmin"]

#: What Trustee calls its only resource policy; here it is the one of all paths.
EVERYWHERE = "resource-policy"
_PAGE = 1000
_PREFIX = "/kbs/v0"


class TrusteeAdmin:
    """What Trustee's clients ask for."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    def routes(self) -> list[tuple[str, str, Answer]]:
        """Method, path and answer of each; of ``resource`` only the list, see :meth:`resource`."""
        attestation, resource = f"{_PREFIX}/attestation-policy", f"{_PREFIX}/resource-policy"
        reference = f"{_PREFIX}/reference-value"
        return [
            ("POST", attestation, self._put_attestation_policy),
            ("GET", attestation, self._attestation_policies),
            ("GET", attestation + "/{id}", self._attestation_policy),
            ("DELETE", attestation + "/{id}", self._delete_attestation_policy),
            ("POST", resource, self._put_resource_policy),
            ("GET", resource, self._resource_policies),
            ("GET", resource + "/{id:path}", self._resource_policy),
            ("DELETE", resource + "/{id:path}", self._delete_resource_policy),
            ("POST", reference, self._import_references),
            ("GET", reference, self._references),
            ("GET", reference + "/{name:path}", self._reference),
            ("DELETE", reference + "/{name:path}", self._delete_reference),
            ("GET", f"{_PREFIX}/resource", self._resources),
        ]

    async def resource(self, call: Call, path: str) -> Response:
        """``POST`` and ``DELETE`` of ``/kbs/v0/resource/<path>``; ``GET`` of it is the guests'."""
        parsed = ResourcePath.parse(path)
        if call.request.method == "POST":
            await self._administration.resources.put(call.principal, parsed, call.body)
        else:
            await self._administration.resources.delete(call.principal, parsed)
        return Response()

    async def _put_attestation_policy(self, call: Call) -> Response:
        document = call.json
        if document.get("type", "rego") != "rego":
            raise _error("type", "expected 'rego'")
        policy_id = document.get("policy_id")
        if not isinstance(policy_id, str):
            raise _error("policy_id", "expected text")
        return await self._put(call, PolicyKind.ATTESTATION, policy_id, document.get("policy"))

    async def _put_resource_policy(self, call: Call) -> Response:
        document = call.json
        policy_id = document.get("policy_id", EVERYWHERE)
        if not isinstance(policy_id, str):
            raise _error("policy_id", "expected text")
        return await self._put(call, PolicyKind.RESOURCE, _prefix(policy_id), document.get("policy"))

    async def _put(self, call: Call, kind: PolicyKind, policy_id: str, policy: object) -> Response:
        await self._administration.policies.put(call.principal, kind, policy_id, _policy_text(policy))
        return Response()

    async def _attestation_policies(self, call: Call) -> Response:
        policies = await self._administration.policies.list(call.principal, PolicyKind.ATTESTATION)
        return JSONResponse([policy.id for policy in policies])

    async def _resource_policies(self, call: Call) -> Response:
        policies = await self._administration.policies.list(call.principal, PolicyKind.RESOURCE)
        return JSONResponse([policy.id or EVERYWHERE for policy in policies])

    async def _attestation_policy(self, call: Call) -> Response:
        kind = PolicyKind.ATTESTATION
        return _document(await self._administration.policies.read(call.principal, kind, call.path("id")))

    async def _resource_policy(self, call: Call) -> Response:
        kind, policy_id = PolicyKind.RESOURCE, _prefix(call.path("id"))
        return _document(await self._administration.policies.read(call.principal, kind, policy_id))

    async def _delete_attestation_policy(self, call: Call) -> Response:
        kind = PolicyKind.ATTESTATION
        await self._administration.policies.delete(call.principal, kind, call.path("id"))
        return Response()

    async def _delete_resource_policy(self, call: Call) -> Response:
        kind, policy_id = PolicyKind.RESOURCE, _prefix(call.path("id"))
        await self._administration.policies.delete(call.principal, kind, policy_id)
        return Response()

    async def _import_references(self, call: Call) -> Response:
        await self._administration.references.import_message(call.principal, call.body)
        return Response()

    async def _references(self, call: Call) -> Response:
        names: list[str] = []
        after = ""
        while page := await self._administration.references.list(call.principal, after=after, limit=_PAGE):
            names += [value.name for value in page]
            after = page[-1].name
        return JSONResponse(names)

    async def _reference(self, call: Call) -> Response:
        found = await self._administration.references.read(call.principal, call.path("name"))
        return JSONResponse(found.value)

    async def _delete_reference(self, call: Call) -> Response:
        await self._administration.references.delete(call.principal, call.path("name"))
        return Response()

    async def _resources(self, call: Call) -> Response:
        paths: list[str] = []
        after = ""
        while page := await self._administration.resources.list(call.principal, after=after, limit=_PAGE):
            paths += [str(info.path) for info in page]
            after = paths[-1]
        return JSONResponse(paths)


def _prefix(policy_id: str) -> str:
    return "" if policy_id == EVERYWHERE else policy_id


def _document(policy: Policy) -> JSONResponse:
    """As it is put, and which version it is."""
    return JSONResponse(
        {
            "type": "rego",
            "policy_id": policy.id or EVERYWHERE,
            "policy": encode_base64url(policy.text.encode()),
            "version": policy.version,
        }
    )


def _policy_text(policy: object) -> str:
    """The Rego of base64url; padding may be there or not."""
    if not isinstance(policy, str):
        raise _error("policy", "expected base64url text")
    try:
        return decode_base64url(policy.rstrip("="), "policy request", "policy").decode()
    except (FormatError, UnicodeDecodeError):
        raise _error("policy", "expected base64url of UTF-8") from None


def _error(field: str, message: str) -> FormatError:
    return FormatError(message, what="policy request", field=field, detail="policy_request")
