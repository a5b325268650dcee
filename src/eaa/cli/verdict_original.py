"""The options of the original ``verdict``: what each asks of the client API, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.message import Message

from eaa.broker.names import require_name
from eaa.cli.console import emit
from eaa.cli.files import load_input, replace_file
from eaa.cli.verdict_refused import UNREACHABLE, Refused, exit_code_of
from eaa.codec.strict_json import parse_json
from eaa.errors import FormatError, UsageError
from eaa.transport.grpc.client import ClientApi, ClientApiFailure
from eaa.transport.grpc.wire import clientapi_pb2 as wire

__all__ = ["run_original"]

M = TypeVar("M", bound=Message)

_OPA = "clientapi.OpaService/"
_GPG = "clientapi.GpgService/"
_IMAGE = "clientapi.ImageService/"
_NO_ANSWER = ("UNAVAILABLE", "DEADLINE_EXCEEDED")


@dataclass(frozen=True, slots=True)
class _Session:
    """``path`` is the folder of exports."""

    api: ClientApi
    path: Path

    def ask(self, name: str, request: Message, answer: type[M]) -> M:
        came = self.api.call(name, request, answer)
        if not isinstance(came, ClientApiFailure):
            return came
        if came.code:
            raise Refused(came.message, came.code, exit_code_of(came.code))
        exit_code = UNREACHABLE if came.status in _NO_ANSWER else 1
        raise Refused(came.message, came.status.lower(), exit_code)

    def export(self, name: str, content: bytes) -> None:
        file = self.path / require_name(name, what="name of an export")
        try:
            replace_file(str(file), content)
        except OSError as error:
            raise UsageError(f"cannot write {file}: {error.strerror}", detail="unwritable") from None
        emit(f"{file}: written")


def run_original(api: ClientApi, path: str, options: Mapping[str, Any]) -> None:
    """Each of ``options`` that is given, by its parameter's name, in the original's order.

    Raises:
        Refused: the server refused one; those after it were not asked for.
        UsageError: a file cannot be read or written.
        FormatError: a file is not what the option takes.
    """
    session = _Session(api, Path(path))
    for name, action in _ACTIONS.items():
        value = options.get(name)
        if value is True:
            action(session)
        elif isinstance(value, tuple):
            action(session, *value)
        elif value:
            action(session, value)


def _set_opa_policy(session: _Session, name: str, file: str) -> None:
    request = wire.SetOpaPolicyRequest(name=name.encode(), content=load_input(file))
    session.ask(_OPA + "SetOpaPolicy", request, wire.SetOpaPolicyResponse)
    emit(f"{name}: OK")


def _export_opa_policy(session: _Session, name: str) -> None:
    request = wire.ExportOpaPolicyRequest(name=name.encode())
    answer = session.ask(_OPA + "exportOpaPolicy", request, wire.ExportOpaPolicyResponse)
    session.export(name, answer.content)


def _set_opa_reference(session: _Session, name: str, file: str) -> None:
    request = wire.SetOpaReferenceRequest(name=name.encode(), content=_json(file))
    session.ask(_OPA + "setOpaReference", request, wire.SetOpaReferenceResponse)
    emit(f"{name}: OK")


def _export_opa_reference(session: _Session, name: str) -> None:
    request = wire.ExportOpaReferenceRequest(name=name.encode())
    answer = session.ask(_OPA + "exportOpaReference", request, wire.ExportOpaReferenceResponse)
    session.export(name, answer.content)


def _test_opa_remote(session: _Session, policy: str, reference: str, claims: str) -> None:
    _test(session, claims, policyname=policy.encode(), referencename=reference.encode())


def _test_opa_local(session: _Session, policy: str, reference: str, claims: str) -> None:
    _test(
        session, claims, policycontent=load_input(policy), policylocal=True,
        referencecontent=_json(reference), referencelocal=True,
    )  # fmt: skip


def _test_opa_local_policy(session: _Session, policy: str, reference: str, claims: str) -> None:
    content = load_input(policy)
    _test(session, claims, policycontent=content, policylocal=True, referencename=reference.encode())


def _test_opa_local_reference(session: _Session, policy: str, reference: str, claims: str) -> None:
    content = _json(reference)
    _test(session, claims, policyname=policy.encode(), referencecontent=content, referencelocal=True)


def _test(session: _Session, claims: str, **fields: Any) -> None:
    request = wire.TestOpaRequest(input=_json(claims), **fields)
    emit(session.ask(_OPA + "TestOpa", request, wire.TestOpaResponse).status.decode())


def _list_gpg_keys(session: _Session) -> None:
    answer = session.ask(_GPG + "listGpgKeys", wire.ListGpgKeysRequest(), wire.ListGpgKeysResponse)
    emit(answer.keys.decode())


def _import_gpg_key(session: _Session, file: str) -> None:
    request = wire.ImportGpgKeyRequest(key=load_input(file))
    session.ask(_GPG + "importGpgKey", request, wire.ImportGpgKeyResponse)
    emit(f"{file}: OK")


def _export_gpg_keyring(session: _Session) -> None:
    request = wire.ExportGpgKeyringRequest()
    emit(session.ask(_GPG + "exportGpgKeyring", request, wire.ExportGpgKeyringResponse).content.decode())


def _delete_gpg_key(session: _Session, key: str) -> None:
    request = wire.DeleteGpgKeyRequest(keyid=key.encode())
    session.ask(_GPG + "deleteGpgKey", request, wire.DeleteGpgKeyResponse)
    emit(f"{key}: OK")


def _export_image_sigstore(session: _Session) -> None:
    request = wire.ExportImageSigstoreRequest()
    answer = session.ask(_IMAGE + "exportImageSigstore", request, wire.ExportImageSigstoreResponse)
    session.export("image_sigstore.ymal", answer.content)  # the original's spelling


def _set_image_sigstore(session: _Session, file: str) -> None:
    request = wire.SetImageSigstoreRequest(content=load_input(file))
    session.ask(_IMAGE + "setImageSigstore", request, wire.SetImageSigstoreResponse)
    emit(f"{file}: OK")


def _export_image_policy(session: _Session) -> None:
    request = wire.ExportImagePolicyRequest()
    answer = session.ask(_IMAGE + "exportImagePolicy", request, wire.ExportImagePolicyResponse)
    session.export("image_policy.json", answer.content)


def _set_image_policy(session: _Session, file: str) -> None:
    request = wire.SetImagePolicyRequest(content=load_input(file))
    session.ask(_IMAGE + "setImagePolicy", request, wire.SetImagePolicyResponse)
    emit(f"{file}: OK")


def _json(file: str) -> bytes:
    """The bytes of ``file``, which are a JSON object."""
    data = load_input(file)
    if not isinstance(parse_json(data, file), dict):
        raise FormatError("expected a JSON object", what=file, field="JSON")
    return data


_ACTIONS: Mapping[str, Callable[..., None]] = {
    "set_opa_policy": _set_opa_policy,
    "export_opa_policy": _export_opa_policy,
    "set_opa_reference": _set_opa_reference,
    "export_opa_reference": _export_opa_reference,
    "test_opa_remote": _test_opa_remote,
    "test_opa_local": _test_opa_local,
    "test_opa_local_policy": _test_opa_local_policy,
    "test_opa_local_reference": _test_opa_local_reference,
    "list_gpg_keys": _list_gpg_keys,
    "import_gpg_key": _import_gpg_key,
    "export_gpg_keyring": _export_gpg_keyring,
    "delete_gpg_key": _delete_gpg_key,
    "export_image_sigstore": _export_image_sigstore,
    "set_image_sigstore": _set_image_sigstore,
    "export_image_policy": _export_image_policy,
    "set_image_policy": _set_image_policy,
}
