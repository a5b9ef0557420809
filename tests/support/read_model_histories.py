"""What the tests of the built-in read models share: histories by lot, and rows made from them."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import count, pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import strategies as st
from psycopg import sql

from flowledger.engine.domain.deterministic_ids import milliseconds, step_id, uuid7
from flowledger.engine.domain.limits.circuit_breaker import circuit_id
from flowledger.engine.domain.machine.transitions import StepState
from flowledger.engine.events.base import Event, Recorded, TaskEvent
from flowledger.engine.events.circuit import (
    CircuitClosed,
    CircuitEvent,
    CircuitHalfOpened,
    CircuitOpened,
)
from flowledger.engine.events.notes import TaskAnnotated, TaskNote, TaskTagged, TaskUntagged
from flowledger.engine.events.requests import REQUESTS, StepRequest, TaskRequest
from flowledger.engine.events.template import TemplatePaused, TemplateRegistered
from flowledger.engine.store.log.event_mapper import EventMapper, StoredLogEvent
from flowledger.projections import Projection
from flowledger.projections.dispatch import Dispatcher
from flowledger.projections.restricted_cursor import HostConnection
from support.builders import NOON, TASK, Story
from support.engines import EngineHarness
from support.strategies import templates

TAGS = st.lists(st.sampled_from(["urgent", "vip", "late"]), min_size=1, unique=True).map(tuple)
ACTIONS = ("begin", "complete", "fail", "refuse", "lose", "hand_back", "ring", "ask", "note")

_numbers = count()


def log_of(harness: EngineHarness) -> list[Recorded]:
    """Every event of the log, in its order."""
    mapper = EventMapper()
    rows = harness.rows(
        "select notification_id, recorded_at, originator_id, originator_version, topic, state,"
        " task_id from flowledger.event order by notification_id"
    )
    return [
        Recorded(position, at, mapper.to_domain_event(StoredLogEvent(*stored)))
        for position, at, *stored in rows
    ]


def placed(events: Iterable[Event]) -> list[Recorded]:
    """Events as if the log held them, in that order."""
    return [Recorded(position, NOON, one) for position, one in enumerate(events, start=1)]


class ReadModel:
    """A read model in a schema of its own, whose batches a test cuts."""

    def __init__(self, connection: HostConnection, projection: Projection) -> None:
        self._connection = connection
        self._projection = projection
        self._applying = Dispatcher(projection)
        connection.execute("create schema model; set local search_path = model")
        connection.execute(projection.tables.replace("{schema}", "model").encode())

    def apply(self, events: Sequence[Recorded]) -> None:
        """Apply a batch, as the host does: what the projection subscribes to."""
        wanted = [one for one in events if one.event.topic in self._applying.routes.topics]
        with self._connection.pipeline(), self._connection.lend("model") as cursor:
            self._applying.apply(wanted, cursor, None)

    def forget(self, *tasks: UUID) -> None:
        """Have it forget tasks."""
        with self._connection.lend("model") as cursor:
            self._projection.forget(tasks, cursor)

    def rows(self) -> dict[str, list[Any]]:
        """All rows of all tables, in a fixed order."""
        tables = self._connection.execute(
            "select tablename from pg_tables where schemaname = 'model' order by 1"
        ).fetchall()
        return {name: self.table(name) for (name,) in tables}

    def table(self, name: str) -> list[Any]:
        """The rows of a table, as JSON objects."""
        query = sql.SQL("select to_jsonb(t) from {} as t order by t::text")
        return [row for (row,) in self._connection.execute(query.format(sql.Identifier(name)))]


class ReadModels:
    """Read models without a host, on one connection; of each nothing stays."""

    def __init__(self, connection: HostConnection) -> None:
        self._connection = connection

    @contextmanager
    def of(self, kind: type[Projection]) -> Generator[ReadModel]:
        """An empty read model."""
        with self._connection.transaction(force_rollback=True):
            yield ReadModel(self._connection, kind())

    def made(self, kind: type[Projection], events: Sequence[Recorded], *cuts: int) -> Any:
        """The rows after the events, which are cut into batches at these places."""
        places = [0, *sorted(min(cut, len(events)) for cut in cuts), len(events)]
        with self.of(kind) as model:
            for begin, end in pairwise(places):
                model.apply(events[begin:end])
            return model.rows()


@pytest.fixture
def models(database: str) -> Generator[ReadModels]:
    """Read models on a database that is this test's alone."""
    with HostConnection.connect(database, autocommit=True) as connection:
        yield ReadModels(connection)


@st.composite
def histories(draw: st.DrawFn) -> list[Recorded]:
    """The log of a task that was played by lot, with requests, notes, a circuit and templates."""
    template = draw(templates())
    tags = draw(st.none() | TAGS)
    story = Story(template, actor=draw(st.none() | st.just("ada")), tags=tags)
    log: list[Event] = []
    player = HistoryPlayer(story, draw)
    for _ in range(draw(st.integers(1, 40))):
        story.decided()
        player.play(draw(st.sampled_from(ACTIONS)))
        story.now += timedelta(milliseconds=draw(st.sampled_from([0, 1, 1_500, 61_000])))
    story.decided()
    log += story.log
    for other in (*player.notes, *_circuit(draw), *_templates()):
        log.insert(draw(st.integers(1, len(log))), other)
    return placed(_in_streams(log))


