"""The rows that a log makes: of a task, and of templates and circuits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.domain.limits.circuit_breaker import Circuit
from flowledger.engine.domain.limits.demand import demand_of
from flowledger.engine.domain.limits.fair_turns import NO_WEIGHTS
from flowledger.engine.domain.limits.wait_queue import Waiter, share_of
from flowledger.engine.domain.machine.queue_order import queue_sort_key, wait_sort_key
from flowledger.engine.domain.machine.task_run import TaskRun, Wait
from flowledger.engine.domain.verify.log import CheckedFold
from flowledger.engine.domain.verify.non_task_streams import (
    OtherStreams,
    folded_circuit,
    template_row,
    verify_apart,
)
from flowledger.engine.domain.verify.queue_timer_and_slot_rows import (
    HOLDS,
    QUEUE,
    SLOTS,
    TASK,
    TIMERS,
    QueueRows,
    misqueued,
    queue_row_of,
    slots_of,
    waits_early,
)
from flowledger.engine.domain.verify.repairable_differences import (
    IDENTITIES,
    ROWS,
    ApartRows,
    why_left,
)
from flowledger.engine.domain.verify.replay_and_compare_rows import Difference, Row, step_rows
from flowledger.engine.domain.verify.task import (
    DECIDED,
    PARKED,
    Onlooker,
    StoredTask,
    created_of,
    passed_over,
)
from flowledger.engine.events.circuit import CircuitEvent
from flowledger.engine.events.engine_actions import EngineRepaired
from flowledger.engine.events.template import TemplateRegistered
from flowledger.engine.runtime.coordinator.commit_contents import (
    step_row,
    task_row,
    task_timer_row,
    timer_row,
)

TABLES = {"queue": "queue", "timers": "timer", "held": "waiting_step"}


class Made(Onlooker):
    """All rows of a task as its log makes them, of which those are taken that differ."""

    def __init__(self, evidence: StoredTask, priority_ageing_seconds: float) -> None:
        self._evidence = evidence
        self._ageing = priority_ageing_seconds
        self._task: dict[str, Any] | None = None
        self._stood: Mapping[str, Row] = {}
        self._steps: dict[str, dict[str, Any]] = {}
        self._timers: dict[str, dict[str, Any]] = {}
        self._held: dict[str, Waiter] = {}
        self._slots: dict[str, tuple[set[str], set[str]]] = {}
        self._queue: dict[str, dict[str, Any]] = {}
        self._passed_over = False

    def at_position(self, run: TaskRun, work: QueueRows) -> None:
        """The run where the coordinator stands."""
        self._stood = work.queue
        self._passed_over = passed_over(run)
        self._task = task_row(run)
        noted = step_rows(run)
        for number, template in enumerate(run.plan.steps):
            name = template.name
            if name in noted:
                self._steps[name] = step_row(run, number)
            waits = name in work.waiting and not waits_early(run, number, work)
            if number in run.timers and not waits:
                self._timers[name] = timer_row(run, number)
            if run.may_wait(number) and (number in run.ready or waits):
                self._held[name] = self._waiter(run, number)
            self._slots[name] = slots_of(run, number)
        if run.timer is not None:
            self._timers[TASK] = task_timer_row(run)

    def at_end(self, fold: CheckedFold) -> None:
        """The fold of the whole log."""
        run = fold.run
        if run is None:
            return
        for number, template in enumerate(run.plan.steps):
            row = queue_row_of(fold, run, number)
            if row is not None:
                its = step_id(run.task_id, template.name)
                place = self._place(fold, run, number)
                self._queue[template.name] = {**row, "step_id": its, **place}

    def rows(self, found: Iterable[Difference]) -> dict[str, Any]:
        """What is to be stored for these differences."""
        places: dict[str, set[str]] = defaultdict(set)
        for one in found:
            places[one.place].add(one.subject)
        rows: dict[str, Any] = {}
        rows |= self._rows_of_states(places[ROWS])
        for relation, place, made in (
            ("queue", QUEUE, self._queue),
            ("timers", TIMERS, self._timers),
            ("held", HOLDS, self._held),
        ):
            rows |= self._rows_of_work(relation, made, places[place])
        rows |= self._rows_of_slots(places[SLOTS])
        rows["no_parked"] = bool(places[PARKED])
        rows["decide"] = self._passed_over and bool(places[ROWS] or places[DECIDED])
        created = created_of(self._evidence)
        if places[IDENTITIES] and created is not None:
            rows["identity"] = created.identity
        return {name: value for name, value in rows.items() if value}

    def _rows_of_states(self, subjects: set[str]) -> dict[str, Any]:
        stored = (row["step"] for row in self._evidence.rows.get("step", ()))
        names = [n for n in dict.fromkeys((*self._steps, *stored)) if _step(n) in subjects]
        rows: dict[str, Any] = {
            "steps": [self._steps[name] for name in names if name in self._steps],
            "no_steps": [name for name in names if name not in self._steps],
        }
        if "task" in subjects:
            rows |= {"task": [self._task]} if self._task else {"no_task": True}
        return rows

    def _rows_of_work(
        self, relation: str, made: Mapping[str, Any], subjects: set[str]
    ) -> dict[str, Any]:
        """Rows that are keyed by a step's id: those that differ, and the ids of those that go."""
        wanted = {name: row for name, row in made.items() if _subject(name) in subjects}
        kept = {self._id(name) for name in made}
        gone = [
            row["step_id"]
            for row in self._evidence.rows.get(TABLES[relation], ())
            if self._subject_of(row) in subjects and row["step_id"] not in kept
        ]
        return {relation: list(wanted.values()), f"no_{relation}": gone}

    def _id(self, name: str) -> UUID:
        return step_id(self._evidence.task_id, name) if name else self._evidence.task_id

    def _subject_of(self, row: Row) -> str:
        """What the row is about, by its id where that is the task's or one of its steps'."""
        if row["step_id"] == self._evidence.task_id:
            return _subject(TASK)
        ids = {self._id(name): name for name in self._slots}
        return _step(ids.get(row["step_id"], str(row["step"])))

    def _rows_of_slots(self, subjects: set[str]) -> dict[str, Any]:
        taken: list[dict[str, Any]] = []
        freed: list[dict[str, Any]] = []
        for name, (needed, allowed) in self._slots.items():
            if _subject(name) not in subjects:
                continue
            its = self._id(name)
            held = {
                row["limit_key"]
                for row in self._evidence.rows.get("slot", ())
                if row["step_id"] == its
            }
            taken += [{"step_id": its, "limit_key": key} for key in sorted(needed - held)]
            freed += [{"step_id": its, "limit_key": key} for key in sorted(held - allowed)]
        return {"slots": taken, "no_slots": freed}

    def _waiter(self, run: TaskRun, number: int) -> Waiter:
        """A step that is ready waits where the coordinator looks first, and moves it on."""
        demand = demand_of(run.plan, number, run.context, {})
        name = run.plan.steps[number].name
        wait = Wait("template", str(demand.template_id))
        if demand.system is not None:
            wait = Wait("circuit", demand.system)
        elif demand.slots:
            wait = Wait("slot", demand.slots[0].key)
        elif demand.rates:
            wait = Wait("rate", demand.rates[0].key)
        step, since = step_id(run.task_id, name), self._evidence.now
        share = share_of(run, NO_WEIGHTS)
        turn = wait_sort_key(run, since, self._ageing)
        return Waiter(turn, step, run.task_id, name, since, wait, demand, share)

    def _place(self, fold: CheckedFold, run: TaskRun, number: int) -> dict[str, Any]:
        """The step's place in the queue: its own, unless that cannot be."""
        name = run.plan.steps[number].name
        row = self._stood.get(name)
        wrong = {"sort_key", "exclusive"}
        if row is not None:
            now = self._evidence.now
            wrong = {found.field for found in misqueued(fold, run, number, row, now)}
        place = queue_sort_key(run, self._evidence.now, self._ageing)
        made = {"sort_key": place, "exclusive": False}
        return {
            field: value if row is None or field in wrong else row[field]
            for field, value in made.items()
        }


def _subject(name: str) -> str:
    """What a difference calls the step of a template, or the task."""
    return "task" if name == TASK else _step(name)


def _step(name: str) -> str:
    """What a difference calls a step that a row names, which may have any text for a name."""
    return f"step {name!r}"


def apart_rows(apart: OtherStreams, event: EngineRepaired) -> ApartRows:
    """The rows of the templates and circuits that differ, as their events make them."""
    templates: list[Any] = []
    circuits: list[Circuit] = []
    for stream in apart.streams:
        if all(why_left(found) for found in verify_apart(apart.alone(stream))):
            continue
        entries = sorted(apart.streams[stream], key=lambda entry: entry.position)
        events = [entry.event for entry in entries]
        first = events[0] if events else None
        if isinstance(first, TemplateRegistered):
            templates.append((stream, template_row(first, events[1:]), first.occurred_at))
        else:
            kept = apart.circuits.get(stream)
            system = first.system if isinstance(first, CircuitEvent) else kept and kept.system
            folded = folded_circuit(system or "", entries)
            circuits += [folded] if isinstance(folded, Circuit) else []
    return ApartRows(templates, circuits, event)
