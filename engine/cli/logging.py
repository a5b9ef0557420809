"""The command's own log lines, on standard error: JSON, or for a terminal. Not for a library."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from structlog.contextvars import merge_contextvars
from structlog.typing import Processor

from flowledger.engine.config.sections import LoggingSettings
from flowledger.engine.telemetry.log import ROOT, in_order, on_lines_of_its_own, without_secrets

# They tell whole URLs at level info, with whatever secrets stand in their queries.
TALKATIVE = ("httpx", "httpcore")

BEFORE: tuple[Processor, ...] = (
    merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure_program_logging(settings: LoggingSettings, stream: TextIO | None = None) -> None:
    """Send every line of this process, other libraries' too, to the stream, else to standard error.

    For the program only: it configures structlog and the standard root logger. Calling it again
    replaces what it set before.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.set_name(ROOT)
    handler.setFormatter(_formatter(settings, handler.stream))
    root = logging.getLogger()
    for earlier in [one for one in root.handlers if one.get_name() == ROOT]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(settings.level.upper())
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *BEFORE,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


def _formatter(settings: LoggingSettings, stream: TextIO) -> logging.Formatter:
    terminal = stream.isatty()
    as_json = settings.format == "json" or (settings.format == "auto" and not terminal)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=BEFORE,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            without_secrets,
            in_order,
            *([_json()] if as_json else [on_lines_of_its_own, _console(colors=terminal)]),
        ],
    )


def _json() -> Processor:
    return structlog.processors.JSONRenderer(ensure_ascii=False)


def _console(*, colors: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=colors, sort_keys=False, exception_formatter=structlog.dev.plain_traceback
    )
