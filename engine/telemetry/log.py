"""Log lines of the engine: the catalogue of their names, what each carries, and where it goes.

An application that embeds the engine stays master of its logs. Importing this module configures
nothing. A line goes through structlog where the application has configured structlog, else to the
standard library's logger `flowledger.<component>`, so that by default nothing is printed below
warning. Only the program itself (the command) calls `configure_program_logging`.

Every line carries what is known where it is written: `bound(correlation_id=…, task_id=…, step=…,
attempt=…)` puts these into context variables, which a coroutine keeps by itself and a function that
is handed to a thread keeps when it is wrapped in `with_context`. Another process binds them again
from the step that it was given.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from types import MappingProxyType
from typing import Any, Literal, ParamSpec, TypeVar, cast
from uuid import UUID

import structlog
from structlog.contextvars import bind_contextvars, merge_contextvars, reset_contextvars
from structlog.typing import EventDict, Processor, WrappedLogger

from flowledger.engine.domain.event_text import visible
from flowledger.engine.text import redact

P = ParamSpec("P")
R = TypeVar("R")
Level = Literal["debug", "info", "warning", "error"]

ROOT = "flowledger"
FIRST_FIELDS = ("timestamp", "level", "event", "correlation_id", "task_id", "step", "attempt")


class Signal(StrEnum):
    """The name of every log event of the engine."""

    CLOCK_STEPPED = "clock.stepped"
    COORDINATOR_BATCH_COMMITTED = "coordinator.batch_committed"
    COORDINATOR_CIRCUIT_CLOSED = "coordinator.circuit_closed"
    COORDINATOR_CIRCUIT_OPENED = "coordinator.circuit_opened"
    COORDINATOR_CONFLICT = "coordinator.conflict"
    COORDINATOR_ELECTED = "coordinator.elected"
    COORDINATOR_LOST = "coordinator.lost"
    COORDINATOR_RECONCILED = "coordinator.reconciled"
    COORDINATOR_RESIGNED = "coordinator.resigned"
    COORDINATOR_SHARDS_CHANGED = "coordinator.shards_changed"
    COORDINATOR_TASK_PARKED = "coordinator.task_parked"
    COORDINATOR_TASKS_UNPARKED = "coordinator.tasks_unparked"
    COORDINATOR_UNSERVED = "coordinator.unserved"
    COORDINATOR_YIELDED = "coordinator.yielded"
    DATABASE_BACK = "database.back"
    DATABASE_BUSY = "database.busy"
    DATABASE_LOST = "database.lost"
    DATABASE_REFUSED = "database.refused"
    EMBEDDED_FOUND = "embedded.found"
    EMBEDDED_STARTED = "embedded.started"
    ENGINE_CLOSED = "engine.closed"
    ENGINE_OPENED = "engine.opened"
    HANDLER_WAITS = "handler.waits"
    LISTENER_RECONNECTED = "listener.reconnected"
    LOOP_FAILED = "loop.failed"
    LOOP_LEFT = "loop.left"
    MIGRATION_APPLIED = "migration.applied"
    POOL_EXHAUSTED = "pool.exhausted"
    PROGRAM_RESTARTED = "program.restarted"
    PROJECTION_EVENT_PARKED = "projection.event_parked"
    PROJECTION_LED = "projection.led"
    PROJECTION_LOST = "projection.lost"
    PROJECTION_REFUSED = "projection.refused"
    PROJECTION_STOPPED = "projection.stopped"
    PROJECTION_SWAPPED = "projection.swapped"
    TEMPLATE_REGISTERED = "template.registered"
    WORKER_CLAIMED = "worker.claimed"
    WORKER_HEARTBEAT_REFUSED = "worker.heartbeat_refused"
    WORKER_ISOLATED = "worker.isolated"
    WORKER_LEASE_LOST = "worker.lease_lost"
    WORKER_LOOP_BLOCKED = "worker.loop_blocked"
    WORKER_LOOP_ESCAPED = "worker.loop_escaped"
    WORKER_RECOVERED = "worker.recovered"
    WORKER_REGISTERED = "worker.registered"
    WORKER_RELEASED = "worker.released"
    WORKER_STEP_FAILED = "worker.step_failed"
    WORKER_STEP_LOST = "worker.step_lost"
    WORKER_STEP_RAISED = "worker.step_raised"
    WORKER_STEP_TIMED_OUT = "worker.step_timed_out"
    WORKER_WORN_OUT = "worker.worn_out"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a signal says, and how loud."""

    level: Level
    text: str


