"""Keys of image layers, for ocicrypt: unwrapped in the guest, and wrapped by one that may have the key."""

from __future__ import annotations

import os

from eaa.errors import UnsupportedError, UsageError
from eaa.oci.annotation import encode_annotation, parse_annotation
from eaa.oci.key_id import KeyId, parse_key_id
from eaa.oci.keyprovider import UnwrapRequest, WrapRequest, parse_request, unwrap_answer, wrap_answer
from eaa.oci.layer_key import unwrap_options, wrap_options
from eaa.services.attestation_agent.params import KbcParams
from eaa.services.attestation_agent.secrets import GuestSecrets

__all__ = ["unwrap_key", "wrap_key"]

_IV_BYTES = 12
_KEY_ID = "keyid="
_SEPARATOR = "::"


async def unwrap_key(data: bytes, secrets: GuestSecrets, configured: KbcParams | None) -> bytes:
    """The answer to an ``UnWrapKey`` request: the layer's options, opened with the key that the packet names.

    Raises:
        FormatError: the request, the packet or the key is none.
        UsageError: ``usage.operation``; ``usage.kbc``: the caller wants another module than ``configured``.
        SignatureError: the packet does not open with the key.
        EAAError: as :class:`GuestSecrets`.
    """
    request = parse_request(data)
    if not isinstance(request, UnwrapRequest):
        raise UsageError("UnWrapKey: expected the operation keyunwrap", detail="operation")
    if configured is not None:
        for parameter in request.parameters:
            _require_configured(parameter, configured)
    packet = parse_annotation(request.annotation)
    return unwrap_answer(unwrap_options(packet, kek=await secrets.key(packet.kid)))


async def wrap_key(data: bytes, secrets: GuestSecrets) -> bytes:
    """The answer to a ``WrapKey`` request: its options under the key that the parameter names, ``keyid=…``.

    Raises:
        FormatError: the request, the key id or the key is none.
        UsageError: ``usage.operation``, ``usage.key_id``.
        EAAError: as :class:`GuestSecrets`.
    """
    request = parse_request(data)
    if not isinstance(request, WrapRequest):
        raise UsageError("WrapKey: expected the operation keywrap", detail="operation")
    kid = _key_id(request.parameters)
    kek = await secrets.key(kid)
    packet = wrap_options(request.options, kek=kek, kid=kid, iv=os.urandom(_IV_BYTES))
    return wrap_answer(encode_annotation(packet))


def _require_configured(parameter: str, configured: KbcParams) -> None:
    """Callers write ``kbc::uri`` there, or anything."""
    name, separator, uri = parameter.partition(_SEPARATOR)
    if separator and name.endswith("_kbc"):
        configured.require_same(name, uri)


def _key_id(parameters: tuple[str, ...]) -> KeyId:
    if len(parameters) != 1:
        raise UsageError(
            "WrapKey: expected provider:attestation-agent:keyid=kbs:///repository/type/tag", detail="key_id"
        )
    parts = parameters[0].split(_SEPARATOR)
    named = [part.removeprefix(_KEY_ID) for part in parts if part.startswith(_KEY_ID)]
    if len(parts) > 1 and len(parts) != len(named):
        raise UnsupportedError(
            "WrapKey in a guest takes keyid= alone; verdict image encrypt makes and registers keys",
            detail="wrap_parameters",
        )
    if len(named) > 1:
        raise UsageError("WrapKey: expected one keyid=", detail="key_id")
    return parse_key_id(named[0] if named else parts[0])
