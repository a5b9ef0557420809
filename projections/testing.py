"""What the author of a projection tests it with: given events, expect rows, and three promises.

    case = Case(CustomerSpend, database_url)
    case.given(history).expect("spend", [("ann", 1999)])
    case.check(history)

`check` applies the events in one batch, one by one, and in batches of other sizes, each in a schema
of its own; twice from the start; and with a crash before and after every commit. All of that must
give the same rows. The database must be one that the engine has prepared; everything happens in
schemas that are dropped again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from flowledger.engine.domain.event import Event
from flowledger.engine.ports import Recorded
from flowledger.projections.applying import Applying
from flowledger.projections.cursor import HostConnection
from flowledger.projections.projection import PLACE, Projection, instance_of

SIZES = (1, 2, 3, 7)
"""Batches that are tried beside all events at once."""

Rows = list[TupleRow]
Tables = Mapping[str, Rows]


class Case:
    """A projection with a database to try it in."""

    def __init__(self, projection: Projection | type[Projection], url: str) -> None:
        self.projection = instance_of(projection)
        self._applying = Applying(self.projection)
        self._url = url

    def given(self, events: Iterable[Event | Recorded]) -> Outcome:
        """What the projection makes of these events, in the order in which they are given."""
        return Outcome(self.tables(recorded(events)))

    def check(self, events: Iterable[Event | Recorded]) -> None:
        """Hold the projection to its promises. Raises AssertionError that names the broken one."""
        given = recorded(events)
        expected = self.tables(given)
        again = self.tables(given)
        _same(expected, again, "built a second time from the start it has other rows")
        for size in SIZES:
            cut = self.tables(given, size)
            _same(expected, cut, f"in batches of {size} it has other rows than in one")
        for crash in range(0, len(given), max(1, len(given) // len(SIZES))):
            crashed = self.tables(given, 1, crash_at=crash)
            _same(expected, crashed, f"after a crash at event {crash + 1} it has other rows")

    def tables(
        self, events: Sequence[Recorded], size: int | None = None, crash_at: int | None = None
    ) -> Tables:
        """The rows of every table after these events, in batches of a size (None: all in one).

        With `crash_at`, the batch of that event is applied, thrown away, and applied again.
        """
        batches = _cut(events, size or max(1, len(events)))
        with self._schema() as (connection, schema):
            for number, batch in enumerate(batches):
                if number == crash_at:
                    self._crash(connection, schema, batch)
                self._commit(connection, schema, batch)
            return _tables_of(connection, schema)

    def _crash(self, connection: HostConnection, schema: str, batch: Sequence[Recorded]) -> None:
        """As when the process dies right before the commit."""
        with connection.transaction(force_rollback=True):
            self._apply(connection, schema, batch)

    def _commit(self, connection: HostConnection, schema: str, batch: Sequence[Recorded]) -> None:
        with connection.transaction():
            self._apply(connection, schema, batch)

    def _apply(self, connection: HostConnection, schema: str, batch: Sequence[Recorded]) -> None:
        path = sql.SQL("set local search_path = {}, pg_temp").format(sql.Identifier(schema))
        connection.execute(path)
        with connection.lend(self.projection.name) as cursor:
            self._applying.apply(batch, cursor, None)

    @contextmanager
    def _schema(self) -> Generator[tuple[HostConnection, str]]:
        schema = f"{self.projection.name}_try_{uuid4().hex[:12]}"
        name = sql.Identifier(schema)
        with HostConnection.connect(self._url, autocommit=True) as connection:
            connection.execute(sql.SQL("create schema {}").format(name))
            try:
                tables = self.projection.tables.replace(PLACE, name.as_string(connection))
                connection.execute(tables.encode())
                yield connection, schema
            finally:
                connection.execute(sql.SQL("drop schema {} cascade").format(name))


class Outcome:
    """The tables that came of some events."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    def rows(self, table: str) -> Rows:
        """The rows of a table, sorted. Raises AssertionError where there is no such table."""
        assert table in self.tables, f"there is no table {table!r}: {', '.join(self.tables)}"  # noqa: S101
        return self.tables[table]

    def expect(self, table: str, rows: Iterable[Sequence[Any]]) -> Outcome:
        """Raise AssertionError unless the table has just these rows, in whatever order."""
        found, wanted = self.rows(table), sorted((tuple(row) for row in rows), key=repr)
        assert found == wanted, f"{table} has {found}, and not {wanted}"  # noqa: S101
        return self


def recorded(events: Iterable[Event | Recorded]) -> list[Recorded]:
    """Events with places in a log that has nothing else; those that have a place keep it."""
    return [
        event if isinstance(event, Recorded) else Recorded(number, event.occurred_at, event)
        for number, event in enumerate(events, start=1)
    ]


def _cut(events: Sequence[Recorded], size: int) -> list[Sequence[Recorded]]:
    return [events[start : start + size] for start in range(0, len(events), size)]


def _tables_of(connection: psycopg.Connection[TupleRow], schema: str) -> Tables:
    names = connection.execute(
        "select tablename from pg_tables where schemaname = %s order by 1", (schema,)
    ).fetchall()
    select = sql.SQL("select * from {}.{}")
    return {
        name: sorted(
            connection.execute(
                select.format(sql.Identifier(schema), sql.Identifier(name))
            ).fetchall(),
            key=repr,
        )
        for (name,) in names
    }


def _same(expected: Tables, found: Tables, promise: str) -> None:
    for table, rows in expected.items():
        others = found[table]
        assert rows == others, (  # noqa: S101
            f"{table}: {promise}: {_only(rows, others)} against {_only(others, rows)}"
        )


def _only(rows: Rows, others: Rows) -> list[TupleRow]:
    return [row for row in rows if row not in others][:5]


__all__ = ["Case", "Outcome", "recorded"]
