"""Options and arguments that several commands share, and how their texts become values."""

from __future__ import annotations

import getpass
import json
import math
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click

from flowledger.engine.file_reading import read_text_file

F = TypeVar("F", bound=Callable[..., Any])


def task_argument(command: F) -> F:
    """The task that a command is about."""
    return click.argument("task_id", metavar="TASK", callback=_task_id)(command)


def optional_task_argument(command: F) -> F:
    """The task that a command is about, where it is about one; None otherwise."""
    return click.argument("task_id", metavar="[TASK]", required=False, callback=_any_task_id)(
        command
    )


def json_option(help_text: str) -> Callable[[F], F]:
    """Output for programs."""
    return click.option("--json", "as_json", is_flag=True, help=help_text)


def template_argument(command: F) -> F:
    """The template that a command is about."""
    return click.argument("key", metavar="NAMESPACE/NAME@VERSION")(command)


def word_options(command: F) -> F:
    """Who asks and why."""
    reason = click.option("--reason", metavar="TEXT", required=True, help="Why; it is recorded.")
    return reason(actor_option("asks")(command))


def optional_word_options(command: F) -> F:
    """Who asks and why, of a command that changes something with an argument only."""
    reason = click.option("--reason", metavar="TEXT", help="Why; it is recorded.")
    return reason(actor_option("asks")(command))


def noting_options(command: F) -> F:
    """Who notes something about a task, and perhaps why."""
    reason = click.option("--reason", metavar="TEXT", help="Why; it is recorded.")
    key = click.option(
        "--key", metavar="TEXT", help="With the same key of a task, noting twice is noting once."
    )
    return reason(actor_option("notes it")(key(command)))


dev_option = click.option(
    "--dev",
    is_flag=True,
    help="For development: register a definition that changed under the same version as a version"
    " of its own, with a warning. Default: templates.development.",
)


def submission_options(command: F) -> F:
    """Who submits a task, what it is called, and when it may start and must have ended."""
    for option in (
        time_option("--deadline-at", "It is stopped where it has not ended by then."),
        time_option("--start-at", "Nothing of it is queued before then."),
        click.option("--priority", type=int, default=0, help="Higher ones go first. Default: 0."),
        click.option(
            "--correlation-id", metavar="TEXT", help="What it belongs to. Default: its own id."
        ),
        click.option("--tag", "tags", multiple=True, metavar="TAG", help="May be given often."),
        actor_option("submits it"),
    ):
        command = option(command)
    return command


def time_option(name: str, help_text: str) -> Callable[[F], F]:
    """A moment, in ISO 8601; without a zone it is UTC."""
    return click.option(
        name, callback=_time, metavar="TIME", help=f"{help_text} Without a zone it is UTC."
    )


def actor_option(does: str) -> Callable[[F], F]:
    """Who does it: the user of the system where nobody is named."""
    return click.option(
        "--actor",
        metavar="NAME",
        default=system_user,
        help=f"Who {does}; it is recorded. Default: the user of the system.",
    )


def asking_options(command: F) -> F:
    """Who asks and why, and how long to wait for the answer."""
    return word_options(_answer_options(command))


def asking_of_many_options(command: F) -> F:
    """As `asking_options`, of a command that may also only look: then it needs no reason."""
    return optional_word_options(_answer_options(command))


def _answer_options(command: F) -> F:
    key = click.option(
        "--key", metavar="TEXT", help="With the same key of a task, asking twice is asking once."
    )
    wait = click.option(
        "--wait",
        "timeout",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        help="Wait so long for the answer; 0: not at all. Default: submit.request_timeout_seconds.",
    )
    return key(wait(command))


def system_user() -> str:
    """The name of the user who runs this process, or their number where they have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def context_option(command: F) -> F:
    """The context of a task."""
    return click.option(
        "--context",
        callback=json_value,
        metavar="JSON|@FILE",
        default="{}",
        help="The task's context, as JSON or in a file. Default: {}.",
    )(command)


def handlers_option(command: F) -> F:
    """Where steps of templates in files find their code."""
    return click.option(
        "--handlers",
        metavar="MODULE",
        help="Module whose functions are the handlers that files name without one.",
    )(command)


def time_scale_option(command: F) -> F:
    """How fast recorded runs are replayed."""
    return click.option(
        "--time-scale",
        callback=_time_scale,
        metavar="FACTOR",
        default="0",
        help="Steps of a WfFormat file sleep their recorded seconds times this. Default: 0.",
    )(command)


def _task_id(context: click.Context, option: click.Parameter, value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        fault = f"{value!r} is not the id of a task, which is a UUID"
        raise click.BadParameter(fault, context, option) from None


def task_id_of(context: click.Context, option: click.Parameter, value: str | None) -> UUID | None:
    """The id of a task, where one is given."""
    return _any_task_id(context, option, value)


def _any_task_id(context: click.Context, option: click.Parameter, value: str | None) -> UUID | None:
    return None if value is None else _task_id(context, option, value)


def _time(context: click.Context, option: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        fault = f"{value!r} is no time such as 2026-01-31T12:00:00Z"
        raise click.BadParameter(fault, context, option) from None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _time_scale(context: click.Context, option: click.Parameter, value: str) -> float:
    try:
        factor = float(value)
    except ValueError:
        factor = math.nan
    if not (math.isfinite(factor) and factor >= 0):
        raise click.BadParameter(f"{value!r} is not a number of 0 or more", context, option)
    return factor


def json_value(context: click.Context, option: click.Parameter, value: str) -> Any:
    """A JSON value, given as such or as `@file`. Raises BadParameter."""
    source = f"{value[1:]}: " if value.startswith("@") else ""
    try:
        text = read_text_file(Path(value[1:])) if source else value
        return json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        fault = f"line {error.lineno}, column {error.colno}: broken JSON: {error.msg}"
    except OSError as error:
        fault = str(error.strerror)
    except ValueError as error:
        fault = str(error)
    except RecursionError:
        fault = "is nested too deeply"
    raise click.BadParameter(f"{source}{fault}", context, option)


def _no_number(name: str) -> float:
    raise ValueError(f"broken JSON: {name} is no JSON number")
