"""What the built-in read models say of tasks that ran is what the log says, told another way."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from flowledger.engine import Engine, TaskHandle, TaskState
from flowledger.engine.client.operator_requests import RequestOptions
from flowledger.engine.errors import RequestDenied
from flowledger.engine.events.base import Recorded, StepEvent
from flowledger.engine.events.notes import TaskAnnotated
from flowledger.engine.events.requests import RequestGranted, RequestRefused, TaskRequest
from flowledger.engine.events.step import (
    StepAttemptFailed,
    StepCancelled,
    StepCompleted,
    StepEnqueued,
    StepFailed,
    StepStarted,
)
from flowledger.engine.events.task import TaskCancelled, TaskCompleted, TaskCreated, TaskFailed
from flowledger.projections import Projection
from flowledger.projections.builtin import BUILTIN
from flowledger.projections.testing import Case
from support.builders import step
from support.controlled_steps import begin, controlled_steps
from support.engines import PATIENCE, EngineHarness, of_kind
from support.read_model_histories import log_of

ACT = {"handler": {"callable": "act"}}
ONCE = {**ACT, "retry": {"max_attempts": 1}}
LATER = {**ACT, "retry": {"max_attempts": 2, "base_seconds": 600, "cap_seconds": 600}}
# What the history calls the ends of the attempts that these tasks have.
OUTCOME_WORDS: dict[type[StepEvent], str] = {
    StepAttemptFailed: "failed",
    StepCancelled: "cancelled",
    StepCompleted: "completed",
}
WORD: RequestOptions = {"reason": "ticket 7", "actor": "ada"}

line = controlled_steps(step("a", **ACT), step("b", "a", **ACT), name="line")
patient = controlled_steps(step("a", **LATER), step("b", "a", **ACT), name="patient", version="2")
blocking = controlled_steps(
    step("a", **ONCE), step("b", "a", **ONCE), name="blocking", on_failure="block"
)


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    """An engine on which much has happened, and whose read models have seen all of it."""
    engine = shared_harness.open(line, patient, blocking, projections=BUILTIN)
    for _ in range(6):
        _, task = begin(engine, line, tags=["urgent"])
        task.result(PATIENCE)
    task.annotate("comment", {"text": "late"}, actor="ada", reason="they called")
    task.tag("vip", actor="bob")
    task.untag("urgent", actor="bob")
    _fails(engine, shared_harness)
    _is_operated(engine, shared_harness)
    engine.pause_template("shop/line@1", reason="the bank is down", actor="bob")
    engine.resume_template("shop/line@1", reason="it is back", actor="bob")
    for projection in BUILTIN:
        engine.projections.wait_for(projection.name, timeout=PATIENCE)
    return engine


def _fails(engine: Engine, harness: EngineHarness) -> None:
    world, retried = begin(engine, patient, fails="a", actor="cron")
    harness.until(lambda: retried.state is TaskState.WAITING)
    world.fails.clear()
    harness.move_clock("11 minutes")
    retried.result(PATIENCE)
    world, failed = begin(engine, line, fails="b")
    for attempt in (1, 2):
        harness.until(lambda attempt=attempt: failures(failed) == attempt)
        harness.move_clock("1 hour")
    assert failed.wait(PATIENCE) is TaskState.ERROR
    world.fails.clear()
    failed.reset(**WORD)
    failed.result(PATIENCE)


def failures(task: TaskHandle) -> int:
    return len(of_kind(task.history(), StepAttemptFailed))


def _is_operated(engine: Engine, harness: EngineHarness) -> None:
    world, cancelled = begin(engine, line, waits="a")
    assert world.started["a"].wait(PATIENCE)
    cancelled.cancel(**WORD)
    world.go["a"].set()
    with pytest.raises(RequestDenied):
        cancelled.pause(**WORD)
    world, blocked = begin(engine, blocking, fails="a")
    harness.until(lambda: blocked.state is TaskState.BLOCKED)
    world.fails.clear()
    blocked.reset(**WORD)
    blocked.result(PATIENCE)
    _, skipped = begin(engine, blocking, fails="a")
    harness.until(lambda: skipped.state is TaskState.BLOCKED)
    skipped.step("b").skip(**WORD)
    skipped.step("a").complete({"by": "hand"}, **WORD)
    skipped.wait(PATIENCE)


@pytest.fixture(scope="module")
def log(engine: Engine, shared_harness: EngineHarness) -> list[Recorded]:
    """All that happened."""
    assert engine
    return log_of(shared_harness)


def rows(harness: EngineHarness, query: str, *parameters: Any) -> list[dict[str, Any]]:
    """Rows by their columns' names."""
    return [row for (row,) in harness.rows(f"select to_json(t) from ({query}) as t", *parameters)]  # noqa: S608


