"""The original's administration over gRPC: each method is one use case.

The original says a failure as text in ``status``, under a call that succeeded, which a caller overlooks. Here
what comes back has ``status`` ``OK``, and a failure is a gRPC status with its code.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from eaa.broker.administration import Administration, Principal, TestedPolicy
from eaa.broker.administration.legacy_opa import legacy_name
from eaa.broker.records import PolicyKind
from eaa.codec.strict_json import parse_json
from eaa.errors import FormatError
from eaa.transport.grpc.client_api import OK
from eaa.transport.grpc.server import Handler
from eaa.transport.grpc.wire import clientapi_pb2 as wire

__all__ = ["grpc_handlers"]


def grpc_handlers(administration: Administration) -> Mapping[str, Handler]:
    """By method, as :class:`eaa.transport.grpc.server.ClientApiServer` takes them."""
    keys, opa = _KeyManager(administration), _Opa(administration)
    gpg, image = _Gpg(administration), _Image(administration)
    return {
        "clientapi.KeyManagerService/CreateKey": keys.create,
        "clientapi.KeyManagerService/GetKey": keys.get,
        "clientapi.KeyManagerService/DeleteKey": keys.delete,
        "clientapi.OpaService/SetOpaPolicy": opa.set_policy,
        "clientapi.OpaService/setOpaReference": opa.set_reference,
        "clientapi.OpaService/exportOpaPolicy": opa.export_policy,
        "clientapi.OpaService/exportOpaReference": opa.export_reference,
        "clientapi.OpaService/TestOpa": opa.test,
        "clientapi.GpgService/listGpgKeys": gpg.list_keys,
        "clientapi.GpgService/importGpgKey": gpg.import_key,
        "clientapi.GpgService/deleteGpgKey": gpg.delete_key,
        "clientapi.GpgService/exportGpgKeyring": gpg.export,
        "clientapi.ImageService/exportImageSigstore": image.export_sigstore,
        "clientapi.ImageService/setImageSigstore": image.set_sigstore,
        "clientapi.ImageService/exportImagePolicy": image.export_policy,
        "clientapi.ImageService/setImagePolicy": image.set_policy,
    }


class _KeyManager:
    def __init__(self, administration: Administration) -> None:
        self._keys = administration.keys

    async def create(self, principal: Principal, request: wire.CreateKeyRequest) -> wire.CreateKeyResponse:
        info = await self._keys.create(principal, request.keyid or None)
        return wire.CreateKeyResponse(status=OK, uuid=info.kid.encode())

    async def get(self, principal: Principal, request: wire.GetKeyRequest) -> wire.GetKeyResponse:
        key = await self._keys.read(principal, _text(request.uuid, "uuid"))
        return wire.GetKeyResponse(status=OK, key=base64.b64encode(key.material))

    async def delete(self, principal: Principal, request: wire.DeleteKeyRequest) -> wire.DeleteKeyResponse:
        await self._keys.destroy(principal, _text(request.uuid, "uuid"))
        return wire.DeleteKeyResponse(status=OK)


class _Opa:
    def __init__(self, administration: Administration) -> None:
        self._opa = administration.opa

    async def set_policy(
        self, principal: Principal, request: wire.SetOpaPolicyRequest
    ) -> wire.SetOpaPolicyResponse:
        await self._opa.put_policy(principal, _text(request.name, "name"), _text(request.content, "content"))
        return wire.SetOpaPolicyResponse(status=OK)

    async def set_reference(
        self, principal: Principal, request: wire.SetOpaReferenceRequest
    ) -> wire.SetOpaReferenceResponse:
        value = _object(request.content, "content")
        await self._opa.put_reference(principal, _text(request.name, "name"), value)
        return wire.SetOpaReferenceResponse(status=OK)

    async def export_policy(
        self, principal: Principal, request: wire.ExportOpaPolicyRequest
    ) -> wire.ExportOpaPolicyResponse:
        text = await self._opa.policy(principal, _text(request.name, "name"))
        return wire.ExportOpaPolicyResponse(status=OK, content=text.encode())

    async def export_reference(
        self, principal: Principal, request: wire.ExportOpaReferenceRequest
    ) -> wire.ExportOpaReferenceResponse:
        value = await self._opa.reference(principal, _text(request.name, "name"))
        return wire.ExportOpaReferenceResponse(status=OK, content=json.dumps(value).encode())

    async def test(self, principal: Principal, request: wire.TestOpaRequest) -> wire.TestOpaResponse:
        claims = _object(request.input, "input")
        if request.policylocal:
            tested = TestedPolicy(PolicyKind.RESOURCE, text=_text(request.policycontent, "policycontent"))
        else:
            name = _text(request.policyname, "policyname")
            tested = TestedPolicy(PolicyKind.RESOURCE, id=legacy_name(name))
        if request.referencelocal:
            data = _object(request.referencecontent, "referencecontent")
        else:
            data = await self._opa.reference(principal, _text(request.referencename, "referencename"))
        result = await self._opa.test(principal, tested, data, claims)
        return wire.TestOpaResponse(status=json.dumps(result).encode())


class _Gpg:
    def __init__(self, administration: Administration) -> None:
        self._documents = administration.documents

    async def list_keys(self, principal: Principal, _: wire.ListGpgKeysRequest) -> wire.ListGpgKeysResponse:
        lines = [
            line
            for key in await self._documents.gpg_keys(principal)
            for line in (f"pub {key.fingerprint}", *(f"uid {user_id}" for user_id in key.user_ids))
        ]
        return wire.ListGpgKeysResponse(keys="\n".join(lines).encode())

    async def import_key(
        self, principal: Principal, request: wire.ImportGpgKeyRequest
    ) -> wire.ImportGpgKeyResponse:
        await self._documents.import_gpg_key(principal, request.key)
        return wire.ImportGpgKeyResponse(status=OK)

    async def delete_key(
        self, principal: Principal, request: wire.DeleteGpgKeyRequest
    ) -> wire.DeleteGpgKeyResponse:
        await self._documents.delete_gpg_key(principal, _text(request.keyid, "keyid"))
        return wire.DeleteGpgKeyResponse(status=OK)

    async def export(
        self, principal: Principal, _: wire.ExportGpgKeyringRequest
    ) -> wire.ExportGpgKeyringResponse:
        keyring = await self._documents.gpg_keyring(principal)
        return wire.ExportGpgKeyringResponse(status=OK, content=base64.b64encode(keyring))


class _Image:
    def __init__(self, administration: Administration) -> None:
        self._documents = administration.documents

    async def export_sigstore(
        self, principal: Principal, _: wire.ExportImageSigstoreRequest
    ) -> wire.ExportImageSigstoreResponse:
        content = await self._documents.sigstore_config(principal)
        return wire.ExportImageSigstoreResponse(status=OK, content=content)

    async def set_sigstore(
        self, principal: Principal, request: wire.SetImageSigstoreRequest
    ) -> wire.SetImageSigstoreResponse:
        await self._documents.put_sigstore_config(principal, request.content)
        return wire.SetImageSigstoreResponse(status=OK)

    async def export_policy(
        self, principal: Principal, _: wire.ExportImagePolicyRequest
    ) -> wire.ExportImagePolicyResponse:
        return wire.ExportImagePolicyResponse(
            status=OK, content=await self._documents.image_policy(principal)
        )  # fmt: skip

    async def set_policy(
        self, principal: Principal, request: wire.SetImagePolicyRequest
    ) -> wire.SetImagePolicyResponse:
        await self._documents.put_image_policy(principal, request.content)
        return wire.SetImagePolicyResponse(status=OK)


def _text(data: bytes, field: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise FormatError("not UTF-8", what="client API request", field=field) from None


def _object(data: bytes, field: str) -> dict[str, Any]:
    value = parse_json(data, f"client API request, {field}")
    if not isinstance(value, dict):
        raise FormatError("expected a JSON object", what="client API request", field=field)
    return value
