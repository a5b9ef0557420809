"""Databases of tests, copied from one that is migrated or filled."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

Connection = psycopg.Connection[TupleRow]

_makers: dict[str, Connection] = {}


@contextmanager
def database_on(server: str, name: str, template: str = "template0") -> Generator[str]:
    """A copy of the template, to which nobody is connected: its URL. It goes in the end.

    It is a URL again, since users' settings are URLs.
    """
    create = sql.SQL("create database {} template {} strategy file_copy")
    drop = sql.SQL("drop database {} with (force)")
    _maker(server).execute(create.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        _maker(server).execute(drop.format(sql.Identifier(name)))


def _maker(server: str) -> Connection:
    """The connection that makes databases; one of a process, since each costs its server one."""
    known = _makers.get(server)
    if known is None or known.closed:
        known = _makers[server] = psycopg.connect(server, autocommit=True)
    return known


def close_makers() -> None:
    """Close what makes databases."""
    while _makers:
        _makers.popitem()[1].close()
