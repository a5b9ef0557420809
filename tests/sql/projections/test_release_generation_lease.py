"""release_generation_lease: a generation that is given up is free at once."""

from __future__ import annotations

from support.generation_rows import lead, make
from support.sql_calls import Connection, call, heard, new_id


def test_another_leads_at_once(connection: Connection) -> None:
    make(connection)
    epoch = lead(connection)

    call(connection, "release_generation_lease", "money", 1, epoch)

    assert (
        call(connection, "acquire_generation_lease", "money", 1, new_id(), 60.0)[0][0] == epoch + 1
    )


def test_who_does_not_lead_any_more_gives_nothing_up(connection: Connection) -> None:
    make(connection)
    epoch = lead(connection)

    call(connection, "release_generation_lease", "money", 1, epoch - 1)

    assert call(connection, "acquire_generation_lease", "money", 1, new_id(), 60.0) == []


def test_the_hosts_are_told(connection: Connection, other: Connection) -> None:
    assert heard(connection, "projection", other, "release_generation_lease", "money", 1, 1) == [
        "money"
    ]
