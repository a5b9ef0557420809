"""A test kit for authors of projections: given events, expect rows, check the promises.

    case = Case(CustomerSpend, database_url)
    case.given(history).expect("spend", [("ann", 1999)])
    case.check(history)

`check` applies the events in one batch, one by one, and in batches of other sizes, each in a schema
of its own; twice from the start; with every batch rolled back once and applied again, as when the
database refuses it for a moment; and with the process killed before each commit, so that whatever
the projection remembers is lost. Where it has `forget`, each task is forgotten and told again. All
of that must give the same rows. Methods run as the projection's own role, as with the host.

The database must be one that the engine has prepared; everything happens in schemas that are
dropped again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from flowledger.engine.events.base import Event, Recorded
from flowledger.engine.store.connection.open_connection import dial
from flowledger.projections.dispatch import Dispatcher
from flowledger.projections.projection import PLACE, Projection, instance_of
from flowledger.projections.restricted_cursor import HostConnection

SIZES = (1, 2, 3, 7)
"""Batches that are tried beside all events at once."""

Crash = Literal["rolled back", "killed"]
CRASHES: Mapping[Crash, str] = MappingProxyType(
    {
        "rolled back": "that are rolled back once",
        "killed": "before each of which the process is killed",
    }
)
ROLE = "select flowledger.ensure_projection_role(%s)"
ENTER = sql.SQL("set local search_path = {schema}, pg_temp; set local role {role}")

Rows = list[TupleRow]
Tables = Mapping[str, Rows]


class Case:
    """A projection with a database to try it in."""

    def __init__(self, projection: Projection | type[Projection], url: str) -> None:
        self._given = projection
        self.projection = instance_of(projection)
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
        for size in SIZES[::2]:
            for mishap, said in CRASHES.items():
                found = self.tables(given, size, mishap)
                _same(expected, found, f"in batches of {size} {said} it has other rows")
        if type(self.projection).forget is not Projection.forget:
            told = self.tables(given, forget=True)
            _same(expected, told, "of a task that is forgotten and told again it has other rows")

    def tables(
        self,
        events: Sequence[Recorded],
        size: int | None = None,
        mishap: Crash | None = None,
        *,
        forget: bool = False,
    ) -> Tables:
        """The rows of every table after these events, in batches of a size (None: all in one).

        With a mishap, it happens once to each batch, which is then applied again. With `forget`,
        the rows of each task are deleted in the end, and made anew.
        """
        with self._schema() as trial:
            for batch in _cut(events, size or max(1, len(events))):
                if mishap is not None:
                    trial.roll_back(batch)
                if mishap == "killed":
                    trial.projection = self._restarted()
                trial.commit(batch)
            if forget:
                for task, its in _by_task(events).items():
                    trial.commit(its, forget=task)
            return trial.tables()

    def _restarted(self) -> Projection:
        """As a new process has it."""
        return instance_of(self._given) if isinstance(self._given, type) else copy(self._given)

    @contextmanager
    def _schema(self) -> Generator[_Trial]:
        schema = f"{self.projection.name}_try_{uuid4().hex[:12]}"
        with dial(self._url, HostConnection) as connection:
            trial = _Trial(connection, schema, self.projection)
            trial.make()
            try:
                yield trial
            finally:
                trial.drop()


class _Trial:
    """A projection in a schema of its own, with the role that the host would give it."""

    def __init__(self, connection: HostConnection, schema: str, projection: Projection) -> None:
        self.projection = projection
        self._connection = connection
        self._name = schema
        self._schema = sql.Identifier(schema)
        self._role: sql.Composable = sql.SQL("none")

    def make(self) -> None:
        if not self.projection.builtin:
            rows = self._connection.execute(ROLE, (self.projection.name,)).fetchall()
            self._role = sql.Identifier(rows[0][0])
        owner = self._role if not self.projection.builtin else sql.SQL("current_user")
        create = sql.SQL("create schema {} authorization {}").format(self._schema, owner)
        self._connection.execute(create)
        tables = self.projection.tables.replace(PLACE, self._schema.as_string(self._connection))
        with self._connection.transaction():
            self._enter()
            self._connection.execute(tables.encode())

    def drop(self) -> None:
        self._connection.execute(sql.SQL("drop schema {} cascade").format(self._schema))

    def roll_back(self, batch: Sequence[Recorded]) -> None:
        """As when the process dies, or the database refuses, right before the commit."""
        with self._connection.transaction(force_rollback=True):
            self._apply(batch, None)

    def commit(self, batch: Sequence[Recorded], forget: UUID | None = None) -> None:
        with self._connection.transaction():
            self._apply(batch, forget)

    def tables(self) -> Tables:
        return _tables_of(self._connection, self._name)

    def _apply(self, batch: Sequence[Recorded], forget: UUID | None) -> None:
        self._enter()
        with self._connection.lend(self.projection.name) as cursor:
            if forget is not None:
                self.projection.forget([forget], cursor)
            applying = Dispatcher(self.projection)
            wanted = [one for one in batch if one.event.topic in applying.routes.topics]
            applying.apply(wanted, cursor, None)

    def _enter(self) -> None:
        self._connection.execute(ENTER.format(schema=self._schema, role=self._role))


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


def _by_task(events: Sequence[Recorded]) -> dict[UUID, list[Recorded]]:
    found: dict[UUID, list[Recorded]] = {}
    for one in events:
        task = getattr(one.event, "task_id", None)
        if task is not None:
            found.setdefault(task, []).append(one)
    return found


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


__all__ = ["Case", "Crash", "Outcome", "recorded"]
