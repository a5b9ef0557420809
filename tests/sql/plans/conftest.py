"""A database with a long log, and the ways in which a server may plan for it."""

from __future__ import annotations

from collections.abc import Generator
from itertools import islice

import psycopg
import pytest

from support.databases import database_on
from support.query_plans import history, tasks
from support.sql_calls import Connection, append


@pytest.fixture
def database(server: str, template: str) -> Generator[str]:
    """The URL of a database that nobody had before: what a plan reads depends on what was there."""
    with database_on(server, f"{template}_plans", template) as url:
        yield url


@pytest.fixture
def connection(database: str) -> Generator[Connection]:
    """An autocommit connection to this test's database."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def long_log(server: str, template: str) -> Generator[Connection]:
    """A connection to a database whose log has 100 000 events, analyzed. For reading."""
    name = f"{template}_long_log"
    with (
        database_on(server, name, template) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        rows = (row for task in tasks() for row in history(task))
        while batch := list(islice(rows, 10_000)):
            append(connection, *batch)
        connection.execute("analyze")
        yield connection


@pytest.fixture(params=["auto", "force_generic_plan", "force_custom_plan"])
def mode(request: pytest.FixtureRequest) -> str:
    """How the server plans prepared statements."""
    return request.param  # type: ignore[no-any-return]
