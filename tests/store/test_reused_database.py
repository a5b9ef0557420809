"""What tests have one after another is as if it had just been made, or is another."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

import psycopg
import pytest

from support.reused_database import ReusedDatabase
from support.sql_calls import Row, append, new_id

WHAT_IS_SET = "set application_name = 'mine'", "set role pg_monitor", "begin"
EVENT = Row(new_id())


@pytest.fixture
def lent(server: str, template: str) -> Generator[ReusedDatabase]:
    """One of this test's own."""
    with closing(ReusedDatabase(server, template)) as lent:
        yield lent


def contents(lent: ReusedDatabase) -> list[object]:
    queries = (
        "select count(*) from flowledger.event",
        "select last_value, is_called from flowledger.event_notification_id_seq",
        "select row(s.*)::text from flowledger.shard as s",
        "select current_user, current_setting('application_name')",
        "select now() = statement_timestamp()",
    )
    return [lent.session().execute(query.encode()).fetchall() for query in queries]


def test_rows_numbers_and_what_a_session_had_set_are_gone(lent: ReusedDatabase) -> None:
    url, before = lent.lend(), contents(lent)
    append(lent.session(), EVENT)
    lent.session().execute("update flowledger.shard set leader = gen_random_uuid()")
    assert contents(lent)[:3] != before[:3]
    for statement in WHAT_IS_SET:
        lent.session().execute(statement.encode())

    lent.take_back()

    assert lent.lend() == url
    assert contents(lent) == before
    for _ in range(10):  # so often that psycopg prepares it
        append(lent.session(), EVENT.at(1, stream=new_id()))


@pytest.mark.parametrize(
    "statement",
    [
        "create table public.more ()",
        "alter table flowledger.event disable trigger user",
        "create or replace function flowledger.clock() returns timestamptz language sql stable"
        " as 'select now()'",
        "grant select on flowledger.event to public",
        "analyze flowledger.event",
        "delete from flowledger.migration",
        "select pg_terminate_backend(pg_backend_pid())",
    ],
)
def test_after_anything_else_it_is_another(lent: ReusedDatabase, statement: str) -> None:
    url = lent.lend()
    append(lent.session(), EVENT)
    try:
        lent.session().execute(statement.encode())
    except psycopg.OperationalError:
        assert "terminate" in statement

    lent.take_back()

    assert lent.lend() != url
    assert lent.session().execute("select from flowledger.event").fetchall() == []


def test_where_somebody_stays_it_is_another(lent: ReusedDatabase) -> None:
    url = lent.lend()
    with psycopg.connect(url) as other:
        lent.take_back()
        assert lent.lend() != url
        with pytest.raises(psycopg.OperationalError):
            other.execute("select 1")
