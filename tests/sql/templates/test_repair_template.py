"""repair_template: the row of a template and of its steps, as its events say."""

from __future__ import annotations

from datetime import timedelta

from psycopg.types.json import Jsonb

from support.builders import NOON
from support.sql_calls import Connection, call, new_id, table

TEMPLATE = new_id()
STEPS = [{"name": "a", "dependencies": []}, {"name": "b", "dependencies": ["a"]}]


def repair(connection: Connection, version: str = "1", *, later: int = 0) -> None:
    names = (TEMPLATE, "shop", "order", version, "hash")
    moment = NOON + timedelta(seconds=later)
    call(connection, "repair_template", *names, Jsonb({"steps": STEPS}), True, moment)


def test_a_lost_row_is_made_again_with_its_steps(connection: Connection) -> None:
    repair(connection)

    assert table(connection, "template", "version", "paused", "steps") == [("1", True, 2)]
    assert table(connection, "template_step", "step", "level") == [("a", 0), ("b", 1)]


def test_a_wrong_row_is_put_right_and_keeps_its_time(connection: Connection) -> None:
    repair(connection)
    connection.execute("update flowledger.template_step set level = 7")

    repair(connection, "2", later=1)

    assert table(connection, "template", "version", "registered_at") == [("2", NOON)]
    assert table(connection, "template_step", "step", "level") == [("a", 0), ("b", 1)]
