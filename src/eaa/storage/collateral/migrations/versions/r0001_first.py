"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

_KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_PLATFORM = {"qe_id": _KEY, "pce_id": _KEY}


def upgrade() -> None:
    _create(
        "collateral_documents", {"name": _KEY},
        {"number": sa.BigInteger, "issued_at": sa.BigInteger, "expires_at": sa.BigInteger,
         "fetched_at": sa.BigInteger, "refresh_at": sa.BigInteger, "failures": sa.Integer,
         "chain": sa.Text, "body": sa.LargeBinary},
    )  # fmt: skip
    op.create_index("collateral_documents_by_refresh", "collateral_documents", ["refresh_at"])
    _create(
        "collateral_platforms", _PLATFORM,
        {"fmspc": _KEY, "ca": _KEY, "fetched_at": sa.BigInteger, "refresh_at": sa.BigInteger,
         "failures": sa.Integer, "enc_ppid": sa.LargeBinary, "manifest": sa.LargeBinary},
    )  # fmt: skip
    op.create_index("collateral_platforms_by_refresh", "collateral_platforms", ["refresh_at"])
    op.create_index("collateral_platforms_by_fmspc", "collateral_platforms", ["fmspc"])
    _create("collateral_pck_certs", _PLATFORM | {"tcbm": _KEY}, {"der": sa.LargeBinary})
    _create("collateral_platform_tcbs", _PLATFORM | {"cpu_svn": _KEY, "pce_svn": _KEY}, {"tcbm": _KEY})
    _create(
        "collateral_registrations",
        _PLATFORM | {"cpu_svn": _KEY, "pce_svn": _KEY, "manifest_sha256": _KEY},
        {"state": sa.Integer, "enc_ppid": sa.Text, "manifest": sa.Text},
    )  # fmt: skip
    _create(
        "collateral_appraisal_policies", {"id": _KEY},
        {"fmspc": _KEY, "type": sa.Integer, "is_default": sa.Boolean, "policy": sa.Text},
    )  # fmt: skip
    _create("collateral_leases", {"name": _KEY}, {"holder": sa.Text, "until": sa.BigInteger})
    generation = _create("collateral_generation", {"id": sa.Integer}, {"value": sa.BigInteger})
    op.bulk_insert(generation, [{"id": 1, "value": 0}])


def _create(name: str, key: dict[str, Any], columns: dict[str, Any]) -> sa.Table:
    """A table of columns that are never null, those of ``key`` first."""
    parts = [
        sa.Column(column, kind, nullable=False, autoincrement=False)
        for column, kind in (key | columns).items()
    ]
    return op.create_table(name, *parts, sa.PrimaryKeyConstraint(*key))
