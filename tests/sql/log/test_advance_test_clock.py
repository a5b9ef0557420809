"""advance_test_clock: forward for everybody, and not for everybody to call."""

from __future__ import annotations

from datetime import timedelta

from support.sql_calls import Connection, call, heard, now, table


def test_moves_add_up_and_the_new_time_is_returned(connection: Connection) -> None:
    call(connection, "advance_test_clock", timedelta(hours=1))
    (told,) = call(connection, "advance_test_clock", timedelta(hours=2))

    assert table(connection, "clock_offset", "shift") == [timedelta(hours=3)]
    assert timedelta() <= now(connection) - told < timedelta(minutes=5)


def test_who_waits_for_a_time_is_woken(connection: Connection, other: Connection) -> None:
    assert heard(other, "clock", connection, "advance_test_clock", timedelta(seconds=1)) == [""]


def test_only_the_owner_may_move_it(connection: Connection) -> None:
    granted = connection.execute(
        "select coalesce(bool_or(grantee = 0), false) from pg_proc, aclexplode(proacl)"
        " where oid = 'flowledger.advance_test_clock(interval, text, text)'::regprocedure"
    ).fetchone()

    assert granted == (False,)


def test_the_row_is_made_where_somebody_deleted_it(connection: Connection) -> None:
    connection.execute("delete from flowledger.clock_offset")
    before = now(connection)

    (told,) = call(connection, "advance_test_clock", timedelta(hours=1))

    assert timedelta(hours=1) <= told - before < timedelta(hours=1, minutes=5)
    assert table(connection, "clock_offset", "shift") == [timedelta(hours=1)]
    moved = "select count(*) from flowledger.event where topic = 'clock.moved'"
    assert connection.execute(moved).fetchone() == (1,)
