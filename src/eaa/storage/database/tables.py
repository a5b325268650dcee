"""The tables as they are after the newest migration.

Names of resources, keys and policies are their own primary keys, with the version: what is read by name or
listed in order of name is one range of that index. Columns with ``sealed`` in their name come last in their
table, so that listing does not read them.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
)

from eaa.storage.database.table_columns import (
    generation_columns,
    instant,
    integer,
    key,
    octets,
    ordered,
    text,
)

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


def _version() -> Column[int]:
    return Column("version", Integer, primary_key=True, autoincrement=False)


#: The last version ever given out under a name. Rows are never deleted, so that no version comes twice.
version_counters = Table(
    "version_counters", metadata,
    key("scope"), key("name"), integer("last"),
)  # fmt: skip

resources = Table(
    "resources", metadata,
    key("path"), _version(),
    integer("size"), Column("enabled", Boolean, nullable=False),
    instant("created_at"), text("created_by"), octets("sealed"),
)  # fmt: skip

#: ``sealed`` is null when the version is destroyed.
keys = Table(
    "keys", metadata,
    key("kid"), _version(), integer("bits"),
    instant("created_at"), text("created_by"), Column("sealed", LargeBinary, nullable=True),
)  # fmt: skip

policies = Table(
    "policies", metadata,
    key("kind"), key("id"), _version(), text("sha256"),
    instant("created_at"), text("created_by"), text("text"),
)  # fmt: skip

#: Which version of a policy holds; no row if it was deleted.
current_policies = Table(
    "current_policies", metadata,
    key("kind"), key("id"), integer("version"),
    ForeignKeyConstraint(["kind", "id", "version"], ["policies.kind", "policies.id", "policies.version"]),
)  # fmt: skip

#: One row: how often policies or reference values changed.
generation = Table("generation", metadata, *generation_columns())

#: ``value`` is JSON in ASCII.
reference_values = Table(
    "reference_values", metadata,
    key("name"), instant("expires_at"), instant("created_at"), text("created_by"), text("value"),
)  # fmt: skip

#: ``sealed_token`` is null where attestation failed.
sessions = Table(
    "sessions", metadata,
    key("id"), instant("expires_at"), Column("sealed_token", LargeBinary, nullable=True),
    Index("sessions_by_expiry", "expires_at"),
)  # fmt: skip

#: ``explanation`` is JSON in ASCII.
decisions = Table(
    "decisions", metadata,
    key("id"), instant("at"), ordered("kind"),
    Column("granted", Boolean, nullable=False), text("subject"), text("tee"), text("evidence_sha256"),
    text("policy"), text("target"), text("code"), text("reason"), text("explanation"),
    Index("decisions_by_kind_and_outcome", "kind", "granted", "id"),
)  # fmt: skip

#: ``chain`` is a JSON list of certificates in base64.
service_keys = Table(
    "service_keys", metadata,
    key("purpose"), key("kid"), instant("active_from"), instant("retired_at"), text("chain"),
    octets("sealed"),
)  # fmt: skip

#: The keys of the envelope, each wrapped under a master key.
data_keys = Table(
    "data_keys", metadata,
    key("id"), text("master"), instant("created_at"), octets("wrapped"),
)  # fmt: skip
