"""parts_of_tables: what the tables of a schema are made of."""

from __future__ import annotations

from support.sql_calls import Connection, call

TABLES = """
    create schema shop;
    create table shop.customer (id int primary key);
    create unlogged table shop.spend (
        "Number" bigint generated always as identity,
        customer int not null references shop.customer,
        cents numeric(9, 2) default 0 check (cents >= 0),
        euros numeric generated always as (cents / 100) stored
    );
    create index by_customer on shop.spend (customer);
    create trigger guard before delete on shop.spend
        execute function flowledger.refuse_log_change();
    alter table shop.spend disable trigger guard;
"""


def test_each_part_of_a_table_is_told_with_its_definition(connection: Connection) -> None:
    connection.execute(TABLES)

    found = {
        part: definition
        for relation, part, definition in call(connection, "parts_of_tables", "shop")
        if relation == "spend"
    }

    assert found == {
        "table": "not logged",
        "column Number": "bigint not null generated always as identity",
        "column customer": "integer not null",
        "column cents": "numeric(9,2) default 0",
        "column euros": "numeric generated (cents / (100)::numeric)",
        "constraint spend_cents_check": "CHECK ((cents >= (0)::numeric))",
        "constraint spend_customer_fkey": "FOREIGN KEY (customer) REFERENCES {schema}.customer(id)",
        "index by_customer": "CREATE INDEX by_customer ON {schema}.spend USING btree (customer)",
        "trigger guard": "CREATE TRIGGER guard BEFORE DELETE ON {schema}.spend FOR EACH STATEMENT"
        " EXECUTE FUNCTION flowledger.refuse_log_change() off",
    }


def test_temporary_tables_are_told_as_others_are(connection: Connection) -> None:
    connection.execute("create temporary table spend (id int primary key)")
    (schema,) = connection.execute(
        "select nspname from pg_namespace where oid = pg_my_temp_schema()"
    ).fetchone() or ("",)

    assert call(connection, "parts_of_tables", schema) == [
        ("spend", "column id", "integer not null"),
        ("spend", "constraint spend_pkey", "PRIMARY KEY (id)"),
        (
            "spend",
            "index spend_pkey",
            "CREATE UNIQUE INDEX spend_pkey ON {schema}.spend USING btree (id)",
        ),
        ("spend", "table", "logged"),
    ]


def test_the_triggers_of_the_engines_own_tables_are_looked_at_elsewhere(
    connection: Connection,
) -> None:
    found = call(connection, "parts_of_tables", "flowledger")

    assert ("event", "column topic", "text not null") in found
    assert not [part for _, part, _ in found if part.startswith("trigger ")]
