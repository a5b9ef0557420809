"""views_and_sequences: what rows can be read from that is no table."""

from __future__ import annotations

import pytest

from support.sql_calls import Connection, call

MADE = """
    create schema shop;
    create sequence shop.number as smallint increment 2 minvalue 3 maxvalue 9 cache 5 cycle;
    create view shop.one with (security_invoker = true) as
        select nextval('shop.number') as number
        where true;
    create materialized view shop.kept as select 1 as one;
    create table shop.customer (id int primary key);
"""


def test_each_is_told_with_its_definition(connection: Connection) -> None:
    connection.execute(MADE)

    assert call(connection, "views_and_sequences", "shop") == [
        ("materialized view kept", "SELECT 1 AS one;"),
        ("sequence number", "smallint from 3 by 2 between 3 and 9, 5 at once, and around"),
        (
            "view one",
            "with (security_invoker=true) SELECT nextval('shop.number'::regclass) AS number"
            " WHERE true;",
        ),
    ]


def test_of_the_engine_there_are_views_and_the_sequences_of_columns(connection: Connection) -> None:
    found = dict(call(connection, "views_and_sequences", "flowledger"))

    assert found["view log_lock"] == "SELECT true AS one WHERE false;"
    assert found["sequence event_notification_id_seq"].startswith("bigint from 1 by 1 between 1 ")


@pytest.mark.parametrize("schema", ["flowledger", "flowledger_v1"])
def test_views_are_told_the_same_after_a_dump_was_restored(
    connection: Connection, schema: str
) -> None:
    told = call(connection, "views_and_sequences", schema)
    for name, definition in told:
        kind, _, view = name.partition(" ")
        if kind == "view":
            made = f'create or replace view {schema}."{view}" as {definition}'
            connection.execute(made.encode())

    assert call(connection, "views_and_sequences", schema) == told
