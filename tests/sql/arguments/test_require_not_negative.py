"""require_not_negative: a number below 0 is named. Every public function is held to it."""

from __future__ import annotations

import psycopg
import pytest

from support.sql_calls import Connection, call

AMOUNTS = """
    select p.proname, a.name, format_type(a.type, null)
    from pg_proc as p
    cross join lateral unnest(p.proargnames[1:p.pronargs], p.proargtypes) as a (name, type)
    where p.pronamespace = 'flowledger_v1'::regnamespace
        -- runs with the rights of its caller, to whom everything is older than a time to come
        and p.proname <> 'vacuum_holders'
        and a.type = any ('{interval,int4,int8,float8}'::regtype[])
    order by 1, 2
"""

MOST = {
    "interval": ["10000 years", "178000000 years"],
    "integer": ["2147483647"],
    "bigint": ["9223372036854775807"],
    "double precision": ["1e12", "1e300", "infinity", "nan"],
}
"""What is as much as a kind of argument can be."""


def test_what_is_not_negative_passes_and_what_is_is_named(connection: Connection) -> None:
    for negative in (False, None):
        call(connection, "require_not_negative", "most", "0", negative)

    with pytest.raises(psycopg.errors.InvalidParameterValue, match="most should be 0 or more, not"):
        call(connection, "require_not_negative", "most", "-1", True)


def test_every_public_function_refuses_less_than_nothing(connection: Connection) -> None:
    silent = []
    found = connection.execute(AMOUNTS).fetchall()
    for function, argument, kind in found:
        negative = "-1 hour" if kind == "interval" else "-1"
        query = f"select * from flowledger_v1.{function}({argument} => '{negative}')"  # noqa: S608
        try:
            connection.execute(query.encode())
        except psycopg.Error as error:
            if str(error).startswith(f"{argument} should be 0 or more, not -"):
                continue
        silent.append((function, argument))

    assert len(found) >= 15
    assert silent == []


def test_every_public_function_takes_as_much_as_there_is(connection: Connection) -> None:
    refused = []
    for function, argument, kind in connection.execute(AMOUNTS).fetchall():
        for most in MOST[kind]:
            query = f"select * from flowledger_v1.{function}({argument} => '{most}')"  # noqa: S608
            try:
                connection.execute(query.encode()).fetchall()
            except psycopg.Error as error:
                refused.append((function, argument, most, str(error)))
    connection.execute("select * from flowledger_v1.vacuum_holders('infinity')")

    assert refused == []