def runs(log: Sequence[Recorded]) -> Iterator[tuple[StepEnqueued, StepStarted, StepEvent]]:
    """Each attempt that ended: how it was queued, started and ended, stream by stream."""
    streams: defaultdict[Any, list[StepEvent]] = defaultdict(list)
    for one in log:
        if isinstance(one.event, StepEvent) and not one.event.topic.endswith("signalled"):
            streams[one.event.originator_id].append(one.event)
    for stream in streams.values():
        for queued, started, ended in zip(stream, stream[1:], stream[2:], strict=False):
            if isinstance(queued, StepEnqueued) and isinstance(started, StepStarted):
                yield queued, started, ended


def instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def test_every_attempt_is_in_the_history_with_its_times(
    shared_harness: EngineHarness, log: list[Recorded]
) -> None:
    stored = rows(
        shared_harness, "select * from flowledger_history.attempt where started_at is not null"
    )

    found = Counter(
        (row["task_id"], row["step"], row["attempt"], *map(instant, times), row["worker"])
        for row in stored
        for times in [(row["enqueued_at"], row["started_at"], row["ended_at"])]
    )
    assert found == Counter(
        (
            str(s.task_id),
            s.step,
            s.attempt,
            q.occurred_at,
            s.occurred_at,
            e.occurred_at,
            str(s.worker),
        )
        for q, s, e in runs(log)
    )
    assert Counter(row["outcome"] for row in stored) == Counter(
        OUTCOME_WORDS[type(ended)] for _, _, ended in runs(log)
    )
    errors = {row["error_message"] for row in stored if row["outcome"] == "failed"}
    assert errors == {"a is broken", "b is broken"}


def test_every_task_is_in_the_history_as_it_ended(
    shared_harness: EngineHarness, log: list[Recorded]
) -> None:
    stored = rows(shared_harness, "select * from flowledger_history.task_history")
    known = rows(shared_harness, "select task_id, state, ended_at from flowledger.task")

    assert {(row["task_id"], row["state"], row["ended_at"]) for row in stored} == {
        (row["task_id"], row["state"], row["ended_at"]) for row in known
    }
    created = [one.event for one in log if isinstance(one.event, TaskCreated)]
    assert {(row["task_id"], row["version"], instant(row["created_at"])) for row in stored} == {
        (str(event.task_id), event.version, event.occurred_at) for event in created
    }


def minute(event: Any) -> datetime:
    moment: datetime = event.occurred_at
    return moment.replace(second=0, microsecond=0)


COUNTED = {
    "task_minute": {
        "created": TaskCreated,
        "completed": TaskCompleted,
        "failed": TaskFailed,
        "cancelled": TaskCancelled,
    },
    "step_minute": {
        "enqueued": StepEnqueued,
        "started": StepStarted,
        "completed": StepCompleted,
        "failed": StepAttemptFailed,
        "errored": StepFailed,
    },
}


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table in COUNTED for column in COUNTED[table]]
)
def test_events_are_counted_by_the_minute_and_the_template(
    shared_harness: EngineHarness, log: list[Recorded], table: str, column: str
) -> None:
    step = "step" if table == "step_minute" else "''"
    stored = shared_harness.rows(
        f"select minute, template, {step}, sum({column}) from flowledger_analytics.{table}"  # noqa: S608
        f" where {column} > 0 group by 1, 2, 3"
    )

    happened = [one.event for one in log if isinstance(one.event, COUNTED[table][column])]
    assert happened
    assert {(at, template, step): int(n) for at, template, step, n in stored} == Counter(
        (minute(event), event.template, getattr(event, "step", ""))  # type: ignore[attr-defined]
        for event in happened
    )


def test_times_add_up_to_the_microsecond(
    shared_harness: EngineHarness, log: list[Recorded]
) -> None:
    ran, queued = timedelta(), timedelta()
    for enqueued, started, ended in runs(log):
        ran += ended.occurred_at - started.occurred_at
        queued += started.occurred_at - enqueued.occurred_at

    assert shared_harness.rows(
        "select sum(run_time), sum(queue_time), sum(runs)::int"
        " from flowledger_analytics.step_minute"
    ) == [(ran, queued, len(list(runs(log))))]


def test_tasks_take_from_their_submission_to_their_end(
    shared_harness: EngineHarness, log: list[Recorded]
) -> None:
    begun = {one.event.task_id: one.event for one in log if isinstance(one.event, TaskCreated)}
    took = [
        one.event.occurred_at - begun[one.event.task_id].occurred_at
        for one in log
        if isinstance(one.event, TaskCompleted)
    ]

    assert shared_harness.rows(
        "select sum(total_time), max(longest_time) from flowledger_analytics.task_minute"
    ) == [(sum(took, timedelta()), max(took))]


def test_only_steps_that_are_under_way_are_kept_of_analytics(
    shared_harness: EngineHarness, engine: Engine
) -> None:
    assert engine
    assert shared_harness.value("select count(*) from flowledger_analytics.open_step") == 0


