"""Generations of projections as rows, for tests that call the functions of the schema."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from psycopg import sql

from support.sql_calls import Connection, Row, append, call, new_id

SPEND = "create table {schema}.spend (customer text primary key, cents bigint not null)"
HOST, OTHER_HOST = new_id(), new_id()


def make(  # noqa: PLR0913 - as the function
    connection: Connection,
    name: str = "money",
    version: int = 1,
    tables: str = SPEND,
    *,
    anew: bool = False,
    own_role: bool = True,
) -> Any:
    """The generation of a version, made where it is missing."""
    return call(connection, "create_generation", name, version, tables, anew, own_role)[0]


def lead(connection: Connection, generation: int = 1, name: str = "money") -> int:
    """The epoch in which `HOST` leads a generation."""
    epoch: int = call(connection, "acquire_generation_lease", name, generation, HOST, 60.0)[0][0]
    return epoch


def advance(connection: Connection, to: int, generation: int = 1, name: str = "money") -> None:
    """Move a generation on, as its leader does."""
    epoch, old = call(connection, "acquire_generation_lease", name, generation, HOST, 60.0)[0][:2]
    call(connection, "advance_generation_position", name, generation, epoch, old, to)


def attend(connection: Connection) -> None:
    """`HOST` is there for long."""
    call(connection, "heartbeat_projection_host", HOST, "server", 7, 36_000.0)


def happen(connection: Connection, events: int) -> int:
    """That many events are recorded; the last position."""
    return append(connection, *(Row(new_id()) for _ in range(events)))[-1]


def later(connection: Connection, seconds: float) -> None:
    """Time goes by."""
    call(connection, "advance_test_clock", timedelta(seconds=seconds))


def row(connection: Connection, *columns: str, generation: int = 1, name: str = "money") -> Any:
    """Columns of a generation; a single one without its tuple, None where there is none."""
    query = sql.SQL(
        "select {} from flowledger.projection where name = %s and generation = %s"
    ).format(sql.SQL(", ").join(map(sql.Identifier, columns)))
    found = connection.execute(query, (name, generation)).fetchone()
    return found[0] if found is not None and len(found) == 1 else found


def schemas(connection: Connection, name: str = "money") -> list[str]:
    """The schemas of a projection: that of its views, and one for each generation."""
    query = "select nspname from pg_namespace where nspname like %s || '%%' order by 1"
    return [found for (found,) in connection.execute(query, (name,))]


def park(
    connection: Connection,
    *positions: int,
    generation: int = 1,
    task: Any = None,
    traceback: str | None = None,
) -> None:
    """Put events aside, with the task that is given, or none."""
    tasks = [task] * len(positions)
    errors = ["broken"] * len(positions)
    tracebacks = [traceback] * len(positions)
    connection.execute(
        "select flowledger.park_events"
        "('money', %s, %s::bigint[], %s::uuid[], %s::text[], %s::text[])",
        (generation, list(positions), tasks, errors, tracebacks),
    )
