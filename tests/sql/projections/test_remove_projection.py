"""remove_projection: a projection goes, with its tables, its views and what is noted of it."""

from __future__ import annotations

import psycopg
import pytest

from support.generation_rows import SPEND, attend, lead, make, park, row, schemas
from support.sql_calls import Connection, Others, call, table


def remove(connection: Connection) -> bool:
    return bool(call(connection, "remove_projection", "money")[0])


def test_everything_of_it_goes_and_nothing_of_others(connection: Connection) -> None:
    make(connection)
    make(connection, anew=True)
    park(connection, 1, 2)
    call(connection, "request_tasks_rebuild", "money", None, None)
    make(connection, name="moneybox")

    assert remove(connection)

    assert schemas(connection) == ["moneybox", "moneybox__1"]
    assert row(connection, "state") is None
    assert row(connection, "state", name="moneybox") == "serving"
    assert table(connection, "parked_event", "generation") == []
    assert table(connection, "projection_rebuild", "name") == []


def test_one_that_is_not_there_is_told(connection: Connection) -> None:
    assert not remove(connection)


def test_it_can_be_made_again_from_the_beginning(connection: Connection) -> None:
    make(connection, version=3)
    remove(connection)

    assert make(connection, version=1) == 1
    assert row(connection, "version", "position") == (1, 0)


def test_one_that_a_process_runs_stays(connection: Connection) -> None:
    make(connection)
    attend(connection)
    lead(connection)

    with pytest.raises(psycopg.DatabaseError, match="process 7 on server runs it") as caught:
        remove(connection)

    assert caught.value.sqlstate == "FL008"
    assert schemas(connection) == ["money", "money__1"]


def test_one_that_comes_with_the_engine_stays(connection: Connection) -> None:
    make(connection, own_role=False)

    with pytest.raises(psycopg.DatabaseError, match="it comes with the engine"):
        remove(connection)


def test_one_on_whose_rows_something_depends_stays(connection: Connection) -> None:
    make(connection)
    connection.execute("create view poor as select customer from money.spend where cents < 100")

    with pytest.raises(psycopg.DatabaseError, match="something depends on it") as caught:
        remove(connection)

    assert caught.value.sqlstate == "FL008"
    assert connection.execute("select * from poor").fetchall() == []
    assert row(connection, "state") == "serving"


def test_a_table_that_somebody_else_made_in_its_schema_stays(connection: Connection) -> None:
    make(connection, tables=SPEND)
    connection.execute("create table money.notes (text text)")

    with pytest.raises(psycopg.DatabaseError, match="something depends on it"):
        remove(connection)


def test_one_that_somebody_reads_is_not_waited_for(connection: Connection, others: Others) -> None:
    make(connection)
    with others.begin() as reader:
        reader.execute("select * from money.spend")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            remove(connection)

    assert remove(connection)
