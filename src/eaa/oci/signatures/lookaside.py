"""Where simple signatures are kept: the ``sigstore.yaml`` of a pull [CONTAINERS-REGISTRIES-D]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from eaa.errors import FormatError
from eaa.oci.digest import Digest
from eaa.oci.signatures.reference import ImageReference

__all__ = ["Lookaside", "parse_lookaside"]

_WHAT = "signature store configuration"
_SCHEMES = frozenset({"file", "http", "https"})
#: ``sigstore`` is the name that ``lookaside`` had before; both with a store to write to, which is not read.
_NAMES = ("lookaside", "sigstore")
_MEMBERS = {*_NAMES, "lookaside-staging", "sigstore-staging", "use-sigstore-attachments"}


@dataclass(frozen=True, slots=True)
class Lookaside:
    """URLs of stores by scope; ``default`` where no scope fits. None: there is no store."""

    default: str | None
    docker: Mapping[str, str | None]

    def store_of(self, image: ImageReference) -> str | None:
        """The URL of the store, of the most specific scope; wildcards are not scopes here."""
        for scope in image.scopes:
            if scope in self.docker:
                return self.docker[scope]
        return self.default

    def signature_url(self, image: ImageReference, digest: Digest, number: int) -> str | None:
        """Where signature ``number``, from 1, of the manifest ``digest`` would be."""
        store = self.store_of(image)
        if store is None:
            return None
        return f"{store.rstrip('/')}/{image.repository}@{digest.algorithm}={digest.hex}/signature-{number}"


def parse_lookaside(value: Any) -> Lookaside:
    """The configuration in ``value``, a YAML document as plain values.

    Raises:
        FormatError: a member that is not known, or a store that is no ``file:``, ``http:`` or ``https:`` URL.
    """
    whole = _object({} if value is None else value, "document")
    if unknown := sorted(whole.keys() - {"default-docker", "docker"}):
        raise _error("document", f"unknown member {unknown[0][:64]!r}")
    sections = _object(whole.get("docker", {}), "docker")
    return Lookaside(
        _store(whole["default-docker"], "default-docker") if "default-docker" in whole else None,
        MappingProxyType(
            {scope: _store(section, f"docker.{scope:.64}") for scope, section in sections.items()}
        ),
    )


def _store(value: Any, field: str) -> str | None:
    section = _object(value, field)
    if unknown := sorted(section.keys() - _MEMBERS):
        raise _error(field, f"unknown member {unknown[0][:64]!r}")
    given = [section[name] for name in _NAMES if name in section]
    if len(given) > 1:
        raise _error(field, "lookaside and sigstore are the same setting; give one")
    if not given:
        return None
    if not isinstance(given[0], str) or urlsplit(given[0]).scheme not in _SCHEMES:
        raise _error(field, f"expected a file:, http: or https: URL, got {given[0]!r:.64}")
    return given[0]


def _object(value: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _error(field, "expected a mapping of text")
    return value


def _error(field: str, message: str) -> FormatError:
    return FormatError(
        message, what=_WHAT, field=field, spec="[CONTAINERS-REGISTRIES-D]", detail="signature_store"
    )
