"""Generates the reference page of the public SQL from the database that it describes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import psycopg
from psycopg.rows import TupleRow

Connection: TypeAlias = psycopg.Connection[TupleRow]

EXAMPLE = "\nExample: "
CAST = re.compile(r"::[a-z ]+(\[\])?")
READER = "flowledger_reader"

INTRODUCTION = f"""\
# SQL

Everything in the schema `flowledger_v1` is public: views and functions that keep their names, their
columns and the meaning of these while the tables behind them change. Columns may be added at the
end. What cannot be kept will be in a schema `flowledger_v2`, beside this one. The schema
`flowledger` is the engine's own.

The role `{READER}` can read all of it and nothing else. It cannot log in: give it to
those who shall read (`grant {READER} to ann`). `flowledger db migrate` makes the role
where it may; where it may not, an administrator does (`create role {READER} nologin`),
and the owner of the schema then calls `select flowledger.grant_to_reader()`.

Nothing is granted to PUBLIC. Who shall read one view only is granted `usage` on the schema and
`select` on the view; each function needs `execute` of its own, and most tell of all tasks.

Functions on one task are look-ups by key, whatever the number of tasks; so are views that are asked
for a key, and a view that is asked for everything reads everything.

This page is printed by `flowledger db reference`.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a view or of a function's rows; functions cannot say what theirs mean."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Described:
    """A view or a function of the public schema.

    `takes` are a function's arguments, `returns` is what it returns where that is no table.
    """

    kind: str
    name: str
    takes: str | None
    returns: str | None
    comment: str
    columns: Sequence[Column]

    @property
    def meaning(self) -> str:
        """The comment without its example."""
        return self.comment.partition(EXAMPLE)[0]

    @property
    def example(self) -> str:
        """A statement that uses it; empty where none is given."""
        return self.comment.partition(EXAMPLE)[2]


def described(connection: Connection) -> list[Described]:
    """Everything in the public schema: the views by name, then the functions by name."""
    rows = connection.execute("select * from flowledger.describe_public_schema()").fetchall()
    return [_described(row) for row in rows]


def sql_reference(connection: Connection) -> str:
    """The reference page in Markdown, of a database that is migrated."""
    found = described(connection)
    views = [_section(one) for one in found if one.kind == "view"]
    functions = [_section(one) for one in found if one.kind == "function"]
    return "\n".join([INTRODUCTION, "## Views\n", *views, "## Functions\n", *functions])


def _described(row: TupleRow) -> Described:
    kind, name, takes, returns, comment, columns = row
    listed = cast("list[tuple[str, str, str]]", columns)
    return Described(kind, name, takes, returns, comment, [Column(*column) for column in listed])


def _section(one: Described) -> str:
    head = one.name if one.takes is None else f"{one.name}({_arguments(one.takes)})"
    example = f"```sql\n{one.example}\n```\n" if one.example else ""
    returned = f"Returns `{one.returns}`.\n" if one.returns else ""
    return "\n".join(
        part
        for part in (f"### {head}\n", f"{one.meaning}\n", example, returned, _table(one))
        if part
    )


def _arguments(takes: str) -> str:
    """`most integer DEFAULT 5` as people write it, without the casts that the server adds."""
    return (
        CAST.sub("", takes).replace(" DEFAULT NULL", " default null").replace("DEFAULT", "default")
    )


def _table(one: Described) -> str:
    if not one.columns:
        return ""
    if one.kind == "function":
        rows = [f"| `{c.name}` | {c.type} |" for c in one.columns]
        return "\n".join(["| column | type |", "| --- | --- |", *rows, ""])
    rows = [f"| `{c.name}` | {c.type} | {c.meaning} |" for c in one.columns]
    return "\n".join(["| column | type | meaning |", "| --- | --- | --- |", *rows, ""])
