"""step_started_payload: what the database writes is what the mapper would have written."""

from __future__ import annotations

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.events.step import StepStarted
from flowledger.engine.store.log.event_mapper import EventMapper, StoredLogEvent
from flowledger.engine.store.log.payload_header import microseconds
from support.builders import NOON
from support.sql_calls import Connection, call, new_id

EVENT, TASK, WORKER = new_id(), new_id(), new_id()
NOW = microseconds(NOON)
words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(step=words, correlation=st.one_of(st.just(str(TASK)), words), attempt=st.integers(1, 99))
@example(step="a/b", correlation=str(TASK), attempt=1)
@example(step="a", correlation="c", attempt=2**15 - 1)
@example(step="a", correlation="c", attempt=2**15)
@example(step="ä" * 116, correlation=str(TASK), attempt=1)
@example(step="ä" * 117, correlation=str(TASK), attempt=1)
def test_the_mapper_reads_the_event_that_it_would_have_written(
    connection: Connection, step: str, correlation: str, attempt: int
) -> None:
    event = StepStarted(
        originator_id=step_id(TASK, step),
        originator_version=2,
        event_id=EVENT,
        occurred_at=NOON,
        correlation_id=correlation,
        task_id=TASK,
        namespace="shöp",
        template='an "order"',
        step=step,
        attempt=attempt,
        worker=WORKER,
    )

    (state,) = call(
        connection,
        "step_started_payload",
        *(EVENT, NOW, TASK, correlation, event.namespace, event.template, step, attempt, WORKER),
    )

    stored = StoredLogEvent(event.originator_id, 2, event.topic, bytes(state), TASK)
    assert EventMapper().to_domain_event(stored) == event
    assert len(state) == len(EventMapper().to_stored_event(event).state)
