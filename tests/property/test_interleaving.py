"""The streams of a task mixed: each stays in its order."""

from __future__ import annotations

from uuid import UUID

from support.builders import Story, step, template
from support.strategies import interleaved


def test_mixing_streams_keeps_each_in_its_order() -> None:
    story = Story(template(step("a"), step("b"))).through("a", "b")

    class Backwards:
        def shuffle(self, order: list[UUID]) -> None:
            order.reverse()

    mixed = interleaved(story.log, Backwards())

    assert mixed != story.log
    for stream in {e.originator_id for e in mixed}:
        own = [e for e in mixed if e.originator_id == stream]
        assert own == [e for e in story.log if e.originator_id == stream]
