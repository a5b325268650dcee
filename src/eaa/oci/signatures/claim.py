"""What a signature on an image says: this digest, under this name [CONTAINERS-SIGNATURE]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eaa.codec.strict_json import parse_json
from eaa.errors import FormatError
from eaa.oci.digest import Digest, parse_digest
from eaa.oci.signatures.reference import ImageReference, parse_reference

__all__ = ["COSIGN_TYPE", "MAX_PAYLOAD_BYTES", "SIMPLE_TYPE", "Claim", "parse_claim"]

#: ``critical.type`` of a simple signature, and of one in cosign's format.
SIMPLE_TYPE = "atomic container signature"
COSIGN_TYPE = "cosign container image signature"
#: Digest and name, and what the signer adds.
MAX_PAYLOAD_BYTES = 64 * 1024
_WHAT = "image signature"


@dataclass(frozen=True, slots=True)
class Claim:
    """``digest`` is that of the manifest; ``reference`` is the name it was signed under."""

    digest: Digest
    reference: ImageReference


def parse_claim(payload: bytes, kind: str) -> Claim:
    """The claim in ``payload``, whose signature has been verified, of type ``kind``.

    ``critical`` has exactly the members that are known; ``optional`` may say anything.

    Raises:
        FormatError: not such a payload.
        UnsupportedError: ``unsupported.digest``.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise _error("payload", f"{len(payload)} bytes exceed {MAX_PAYLOAD_BYTES}")
    whole = _exactly(parse_json(payload, _WHAT), "payload", {"critical", "optional"})
    if not isinstance(whole["optional"], dict | None):
        raise _error("optional", "expected an object")
    critical = _exactly(whole["critical"], "critical", {"type", "image", "identity"})
    if critical["type"] != kind:
        raise _error("critical.type", f"expected {kind!r}, got {critical['type']!r:.64}")
    image = _exactly(critical["image"], "critical.image", {"docker-manifest-digest"})
    identity = _exactly(critical["identity"], "critical.identity", {"docker-reference"})
    digest, reference = image["docker-manifest-digest"], identity["docker-reference"]
    if not isinstance(digest, str) or not isinstance(reference, str):
        raise _error("critical", "expected a digest and a name as text")
    return Claim(parse_digest(digest, what=_WHAT), parse_reference(reference))


def _exactly(value: Any, field: str, names: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != names:
        raise _error(field, f"expected an object with exactly {', '.join(sorted(names))}")
    return value


def _error(field: str, message: str) -> FormatError:
    return FormatError(
        message, what=_WHAT, field=field, spec="[CONTAINERS-SIGNATURE]", detail="image_signature"
    )
