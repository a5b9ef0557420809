"""Logins of few rights, each with a database role of its own that is gone when the test ends."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from uuid import uuid4

import psycopg
from psycopg import conninfo, sql
from psycopg.rows import TupleRow

Connection = psycopg.Connection[TupleRow]

PASSWORD = "few rights"  # noqa: S105 - of roles that live as long as a test


class Logins:
    """Makes logins on the server of a database; whoever owns the database takes them away."""

    def __init__(self, url: str, opened: ExitStack) -> None:
        self.url = url
        self._opened = opened
        self._admin = opened.enter_context(psycopg.connect(url, autocommit=True))

    def new(self, *roles: str) -> str:
        """The address for a new login that is a member of these roles."""
        name = f"flowledger_test_{uuid4().hex[:12]}"
        login = sql.Identifier(name)
        self.execute(
            sql.SQL("create role {} login password {}").format(login, sql.Literal(PASSWORD))
        )
        self._opened.callback(self._drop, login)
        for role in roles:
            self.execute(sql.SQL("grant {} to {}").format(sql.Identifier(role), login))
        return with_login(self.url, name)

    def execute(self, statement: sql.Composable | str) -> None:
        """Run a statement as whoever owns the database."""
        text = statement if isinstance(statement, str) else statement.as_string(self._admin)
        self._admin.execute(text.encode())

    def _drop(self, login: sql.Identifier) -> None:
        self.execute(sql.SQL("drop owned by {} cascade").format(login))
        self.execute(sql.SQL("drop role {}").format(login))


def with_login(url: str, name: str) -> str:
    """The address with another user."""
    return conninfo.make_conninfo(url, user=name, password=PASSWORD)


def name_of(url: str) -> str:
    """The login of an address."""
    return str(conninfo.conninfo_to_dict(url)["user"])


@contextmanager
def logins_on(url: str) -> Generator[Logins]:
    """Logins on a database."""
    with ExitStack() as opened:
        yield Logins(url, opened)
