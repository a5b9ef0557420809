"""Pages for users send them to the public schema, and to nothing in it that there is not."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if page.name != "architecture.md"
]
TABLES = """
    select c.relname from pg_class as c
    where c.relnamespace = 'flowledger'::regnamespace and c.relkind in ('r', 'p', 'v')
"""
PUBLIC = "select relname from pg_class where relnamespace = 'flowledger_v1'::regnamespace"
FUNCTIONS = "select proname from pg_proc where pronamespace = 'flowledger_v1'::regnamespace"


def names(connection: psycopg.Connection, query: str) -> set[str]:
    return {name for (name,) in connection.execute(query.encode()).fetchall()}


def for_readers(page: Path) -> str:
    """A page without the table of what `verify` compares, and without drawings."""
    text = re.sub(r"^```text\n.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    before, heading, after = text.partition("| held against the log |")
    return before + after.partition("\n\n")[2] if heading else before


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_page_sends_readers_to_a_private_table(
    page: Path, connection: psycopg.Connection
) -> None:
    text = for_readers(page)
    code = set(re.findall(r"^(?:from|import) flowledger\.(\w+)", text, re.MULTILINE))
    named = set(re.findall(r"\bflowledger\.(\w+)\b(?![.(:])", text)) - code

    assert named & names(connection, TABLES) - {"worker", "coordinator"} == set()
    assert not re.findall(r"(?:from|join)\s+flowledger\.\w+\s+(?:where|as|order|;)", text)


def test_a_page_that_names_a_worker_means_a_logger() -> None:
    naming = {
        page.stem
        for page in PAGES
        if re.search(r"`flowledger\.(worker|coordinator)`", for_readers(page))
    }

    assert naming <= {"telemetry"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_names_of_the_public_schema_exists(
    page: Path, connection: psycopg.Connection
) -> None:
    named = set(re.findall(r"\bflowledger_v1\.(\w+)", page.read_text("utf-8")))

    assert named - names(connection, PUBLIC) - names(connection, FUNCTIONS) == set()
