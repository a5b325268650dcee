"""The tables as they are after the newest migration.

Names of resources, keys and policies are their own primary keys, with the version: what is read by name or
listed in order of name is one range of that index. Columns with ``sealed`` in their name come last in their
table, so that listing does not read them.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

from eaa.storage.database.columns import ORDERED_TEXT, Instant

__all__ = [
    "current_policies",
    "data_keys",
    "decisions",
    "generation",
    "keys",
    "metadata",
    "policies",
    "reference_values",
    "resources",
    "service_keys",
    "sessions",
    "version_counters",
]

metadata = MetaData()


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _instant(name: str) -> Column[object]:
    return Column(name, Instant, nullable=False)


def _key(name: str) -> Column[str]:
    return Column(name, ORDERED_TEXT, primary_key=True)


def _version() -> Column[int]:
    return Column("version", Integer, primary_key=True, autoincrement=False)


#: The last version ever given out under a name. Rows are never deleted, so that no version comes twice.
version_counters = Table(
    "version_counters", metadata,
    _key("scope"), _key("name"), Column("last", Integer, nullable=False),
)  # fmt: skip

resources = Table(
    "resources", metadata,
    _key("path"), _version(),
    Column("size", Integer, nullable=False), Column("enabled", Boolean, nullable=False),
    _instant("created_at"), _text("created_by"), Column("sealed", LargeBinary, nullable=False),
)  # fmt: skip

#: ``sealed`` is null when the version is destroyed.
keys = Table(
    "keys", metadata,
    _key("kid"), _version(), Column("bits", Integer, nullable=False),
    _instant("created_at"), _text("created_by"), Column("sealed", LargeBinary, nullable=True),
)  # fmt: skip

policies = Table(
    "policies", metadata,
    _key("kind"), _key("id"), _version(), _text("sha256"),
    _instant("created_at"), _text("created_by"), _text("text"),
)  # fmt: skip

#: Which version of a policy holds; no row if it was deleted.
current_policies = Table(
    "current_policies", metadata,
    _key("kind"), _key("id"), Column("version", Integer, nullable=False),
    ForeignKeyConstraint(["kind", "id", "version"], ["policies.kind", "policies.id", "policies.version"]),
)  # fmt: skip

#: One row: how often policies or reference values changed.
generation = Table(
    "generation", metadata,
    Column("id", Integer, primary_key=True, autoincrement=False), Column("value", BigInteger, nullable=False),
)  # fmt: skip

#: ``value`` is JSON in ASCII.
reference_values = Table(
    "reference_values", metadata,
    _key("name"), _instant("expires_at"), _instant("created_at"), _text("created_by"), _text("value"),
)  # fmt: skip

#: ``sealed_token`` is null where attestation failed.
sessions = Table(
    "sessions", metadata,
    _key("id"), _instant("expires_at"), Column("sealed_token", LargeBinary, nullable=True),
    Index("sessions_by_expiry", "expires_at"),
)  # fmt: skip

#: ``explanation`` is JSON in ASCII.
decisions = Table(
    "decisions", metadata,
    _key("id"), _instant("at"), Column("kind", ORDERED_TEXT, nullable=False),
    Column("granted", Boolean, nullable=False), _text("subject"), _text("tee"), _text("evidence_sha256"),
    _text("policy"), _text("target"), _text("code"), _text("reason"), _text("explanation"),
    Index("decisions_by_kind_and_outcome", "kind", "granted", "id"),
)  # fmt: skip

#: ``chain`` is a JSON list of certificates in base64.
service_keys = Table(
    "service_keys", metadata,
    _key("purpose"), _key("kid"), _instant("active_from"), _instant("retired_at"), _text("chain"),
    Column("sealed", LargeBinary, nullable=False),
)  # fmt: skip

#: The keys of the envelope, each wrapped under a master key.
data_keys = Table(
    "data_keys", metadata,
    _key("id"), _text("master"), _instant("created_at"), Column("wrapped", LargeBinary, nullable=False),
)  # fmt: skip
