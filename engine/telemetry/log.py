"""Log lines of the engine: the catalogue of their names, what each carries, and where it goes.

An application that embeds the engine stays master of its logs. Importing this module configures
nothing. A line goes through structlog where the application has configured structlog, else to the
standard library's logger `flowledger.<component>`, so that by default nothing is printed below
warning. Only the program itself (the command) calls `configure_program_logging`.

Every line carries what is known where it is written: `bound(correlation_id=…, task_id=…, step=…,
attempt=…)` puts these into context variables, which a coroutine keeps by itself. A thread and
another process bind them again from the step that they were given.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from contextvars import Context, ContextVar
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

import structlog
from structlog.contextvars import bind_contextvars, merge_contextvars
from structlog.typing import EventDict, Processor, WrappedLogger

from flowledger.engine.display_text import redact, visible
from flowledger.engine.telemetry.log_messages import CATALOGUE, Signal

P = ParamSpec("P")
R = TypeVar("R")

ROOT = "flowledger"
LEVELS = {name.lower(): level for name, level in logging.getLevelNamesMapping().items()}
FIRST_FIELDS = ("timestamp", "level", "event", "correlation_id", "task_id", "step", "attempt")


class Log(structlog.stdlib.BoundLogger):
    """A structlog logger that knows the catalogue."""

    def emit(self, signal: Signal, /, **fields: Any) -> None:
        """Write a line of the catalogue at its level.

        A line that cannot be written is lost, and nothing else: user code may have closed the
        stream, and what the line tells of goes on.
        """
        with suppress(Exception):
            self._proxy_to_logger(CATALOGUE[signal].level, signal.value, **fields)

    def hears(self, signal: Signal) -> bool:
        """Whether anybody reads lines of this name: ask before much is collected for them."""
        return self._is_heard(CATALOGUE[signal].level)

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
        return bool(self._logger.isEnabledFor(LEVELS[level]))


def logger(component: str, **fields: Any) -> Log:
    """The logger of a part of the engine; `fields` stand on each of its lines."""
    return Log(logging.getLogger(f"{ROOT}.{component}"), LINE, {"component": component, **fields})


def _variables(*names: str) -> dict[str, ContextVar[Any]]:
    """The variables in which structlog keeps these fields, which its tokens tell of."""
    tokens = Context().run(partial(bind_contextvars, **dict.fromkeys(names, "")))
    return {name: token.var for name, token in tokens.items()}


VARIABLES = _variables("correlation_id", "task_id", "step", "attempt")


class _Bound:
    """Set on entry, reset on exit: by structlog's own functions it takes eight times as long."""

    __slots__ = ("_fields", "_tokens")

    def __init__(self, fields: dict[str, str | int]) -> None:
        self._fields = fields

    def __enter__(self) -> None:
        self._tokens = [VARIABLES[name].set(value) for name, value in self._fields.items()]

    def __exit__(self, *_: object) -> None:
        with suppress(ValueError):  # a coroutine may be destroyed outside of its context
            for token in self._tokens:
                token.var.reset(token)


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