class HistoryPlayer:
    """Plays a task by lot: what is not possible now is left out."""

    def __init__(self, story: Story, draw: st.DrawFn) -> None:
        self.story = story
        self.notes: list[TaskNote] = []
        self._draw = draw

    def play(self, action: str) -> None:
        """Do it, to a step by lot."""
        if action == "ask":
            self._ask()
        elif action == "note":
            self._note()
        elif action == "ring":
            self._notify()
        else:
            wanted = StepState.ENQUEUED if action == "begin" else StepState.IN_PROGRESS
            steps = [
                step.name
                for step in self.story.plan.steps
                if self.story.run.step(step.name).state is wanted
            ]
            if steps:
                self._work(action, self._draw(st.sampled_from(steps)))

    def _work(self, action: str, step: str) -> None:
        if action == "refuse":
            self.story.fail(step, retryable=False)
        else:
            getattr(self.story, action)(step)

    def _notify(self) -> None:
        timers = self.story.run.timers
        if timers:
            number = self._draw(st.sampled_from(sorted(timers)))
            late = self._draw(st.sampled_from([0, 30]))
            after = (timers[number][1] - self.story.now).total_seconds() + late
            self.story.fire(self.story.plan.steps[number].name, after=max(after, 0))

    def _ask(self) -> None:
        kind: type[TaskRequest] = self._draw(st.sampled_from(REQUESTS))
        steps = [step.name for step in self.story.plan.steps]
        step = self._draw(st.sampled_from(steps)) if issubclass(kind, StepRequest) else None
        self.story.ask(kind, step)

    def _note(self) -> None:
        kind = self._draw(st.sampled_from([TaskAnnotated, TaskTagged, TaskUntagged]))
        if kind is TaskAnnotated:
            data: Any = {"kind": "k", "value": self._draw(st.sampled_from([None, "\0", {"a": 1}]))}
        else:
            data = {"tags": self._draw(TAGS)}
        self.notes.append(noted(kind, at=self.story.now, **data))


def noted(note: type[TaskNote], /, *, at: Any = NOON, actor: str = "ada", **data: Any) -> TaskNote:
    """A note on the task of the stories."""
    return note(
        originator_id=step_id(TASK, f"note {next(_numbers)}"),
        originator_version=1,
        event_id=uuid7(milliseconds(NOON), next(_numbers)),
        occurred_at=at,
        correlation_id="c",
        actor=actor,
        task_id=TASK,
        namespace="shop",
        template="order",
        **data,
    )


def circuit(kind: type[CircuitEvent], seconds: float = 0, **data: Any) -> CircuitEvent:
    """An event of a system's circuit, so long after noon."""
    return kind(
        originator_id=circuit_id("bank"),
        originator_version=1,
        event_id=uuid7(milliseconds(NOON), next(_numbers)),
        occurred_at=NOON + timedelta(seconds=seconds),
        correlation_id="circuit:bank",
        system="bank",
        **data,
    )


def _circuit(draw: st.DrawFn) -> list[CircuitEvent]:
    opened = circuit(CircuitOpened, failures=3, until=NOON + timedelta(seconds=60))
    half, closed = circuit(CircuitHalfOpened, 60), circuit(CircuitClosed, 61)
    again = circuit(CircuitOpened, 61, failures=1, until=NOON + timedelta(seconds=180))
    stories = [[], [opened], [opened, half, closed], [opened, half, again, closed, opened]]
    return draw(st.sampled_from(stories))


def _templates() -> list[Event]:
    common = {
        "originator_id": UUID(int=9),
        "event_id": UUID(int=10),
        "occurred_at": NOON,
        "correlation_id": "t",
    }
    registered = TemplateRegistered(
        **common,
        originator_version=1,
        namespace="shop",
        template="order",
        version="1",
        definition_hash="h",
        definition={"steps": [{"name": "pay", "system": "bank"}, {"name": "pack"}]},
    )
    paused = TemplatePaused(**common, originator_version=2, actor="bob", reason="why")
    return [registered, paused]


def _in_streams(log: Sequence[Event]) -> list[Event]:
    """The events in their places, but each stream in the order in which it was made."""
    waiting: dict[UUID, list[Event]] = {}
    own = [one for one in log if isinstance(one, TaskEvent | TaskNote)]
    others = [one for one in log if not isinstance(one, TaskEvent | TaskNote)]
    for one in sorted(others, key=lambda one: (one.occurred_at, one.originator_version)):
        waiting.setdefault(one.originator_id, []).append(one)
    mine = iter(own)
    return [
        next(mine) if isinstance(one, TaskEvent | TaskNote) else waiting[one.originator_id].pop(0)
        for one in log
    ]
