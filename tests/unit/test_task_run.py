"""The fold of all streams of a task: counters, what is ready, what waits for an answer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flowledger.engine.domain.machine.evolve import NEW_STEP
from flowledger.engine.domain.machine.task_run import fold_run
from flowledger.engine.domain.machine.transitions import StepState, TaskState
from flowledger.engine.domain.templates.compiled_template import compile_plan
from flowledger.engine.domain.templates.retry_and_limit_policies import Retry
from flowledger.engine.errors import IllegalTransition
from flowledger.engine.events.step import StepEnqueued
from flowledger.engine.events.task import TaskCompleted, TaskStarted
from support.builders import NOON, Story, diamond, event, step, template

IN_TEN = Retry(backoff="fixed", base_seconds=10.0, jitter="none")


def test_a_new_run_has_the_roots_ready_and_nothing_else() -> None:
    run = Story(diamond()).run

    assert run.task.state is TaskState.PENDING
    assert (run.ready, run.open) == ({0}, [0, 1, 1, 2])
    assert (run.active, run.busy, run.errors, run.cancelled, run.ended) == (0, 0, 0, 0, False)
    assert run.steps == [NEW_STEP] * 4


def test_a_child_is_ready_when_its_last_parent_completes() -> None:
    story = Story(diamond()).through("start", "left")
    story.begin("right")
    assert story.run.open[3] == 1
    assert story.run.ready == set()

    story.complete("right")

    assert story.run.ready == {3}


def test_a_step_is_found_by_its_name() -> None:
    run = Story(diamond()).through("start").run

    assert run.step("start").state is StepState.COMPLETE
    with pytest.raises(KeyError, match="nothing"):
        run.step("nothing")


def test_a_failed_attempt_waits_for_an_answer_and_an_answer_ends_the_wait() -> None:
    story = Story(template(step("a", retry=IN_TEN)))
    story.decided()
    story.begin("a")
    story.fail("a")
    assert story.run.undecided == {0: story.log[-1]}

    story.decided()

    assert story.run.undecided == {}
    assert story.run.timers == {0: ("retry", NOON + timedelta(seconds=10))}


def test_a_running_step_with_a_limit_has_a_timer_from_its_start() -> None:
    story = Story(template(step("a", timeout_seconds=7.5), step("b")))
    story.decided()
    story.now += timedelta(seconds=1)
    story.begin("a")
    story.begin("b")
    assert story.run.timers == {0: ("timeout", NOON + timedelta(seconds=8.5))}

    story.complete("a")

    assert story.run.timers == {}


def test_an_active_step_knows_what_caused_its_state_and_an_ended_one_forgets_it() -> None:
    story = Story(diamond())
    story.decided()
    assert story.run.causes == {0: story.log[-1].event_id}

    story.begin("start")
    story.complete("start")

    assert story.run.causes == {}


def test_an_illegal_event_changes_nothing() -> None:
    story = Story(diamond()).through("start")
    before = slots(story.run)

    for illegal in (
        event(StepEnqueued, 9, step="start"),
        event(TaskStarted, 9),
    ):
        with pytest.raises(IllegalTransition):
            story.run.apply(illegal)

    assert slots(story.run) == before


def test_a_history_begins_with_the_creation_of_the_task() -> None:
    with pytest.raises(TypeError, match="TaskCreated, not TaskCompleted"):
        fold_run([event(TaskCompleted)], compile_plan(diamond()))


def test_a_history_folds_to_the_run_that_was_lived() -> None:
    story = Story(diamond()).through("start", "left", "right", "end")

    assert slots(fold_run(story.log, story.plan)) == slots(story.run)
    assert story.run.ended


def test_failed_steps_are_told_in_the_order_of_the_template() -> None:
    story = Story(template(step("b"), step("a"), step("c")))
    story.decided()
    for name in "abc":
        story.begin(name)
    for name in "ab":
        story.fail(name, retryable=False)
    story.decided()

    assert story.run.failed_steps() == ("b", "a")


def slots(run: object) -> dict[str, object]:
    found = {name: getattr(run, name) for name in type(run).__slots__}  # type: ignore[attr-defined]
    return {name: v.copy() if isinstance(v, (dict, list, set)) else v for name, v in found.items()}
