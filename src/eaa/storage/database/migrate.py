"""Bringing the tables to the state that this code knows."""

from __future__ import annotations

from dataclasses import dataclass

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from eaa.errors import ConfigError
from eaa.storage.database.backend import Backend

__all__ = ["BROKER", "Schema", "require_current", "revisions", "upgrade"]


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of one service: where their migrations are, and the table that says which have run.

    ``lock`` is, of PostgreSQL's advisory locks, that of whoever changes these tables.
    """

    migrations: str
    version_table: str
    lock: int


#: The broker's.
BROKER = Schema("eaa.storage.database:migrations", "alembic_version", 0x656161_64)  # "eaad"


def revisions(schema: Schema = BROKER) -> tuple[str, ...]:
    """All revisions of the tables, oldest first."""
    scripts = ScriptDirectory.from_config(_config(schema)).walk_revisions()
    return tuple(script.revision for script in reversed(list(scripts)))


async def upgrade(backend: Backend, revision: str = "head", *, schema: Schema = BROKER) -> None:
    """Migrate to ``revision`` if the tables are older; others that start at the same time wait.

    Raises:
        ConfigError: ``config.database_schema``: the tables are newer than this code.
        StorageError: as the database does; the tables are then as they were.
    """
    await backend.write(lambda connection: _upgrade(connection, revision, schema))


async def require_current(backend: Backend, *, schema: Schema = BROKER) -> None:
    """Raises ``ConfigError``, ``config.database_schema``, unless the tables are as this code knows them."""
    await backend.write(lambda connection: _require_current(connection, schema))


def _upgrade(connection: Connection, revision: str, schema: Schema) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({schema.lock})")
    if _current(connection, schema) != revisions(schema)[-1]:
        config = _config(schema)
        config.attributes["connection"] = connection
        config.attributes["version_table"] = schema.version_table
        command.upgrade(config, revision)


def _require_current(connection: Connection, schema: Schema) -> None:
    current, newest = _current(connection, schema), revisions(schema)[-1]
    if current != newest:
        raise _error(f"its tables are at revision {current}, expected {newest}: migrate it")


def _current(connection: Connection, schema: Schema) -> str | None:
    options = {"version_table": schema.version_table}
    current = MigrationContext.configure(connection, opts=options).get_current_revision()
    if current is not None and current not in revisions(schema):
        raise _error(f"its tables are at revision {current[:32]!r}, which is newer than this program")
    return current


def _config(schema: Schema) -> Config:
    config = Config()
    config.set_main_option("script_location", schema.migrations)
    config.set_main_option("path_separator", "os")
    return config


def _error(message: str) -> ConfigError:
    return ConfigError(f"the database: {message}", detail="database_schema")
