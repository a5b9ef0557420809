"""A migration, and the event that says who brought the schema to which release, and why."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from flowledger.engine.domain.argument_checks import check_request
from flowledger.engine.events.engine_actions import SchemaMigrated
from flowledger.engine.store.connection.pool import Connection
from flowledger.engine.store.engine_action_log import EngineLog
from flowledger.engine.store.schema.migrate import migrate

ENGINE = "engine"
BEHIND = "the schema was not that of this release"
FIRST = "migrations/0001_"


def upgrade(connection: Connection, *, actor: str = ENGINE, reason: str = BEHIND) -> list[str]:
    """Apply what is pending, as `migrate` does, and append what was done to the log.

    A schema that is new is not an event of its own: its tables say when they were made. The event
    is a transaction after the migration's: one that asked for the log while it has tables locked
    would wait for whoever has the log and waits for these tables.
    Raises as `migrate` does; InvalidRequest, before all else, for words that say nothing.
    """
    check_request(SchemaMigrated.topic, {"reason": reason, "actor": actor}, None)
    files = migrate(connection)
    if is_recorded(files):
        with connection.transaction():
            EngineLog().append(
                connection,
                SchemaMigrated,
                release=version("flowledger"),
                files=tuple(files),
                actor=actor,
                reason=reason,
            )
    return files


def is_recorded(files: Sequence[str]) -> bool:
    """Whether applying these is an event: not where none was, or they made the schema."""
    return bool(files) and not any(path.startswith(FIRST) for path in files)
