"""What guests use to judge images, looked at before it is stored: which signatures, and where they are."""

from __future__ import annotations

from typing import Any

from eaa.codec.strict_json import parse_json
from eaa.errors import FormatError

__all__ = ["MAX_DOCUMENT_BYTES", "require_image_policy", "require_sigstore_config"]

MAX_DOCUMENT_BYTES = 64 * 1024
_SPEC = "[CONTAINERS-POLICY]"
_POLICY = "image policy"
_SIGSTORE = "sigstore configuration"
#: Requirements of containers-policy.json.
_TYPES = ("insecureAcceptAnything", "reject", "signedBy", "sigstoreSigned", "signedBaseLayer")
#: Top-level keys of the registries.d configuration; ``default`` is what the original wrote.
_SIGSTORE_KEYS = ("default-docker", "docker", "default")


def require_image_policy(content: bytes) -> bytes:
    """``content`` if it is a signature policy: ``default`` and per scope, a list of known requirements.

    Raises:
        FormatError: ``format.image_policy``, or no JSON.
    """
    _require_size(content, _POLICY, "image_policy")
    document = parse_json(content, _POLICY)
    if not isinstance(document, dict) or set(document) - {"default", "transports"}:
        raise _error("JSON", "expected an object with default and, if need be, transports")
    _require_requirements(document.get("default"), "default")
    transports = document.get("transports", {})
    if not isinstance(transports, dict):
        raise _error("transports", "expected an object")
    for transport, scopes in transports.items():
        if not isinstance(scopes, dict):
            raise _error(f"transports.{transport[:40]}", "expected an object of scopes")
        for scope, requirements in scopes.items():
            _require_requirements(requirements, f"transports.{transport[:40]}.{scope[:80]}")
    return content


def require_sigstore_config(content: bytes) -> bytes:
    """``content`` if it looks like a configuration of registries.d, which is YAML and is not parsed here.

    Raises:
        FormatError: ``format.sigstore_config``: not text, or without any of its top-level keys.
    """
    _require_size(content, _SIGSTORE, "sigstore_config")
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError:
        lines = []
    if not any(line.startswith(tuple(f"{key}:" for key in _SIGSTORE_KEYS)) for line in lines):
        raise FormatError(
            f"expected YAML with one of {', '.join(_SIGSTORE_KEYS)} at the top",
            what=_SIGSTORE, field="top level", detail="sigstore_config",
        )  # fmt: skip
    return content


def _require_requirements(value: Any, field: str) -> None:
    if not isinstance(value, list) or not value:
        raise _error(field, "expected a list of at least one requirement")
    for requirement in value:
        if not isinstance(requirement, dict) or requirement.get("type") not in _TYPES:
            raise _error(field, f"expected requirements whose type is one of {', '.join(_TYPES)}")


def _require_size(content: bytes, what: str, detail: str) -> None:
    if len(content) > MAX_DOCUMENT_BYTES:
        raise FormatError(
            f"{len(content)} bytes exceed {MAX_DOCUMENT_BYTES}", what=what, field="length", detail=detail
        )


def _error(field: str, message: str) -> FormatError:
    return FormatError(message, what=_POLICY, field=field, spec=_SPEC, detail="image_policy")
