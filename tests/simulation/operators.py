"""People at their desks: they submit tasks, ask for things, kill processes and move clocks."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

from simulation.agenda import PEACE
from simulation.cluster import Cluster
from simulation.process import Process
from simulation.workflows import Flow

from flowledger.engine.domain.deterministic_ids import request_id
from flowledger.engine.domain.machine.transitions import TaskState
from flowledger.engine.errors import DatabaseUnavailable
from flowledger.engine.events import requests as asked
from flowledger.engine.events.requests import StepRequest, TaskRequest
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.events.template import TemplatePaused, TemplateResumed

TASKS = (1, 4)
MOST_MEANWHILE, MEANWHILE = 8, 0.3
"""So many tasks, with such a chance each time that a joint round arrives."""

REQUESTS = (0, 0, 3, 8)
DISTURBANCES = ("kill", "leave", "jump", "lose", "pause", "outage", "outage")
TIMES_DISTURBED = (0, 0, 2, 6)
AGAIN_SECONDS = 1.0
ROUND_SECONDS = 30.0
RESETS = 3


class Operators:
    """What they do is on the agenda from the beginning.

    `submitted` has the tasks that they know to be stored, `requested` the requests.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._world = cluster.world
        self._client = Process(self._world, "client", immortal=True)
        self._tasks = self._client.wired(cluster.tasks)
        self._meanwhile = Random(f"{self._world.seed} meanwhile")  # noqa: S311 - to be reproduced
        self._to_do = 0
        self._resets = RESETS
        self.submitted: list[UUID] = []
        self.requested: list[UUID] = []

    @property
    def idle(self) -> bool:
        """Whether nothing is left that they want stored."""
        return not self._to_do

    def begin(self) -> None:
        """Put their doings on the agenda."""
        random, world = self._world.random, self._world
        for _ in range(random.randint(*TASKS)):
            world.after(random.random() * 20, self._submit_one)
        for _ in range(random.choice(REQUESTS)):
            world.after(random.random() * 60, self._ask_something)
        for _ in range(random.choice(TIMES_DISTURBED)):
            world.after(random.random() * 60, self._disturb)

    def settle(self) -> None:
        """Peace: what waits for a person is settled, round by round."""
        self._world.after(ROUND_SECONDS, self.settle)
        for template in tuple(self._cluster.database.limits.paused):
            self._pause(template, paused=False)
        for task, row in tuple(self._cluster.database.tasks.items()):
            if row["ended_at"] is None and row["paused"]:
                self._ask(asked.TaskResumeRequested, task)
            elif row["state"] == TaskState.BLOCKED:
                again = self._resets > 0
                self._resets -= again
                self._ask(asked.TaskResetRequested if again else asked.TaskFailRequested, task)

    def _submit_one(self) -> None:
        self._to_do += 1
        random = self._world.random
        created = self._created(random.choice(self._cluster.flows))
        self._submit(created, "their own" if random.random() < 0.3 else None)

    def submit_meanwhile(self) -> None:
        """Another task is stored at this very moment, now and then, until there are enough."""
        if self._world.troubles is PEACE or len(self.submitted) >= MOST_MEANWHILE:
            return
        if self._meanwhile.random() < MEANWHILE:
            created = self._created(self._meanwhile.choice(self._cluster.flows))
            self.submitted += self._cluster.tasks.submit([created], None, only_new=False)

    def _submit(self, created: TaskCreated, connection: str | None) -> None:
        """Until it is certain that the task is stored; some attempts are stored unheard of."""
        try:
            if connection is not None and self._tasks.known(created.task_id):
                owner = created.task_id
            else:
                (owner,) = self._tasks.submit([created], connection, only_new=False)
        except DatabaseUnavailable:
            if connection is not None:
                created = self._anew(created)
            self._world.after(AGAIN_SECONDS, lambda: self._submit(created, connection))
            return
        self._to_do -= 1
        self.submitted.append(owner)

    def _anew(self, created: TaskCreated) -> TaskCreated:
        """An application that tries again submits another task."""
        task_id = self._world.new_id()
        changed = {"task_id": task_id, "originator_id": task_id, "correlation_id": str(task_id)}
        return created.model_copy(update={**changed, "event_id": self._world.new_id()})

    def _ask_something(self) -> None:
        tasks, random = self._cluster.database.log.tasks, self._world.random
        if tasks:
            self._ask(random.choice(asked.REQUESTS), random.choice(tasks))

    def _ask(self, kind: type[TaskRequest], task: UUID) -> None:
        created = self._cluster.tasks.created([task]).get(task)
        if created is not None:
            self._to_do += 1
            self._request(self._request_of(kind, created))

    def _request(self, request: TaskRequest) -> None:
        """Until it is certain that the request is stored: asking again is asking once."""
        try:
            self._tasks.request([request], str(request.originator_id))
        except DatabaseUnavailable:
            self._world.after(AGAIN_SECONDS, lambda: self._request(request))
            return
        self._to_do -= 1
        self.requested.append(request.originator_id)

    def _request_of(self, kind: type[TaskRequest], created: TaskCreated) -> TaskRequest:
        event_id, data = self._world.new_id(), dict[str, Any]()
        if issubclass(kind, StepRequest):
            template = self._cluster.tasks.template(created.template_id)
            data["step"] = self._world.random.choice([step.name for step in template.steps])
        return kind(
            originator_id=request_id(created.task_id, str(event_id)),
            originator_version=1,
            event_id=event_id,
            occurred_at=self._world.machine(),
            correlation_id=created.correlation_id,
            task_id=created.task_id,
            namespace=created.namespace,
            template=created.template,
            actor="ann",
            reason="she says so",
            **data,
        )

    def _disturb(self) -> None:
        random, cluster = self._world.random, self._cluster
        match random.choice(DISTURBANCES):
            case "kill" if cluster.processes:
                random.choice(cluster.processes).die()
            case "leave" if cluster.processes:
                cluster.leave(random.choice(cluster.processes))
            case "jump":
                self._world.jump(random.choice((0.5, 5.0, 60.0)))
                cluster.notify("clock")
            case "outage":
                self._world.outage(random.choice((1.0, 9.0, 40.0)))
            case "pause":
                self._pause(random.choice(cluster.flows).template.template_id, paused=True)
            case _:
                cluster.lose_queue_row()

    def _pause(self, template: UUID, *, paused: bool) -> None:
        event_id = self._world.new_id()
        kind = TemplatePaused if paused else TemplateResumed
        self._cluster.tasks.pause_template(
            template,
            kind(
                originator_id=template,
                originator_version=1,
                event_id=event_id,
                occurred_at=self._world.machine(),
                correlation_id=str(event_id),
                actor="ann",
                reason="she says so",
            ),
        )

    def _created(self, flow: Flow) -> TaskCreated:
        random, now = self._world.random, self._world.machine()
        task_id, template = self._world.new_id(), flow.template
        start_at = now + timedelta(seconds=30) if random.random() < 0.1 else None
        deadline_at = None
        if template.deadline_seconds is not None:
            deadline_at = (start_at or now) + timedelta(seconds=template.deadline_seconds)
        return TaskCreated(
            originator_id=task_id,
            originator_version=1,
            event_id=self._world.new_id(),
            occurred_at=now,
            correlation_id=str(task_id),
            task_id=task_id,
            namespace=template.namespace,
            template=template.name,
            version=template.version,
            definition_hash=template.definition_hash,
            template_id=template.template_id,
            context={"customer": random.randint(1, 2)},
            priority=random.randint(0, 2),
            start_at=start_at,
            deadline_at=deadline_at,
        )
