"""The queueing of a step that had to wait says for what, and since when; nothing else does."""

from __future__ import annotations

from datetime import timedelta

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.domain.limits.demand import Demand
from flowledger.engine.domain.limits.wait_queue import Waiter, with_wait
from flowledger.engine.domain.machine.task_run import Wait
from flowledger.engine.events.step import StepEnqueued
from flowledger.engine.events.task import TaskWaitEnded
from flowledger.engine.store.log.event_mapper import EventMapper
from support.builders import NOON, TASK, event

SINCE = NOON - timedelta(seconds=9)
WAITER = Waiter(
    1.0, step_id(TASK, "a"), TASK, "a", SINCE, Wait("rate", "k"), Demand(TASK, None, (), ())
)


def test_only_the_step_that_waited_is_told() -> None:
    mine, other = event(StepEnqueued, step="a"), event(StepEnqueued, step="b")
    continued = event(TaskWaitEnded)

    told, *others = with_wait([mine, other, continued], WAITER)

    assert isinstance(told, StepEnqueued)
    assert (told.waited_for, told.waited_since) == ("rate", SINCE)
    assert told.model_copy(update={"waited_for": None, "waited_since": None}) == mine
    assert others == [other, continued]


def test_the_payload_of_a_step_that_did_not_wait_says_nothing_of_it() -> None:
    mapper = EventMapper()
    mine = event(StepEnqueued, step="a")

    (told,) = with_wait([mine], WAITER)

    assert b"held" not in mapper.to_stored_event(mine).state
    assert mapper.to_domain_event(mapper.to_stored_event(told)) == told
