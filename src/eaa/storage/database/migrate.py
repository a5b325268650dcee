"""Bringing the tables to the state that this code knows."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from eaa.errors import ConfigError
from eaa.storage.database.backend import Backend

__all__ = ["require_current", "revisions", "upgrade"]

#: Of PostgreSQL's advisory locks: that of whoever changes our tables.
_LOCK = 0x656161_64  # "eaad"
_FOLDER = "eaa.storage.database:migrations"


def revisions() -> tuple[str, ...]:
    """All revisions of the tables, oldest first."""
    return tuple(
        script.revision for script in reversed(list(ScriptDirectory.from_config(_config()).walk_revisions()))
    )


async def upgrade(backend: Backend, revision: str = "head") -> None:
    """Migrate to ``revision`` if the tables are older; others that start at the same time wait.

    Raises:
        ConfigError: ``config.database_schema``: the tables are newer than this code.
        StorageError: as the database does; the tables are then as they were.
    """
    await backend.write(lambda connection: _upgrade(connection, revision))


async def require_current(backend: Backend) -> None:
    """Raises ``ConfigError``, ``config.database_schema``, unless the tables are as this code knows them."""
    await backend.write(_require_current)


def _upgrade(connection: Connection, revision: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    if _current(connection) != revisions()[-1]:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def _require_current(connection: Connection) -> None:
    current, newest = _current(connection), revisions()[-1]
    if current != newest:
        raise _error(f"its tables are at revision {current}, expected {newest}: migrate it")


def _current(connection: Connection) -> str | None:
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in revisions():
        raise _error(f"its tables are at revision {current[:32]!r}, which is newer than this program")
    return current


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", _FOLDER)
    config.set_main_option("path_separator", "os")
    return config


def _error(message: str) -> ConfigError:
    return ConfigError(f"the database: {message}", detail="database_schema")