def test_every_request_is_in_the_audit_with_its_answer(
    shared_harness: EngineHarness, log: list[Recorded]
) -> None:
    answers = {
        one.event.request: one.event.topic.removeprefix("request.")
        for one in log
        if isinstance(one.event, RequestGranted | RequestRefused)
    }
    expected = {
        (
            one.position,
            one.event.topic.removesuffix("_requested"),
            getattr(one.event, "step", None),
            answers[one.event.originator_id],
        )
        for one in log
        if isinstance(one.event, TaskRequest)
    }

    stored = rows(shared_harness, "select * from flowledger_v1.operator_actions")

    of_requests = [row for row in stored if row["request"]]
    told = {(row["position"], row["action"], row["step"], row["answer"]) for row in of_requests}
    assert told == expected
    assert {(row["actor"], row["reason"]) for row in of_requests} == {("ada", "ticket 7")}
    refused = [row for row in stored if row["answer"] == "refused"]
    assert [row["refusal"] for row in refused] == ["the task has ended: it is cancelled"]


def test_what_needs_no_answer_is_in_the_audit_too(
    shared_harness: EngineHarness, engine: Engine
) -> None:
    assert engine
    stored = shared_harness.rows(
        "select action, actor, namespace, template, version, reason"
        " from flowledger_v1.operator_actions where request is null"
        " and action <> 'clock.move' order by position"
    )

    assert stored == [
        ("task.annotate", "ada", "shop", "line", None, "they called"),
        ("task.tag", "bob", "shop", "line", None, None),
        ("task.untag", "bob", "shop", "line", None, None),
        ("task.submit", "cron", "shop", "patient", "2", None),
        ("template.pause", "bob", "shop", "line", "1", "the bank is down"),
        ("template.resume", "bob", "shop", "line", "1", "it is back"),
    ]


def test_annotations_and_tags_are_those_that_were_noted(
    shared_harness: EngineHarness, log: list[Recorded]
) -> None:
    (noted,) = [one for one in log if isinstance(one.event, TaskAnnotated)]
    (annotation,) = rows(shared_harness, "select * from flowledger_v1.annotations")
    tagged = shared_harness.rows("select tag, task_id, actor from flowledger_v1.tags")

    assert annotation["value"] == {"text": "late"}
    assert (annotation["kind"], annotation["actor"]) == ("comment", "ada")
    assert annotation["position"] == noted.position
    assert Counter(tag for tag, _, _ in tagged) == {"urgent": 5, "vip": 1}
    assert [(tag, actor) for tag, task, actor in tagged if str(task) == annotation["task_id"]] == [
        ("vip", "bob")
    ]


def test_a_task_is_rebuilt_in_place(engine: Engine, shared_harness: EngineHarness) -> None:
    query = "select * from flowledger_history.attempt order by opened"
    before = rows(shared_harness, query)
    task = next(row["task_id"] for row in before if row["outcome"] == "reset")
    shared_harness.rows(
        "update flowledger_history.attempt set outcome = 'wrong' where task_id = %s", task
    )

    engine.projections.rebuild("flowledger_history", task=UUID(task), actor="ann", reason="a test")

    shared_harness.until(lambda: rows(shared_harness, query) == before)


@pytest.mark.parametrize("kind", BUILTIN, ids=lambda kind: kind.name)
def test_each_model_keeps_the_promises_of_a_projection(
    shared_harness: EngineHarness, log: list[Recorded], kind: type[Projection]
) -> None:
    Case(kind, shared_harness.url).check(log)


def test_the_timeline_of_a_task_tells_each_attempt(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    task = last_of(engine, shared_harness, "patient")

    told = shared_harness.rows(
        "select step, attempt, outcome, run_seconds, queue_seconds, error_class, offset_seconds"
        " from flowledger_v1.timeline(%s)",
        task.id,
    )

    assert [row[:3] for row in told] == [
        ("a", 1, "failed"),
        ("a", 2, "completed"),
        ("b", 1, "completed"),
    ]
    steps = list(runs(task.history()))
    assert [row[3] for row in told] == [
        (ended.occurred_at - started.occurred_at).total_seconds() for _, started, ended in steps
    ]
    assert [row[4] for row in told] == [
        (started.occurred_at - queued.occurred_at).total_seconds() for queued, started, _ in steps
    ]
    assert told[0][5] == "RuntimeError"
    assert 600 <= told[1][6] < 700


def last_of(engine: Engine, harness: EngineHarness, name: str) -> TaskHandle:
    return engine.task(
        harness.value("select task_id from flowledger.task where template = %s limit 1", name)
    )


def test_the_reader_may_read_what_is_public(engine: Engine, shared_harness: EngineHarness) -> None:
    public = [
        "analytics('1 day')", "blocked_time('1 day')", "slowest_steps()", "slowest_tasks()",
        "slowest_template_steps()", "slowest_templates()", "operator_actions",
        "annotations", "tags", "dependent_systems",
    ]  # fmt: skip
    assert engine
    with psycopg.connect(shared_harness.url, autocommit=True) as connection:
        connection.execute("set role flowledger_reader")
        for name in public:
            connection.execute(f"select * from flowledger_v1.{name}".encode())  # noqa: S608
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select * from flowledger_history.attempt")
