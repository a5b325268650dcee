"""The tables as they are after the newest migration. Bodies and certificates come last in their table."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text

from eaa.storage.database.columns import ORDERED_TEXT, Instant

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


def _key(name: str) -> Column[str]:
    return Column(name, ORDERED_TEXT, primary_key=True)


def _ordered(name: str) -> Column[str]:
    return Column(name, ORDERED_TEXT, nullable=False)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _bytes(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


def _integer(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _instant(name: str) -> Column[object]:
    return Column(name, Instant, nullable=False)


#: ``number`` is the evaluation data number or the CRL number, 0 where there is none.
documents = Table(
    "collateral_documents", metadata,
    _key("name"), Column("number", BigInteger, nullable=False), _instant("issued_at"), _instant("expires_at"),
    _instant("fetched_at"), _instant("refresh_at"), _integer("failures"), _text("chain"), _bytes("body"),
    Index("collateral_documents_by_refresh", "refresh_at"),
)  # fmt: skip

platforms = Table(
    "collateral_platforms", metadata,
    _key("qe_id"), _key("pce_id"), _ordered("fmspc"), _ordered("ca"), _instant("fetched_at"),
    _instant("refresh_at"), _integer("failures"), _bytes("enc_ppid"), _bytes("manifest"),
    Index("collateral_platforms_by_refresh", "refresh_at"), Index("collateral_platforms_by_fmspc", "fmspc"),
)  # fmt: skip

pck_certs = Table(
    "collateral_pck_certs", metadata, _key("qe_id"), _key("pce_id"), _key("tcbm"), _bytes("der")
)

#: Which certificate is the best for a raw TCB.
platform_tcbs = Table(
    "collateral_platform_tcbs", metadata,
    _key("qe_id"), _key("pce_id"), _key("cpu_svn"), _key("pce_svn"), _ordered("tcbm"),
)  # fmt: skip

#: A manifest of up to 50 KiB is no key: its hash is.
registrations = Table(
    "collateral_registrations", metadata,
    _key("qe_id"), _key("pce_id"), _key("cpu_svn"), _key("pce_svn"), _key("manifest_sha256"),
    _integer("state"), _text("enc_ppid"), _text("manifest"),
)  # fmt: skip

appraisal_policies = Table(
    "collateral_appraisal_policies", metadata,
    _key("id"), _ordered("fmspc"), _integer("type"), Column("is_default", Boolean, nullable=False),
    _text("policy"),
)  # fmt: skip

#: Who does something that one process alone shall do.
leases = Table("collateral_leases", metadata, _key("name"), _text("holder"), _instant("until"))

#: One row, raised by every change of what is served.
generation = Table(
    "collateral_generation", metadata,
    Column("id", Integer, primary_key=True, autoincrement=False), Column("value", BigInteger, nullable=False),
)  # fmt: skip
