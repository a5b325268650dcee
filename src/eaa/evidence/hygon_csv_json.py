"""The certificates of CSV evidence in JSON, as csv-rs writes them: members by field, bytes as numbers."""

from __future__ import annotations

from typing import Any

from eaa.evidence.json_members import JsonMembers
from eaa.evidence.psp_certificate import COORDINATE_BYTES

__all__ = ["HYGON_CA_BYTES", "MEMBERS", "ca_certificate_of_json", "certificate_of_json"]

HYGON_CA_BYTES = 832
_COORDINATES = {"x", "y"}
#: No array is longer than a report.
MEMBERS = JsonMembers("CSV evidence", "[COCO-GUEST attester/csv]", 4096)


def certificate_of_json(value: Any, name: str) -> bytes:
    """The certificate of a CEK or PEK, 2084 bytes, whose fields are the members of ``value``.

    Raises:
        FormatError: a member is missing, unknown or of another type or size.
    """
    members = _object(value, name, {"body", "sigs"})
    body = _object(members.get("body"), "body", {"ver", "data"})
    data = _object(
        body.get("data"), "data",
        {"firmware", "reserved1", "pubkey", "uid_size", "user_id", "sid", "reserved2"},
    )  # fmt: skip
    firmware = _object(data.get("firmware"), "firmware", {"major", "minor"})
    pubkey = _object(data.get("pubkey"), "pubkey", {"usage", "algo", "key"})
    signatures = members.get("sigs")
    if not isinstance(signatures, list) or len(signatures) != 2:
        raise MEMBERS.bad_member("sigs", "expected an array of two signatures")
    return b"".join(
        (
            _number(body, "ver", 4), _number(firmware, "major", 1), _number(firmware, "minor", 1),
            _number(data, "reserved1", 2), _number(pubkey, "usage", 4), _number(pubkey, "algo", 4),
            _key(pubkey.get("key")), _number(data, "uid_size", 2), MEMBERS.octets(data, "user_id", 254),
            MEMBERS.octets(data, "sid", 16), MEMBERS.octets(data, "reserved2", 608),
            *(_signature_slot(item) for item in signatures),
        )
    )  # fmt: skip


def ca_certificate_of_json(value: Any, name: str) -> bytes:
    """The certificate of an HSK, 832 bytes; as :func:`certificate_of_json`."""
    members = _object(value, name, {"body", "signature", "_reserved"})
    body = _object(members.get("body"), "body", {"preamble", "pubkey", "uid_size", "user_id", "reserved"})
    preamble = _object(body.get("preamble"), "preamble", {"ver", "data"})
    data = _object(preamble.get("data"), "data", {"kid", "sid", "usage", "reserved"})
    return b"".join(
        (
            _number(preamble, "ver", 4), MEMBERS.octets(data, "kid", 16), MEMBERS.octets(data, "sid", 16),
            _number(data, "usage", 4), MEMBERS.octets(data, "reserved", 24), _key(body.get("pubkey")),
            _number(body, "uid_size", 2), MEMBERS.octets(body, "user_id", 254),
            MEMBERS.octets(body, "reserved", 108), _signature(members.get("signature")),
            MEMBERS.octets(members, "_reserved", 112),
        )
    )  # fmt: skip


def _key(value: Any) -> bytes:
    key = _object(value, "pubkey", {"g"} | _COORDINATES)
    return _number(key, "g", 4) + b"".join(
        MEMBERS.octets(key, name, COORDINATE_BYTES) for name in sorted(_COORDINATES)
    )


def _signature_slot(value: Any) -> bytes:
    slot = _object(value, "sigs", {"usage", "algo", "signature", "_reserved"})
    return (
        _number(slot, "usage", 4)
        + _number(slot, "algo", 4)
        + _signature(slot.get("signature"))
        + MEMBERS.octets(slot, "_reserved", 368)
    )


def _signature(value: Any) -> bytes:
    signature = _object(value, "signature", {"r", "s"})
    return b"".join(MEMBERS.octets(signature, name, COORDINATE_BYTES) for name in ("r", "s"))


def _object(value: Any, name: str, known: set[str]) -> dict[str, Any]:
    members = MEMBERS.object_of(value, name)
    MEMBERS.refuse_others(members, known, name)
    return members


def _number(members: dict[str, Any], name: str, size: int) -> bytes:
    return MEMBERS.number(members, name, size).to_bytes(size, "little")