CATALOGUE: Mapping[Signal, Meaning] = MappingProxyType(
    {
        Signal.CLOCK_STEPPED: Meaning(
            "warning",
            "The clock of this host was set, by so many seconds; the engine's time did not step.",
        ),
        Signal.COORDINATOR_BATCH_COMMITTED: Meaning(
            "debug", "Decisions on a batch of events were committed."
        ),
        Signal.COORDINATOR_CIRCUIT_CLOSED: Meaning(
            "info", "An outside system works again; its steps are queued as they come."
        ),
        Signal.COORDINATOR_CIRCUIT_OPENED: Meaning(
            "warning", "An outside system fails; its steps wait until it is tried again."
        ),
        Signal.COORDINATOR_CONFLICT: Meaning(
            "info", "A step or task moved while it was decided on; it is read and decided again."
        ),
        Signal.COORDINATOR_ELECTED: Meaning("info", "This process leads the shard from now on."),
        Signal.COORDINATOR_LOST: Meaning(
            "warning", "Another process leads the shard; what was decided here was not stored."
        ),
        Signal.COORDINATOR_RECONCILED: Meaning(
            "warning", "Steps that should have been queued were not, and are now."
        ),
        Signal.COORDINATOR_RESIGNED: Meaning(
            "info", "This process gave up the shard: it stops, or another leads too few."
        ),
        Signal.COORDINATOR_SHARDS_CHANGED: Meaning(
            "info", "There is another number of shards; they are shared out anew."
        ),
        Signal.COORDINATOR_TASK_PARKED: Meaning(
            "error",
            "A task cannot be taken in or decided on; it is left alone, the others go on.",
        ),
        Signal.COORDINATOR_TASKS_UNPARKED: Meaning(
            "info", "Tasks that were parked could be decided on again, and go on."
        ),
        Signal.COORDINATOR_UNSERVED: Meaning(
            "warning", "So many tasks of these templates are open, and no worker has them."
        ),
        Signal.COORDINATOR_YIELDED: Meaning(
            "info", "Another process leads fewer shards than its share, so it gets some of these."
        ),
        Signal.DATABASE_BACK: Meaning(
            "info", "What the loop does succeeds again, after so many attempts and seconds."
        ),
        Signal.DATABASE_BUSY: Meaning(
            "warning",
            "The database refuses what the loop does for now (space, time, locks, read-only);"
            " it tries again by itself. Once an outage.",
        ),
        Signal.DATABASE_LOST: Meaning(
            "warning",
            "The database cannot be reached; the loop tries again by itself. Once an outage.",
        ),
        Signal.DATABASE_REFUSED: Meaning(
            "error",
            "The database refuses what the loop does, and not for now: see the code; the loop"
            " tries again, and says so once an outage.",
        ),
        Signal.EMBEDDED_FOUND: Meaning("debug", "The embedded Postgres was running already."),
        Signal.EMBEDDED_STARTED: Meaning("info", "The embedded Postgres was started."),
        Signal.ENGINE_CLOSED: Meaning("info", "The engine stopped its roles and connections."),
        Signal.ENGINE_OPENED: Meaning("info", "The engine is ready, with the roles it names."),
        Signal.HANDLER_WAITS: Meaning(
            "warning",
            "A handler waits for a task, and keeps its place in the worker: where every place is"
            " taken so, nothing goes on.",
        ),
        Signal.LISTENER_RECONNECTED: Meaning(
            "info",
            "The connection for wake-ups was lost, and is back; all is looked at.",
        ),
        Signal.LOOP_FAILED: Meaning(
            "error", "A loop met an error it does not know; it tries again after a pause."
        ),
        Signal.LOOP_LEFT: Meaning(
            "warning", "A stopping process did not wait any longer for a loop to end."
        ),
        Signal.MIGRATION_APPLIED: Meaning("info", "A migration changed the database's schema."),
        Signal.POOL_EXHAUSTED: Meaning(
            "warning",
            "All connections of the process (database.pool_max_size) are in use, and who needs one"
            " has waited for a second. Once, until one is free at once again.",
        ),
        Signal.PROGRAM_RESTARTED: Meaning(
            "warning", "The program starts itself anew, to be rid of handlers that never end."
        ),
        Signal.PROJECTION_EVENT_PARKED: Meaning(
            "error", "A projection could not take an event, and put it aside as its policy says."
        ),
        Signal.PROJECTION_LED: Meaning("info", "This process runs a generation of a projection."),
        Signal.PROJECTION_LOST: Meaning("warning", "Another process runs the projection now."),
        Signal.PROJECTION_REFUSED: Meaning(
            "error", "A projection's tables or views cannot be made as it says; others go on."
        ),
        Signal.PROJECTION_STOPPED: Meaning(
            "error", "A projection could not take an event, and waits there; it tries again."
        ),
        Signal.PROJECTION_SWAPPED: Meaning(
            "info", "A generation of a projection that was built serves now."
        ),
        Signal.TEMPLATE_REGISTERED: Meaning("debug", "A workflow's definition stands in the log."),
        Signal.WORKER_CLAIMED: Meaning("debug", "Steps were claimed and recorded as started."),
        Signal.WORKER_HEARTBEAT_REFUSED: Meaning(
            "warning", "The database refused the details of a heartbeat; the others are noted."
        ),
        Signal.WORKER_ISOLATED: Meaning(
            "warning", "The worker begins, or ends, to take only steps that are to run alone."
        ),
        Signal.WORKER_LEASE_LOST: Meaning(
            "warning", "The worker was silent for too long; its steps may be run by others."
        ),
        Signal.WORKER_LOOP_BLOCKED: Meaning(
            "error",
            "A coroutine blocks its event loop: it goes on alone, and the others on it are handed"
            " back.",
        ),
        Signal.WORKER_LOOP_ESCAPED: Meaning(
            "error",
            "An exit was raised on the event loop where no step could catch it: the loop runs on,"
            " and the step fails, where it is known.",
        ),
        Signal.WORKER_RECOVERED: Meaning(
            "info", "Abandoned handlers have ended; the worker claims steps again."
        ),
        Signal.WORKER_REGISTERED: Meaning("info", "A worker announced itself, and has a lease."),
        Signal.WORKER_RELEASED: Meaning("info", "A stopping worker handed back unfinished steps."),
        Signal.WORKER_STEP_FAILED: Meaning(
            "warning", "A handler raised, or its result was refused."
        ),
        Signal.WORKER_STEP_LOST: Meaning(
            "warning", "A step was taken from the worker while it ran; its result is not recorded."
        ),
        Signal.WORKER_STEP_RAISED: Meaning("debug", "Where a handler raised, with its traceback."),
        Signal.WORKER_STEP_TIMED_OUT: Meaning("warning", "A handler ran longer than its limit."),
        Signal.WORKER_WORN_OUT: Meaning(
            "error",
            "Abandoned handlers take half of the worker's places: it claims nothing until it is"
            " started anew.",
        ),
    }
)


