"""Which tasks may begin: by what is queued, and by how fast it is taken."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest

from flowledger.engine.domain.deterministic_ids import uuid7
from flowledger.engine.domain.limits.task_starts import TaskStarts
from flowledger.engine.domain.machine.task_run import TaskRun
from support.builders import NOON, Story, created, diamond, step, template

DIAMOND, LINE = Story(diamond()).plan, Story(template(step("a"), name="line")).plan
LEAST = 4
SECOND = timedelta(seconds=1)


class Shard:
    """What is queued, and who may begin."""

    def __init__(self) -> None:
        self.queued = Counter[UUID]()
        self.starts = TaskStarts(LEAST, 1.0, lambda: Counter(self.queued))
        self.starts.unknown = False
        self.now = NOON

    def begun(self, plan: object, count: int) -> int:
        """How many of so many new tasks begin in one batch."""
        self.starts.begin_batch()
        runs = [run_of(plan, number) for number in range(count)]
        return sum(self.starts.may_start(run, self.now) for run in runs)

    def take(self, template: UUID, steps: int) -> None:
        """Workers start so many."""
        for _ in range(steps):
            self.starts.step_started(template, self.now)


def run_of(plan: object, number: int = 0, **fields: object) -> TaskRun:
    return TaskRun(created(plan, uuid7(1_000, number), **fields), plan)  # type: ignore[arg-type]


@pytest.fixture
def shard() -> Shard:
    return Shard()


def test_tasks_begin_until_enough_is_queued(shard: Shard) -> None:
    assert shard.begun(LINE, 10) == LEAST
    assert shard.starts.waiting == {LINE.template_id}
    assert len(shard.starts.held) == 10 - LEAST

    shard.queued[LINE.template_id] = LEAST - 1
    shard.starts.waiting.clear()

    assert shard.begun(LINE, 10) == 1


def test_a_template_that_nobody_serves_holds_up_no_other(shard: Shard) -> None:
    shard.queued[LINE.template_id] = 1_000

    assert shard.begun(LINE, 1) == 0
    assert shard.begun(DIAMOND, 1) == 1


def test_while_older_ones_wait_nobody_goes_before_them(shard: Shard) -> None:
    shard.starts.waiting.add(LINE.template_id)

    assert shard.begun(LINE, 1) == 0

    shard.starts.serve(LINE.template_id)

    assert shard.begun(LINE, 1) == 1


def test_where_it_is_unknown_who_waits_everybody_does(shard: Shard) -> None:
    shard.starts.forget()

    assert shard.begun(LINE, 1) == 0


def test_a_delayed_task_begins_when_its_time_has_come(shard: Shard) -> None:
    shard.queued[LINE.template_id] = 1_000
    shard.starts.begin_batch()

    assert shard.starts.may_start(run_of(LINE, start_at=NOON), NOON)


def test_fast_workers_have_as_much_ahead_as_they_take(shard: Shard) -> None:
    shard.take(LINE.template_id, 50)
    assert shard.starts.room(LINE.template_id, shard.now) == 50

    shard.now += 2 * SECOND
    assert shard.starts.room(LINE.template_id, shard.now) == 25

    shard.now += 2 * SECOND
    assert shard.starts.room(LINE.template_id, shard.now) == LEAST


def test_a_clock_that_is_put_back_only_begins_the_count_anew(shard: Shard) -> None:
    shard.take(LINE.template_id, 50)
    shard.now -= timedelta(days=1)

    assert shard.starts.room(LINE.template_id, shard.now) == LEAST
    shard.take(LINE.template_id, 50)
    assert shard.starts.room(LINE.template_id, shard.now) == 50


def test_what_was_held_is_taken_by_template(shard: Shard) -> None:
    shard.begun(LINE, LEAST + 2)
    shard.starts.may_start(run_of(DIAMOND), NOON)

    assert shard.starts.take_held([LINE.template_id]) == {}
    held = shard.starts.take_held([])

    assert [len(tasks) for tasks in held.values()] == [2]
    assert shard.starts.held == []
