"""renew_generation_leases: what a host leads it goes on to lead, and nothing else."""

from __future__ import annotations

import psycopg

from support.generation_rows import HOST, OTHER_HOST, later, lead, make
from support.sql_calls import Connection, call

LEFT = (
    "select extract(epoch from lease_until - flowledger.clock())::float8"
    " from flowledger.projection where name = 'money'"
)


def test_the_lease_of_its_own_is_renewed_in_the_same_epoch(connection: Connection) -> None:
    make(connection)
    epoch = lead(connection)
    later(connection, 90)

    ((name, generation, *lease),) = call(connection, "renew_generation_leases", HOST, 60.0)

    assert (name, generation) == ("money", 1)
    assert lease == [epoch, 0, "serving", 0, False, 0, False]
    assert 50 < connection.execute(LEFT).fetchall()[0][0] <= 60


def test_what_was_given_up_or_is_anothers_is_not(connection: Connection) -> None:
    make(connection)
    epoch = lead(connection)
    assert call(connection, "renew_generation_leases", OTHER_HOST, 60.0) == []

    call(connection, "release_generation_lease", "money", 1, epoch)

    assert call(connection, "renew_generation_leases", HOST, 60.0) == []


def test_a_row_that_somebody_has_locked_is_passed_over(
    connection: Connection, database: str
) -> None:
    make(connection)
    lead(connection)
    with psycopg.connect(database) as other:
        other.execute("select from flowledger.projection for update")

        assert call(connection, "renew_generation_leases", HOST, 60.0) == []