class Log(structlog.stdlib.BoundLogger):
    """A structlog logger that knows the catalogue."""

    def emit(self, signal: Signal, /, **fields: Any) -> None:
        """Write a line of the catalogue at its level.

        A line that cannot be written is lost, and nothing else: user code may have closed the
        stream, and what the line tells of goes on.
        """
        with suppress(Exception):
            self._proxy_to_logger(CATALOGUE[signal].level, signal.value, **fields)

    def _proxy_to_logger(
        self, method_name: str, event: str | None = None, *event_args: str, **event_kw: Any
    ) -> Any:
        """Skip the work for a line that nobody hears: the loops write many."""
        if self._is_heard(method_name):
            return super()._proxy_to_logger(method_name, event, *event_args, **event_kw)
        return None

    def _is_heard(self, level: str) -> bool:
        """Standard levels rule, unless the application's structlog writes past them."""
        if structlog.is_configured():
            factory = structlog.get_config()["logger_factory"]
            if not isinstance(factory, structlog.stdlib.LoggerFactory):
                return True
        return bool(self._logger.isEnabledFor(getattr(logging, level.upper())))


def logger(component: str, **fields: Any) -> Log:
    """The logger of a part of the engine; `fields` stand on each of its lines."""
    return Log(logging.getLogger(f"{ROOT}.{component}"), LINE, {"component": component, **fields})


