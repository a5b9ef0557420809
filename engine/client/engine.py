"""The engine, as an application sees it: open it, submit tasks, ask about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeVar, Unpack
from uuid import UUID

from flowledger.engine.client.new_tasks import encoded_context, task_created
from flowledger.engine.client.projections import Projections
from flowledger.engine.client.requests import Operations, Request, RequestOptions
from flowledger.engine.client.task import TaskHandle
from flowledger.engine.client.verify import Verification
from flowledger.engine.client.waiters import Waiters
from flowledger.engine.config import Settings
from flowledger.engine.config.admission import admission_rules
from flowledger.engine.domain.explain.reasons import Explanation
from flowledger.engine.domain.failures.classification import Classifier, classify
from flowledger.engine.domain.handler_protocol import WorkflowLike
from flowledger.engine.domain.submission import (
    check_submission,
    check_tags,
    check_times,
    plain_time,
)
from flowledger.engine.domain.templates.template import Template, TemplateSize, validate_template
from flowledger.engine.errors import InvalidSubmission
from flowledger.engine.events.requests import TaskCancelRequested, TaskResetRequested
from flowledger.engine.events.task import TaskCreated
from flowledger.engine.events.template import TemplatePaused, TemplateResumed
from flowledger.engine.ports.client import Tasks
from flowledger.engine.ports.owner_process import Opener
from flowledger.engine.ports.runtime import Clock
from flowledger.engine.ports.verification import Check
from flowledger.engine.runtime.service import Service
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.outages import Health
from flowledger.engine.telemetry.signals import Signal

C = TypeVar("C")

Role = Literal["coordinator", "worker", "projector"]
ALL_ROLES: tuple[Role, ...] = ("coordinator", "worker", "projector")
OnDuplicate = Literal["return", "raise"]


class Closable(Protocol):
    """What the engine closes at its own end."""

    def close(self) -> None:
        """Close it."""
        ...


class Engine:
    """Tasks on one database, and the roles that this process plays.

    Made by `Engine.open`; a context manager. Every method may be called from any thread of the
    process that opened it; in a fork of that process each raises EngineForked.
    """

    def __init__(  # noqa: PLR0913 - its parts, put together by the composition root
        self,
        *,
        settings: Settings,
        tasks: Tasks,
        clock: Clock,
        new_id: Callable[[], UUID],
        notify: Callable[[str], None],
        endings: Waiters,
        service: Service,
        projections: Projections,
        resources: Sequence[Closable],
        checks: Sequence[Check] = (),
    ) -> None:
        self.settings = settings
        self.projections = projections
        self._tasks = tasks
        self._clock = clock
        self._new_id = new_id
        self._notify = notify
        self._endings = endings
        self._operations = Operations(
            tasks=tasks,
            clock=clock,
            new_id=new_id,
            notify=notify,
            endings=endings,
            wait_seconds=settings.submit.request_timeout_seconds,
            max_result_bytes=settings.worker.max_result_bytes,
        )
        self._rules = admission_rules(settings.limits, settings.coordinator.priority_ageing_seconds)
        self._service = service
        self._resources = resources
        self._checks = checks
        self._templates: dict[UUID, Template] = {}
        self._registered: set[str] = set()
        self._opener = Opener()
        self._sessions = tasks.sessions
        self._log = logger("engine")

    @classmethod
    def open(
        cls,
        *,
        workflows: Iterable[WorkflowLike[Any]] = (),
        projections: Iterable[object] = (),
        roles: Iterable[Role] = ALL_ROLES,
        settings: Settings | None = None,
        classifier: Classifier = classify,
    ) -> Engine:
        """Open the database, bring its schema up to date, and start the roles in this process.

        The embedded Postgres is started where no database is configured. `roles=()` only submits
        and reads. The workflows are registered, and their steps are what a worker here runs;
        `classifier` sorts the exceptions of their handlers. `projections` are classes derived from
        `flowledger.projections.Projection`, or objects of them, that a projector here runs beside
        those of the configuration and of installed packages. Raises DatabaseUnavailable,
        InvalidConfiguration, InvalidProjection, DefinitionChanged, UnknownHandler, and ValueError
        for a role that there is not.
        """
        from flowledger.engine.bootstrap import open_engine  # noqa: PLC0415 - it imports all of us

        return open_engine(
            tuple(workflows),
            tuple(roles),
            settings,
            classifier=classifier,
            projections=tuple(projections),
        )

    def submit(  # noqa: PLR0913 - all but the first two have a default that fits
        self,
        workflow: WorkflowLike[C],
        context: C,
        *,
        idempotency_key: str | None = None,
        on_duplicate: OnDuplicate = "return",
        priority: int = 0,
        correlation_id: str | None = None,
        actor: str | None = None,
        start_at: datetime | None = None,
        deadline_at: datetime | None = None,
        tags: Sequence[str] = (),
        task_id: UUID | None = None,
        connection: object | None = None,
    ) -> TaskHandle:
        """Store a task; a coordinator takes it on.

        With a `connection` (psycopg's, SQLAlchemy's Connection or Session on psycopg, Django's) the
        task is part of its transaction: it exists when that commits, and never if it does not. A
        task with the same identity (see `Workflow(identity=…)` and `idempotency_key`) is returned,
        or DuplicateTask is raised.
        Higher priorities go first. Nothing is queued before `start_at`; a task that has not ended
        by `deadline_at` is stopped, and without one the template's deadline counts. `tags` are for
        people, and for read models. `task_id` is the id of an earlier attempt whose answer was
        lost: that task is returned where it is stored, and else stored. Raises InvalidContext,
        InvalidSubmission, MissingIdempotencyKey, DefinitionChanged, DatabaseUnavailable, and then
        nothing is stored; MaybeStored, which has the id.
        """
        return self.submit_many(
            workflow,
            (context,),
            idempotency_keys=(idempotency_key,),
            on_duplicate=on_duplicate,
            priority=priority,
            correlation_id=correlation_id,
            actor=actor,
            start_at=start_at,
            deadline_at=deadline_at,
            tags=tags,
            task_ids=None if task_id is None else (task_id,),
            connection=connection,
        )[0]

    def submit_many(  # noqa: PLR0913 - all but the first two have a default that fits
        self,
        workflow: WorkflowLike[C],
        contexts: Sequence[C],
        *,
        idempotency_keys: Sequence[str | None] | None = None,
        on_duplicate: OnDuplicate = "return",
        priority: int = 0,
        correlation_id: str | None = None,
        actor: str | None = None,
        start_at: datetime | None = None,
        deadline_at: datetime | None = None,
        tags: Sequence[str] = (),
        task_ids: Sequence[UUID] | None = None,
        connection: object | None = None,
    ) -> list[TaskHandle]:
        """Store many tasks of one workflow in one transaction: all of them or none.

        As `submit`; `idempotency_keys` has one key for each context, and `task_ids` one id. Raises
        ValueError where they differ in length.
        """
        self._opener.require()
        template = workflow.template
        keys = (None,) * len(contexts) if idempotency_keys is None else idempotency_keys
        ids = [self._new_id() for _ in contexts] if task_ids is None else task_ids
        for key in keys:
            texts = {"correlation_id": correlation_id, "actor": actor, "idempotency_key": key}
            check_submission(template.key, priority, on_duplicate, texts)
        times = check_times(template.key, start_at, deadline_at)
        fields = {
            "priority": priority,
            "correlation_id": correlation_id,
            "actor": actor,
            "start_at": plain_time(times[0]),
            "deadline_at": plain_time(times[1]),
            "tags": check_tags(template.key, tags, InvalidSubmission) or None,
        }
        self._tasks.keep_time()
        created = [
            self._created(workflow, context, key, task_id, **fields)
            for context, key, task_id in zip(contexts, keys, ids, strict=True)
        ]
        self.register(workflow)
        if not created:
            return []
        owners = self._tasks.submit(created, connection, only_new=on_duplicate == "raise")
        self.register(workflow)  # once more, where the database has become another one meanwhile
        if connection is None:
            self._notify("fact")
        return [self._handle(owner) for owner in owners]

    def task(self, task_id: UUID | str) -> TaskHandle:
        """A handle on a task, which need not exist. Raises ValueError for what is no UUID."""
        self._opener.require()
        return self._handle(_id(task_id))

    def explain(
        self, task_id: UUID | str, step: str | None = None, at: datetime | int | None = None
    ) -> Explanation:
        """Why a task has not ended, or a step of it does not run; see `TaskHandle.explain`."""
        return self.task(task_id).explain(step, at)

    def cancel_many(
        self, tasks: Iterable[UUID | str], **asking: Unpack[RequestOptions]
    ) -> list[Request]:
        """Ask of all these tasks that they end: all requests are stored, or none.

        Waits for all answers; each is an answer by itself, and may be a refusal
        (`Request.refusal`). Raises what `TaskHandle.cancel` raises, but RequestDenied.
        """
        self._opener.require()
        return self._operations.ask(TaskCancelRequested, _ids(tasks), **asking)

    def reset_many(
        self, tasks: Iterable[UUID | str], **asking: Unpack[RequestOptions]
    ) -> list[Request]:
        """Ask of all these tasks that what failed is tried anew; as `cancel_many`."""
        self._opener.require()
        return self._operations.ask(TaskResetRequested, _ids(tasks), **asking)

    def pause_template(self, key: str, *, reason: str, actor: str) -> bool:
        """Queue no step of any task of the template `namespace/name@version` until it is resumed.

        Steps that run go on. Returns whether it was not paused before. Raises UnknownTemplate,
        InvalidRequest, DatabaseUnavailable.
        """
        self._opener.require()
        return self._operations.mark_template(TemplatePaused, key, reason=reason, actor=actor)

    def resume_template(self, key: str, *, reason: str, actor: str) -> bool:
        """Let the tasks of a paused template go on. Returns whether it was paused."""
        self._opener.require()
        return self._operations.mark_template(TemplateResumed, key, reason=reason, actor=actor)

    def register(self, workflow: WorkflowLike[Any]) -> None:
        """Record the workflow's definition, once. Raises InvalidTemplate, DefinitionChanged."""
        self._opener.require()
        template, sessions = workflow.template, self._tasks.sessions
        if sessions != self._sessions:
            self._registered.clear()
            self._sessions = sessions
        if template.definition_hash not in self._registered:
            limits = self.settings.templates
            validate_template(template, TemplateSize(limits.max_steps, limits.max_depth))
            self._tasks.register(template)
            self._registered.add(template.definition_hash)
            self._log.emit(Signal.TEMPLATE_REGISTERED, template=template.key)

    def verify(self, task: UUID | str | None = None) -> Verification:
        """Hold all that was made from the log against it: of one task, or of everything.

        Iterate over it: it yields differences as it finds them, while tasks go on, and raises
        UnknownTask where there is no such task, DatabaseUnavailable.
        """
        self._opener.require()
        return Verification(self._checks, None if task is None else _id(task))

    def on_saturated(self, tell: Callable[[], None]) -> None:
        """Call `tell`, in the worker's thread and perhaps more than once, when it is saturated.

        That is: handlers that were abandoned after a timeout and never ended take half of
        `worker.concurrency`, and everything else that ran here has ended. Nothing is claimed from
        then on, and `health["handlers"]` says so. Only a new process gets rid of such handlers.
        """
        self._opener.require()
        self._service.on_saturated(tell)

    def start(self) -> None:
        """Start the roles. `open` has done that."""
        self._opener.require()
        self._service.start()
        self._log.emit(Signal.ENGINE_OPENED, roles=self._service.roles)

    @property
    def health(self) -> Mapping[str, Health]:
        """How each loop of this process fares with the database, by its name; asks nobody.

        A process without a role asks the database every two seconds whether it answers, as
        `database`. `parked`, where a coordinator runs here: whether it leaves tasks alone.
        """
        self._opener.require()
        return self._service.health

    def close(self) -> None:
        """Stop the roles within their grace and close every connection.

        From then on whatever asks the database raises EngineClosed. Again it does nothing, and
        nothing in a process that was forked from the one that opened it.
        """
        if not self._opener.is_here:
            return
        self._service.stop()
        self._endings.stop(self.settings.database.shutdown_timeout_seconds)
        for resource in self._resources:
            resource.close()
        self._log.emit(Signal.ENGINE_CLOSED)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _created(
        self, workflow: WorkflowLike[C], context: C, key: str | None, task_id: UUID, **fields: Any
    ) -> TaskCreated:
        encoded = encoded_context(workflow, context, self.settings.submit.max_context_bytes)
        fields |= {"event_id": self._new_id(), "now": self._clock.now(), "task_id": task_id}
        return task_created(workflow.template, encoded, key, **fields)

    def _handle(self, task_id: UUID) -> TaskHandle:
        return TaskHandle(
            task_id,
            tasks=self._tasks,
            endings=self._endings,
            template_of=self._template_of,
            operations=self._operations,
            rules=self._rules,
        )

    def _template_of(self, template_id: UUID) -> Template:
        if template_id not in self._templates:
            self._templates[template_id] = self._tasks.template(template_id)
        return self._templates[template_id]


def _id(task_id: UUID | str) -> UUID:
    return task_id if isinstance(task_id, UUID) else UUID(task_id)


def _ids(tasks: Iterable[UUID | str]) -> list[UUID]:
    return [_id(task) for task in tasks]
