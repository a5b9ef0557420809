"""The open tasks in memory: a cache of folds, never more than the limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import pytest

from flowledger.engine.domain.deterministic_ids import uuid7
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.errors import LogCorrupt, UnknownTemplate
from flowledger.engine.events.base import TaskEvent
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.ports.coordinator import CoordinatorStore
from flowledger.engine.runtime.coordinator.run_cache import RunCache
from support.builders import TASK, Story, created, diamond

PLAN = Story(diamond()).plan


class Histories(CoordinatorStore):
    """A ledger that only knows histories and one template, and counts what it is asked."""

    def __init__(self, **histories: Sequence[TaskEvent]) -> None:
        self.events: dict[UUID, Sequence[TaskEvent]] = {}
        self.asked: list[object] = []

    def task_events(self, task_id: UUID, until: int) -> Sequence[TaskEvent]:
        self.asked.append((task_id, until))
        return self.events.get(task_id, ())

    def events_of_tasks(
        self, tasks: Sequence[UUID], until: int
    ) -> Mapping[UUID, Sequence[TaskEvent]]:
        self.asked.append((*tasks, until))
        return {task: self.events.get(task, ()) for task in tasks}

    def template(self, template_id: UUID) -> Template:
        self.asked.append(template_id)
        if template_id != PLAN.template_id:
            raise UnknownTemplate(f"no template {template_id} is registered")
        return PLAN.template


def creation(number: int) -> TaskCreated:
    return created(PLAN, uuid7(1_000, number))


@pytest.fixture
def ledger() -> Histories:
    return Histories()


@pytest.fixture
def runs(ledger: Histories) -> RunCache:
    return RunCache(ledger, limit=2)


def test_a_created_task_is_in_memory_and_its_template_is_read_once(
    ledger: Histories, runs: RunCache
) -> None:
    for number in range(3):
        run = runs.create(creation(number))
        assert runs.at(run.task_id, 7) is run

    assert ledger.asked == [PLAN.template_id]


def test_a_task_that_is_not_in_memory_is_folded_up_to_the_position(
    ledger: Histories, runs: RunCache
) -> None:
    story = Story(diamond()).through("start")
    ledger.events[TASK] = story.log

    run = runs.at(TASK, 7)

    assert run.steps == story.run.steps
    assert ledger.asked == [(TASK, 7), PLAN.template_id]
    assert runs.at(TASK, 9) is run


@pytest.mark.parametrize("history", [[], Story(diamond()).through().log[1:]])
def test_a_history_without_its_beginning_is_corrupt(
    ledger: Histories, runs: RunCache, history: list[TaskEvent]
) -> None:
    ledger.events[TASK] = history

    with pytest.raises(LogCorrupt, match=f"task {TASK} does not begin with its creation"):
        runs.at(TASK, 7)
    assert len(runs) == 0


def test_a_task_of_an_unknown_template_is_not_kept(runs: RunCache) -> None:
    unknown = creation(1).model_copy(update={"template_id": TASK})

    with pytest.raises(UnknownTemplate):
        runs.create(unknown)

    assert len(runs) == 0


def test_the_longest_untouched_goes_first(runs: RunCache) -> None:
    first, second, third = (runs.create(creation(n)).task_id for n in range(3))
    runs.at(first, 7)
    assert len(runs) == 3

    runs.shrink()

    assert len(runs) == 2
    assert runs.cached(second) is None
    assert {runs.cached(first), runs.cached(third)}.isdisjoint({None})


def test_what_is_forgotten_is_read_again(ledger: Histories, runs: RunCache) -> None:
    ledger.events[TASK] = [created(PLAN)]
    kept = runs.create(creation(1)).task_id
    runs.create(created(PLAN))

    runs.forget([TASK, uuid7(9, 9)])

    assert runs.cached(TASK) is None
    assert runs.cached(kept) is not None
    runs.at(TASK, 7)
    assert (TASK, 7) in ledger.asked


def test_when_all_is_forgotten_plans_stay(ledger: Histories, runs: RunCache) -> None:
    runs.create(creation(1))

    runs.forget_all()
    runs.create(creation(2))

    assert len(runs) == 1
    assert ledger.asked == [PLAN.template_id]


def test_a_fact_is_folded_into_the_run_of_its_task(runs: RunCache) -> None:
    story = Story(diamond()).through("start")

    for event in story.log:
        run = runs.fold(event, 7)

    assert run.steps == story.run.steps
    assert runs.cached(TASK) is run


def test_the_creation_of_a_task_that_was_left_as_a_submission_is_not_folded_twice(
    runs: RunCache,
) -> None:
    left = creation(1).model_copy(update={"submission": 4})
    run = runs.create(left)

    assert runs.fold(left, 7) is run
    assert runs.fold(creation(1), 7) is not run


def test_what_is_fetched_ahead_is_asked_for_once(ledger: Histories, runs: RunCache) -> None:
    story = Story(diamond()).through("start")
    ledger.events[TASK] = story.log

    runs.prefetch([TASK, TASK], 7)
    runs.prefetch([TASK], 7)

    assert runs.at(TASK, 7).steps == story.run.steps
    assert ledger.asked == [(TASK, 7), PLAN.template_id]


def test_only_what_a_batch_handed_out_is_forgotten_with_it(
    ledger: Histories, runs: RunCache
) -> None:
    stored, touched = (runs.create(creation(n)).task_id for n in range(2))
    runs.begin_batch()
    runs.at(touched, 7)
    new = runs.create(creation(2)).task_id

    runs.forget_batch()

    assert runs.cached(stored) is not None
    assert runs.cached(touched) is None
    assert runs.cached(new) is None


def test_of_a_task_that_is_created_anew_only_the_new_run_counts(
    ledger: Histories, runs: RunCache
) -> None:
    ledger.events[TASK] = Story(diamond()).through("start").log[:3]
    queued = runs.at(TASK, 7).queued

    assert sum(runs.queued().values()) == queued == 1
    runs.create(created(PLAN))

    assert sum(runs.queued().values()) == 0
