"""The engine, as an application sees it: open it, submit tasks, ask about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeVar, Unpack, cast
from uuid import UUID

from flowledger.engine.client.engine_arguments import (
    check_opening,
    check_settings,
    check_submitted,
    check_workflows,
    listed,
    task_ids,
)
from flowledger.engine.client.health import HealthRows, health_report
from flowledger.engine.client.operator_requests import Operations, RequestOptions
from flowledger.engine.client.projections import Projections
from flowledger.engine.client.repair_rows_from_log import Repair, Repairer
from flowledger.engine.client.stored_request import Request
from flowledger.engine.client.submission_to_event import (
    EachSubmission,
    SubmitManyOptions,
    SubmitOptions,
    Submitting,
    check_options,
)
from flowledger.engine.client.task import TaskHandle
from flowledger.engine.client.task_list import TaskFilter, TaskPage, list_tasks
from flowledger.engine.client.verification import Verification
from flowledger.engine.client.waiters import Waiters
from flowledger.engine.client.workflow_registration import Definitions
from flowledger.engine.config import Settings
from flowledger.engine.config.admission_rules_from_settings import admission_rules
from flowledger.engine.domain.argument_checks import check_call, check_flag, task_id_of
from flowledger.engine.domain.explain.reasons import Explanation
from flowledger.engine.domain.failures.classification import Classifier, classify
from flowledger.engine.domain.handler_protocol import WorkflowLike
from flowledger.engine.domain.health_rows_and_report import HealthReport
from flowledger.engine.domain.templates.template import Template
from flowledger.engine.events.requests import TaskCancelRequested, TaskResetRequested
from flowledger.engine.events.template import TemplatePaused, TemplateResumed
from flowledger.engine.ports.client import Tasks
from flowledger.engine.ports.clock_and_wakeup import Clock
from flowledger.engine.ports.fork_guard import Opener
from flowledger.engine.ports.task_list import TaskList
from flowledger.engine.ports.verification import Check
from flowledger.engine.runtime.role_supervisor import Service
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal
from flowledger.engine.telemetry.outages import Health

C = TypeVar("C")

Role = Literal["coordinator", "worker", "projector"]
ALL_ROLES: tuple[Role, ...] = ("coordinator", "worker", "projector")


class Closable(Protocol):
    """What the engine closes at its own end."""

    def close(self) -> None:
        """Close it."""
        ...


CLOSED = Health(error="the engine is closed")


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
        repairer: Repairer,
        health_rows: HealthRows,
        task_list: TaskList,
    ) -> None:
        self.settings = settings
        self.projections = projections
        self._tasks = tasks
        self._notify = notify
        self._endings = endings
        self._health_rows = health_rows
        self._task_list = task_list
        self._submitting = Submitting(clock, new_id, settings.submit.max_context_bytes)
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
        self._repairer = repairer
        self._templates: dict[UUID, Template] = {}
        self._definitions = Definitions(tasks, settings.templates)
        self._opener = Opener()
        self._log = logger("engine")
        self._closed = False

    @classmethod
    def open(  # noqa: PLR0913 - what an engine is made of
        cls,
        *,
        workflows: Iterable[WorkflowLike[Any]] = (),
        projections: Iterable[object] = (),
        roles: Iterable[Role] = ALL_ROLES,
        settings: Settings | None = None,
        classifier: Classifier = classify,
        dev: bool = False,
    ) -> Engine:
        """Open the database, bring its schema up to date, and start the roles in this process.

        The embedded Postgres is started where no database is configured. `roles=()` only submits
        and reads. The workflows are registered, and their steps are what a worker here runs;
        `classifier` sorts the exceptions of their handlers. `projections` are classes derived from
        `flowledger.projections.Projection`, or objects of them, that a projector here runs beside
        those of the configuration and of installed packages. With `dev`, as with the setting
        `templates.development`, a definition that changed under the same version is registered as
        a version of its own, with a warning. Raises DatabaseUnavailable, InvalidConfiguration,
        InvalidProjection, DefinitionChanged, DefinitionInUse, UnknownHandler, ValueError for a role
        that there is not, and TypeError for what is no list or no workflow.
        """
        from flowledger.engine.bootstrap import open_engine  # noqa: PLC0415 - it imports all of us

        check_opening(dev=dev, classifier=classifier)
        check_settings(settings)
        check_workflows(given := listed("workflows", workflows, "orders"))
        return open_engine(
            given,
            listed("roles", roles, '"worker"'),
            settings,
            classifier=classifier,
            projections=listed("projections", projections, "Spend"),
            dev=dev,
        )

    def submit(
        self, workflow: WorkflowLike[C], context: C, **options: Unpack[SubmitOptions]
    ) -> TaskHandle:
        """Store a task; a coordinator takes it on. The options are those of `SubmitOptions`.

        Raises InvalidContext, InvalidSubmission, MissingIdempotencyKey, DefinitionChanged,
        DatabaseUnavailable, and then nothing is stored; MaybeStored, which has the id; TypeError
        for an option that there is not.
        """
        self._opener.require()
        check_options("submit", options, SubmitOptions)
        key, task_id = options.pop("idempotency_key", None), options.pop("task_id", None)
        many: SubmitManyOptions = {
            **cast("EachSubmission", options),
            "idempotency_keys": (key,),
            "task_ids": None if task_id is None else (task_id,),
        }
        return self.submit_many(workflow, (context,), **many)[0]

    def submit_many(
        self,
        workflow: WorkflowLike[C],
        contexts: Sequence[C],
        **options: Unpack[SubmitManyOptions],
    ) -> list[TaskHandle]:
        """Store many tasks of one workflow in one transaction: all of them or none.

        As `submit`; `idempotency_keys` has one key for each context, and `task_ids` one id. Raises
        ValueError where they differ in length.
        """
        self._opener.require()
        check_options("submit_many", options, SubmitManyOptions)
        keys, ids = options.get("idempotency_keys"), options.get("task_ids")
        check_submitted(workflow, contexts, idempotency_keys=keys, task_ids=ids)
        self._tasks.keep_time()
        workflow = self._definitions.in_development(workflow)
        created = self._submitting.created(workflow, contexts, options)
        self.register(workflow)
        if not created:
            return []
        connection = options.get("connection")
        only_new = options.get("on_duplicate") == "raise"
        owners = self._tasks.submit(
            created, connection, only_new=only_new, ids_given=ids is not None
        )
        self.register(workflow)  # once more, where the database has become another one meanwhile
        if connection is None:
            self._notify("fact")
        return [self._handle(owner) for owner in owners]

    def task(self, task_id: UUID | str) -> TaskHandle:
        """A handle on a task, which need not exist. Raises InvalidRequest for what is no UUID."""
        self._opener.require()
        return self._handle(task_id_of(task_id))

    def tasks(
        self, *, limit: int = 100, after: str | None = None, **filters: Unpack[TaskFilter]
    ) -> TaskPage:
        """At most `limit` tasks, the newest first, that are all of what `TaskFilter` says.

        With `after`, those behind an earlier page, which names it as its `next`; what was submitted
        meanwhile is not among them. Raises InvalidRequest, DatabaseUnavailable, and TypeError for a
        filter that there is not.
        """
        self._opener.require()
        return list_tasks(self._task_list, limit, after, filters)

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
        """Record the workflow's definition, once.

        In development a changed one is recorded as a version of its own. Raises InvalidTemplate,
        DefinitionChanged, DefinitionInUse.
        """
        self._opener.require()
        self._definitions.register(workflow)

    def verify(self, task: UUID | str | None = None) -> Verification:
        """Hold all that was made from the log against it: of one task, or of everything.

        Iterate over it: it yields differences as it finds them, while tasks go on, and raises
        UnknownTask where there is no such task, DatabaseUnavailable.
        """
        self._opener.require()
        return Verification(self._checks, None if task is None else task_id_of(task))

    def repair(
        self, task: UUID | str | None = None, *, dry_run: bool = False, actor: str, reason: str
    ) -> Repair:
        """Make rows again from the log: of one task, or all, wherever `verify` finds a difference.

        What the log itself lacks or contradicts is left, and so are projections, which are
        rebuilt. Coordinators and workers may run. With `dry_run` nothing is changed; else what
        was changed is recorded in the log, with `actor` and `reason`, in the same transaction.
        Raises UnknownTask, InvalidRequest, DatabaseUnavailable; what was mended until then stays.
        """
        self._opener.require()
        check_flag("dry_run", dry_run)
        its = None if task is None else _ids([task])[0]
        try:
            return self._repairer.repair(its, dry_run=dry_run, actor=actor, reason=reason)
        finally:
            for channel in ("shard", "queue"):  # loops of this process work by other rows now
                self._notify(channel)

    def on_worker_stuck(self, tell: Callable[[], None]) -> None:
        """Call `tell`, in the worker's thread and perhaps more than once, when it is stuck.

        That is: handlers that were abandoned after a timeout and never ended take half of
        `worker.concurrency`, and everything else that ran here has ended. Nothing is claimed from
        then on, and `health["handlers"]` says so. Only a new process gets rid of such handlers.
        Raises InvalidRequest for what cannot be called.
        """
        self._opener.require()
        check_call("tell", tell)
        self._service.on_worker_stuck(tell)

    @property
    def running_steps(self) -> int:
        """How many steps run in this process: what `close` waits for, within the worker's grace."""
        self._opener.require()
        return self._service.running_steps

    @property
    def health(self) -> Mapping[str, Health]:
        """How each loop of this process fares with the database, by its name; asks nobody.

        A process without a role asks the database every two seconds whether it answers, as
        `database`. `parked`, where a coordinator runs here: whether it leaves tasks alone.
        `projections`, where a projector runs here: whether the database refuses tables of theirs.
        `connections`: whether somebody has waited for one for longer than a second. Of an engine
        that is closed, nothing is well.
        """
        self._opener.require()
        found = self._service.health
        return dict.fromkeys(found, CLOSED) if self._closed else found

    def health_report(self, patience: float = 60.0) -> HealthReport:
        """What needs somebody: of the whole engine, as the database knows it, and of this process.

        That is shards, queued steps and projections that nobody sees to, or for longer than the
        `patience` in seconds; what is parked; who holds back vacuum for as long; a clock that was
        moved; loops of this process that fail. Raises InvalidRequest, DatabaseUnavailable.
        """
        self._opener.require()
        return health_report(self._health_rows, self._service.health, patience)

    def close(self) -> None:
        """Stop the roles within their grace and close every connection.

        From then on whatever asks the database raises EngineClosed. Again it does nothing, and
        nothing in a process that was forked from the one that opened it.
        """
        if not self._opener.is_here:
            return
        self._closed = True
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

    def _handle(self, task_id: UUID) -> TaskHandle:
        return TaskHandle(
            task_id,
            tasks=self._tasks,
            endings=self._endings,
            template_of=self._template_of,
            operations=self._operations,
            rules=self._rules,
            checks=self._checks,
        )

    def _template_of(self, template_id: UUID) -> Template:
        if template_id not in self._templates:
            self._templates[template_id] = self._tasks.template(template_id)
        return self._templates[template_id]


def _ids(tasks: Iterable[UUID | str]) -> list[UUID]:
    return [task_id_of(task) for task in task_ids(tasks)]
