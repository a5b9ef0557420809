"""Compares what is in the schema flowledger with what this release makes there.

Each function, view, trigger and table is held against the text of its file or a list, so that
whoever may read the schema can compare: nothing is applied. What was added beside them is named
too, also rules, which change what a statement does, and row security, which hides rows. So is what
somebody was granted and should not have been, and what stands between the tables of projections and
their readers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from flowledger.engine.domain.verify.replay_and_compare_rows import Difference
from flowledger.engine.ports.verification import Finding
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.pool import Connection, Pool
from flowledger.engine.store.schema.function_definitions import other_functions, other_objects
from flowledger.engine.store.schema.migrate import SqlFile, packaged
from flowledger.engine.store.schema.table_parts import (
    PARTS,
    other_parts,
    parts_of,
    shipped_parts,
)

FOLDER = "functions/"
PLACE = "the schema flowledger"
RELEASE = "this release"
SCHEMA = "flowledger"
GUARD = "event_is_append_only on event"
"""The trigger that is the guard of the log, which is looked at with the log."""

EVENTS = ("insert", "delete", "update", "truncate")
"""In the order in which the server names them."""

_TRIGGER = re.compile(
    r"^create or replace trigger (\w+)\s+(before|after) ([a-z ]+?)\s+on flowledger\.(\w+)(.*?);",
    re.DOTALL | re.M,
)
TRIGGERS = b"""
select t.tgname || ' on ' || c.relname, pg_get_triggerdef(t.oid), t.tgenabled in ('O', 'A')
from pg_trigger as t
join pg_class as c on c.oid = t.tgrelid
where c.relnamespace = 'flowledger'::regnamespace and not t.tgisinternal
"""
ADDED = b"""
select 'rule ' || r.rulename || ' on ' || c.relname
from pg_rewrite as r
join pg_class as c on c.oid = r.ev_class
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname in ('flowledger', 'flowledger_v1') and r.rulename <> '_RETURN'
union all
select 'row security on ' || c.relname
from pg_class as c
where c.relnamespace = 'flowledger'::regnamespace and c.relrowsecurity
order by 1
"""
# An engine's sessions read by indexes, and a catalogue is small and read to its end.
READ_WHOLE = b"set local enable_seqscan = on"
FAULTS = """
select * from flowledger.excess_grants()
union all
select * from flowledger.excess_memberships()
union all
select * from flowledger.excess_grants_on_projections()
union all
select * from flowledger.projection_view_faults()
union all
select * from flowledger.ties_to_tables()
"""


class InternalSchemaCheck:
    """Functions and triggers that differ from this release's, and what was added to them."""

    name = "schema"

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def check(self, task: UUID | None) -> Iterator[Finding]:
        """As `Check.check`; nothing for one task."""
        if task is not None:
            return
        with (
            translate_errors(),
            self._pool.connection() as connection,
            connection.transaction(),
        ):
            connection.execute(READ_WHOLE)
            found = [*_objects(connection), *_triggers(connection), *_added(connection)]
            found += _tables(connection)
            faults = connection.execute(FAULTS).fetchall()
        yield from found
        for subject, field, expected, stored, place in faults:
            yield Difference(subject, field, expected, stored, place, RELEASE)


@cache
def shipped_triggers(files: tuple[SqlFile, ...]) -> Mapping[str, str]:
    """The triggers of the schema flowledger by name and table, as the server describes them."""
    made: dict[str, str] = {}
    for text in _texts(files):
        for name, moment, events, table, rest in _TRIGGER.findall(text):
            ordered = " or ".join(sorted(events.split(" or "), key=EVENTS.index))
            words = f"create trigger {name} {moment} {ordered} on flowledger.{table} {rest}"
            made[f"{name} on {table}"] = _plain(words)
    return made


def _texts(files: Iterable[SqlFile]) -> Iterator[str]:
    return (file.text.decode() for file in files if file.path.startswith(FOLDER))


def _objects(connection: Connection) -> Iterator[Difference]:
    for others in (other_functions, other_objects):
        for subject, expected, found in others(connection, SCHEMA):
            yield _difference(subject, expected, found)


def _triggers(connection: Connection) -> Iterator[Difference]:
    shipped = shipped_triggers(packaged())
    stored = {name: (_plain(text), on) for name, text, on in _rows(connection, TRIGGERS)}
    for name in sorted({*shipped, *stored} - {GUARD}):
        if name not in shipped:
            yield _difference(f"trigger {name}", "none", "there")
        elif stored.get(name) != (shipped[name], True):
            seen = "disabled, dropped or another"
            yield _difference(f"trigger {name}", "that of its file", seen)


def _tables(connection: Connection) -> Iterator[Difference]:
    stored = parts_of(connection.execute(PARTS, (SCHEMA,)).fetchall())
    for subject, expected, found in other_parts(shipped_parts(), stored):
        yield _difference(subject, expected, found)


def _added(connection: Connection) -> Iterator[Difference]:
    for (name,) in _rows(connection, ADDED):
        yield _difference(name, "none", "there")


def _rows(connection: Connection, query: bytes) -> Sequence[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


def _difference(subject: str, expected: str, found: str) -> Difference:
    return Difference(subject, "definition", expected, found, PLACE, RELEASE)


def _plain(words: str) -> str:
    """A definition without what does not matter: case, white space, parentheses."""
    return " ".join(re.sub(r"[()]", " ", words).lower().split())
