"""One fact that the database refuses for good: its step fails, and nobody else is held up."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from flowledger.engine import TaskState
from flowledger.engine.events.step import StepAttemptFailed
from flowledger.engine.runtime.worker.outbox import SURE
from flowledger.handlers import Retry, Workflow
from support.background_load import HURRIED
from support.engines import PATIENCE, EngineHarness, completions, of_kind

NEIGHBOURS = 8
TRIGGER = """
create function public.refuse() returns trigger language plpgsql as $$
begin
    if position('poison'::bytea in new.state) > 0 then
        raise exception 'not in this log' using errcode = '23514';
    end if;
    return new;
end $$;
create trigger refuse before insert on flowledger.event
    for each row execute function public.refuse();
"""
OF_ONE_TASK = "new.task_id = '{}' and new.topic in ('step.completed', 'step.attempt_failed')"

flow = Workflow("refused", "flow", version="1")


@flow.step(retry=Retry(max_attempts=3, backoff="none"))
def only(context: dict[str, Any]) -> str:
    if context["how"] == "raises":
        raise OSError("poi" + "son")
    return "poi" + "son" if context["how"] == "returns" else "well"


@pytest.mark.parametrize("how", ["returns", "raises"])
def test_what_the_database_never_takes_becomes_a_failure_that_says_so(
    harness: EngineHarness, how: str
) -> None:
    harness.rows(TRIGGER)
    engine = harness.open(flow, **HURRIED)
    contexts = [{"how": how}, *[{"how": "works"}] * NEIGHBOURS, {"how": how}]

    first, *neighbours, last = engine.submit_many(flow, contexts)

    for task in neighbours:
        assert task.result(PATIENCE) == {"only": "well"}
    for task in (first, last):
        assert task.wait(PATIENCE) is TaskState.ERROR
        (failed,) = of_kind(task.history(), StepAttemptFailed)
        assert "not in this log (SQLSTATE 23514)" in failed.error.message
        assert (failed.error.category, failed.error.retryable) == ("permanent", False)
    assert engine.submit(flow, {"how": "works"}).result(PATIENCE) == {"only": "well"}
    assert harness.value("select count(*) from flowledger.queue") == 0
    harness.until(lambda: engine.health["worker"].ok)


def test_where_no_failure_is_taken_either_the_outcome_waits_and_the_others_are_stored(
    harness: EngineHarness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "flowledger")
    coordinator = harness.open(flow, roles=["coordinator"])
    stuck, *neighbours = coordinator.submit_many(flow, [{"how": "works"}] * (NEIGHBOURS + 1))
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == NEIGHBOURS + 1)
    condition = OF_ONE_TASK.format(stuck.id)
    harness.rows(TRIGGER.replace("position('poison'::bytea in new.state) > 0", condition))

    worker = harness.open(flow, roles=["worker"], **HURRIED)

    for task in neighbours:
        assert task.result(PATIENCE) == {"only": "well"}
    harness.until(lambda: worker.health["worker"].attempts > 12)
    assert worker.health["worker"].sqlstate == "23514"
    assert stuck.state is TaskState.IN_PROGRESS

    harness.rows("drop trigger refuse on flowledger.event")

    assert stuck.result(PATIENCE) == {"only": "well"}
    assert set(completions(harness).values()) == {1}
    told = [record.getMessage().split()[0] for record in caplog.records]
    assert told.count("database.refused") == 1


def test_a_rule_that_ends_with_the_last_refusal_costs_no_outcome(harness: EngineHarness) -> None:
    """It was refused often enough, and what would be stored in its place is taken again."""
    alone = 2 * SURE  # each time with all others before
    harness.rows("create sequence public.refusals")
    harness.rows("grant usage on sequence public.refusals to public")
    condition = f"new.topic = 'step.completed' and nextval('public.refusals') <= {alone}"
    harness.rows(TRIGGER.replace("position('poison'::bytea in new.state) > 0", condition))
    engine = harness.open(flow, **HURRIED)

    assert engine.submit(flow, {"how": "works"}).result(PATIENCE) == {"only": "well"}

    assert harness.value("select last_value from public.refusals") > alone


class Unchecked:
    """A workflow whose handlers' results nobody looks at before they are to be stored."""

    template = flow.template
    encode_context = flow.encode_context

    @property
    def handlers(self) -> dict[str, Any]:
        bound = flow.handlers["only"]
        return {"only": Deep(bound)}


class Deep:
    """Returns what can be written as JSON by itself, and not within an event."""

    is_async = False
    needs_results: frozenset[str] = frozenset()
    needs_context = True
    retry_if = None

    def __init__(self, bound: Any) -> None:
        self._bound = bound

    def __call__(self, call: Any) -> Any:
        value = self._bound(call)
        if call.context["how"] == "deep":
            for _ in range(254):
                value = [value]
        return value


def test_what_cannot_be_written_as_an_event_fails_its_step_alone(harness: EngineHarness) -> None:
    engine = harness.open(Unchecked(), **HURRIED)
    contexts = [{"how": "deep"}, *[{"how": "works"}] * NEIGHBOURS, {"how": "deep"}]

    first, *neighbours, last = engine.submit_many(flow, contexts)

    for task in neighbours:
        assert task.result(PATIENCE) == {"only": "well"}
    for task in (first, last):
        assert task.wait(PATIENCE) is TaskState.ERROR
        (failed,) = of_kind(task.history(), StepAttemptFailed)
        assert not failed.error.retryable
    assert engine.submit(flow, {"how": "works"}).result(PATIENCE) == {"only": "well"}
    assert engine.health["worker"].ok