class _Bound:
    """Set on entry, reset on exit: structlog's own context manager costs half as much again."""

    __slots__ = ("_fields", "_tokens")

    def __init__(self, fields: dict[str, str | int]) -> None:
        self._fields = fields

    def __enter__(self) -> None:
        self._tokens = bind_contextvars(**self._fields)

    def __exit__(self, *_: object) -> None:
        with suppress(ValueError):  # a coroutine may be destroyed outside of its context
            reset_contextvars(**self._tokens)


def bound(
    *,
    correlation_id: UUID | str | None = None,
    task_id: UUID | str | None = None,
    step: str | None = None,
    attempt: int | None = None,
) -> AbstractContextManager[None]:
    """Put what is known on every line written inside; what is None stays as it was outside."""
    fields: dict[str, str | int] = {}
    if correlation_id is not None:
        fields["correlation_id"] = str(correlation_id)
    if task_id is not None:
        fields["task_id"] = str(task_id)
    if step is not None:
        fields["step"] = step
    if attempt is not None:
        fields["attempt"] = attempt
    return _Bound(fields)


def with_context(function: Callable[P, R]) -> Callable[P, R]:
    """The function, running with today's context variables in whatever thread calls it.

    It may be called many times, also at once: each call has a copy of its own.
    """
    context = copy_context()

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return context.copy().run(function, *args, **kwargs)

    return run


def reference() -> str:
    """The catalogue as a Markdown table, for docs/telemetry.md."""
    rows = [
        f"| `{signal}` | {meaning.level} | {meaning.text} |"
        for signal, meaning in CATALOGUE.items()
    ]
    return "\n".join(["| name | level | meaning |", "| --- | --- | --- |", *rows, ""])


def without_secrets(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """A structlog processor: passwords leave every text of the line."""
    return {name: _plain(value) for name, value in line.items()}


def in_order(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """A structlog processor: what identifies the line first, then the rest as written."""
    first = {name: line[name] for name in FIRST_FIELDS if name in line}
    return {**first, **line}


def on_lines_of_its_own(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """A structlog processor for lines of text: nothing in a value can look like another line.

    What a terminal would obey is escaped; a traceback follows, each of its lines indented.
    """
    trace = line.pop("exception", None)
    told = {name: visible(item) if isinstance(item, str) else item for name, item in line.items()}
    return told if trace is None else {**told, "exception": _indented(str(trace))}


def _indented(trace: str) -> str:
    return "\n".join(f"    {visible(one)}" for one in trace.split("\n"))


def _plain(value: Any) -> Any:
    match value:
        case str():
            return redact(value)
        case BaseException() | UUID():
            return redact(str(value))
        case dict():
            return {key: _plain(item) for key, item in cast("Mapping[Any, Any]", value).items()}
        case list() | tuple():
            return [_plain(item) for item in cast("Sequence[Any]", value)]
        case _:
            return value


def _deliver(_: WrappedLogger, method: str, line: EventDict) -> Any:
    """The last step: to the application's structlog, or as arguments to the standard logger."""
    event = line.pop("event")
    if structlog.is_configured():
        getattr(structlog.get_logger(), method)(event, **line)
        raise structlog.DropEvent
    trace = line.pop("exception", None)
    said = " ".join([event, *(f"{name}={visible(str(value))}" for name, value in line.items())])
    message = f"{said}\n{_indented(trace)}" if trace else said
    return (message,), {"extra": {ROOT: line}}


LINE: tuple[Processor, ...] = (
    merge_contextvars,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.format_exc_info,
    without_secrets,
    in_order,
    _deliver,
)
