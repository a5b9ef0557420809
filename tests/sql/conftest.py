"""Two connections to one database."""

from __future__ import annotations

from collections.abc import Generator

import psycopg
import pytest

from support.sql_calls import Connection, Others


@pytest.fixture
def other(database: str) -> Generator[Connection]:
    """A second autocommit connection to this test's database."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def others(database: str) -> Others:
    """More of them."""
    return Others(database)
