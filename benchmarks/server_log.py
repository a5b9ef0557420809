"""Commits and statements as the log of a server of one's own has them.

The server's own counters learn of a session's commits up to ten seconds after it has gone idle; its
log has each statement at once. A statement outside of a transaction commits by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg

SETTINGS = {"autovacuum": "off", "log_statement": "all", "log_line_prefix": "%d %p "}
"""Nothing commits but who is measured, and each statement is logged with database and session."""

STATEMENT = re.compile(rb"(\S+) (\d+) LOG:  (?:statement|execute [^:]*): *(\w*)")
BEGIN, COMMIT, ROLLBACK = ({b"begin", b"start"}, {b"commit", b"end"}, {b"rollback", b"abort"})


def have_everything_logged(server_url: str) -> Path | None:
    """Have the server log what it is asked; its log, None where there is none beside its data."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        for name, value in SETTINGS.items():
            connection.execute(f"alter system set {name} = '{value}'")
        connection.execute("select pg_reload_conf()")
        row = connection.execute("show data_directory").fetchone()
    log = Path(row[0]) / "server.log" if row else None
    return log if log and log.exists() else None


def commits_and_statements(log: Path, database: str) -> tuple[int, int]:
    """How many of either were logged for a database so far; a rollback is no commit."""
    commits, statements, within = 0, 0, set[bytes]()
    for session, word in _statements(log, database):
        statements += 1
        if word in BEGIN:
            within.add(session)
        elif word in COMMIT or session not in within:
            within.discard(session)
            commits += 1
        elif word in ROLLBACK:
            within.discard(session)
    return commits, statements


def _statements(log: Path, database: str) -> Iterator[tuple[bytes, bytes]]:
    """Session and first word of each."""
    with log.open("rb") as rows:
        for row in rows:
            found = STATEMENT.match(row)
            if found and found[1] == database.encode():
                yield found[2], found[3].lower()
