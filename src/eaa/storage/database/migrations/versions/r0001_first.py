"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

_KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_WRITTEN = {"created_at": sa.BigInteger, "created_by": sa.Text}


def upgrade() -> None:
    _create("version_counters", {"scope": _KEY, "name": _KEY}, {"last": sa.Integer})
    _create(
        "resources", {"path": _KEY, "version": sa.Integer},
        {"size": sa.Integer, "enabled": sa.Boolean, **_WRITTEN, "sealed": sa.LargeBinary},
    )  # fmt: skip
    _create(
        "keys", {"kid": _KEY, "version": sa.Integer}, {"bits": sa.Integer, **_WRITTEN},
        sa.Column("sealed", sa.LargeBinary, nullable=True),
    )  # fmt: skip
    _create(
        "policies", {"kind": _KEY, "id": _KEY, "version": sa.Integer},
        {"sha256": sa.Text, **_WRITTEN, "text": sa.Text},
    )  # fmt: skip
    _create(
        "current_policies", {"kind": _KEY, "id": _KEY}, {"version": sa.Integer},
        sa.ForeignKeyConstraint(
            ["kind", "id", "version"], ["policies.kind", "policies.id", "policies.version"]
        ),
    )  # fmt: skip
    generation = _create("generation", {"id": sa.Integer}, {"value": sa.BigInteger})
    op.bulk_insert(generation, [{"id": 1, "value": 0}])
    _create("reference_values", {"name": _KEY}, {"expires_at": sa.BigInteger, **_WRITTEN, "value": sa.Text})
    _create(
        "sessions", {"id": _KEY}, {"expires_at": sa.BigInteger},
        sa.Column("sealed_token", sa.LargeBinary, nullable=True),
    )  # fmt: skip
    op.create_index("sessions_by_expiry", "sessions", ["expires_at"])
    texts = ("subject", "tee", "evidence_sha256", "policy", "target", "code", "reason", "explanation")
    _create(
        "decisions", {"id": _KEY},
        {"at": sa.BigInteger, "kind": _KEY, "granted": sa.Boolean, **dict.fromkeys(texts, sa.Text)},
    )  # fmt: skip
    op.create_index("decisions_by_kind_and_outcome", "decisions", ["kind", "granted", "id"])
    _create(
        "service_keys", {"purpose": _KEY, "kid": _KEY},
        {"active_from": sa.BigInteger, "retired_at": sa.BigInteger, "chain": sa.Text,
         "sealed": sa.LargeBinary},
    )  # fmt: skip
    _create(
        "data_keys", {"id": _KEY}, {"master": sa.Text, "created_at": sa.BigInteger, "wrapped": sa.LargeBinary}
    )


def _create(name: str, key: dict[str, Any], columns: dict[str, Any], *more: sa.schema.SchemaItem) -> sa.Table:
    """A table of columns that are never null, those of ``key`` first, and ``more``."""
    parts = [
        sa.Column(column, kind, nullable=False, autoincrement=False)
        for column, kind in (key | columns).items()
    ]
    return op.create_table(name, *parts, sa.PrimaryKeyConstraint(*key), *more)
