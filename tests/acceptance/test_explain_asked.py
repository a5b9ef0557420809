"""How explanations are asked for: of an earlier time, of what is not there, on an event loop."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime, timedelta

import pytest

from flowledger.engine import AsyncEngine, Engine, UnknownTask
from flowledger.engine.domain.explain.reasons import ReasonKind
from flowledger.engine.errors import InvalidRequest, NothingRecorded, UnknownStep
from flowledger.engine.events.step import StepStarted
from support.cli import Command, command
from support.controlled_steps import begin
from support.engines import PATIENCE, EngineHarness
from support.explain_workflows import WHY, chain, first, stage_of, until

__all__ = ["command"]


def test_every_earlier_moment_is_explained_from_the_log(harness: EngineHarness) -> None:
    _, task = begin(harness.open(chain), chain, fails="a")
    until(harness, task, "a", ReasonKind.RETRY)
    task.pause(**WHY)
    places = {type(one.event).__name__: one.position for one in task.history()}

    def then(name: str, step: str) -> tuple[ReasonKind, ...]:
        return task.explain(step, at=places[name]).kinds

    assert then("TaskCreated", "a") == (ReasonKind.SUBMITTED,)
    assert then("TaskStarted", "a") == (ReasonKind.COORDINATOR_BEHIND,)
    assert then("StepEnqueued", "a") == (ReasonKind.QUEUED,)
    assert then("StepStarted", "a") == (ReasonKind.RUNNING,)
    assert then("StepStarted", "b") == (ReasonKind.DEPENDENCY,)
    assert then("StepAttemptFailed", "a") == (ReasonKind.COORDINATOR_BEHIND,)
    assert then("StepRetryScheduled", "a") == (ReasonKind.RETRY,)
    assert then("TaskPaused", "a")[0] is ReasonKind.PAUSED, "the request is not answered yet"
    assert then("RequestGranted", "a") == (ReasonKind.PAUSED, ReasonKind.RETRY)


def test_an_earlier_time_is_explained_with_what_had_happened_by_then(
    harness: EngineHarness,
) -> None:
    engine = harness.open(chain)
    _, task = begin(engine, chain)
    task.wait(PATIENCE)
    (started,) = [
        one.event
        for one in task.history()
        if isinstance(one.event, StepStarted) and one.event.step == "b"
    ]
    engine.pause_template(chain.template.key, **WHY)

    told = task.explain("c", at=started.occurred_at)

    assert first(told, ReasonKind.DEPENDENCY).about == "b"
    assert (told.now, told.log_only) == (started.occurred_at, True)
    with pytest.raises(NothingRecorded, match="nothing is recorded of task"):
        task.explain(at=started.occurred_at - timedelta(days=1))
    with pytest.raises(NothingRecorded, match="up to position 0"):
        task.explain(at=0)
    with pytest.raises(ValueError, match="with a time zone"):
        task.explain(at=datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused


@pytest.mark.parametrize("way", ["task", "step", "loop", "command"])
async def test_what_is_yet_to_come_is_refused(
    harness: EngineHarness, command: Command, way: str
) -> None:
    engine = harness.open(chain)
    _, task = begin(engine, chain)
    task.wait(PATIENCE)
    command.environment["FLOWLEDGER_DATABASE__URL"] = harness.url

    async def told(at: datetime | int) -> str:
        if way == "command":
            done = command("explain", str(task.id), "--at", str(at))
            assert (done.code, done.out) == (2, "")
            return done.error
        if way == "loop":
            with pytest.raises(InvalidRequest) as error:
                await AsyncEngine(engine).explain(task.id, at=at)
            return str(error.value)
        asked = task.explain if way == "task" else task.step("a").explain
        with pytest.raises(InvalidRequest) as error:
            asked(at=at)
        return str(error.value)

    now: datetime = harness.value("select flowledger.clock()")
    later = (now + timedelta(days=1)).replace(microsecond=0)
    last: int = harness.value("select flowledger.last_position()")
    assert f"at should be no later than now, which is {now:%Y-%m-%dT%H}" in await told(later)
    assert f"at should be a position of the log, which ends at {last}, got" in await told(last + 9)


def test_the_clocks_of_two_hosts_may_differ(harness: EngineHarness) -> None:
    _, task = begin(harness.open(chain), chain)
    task.wait(PATIENCE)
    now: datetime = harness.value("select flowledger.clock()")

    assert task.explain(at=now + timedelta(seconds=30)).log_only
    assert task.explain(at=harness.value("select flowledger.last_position()")).log_only


def test_an_earlier_pause_of_the_template_is_known_although_it_is_over(
    harness: EngineHarness,
) -> None:
    engine = harness.open(chain)
    engine.pause_template(chain.template.key, **WHY)
    _, task = begin(engine, chain)
    harness.until(lambda: harness.value("select count(*) from flowledger.waiting_step") == 1)
    engine.resume_template(chain.template.key, **WHY)
    task.wait(PATIENCE)
    (started, *_) = [one for one in task.history() if one.event.topic == "task.started"]

    by_time = task.explain("a", at=started.event.occurred_at)
    by_place = task.explain("a", at=started.position)

    assert by_time.kinds == by_place.kinds == (ReasonKind.PAUSED,)


def test_unknown_tasks_and_steps_are_refused(harness: EngineHarness) -> None:
    engine = harness.open(chain, roles=())
    _, task = begin(engine, chain)

    with pytest.raises(UnknownStep, match="has no step 'aa'; did you mean 'a'"):
        task.step("aa").explain()
    with pytest.raises(UnknownTask):
        engine.explain("019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071")
    with pytest.raises(UnknownTask):
        engine.explain("019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071", at=7)


async def test_an_application_on_an_event_loop_is_told_the_same(harness: EngineHarness) -> None:
    engine: Engine = harness.open(chain, roles=())
    _, task = begin(engine, chain)
    other = AsyncEngine(engine)

    told = await other.explain(task.id, "a")

    assert told.kinds == (await other.task(task.id).step("a").explain()).kinds
    assert told.kinds == (await other.task(task.id).explain("a")).kinds == task.explain("a").kinds


def test_where_the_database_is_read_only_no_coordinator_is_asked_for(
    harness: EngineHarness,
) -> None:
    with harness.open(chain) as engine:
        _, task = begin(engine, chain)
        task.wait(PATIENCE)
    left = harness.open(chain, roles=()).submit(chain, {})
    name = harness.value("select current_database()")
    harness.rows(f'alter database "{name}" set default_transaction_read_only = on')
    reader = harness.open(roles=())

    told = reader.task(left.id).explain()

    assert "the database is read-only, so that nobody can lead" in str(told)
    assert {one.command for one in told.reasons} - {None} == {"flowledger health"}
    assert reader.task(task.id).explain().state == "complete"


def test_a_request_that_nobody_answers_is_a_reason(harness: EngineHarness) -> None:
    with ExitStack() as opened:
        stage, task = stage_of(harness, opened, chain)
        task.step("b").cancel(**WHY, timeout=0)

        said = [one.sentence for one in task.explain("b")]
        assert "ada asked to cancel step b: ticket 7; a coordinator answers next" in said
        assert stage.client.explain(task.id, "a").kinds == (ReasonKind.QUEUED,)
