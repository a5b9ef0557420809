"""Compares functions, triggers and tables of the schema flowledger with the files of this release.

Each function is held against the text of its file, so that whoever may read the schema can compare:
nothing is applied. What was added beside them is named too: functions and triggers, rules, which
change what a statement does, and row security, which hides rows. So is what somebody was granted
and should not have been, and what stands between the tables of projections and their readers.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from flowledger.engine.domain.verify.replay_and_compare_rows import Difference
from flowledger.engine.ports.verification import Finding
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.pool import Connection, Pool
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
GUARD = "event_is_append_only on event"
"""The trigger that is the guard of the log, which is looked at with the log."""

VOLATILITY = {"immutable": "i", "stable": "s", "volatile": "v"}
EVENTS = ("insert", "delete", "update", "truncate")
"""In the order in which the server names them."""

_FUNCTION = re.compile(
    r"^create or replace function flowledger\.(\w+)\((.*?)\nas \$\$(.*?)\$\$;", re.DOTALL | re.M
)
_TRIGGER = re.compile(
    r"^create or replace trigger (\w+)\s+(before|after) ([a-z ]+?)\s+on flowledger\.(\w+)(.*?);",
    re.DOTALL | re.M,
)
FUNCTIONS = b"""
select p.proname, p.prosrc, l.lanname, p.provolatile, p.prosecdef, p.proisstrict,
    coalesce(array_to_string(p.proconfig, '; '), '')
from pg_proc as p
join pg_language as l on l.oid = p.prolang
where p.pronamespace = 'flowledger'::regnamespace
order by p.proname, p.oid
"""
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
RIGHTS = """
select * from flowledger.excess_grants()
union all
select * from flowledger.excess_memberships()
union all
select * from flowledger.excess_grants_on_projections()
union all
select * from flowledger.projection_view_faults()
"""


class Made(NamedTuple):
    """A function as its file makes it, or as it is stored; `config` is what it sets."""

    body: str
    language: str
    volatility: str
    definer: bool
    strict: bool
    config: str


class InternalSchemaCheck:
    """Functions and triggers that differ from this release's, and what was added to them."""

    name = "schema"

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def check(self, task: UUID | None) -> Iterator[Finding]:
        """As `Check.check`; nothing for one task."""
        if task is not None:
            return
        with translate_errors(), self._pool.connection() as connection:
            found = [*_functions(connection), *_triggers(connection), *_added(connection)]
            found += _tables(connection)
            rights = connection.execute(RIGHTS).fetchall()
        yield from found
        for subject, field, expected, stored, place in rights:
            yield Difference(subject, field, expected, stored, place, RELEASE)


@cache
def shipped_functions(files: tuple[SqlFile, ...]) -> Mapping[str, Made]:
    """The functions of the schema flowledger by name, as their files make them."""
    made: dict[str, Made] = {}
    for text in _texts(files):
        for name, head, body in _FUNCTION.findall(text):
            words = " ".join(head.split())
            volatility = next((kind for kind in VOLATILITY if f" {kind}" in words), "volatile")
            config = re.search(r" set (\w+) = ([\w, ]+)$", words)
            made[name] = Made(
                body=body,
                language=re.findall(r"language (\w+)", words)[-1],
                volatility=VOLATILITY[volatility],
                definer="security definer" in words,
                strict=bool(re.search(r" strict\b", words)),
                config=f"{config[1]}={config[2]}" if config else "",
            )
    return made


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


def _functions(connection: Connection) -> Iterator[Difference]:
    shipped = shipped_functions(packaged())
    stored: defaultdict[str, list[Made]] = defaultdict(list)
    for name, *made in _rows(connection, FUNCTIONS):
        stored[name].append(Made(*made))
    for name in sorted({*shipped, *stored}):
        its = stored.get(name, [])
        if name not in shipped:
            yield _difference(f"function {name}", "none", "there")
        elif its != [shipped[name]]:
            seen = "missing" if not its else "another" if len(its) == 1 else f"{len(its)} of them"
            yield _difference(f"function {name}", "that of its file", seen)


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
    stored = parts_of(connection.execute(PARTS, ("flowledger",)).fetchall())
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
