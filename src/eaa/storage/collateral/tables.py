"""The tables as they are after the newest migration. Bodies and certificates come last in their table."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, MetaData, Table

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
    "appraisal_policies",
    "documents",
    "generation",
    "leases",
    "metadata",
    "pck_certs",
    "platform_tcbs",
    "platforms",
    "registrations",
]

metadata = MetaData()


#: ``number`` is the evaluation data number or the CRL number, 0 where there is none.
documents = Table(
    "collateral_documents", metadata,
    key("name"), Column("number", BigInteger, nullable=False), instant("issued_at"), instant("expires_at"),
    instant("fetched_at"), instant("refresh_at"), integer("failures"), text("chain"), octets("body"),
    Index("collateral_documents_by_refresh", "refresh_at"),
)  # fmt: skip

platforms = Table(
    "collateral_platforms", metadata,
    key("qe_id"), key("pce_id"), ordered("fmspc"), ordered("ca"), instant("fetched_at"),
    instant("refresh_at"), integer("failures"), octets("enc_ppid"), octets("manifest"),
    Index("collateral_platforms_by_refresh", "refresh_at"), Index("collateral_platforms_by_fmspc", "fmspc"),
)  # fmt: skip

pck_certs = Table("collateral_pck_certs", metadata, key("qe_id"), key("pce_id"), key("tcbm"), octets("der"))

#: Which certificate is the best for a raw TCB.
platform_tcbs = Table(
    "collateral_platform_tcbs", metadata,
    key("qe_id"), key("pce_id"), key("cpu_svn"), key("pce_svn"), ordered("tcbm"),
)  # fmt: skip

#: A manifest of up to 50 KiB is no key: its hash is.
registrations = Table(
    "collateral_registrations", metadata,
    key("qe_id"), key("pce_id"), key("cpu_svn"), key("pce_svn"), key("manifest_sha256"),
    integer("state"), text("enc_ppid"), text("manifest"),
)  # fmt: skip

appraisal_policies = Table(
    "collateral_appraisal_policies", metadata,
    key("id"), ordered("fmspc"), integer("type"), Column("is_default", Boolean, nullable=False),
    text("policy"),
)  # fmt: skip

#: Who does something that one process alone shall do.
leases = Table("collateral_leases", metadata, key("name"), text("holder"), instant("until"))

#: One row, raised by every change of what is served.
generation = Table("collateral_generation", metadata, *generation_columns())
