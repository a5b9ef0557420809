"""A database that tests have one after another, each as if it had just been made.

A test of a function takes a few milliseconds; a new database and a session that knows its tables
take twenty. So what a test has left is taken away again, as long as that are only rows. After a
test that changed anything else, or left somebody connected, the next one gets a new database.
"""

from __future__ import annotations

from contextlib import ExitStack
from itertools import count
from time import monotonic
from typing import Any

import psycopg
from psycopg.rows import TupleRow, tuple_row

from support.databases import database_on

Connection = psycopg.Connection[TupleRow]

MADE_OF = (
    "pg_class",
    "pg_attribute",
    "pg_attrdef",
    "pg_proc",
    "pg_type",
    "pg_trigger",
    "pg_constraint",
    "pg_rewrite",
    "pg_policy",
    "pg_namespace",
    "pg_default_acl",
    "pg_event_trigger",
    "pg_statistic",
    "pg_shdepend",
    "pg_db_role_setting",
    "pg_auth_members",
    "flowledger.migration",
    "flowledger.applied_file",
)
"""Tables that say what the database is; a row that is changed has another `xmin`."""

WHAT_IT_IS = " union all ".join(
    [
        "select count(*), sum(oid::bigint) from pg_roles",
        *(f"select count(*), sum(xmin::text::bigint) from {table}" for table in MADE_OF),  # noqa: S608
    ]
)
OTHERS = """
select count(*) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
"""
TABLES = """
select format('%%I.%%I', n.nspname, c.relname)
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where n.nspname like 'flowledger%%' and c.relkind = %s
    and c.relname not in ('migration', 'applied_file')
order by 1
"""

LEAVE_SECONDS = 0.2
MOST_LOANS = 100
"""After so many, what was deleted from its tables is in the way."""

_numbers = count()


class ReusedDatabase:
    """Lends its database to one test at a time."""

    def __init__(self, server: str, template: str) -> None:
        self._server = server
        self._template = template
        self._made = ExitStack()
        self._loans = 0
        self.url = ""
        self._session: Connection | None = None
        self._emptied = b""
        self._is: list[Any] = []

    def close(self) -> None:
        """Give the database up."""
        self.url, self._session = "", None
        self._made.close()

    def lend(self) -> str:
        """Its URL: nobody else is connected, and nothing was done there."""
        if not self.url:
            name = f"{self._template}_lent_{next(_numbers)}"
            self.url = self._made.enter_context(database_on(self._server, name, self._template))
            connection = psycopg.connect(self.url, autocommit=True)
            self._session = self._made.enter_context(connection)
            self._is = connection.execute(WHAT_IT_IS).fetchall()
            self._emptied = emptying(connection)
            self._loans = 0
        self._loans += 1
        return self.url

    def session(self) -> Connection:
        """An autocommit connection to what was lent, as if it were new."""
        assert self._session is not None, "it was not lent"
        return self._session

    def take_back(self) -> None:
        """Leave nothing in it of what was done, or give it up."""
        if self._session is None or self._loans == MOST_LOANS or not self._restored(self._session):
            self.close()

    def _restored(self, session: Connection) -> bool:
        try:
            session.rollback()
            session.autocommit, session.row_factory = True, tuple_row
            # psycopg forgets what it had prepared after a statement that is new to it
            session.execute(f"rollback -- {next(_numbers)}".encode())
            session.execute("discard all", prepare=False)
            if not is_alone(session):
                return False
            if session.execute(WHAT_IT_IS, prepare=False).fetchall() != self._is:
                return False
            session.execute(self._emptied, prepare=False)
        except psycopg.Error:
            return False
        return True


def is_alone(session: Connection) -> bool:
    """Whether everybody else leaves who was connected, which takes the server a moment."""
    deadline = monotonic() + LEAVE_SECONDS
    while session.execute(OTHERS, prepare=False).fetchall() != [(0,)]:
        if monotonic() > deadline:
            return False
    return True


def emptying(session: Connection) -> bytes:
    """Statements after which the tables and sequences are as they are now."""
    tables = [name for (name,) in session.execute(TABLES, ("r",))]
    words = ["set lock_timeout = '5s'", "set session_replication_role = replica"]
    for place in tables:
        words.append(f"delete from {place}")  # noqa: S608
        rows = session.execute(f"select json_agg(t)::text from {place} as t".encode()).fetchall()  # noqa: S608
        if rows[0][0] is not None:
            values = psycopg.sql.Literal(rows[0][0]).as_string(session)
            words.append(
                f"insert into {place} overriding system value"  # noqa: S608
                f" select * from json_populate_recordset(null::{place}, {values})"
            )
    for (name,) in session.execute(TABLES, ("S",)):
        words.append(f"select setval('{name}', 1, false)")
    words += ["reset session_replication_role", "reset lock_timeout"]
    return "; ".join(words).encode()
