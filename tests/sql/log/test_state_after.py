"""state_after: the two life cycles as SQL knows them."""

from __future__ import annotations

import pytest

from flowledger.engine.domain.machine.transitions import STEP_TRANSITIONS, TASK_TRANSITIONS
from flowledger.engine.events.registry import EVENTS
from support.sql_calls import Connection, call

MOVES = [
    (kind.topic, str(source), str(target))
    for table in (TASK_TRANSITIONS, STEP_TRANSITIONS)
    for (source, kind), target in table.items()
]


def test_every_row_of_the_tables_is_known(connection: Connection) -> None:
    found = [
        (topic, source, call(connection, "state_after", topic, source)[0])
        for topic, source, _ in MOVES
    ]

    assert found == MOVES


@pytest.mark.parametrize("topic", sorted(set(EVENTS) - {topic for topic, _, _ in MOVES}))
def test_what_changes_no_state_leads_nowhere(connection: Connection, topic: str) -> None:
    assert call(connection, "state_after", topic, "pending") == [None]


@pytest.mark.parametrize("topic", ["task.paused", "task.resumed"])
def test_a_pause_leads_nowhere_by_itself(connection: Connection, topic: str) -> None:
    assert call(connection, "state_after", topic, None) == [None]
