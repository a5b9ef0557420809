"""A projection to be disturbed: what it counts twice, or does not count, shows in its rows."""

from __future__ import annotations

from flowledger.engine.events import StepEvent
from flowledger.projections import Cursor, Projection, on


class Happened(Projection):
    """How many events each step has."""

    name, version = "happened", 1
    tables = """
    create table {schema}.events (
        step_id uuid primary key,
        events bigint not null,
        last bigint not null
    )
    """

    @on(StepEvent)
    def count(self, event: StepEvent, cursor: Cursor) -> None:
        """One more."""
        cursor.execute(
            "insert into events values (%s, 1, %s) on conflict (step_id)"
            " do update set events = events.events + 1, last = excluded.last",
            (event.originator_id, cursor.position),
        )
