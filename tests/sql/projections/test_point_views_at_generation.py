"""point_views_at_generation: the views of a projection are over the tables of a generation."""

from __future__ import annotations

import psycopg
import pytest

from support.generation_rows import SPEND, make
from support.sql_calls import Connection, call


def views(connection: Connection) -> list[str]:
    found = connection.execute(
        "select viewname from pg_views where schemaname = 'money' order by 1"
    )
    return [name for (name,) in found]


def show(connection: Connection, generation: int = 2) -> None:
    call(connection, "point_views_at_generation", "money", generation)


def test_each_table_and_view_of_the_generation_is_there(connection: Connection) -> None:
    make(connection, tables=f"{SPEND}; create view {{schema}}.rich as select 1 as customer")

    assert views(connection) == ["rich", "spend"]


def test_a_view_whose_columns_stay_keeps_its_grants_and_what_depends_on_it(
    connection: Connection,
) -> None:
    make(connection)
    connection.execute("grant select on money.spend to public")
    connection.execute("create view poor as select customer from money.spend where cents < 100")
    make(connection, version=2, tables=SPEND)
    connection.execute("insert into money__2.spend values ('ann', 5)")

    show(connection)

    assert connection.execute("select * from poor").fetchall() == [("ann",)]
    granted = "select has_table_privilege('pg_monitor', 'money.spend', 'select')"
    assert connection.execute(granted).fetchone() == (True,)


def test_a_view_whose_columns_change_is_made_anew(connection: Connection) -> None:
    make(connection)
    make(connection, version=2, tables="create table {schema}.spend (euros numeric)")

    show(connection)

    columns = connection.execute("select * from money.spend").description or []
    assert [column.name for column in columns] == ["euros"]


def test_a_view_that_the_generation_has_not_goes_and_one_that_it_has_comes(
    connection: Connection,
) -> None:
    make(connection)
    make(connection, version=2, tables="create table {schema}.earned (cents bigint)")

    show(connection)

    assert views(connection) == ["earned"]


@pytest.mark.parametrize("tables", ["create table {schema}.spend (euros numeric)", ""])
def test_a_view_that_must_go_stays_where_something_depends_on_it(
    connection: Connection, tables: str
) -> None:
    make(connection)
    connection.execute("create view poor as select customer from money.spend where cents < 100")
    make(connection, version=2, tables=tables)

    with pytest.raises(psycopg.DatabaseError, match="something depends on it") as caught:
        show(connection)

    assert caught.value.sqlstate == "FL008"
    assert views(connection) == ["spend"]
    assert connection.execute("select * from poor").fetchall() == []


def test_odd_names_of_tables_are_quoted(connection: Connection) -> None:
    make(connection, tables='create table {schema}."Spend it; all" ("Cents" bigint)')

    assert views(connection) == ["Spend it; all"]
