"""The list of commands, and what becomes of errors: one line on standard error, and exit code 2.

Exit codes: 0 done; 1 a task failed, a replay found differences, something needs somebody, or a
request was refused or not answered in time, or standard output cannot be written; 2 bad input or
usage, or a database that cannot be reached; 130 and 143 stopped by a signal, 141 left by who read
the output.
A traceback is always a defect.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from types import MappingProxyType
from typing import Any, NoReturn

import click

from flowledger.engine.cli import INTERRUPTED, ended_by_ctrl_c
from flowledger.engine.cli.output import escape_what_the_console_lacks, tell, tell_document
from flowledger.engine.display_text import nearest
from flowledger.engine.errors import DefinitionChanged, EngineError

BAD_INPUT = 2
NOT_WRITTEN = 1
TOO_MANY_FILES = frozenset({errno.EMFILE, errno.ENFILE})
READER_LEFT = 141
LONGEST_SENTENCE = 2_000
MOST_LINES = 100
"""So many lines of a difference are shown: where it is longer, the file says more than they do."""

COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "run": ("run_workflow:run", "Run one workflow to its end."),
        "submit": ("run_workflow:submit", "Submit a task, and leave it to the engine's processes."),
        "start": ("start_roles:start", "Play all roles, in one process or several, until stopped."),
        "coordinator": (
            "start_roles:coordinator",
            "Follow the log and decide, until it is stopped.",
        ),
        "worker": ("start_roles:worker", "Run steps of workflows, until it is stopped."),
        "projector": ("start_roles:projector", "Keep read models up to date, until it is stopped."),
        "status": ("task_inspection:status", "Show where a task and its steps stand."),
        "tasks": ("task_list:tasks", "List tasks by what they are."),
        "result": ("result:result", "Print what the steps of a task returned."),
        "explain": (
            "task_inspection:explain",
            "Say why a task has not ended, or a step does not run.",
        ),
        "history": ("task_inspection:history", "Show every event of a task."),
        "cancel": ("requests:cancel", "End a task and all its steps."),
        "pause": ("requests:pause", "Start nothing of a task until it is resumed."),
        "resume": ("requests:resume", "Let a paused task go on."),
        "reset": ("requests:reset", "Try anew what failed of a task."),
        "resolve": ("requests:resolve", "Say that a task was settled elsewhere."),
        "fail": ("requests:fail", "Give up a task that waits for an operator."),
        "step": ("requests:step", "Cancel, reset, resolve, complete or skip a step."),
        "annotate": ("requests:annotate", "Attach a JSON value to a task."),
        "tag": ("requests:tag", "Give a task tags, or take them from it."),
        "health": ("health:health", "Say what needs somebody, and what mends it."),
        "parked": ("parked:parked", "Show tasks that are left alone, and have them tried again."),
        "verify": ("verify:verify", "Hold what was made from the log against it."),
        "repair": ("repair:repair", "Make rows again from the log, where they differ from it."),
        "replay": ("replay:replay", "Fold a task's events again, and compare with its rows."),
        "projections": ("projections:projections", "Show read models, rebuild them."),
        "templates": ("templates:templates", "List, show and validate definitions."),
        "db": ("db:db", "Prepare the database, start and stop the embedded one."),
        "config": ("config:config", "Show the settings and what they mean."),
    }
)


class Program(click.Group):
    """A group whose commands are imported when they are used: each needs other libraries."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, those used most first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name."""
        if cmd_name not in COMMANDS:
            ctx.fail(f"there is no command {cmd_name!r}{nearest(cmd_name, COMMANDS)}")
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        with ended_by_ctrl_c():
            found: click.Command = getattr(
                import_module(f"{__package__}.commands.{module}"), attribute
            )
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; click itself would exit with 1 when the reader of the output left."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            sys.exit(_reader_left())

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help, which imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Program)
@click.version_option(package_name="flowledger", message="%(package)s %(version)s")
def program() -> None:
    """Event-sourced workflows on Postgres.

    Where no database is configured, an embedded one is started. Exit codes: 0 done, 1 a task
    failed, a request was refused or the output cannot be written, 2 bad input.

    \b
    Example: flowledger run workflow.yaml --context '{"id": 7}'
    """


def run_program() -> NoReturn:
    """Run the command with the arguments of this process, and exit."""
    escape_what_the_console_lacks()
    try:
        code = program.main(prog_name="flowledger", standalone_mode=False)
    except click.UsageError as error:
        sys.exit(_misused(error))
    except click.ClickException as error:
        sys.exit(_refused(_lower(error)))
    except DefinitionChanged as changed:
        sys.exit(_changed(changed))
    except EngineError as error:
        sys.exit(_refused(str(error)))
    except OSError as error:
        sys.exit(_unwritten(error) or _refused(system_said(error)))
    except (KeyboardInterrupt, click.Abort):
        sys.exit(interrupted())
    sys.exit(code if isinstance(code, int) else 0)


def interrupted() -> int:
    """Say that Ctrl-C ended it, where nothing else does; the exit code."""
    tell("interrupted", err=True)
    return INTERRUPTED


def _refused(message: str) -> int:
    with suppress(OSError):  # the exit code says it still
        tell(f"error: {_shortened(message)}", err=True)
    return BAD_INPUT


def system_said(error: OSError) -> str:
    """What the system refused, with where: it names no place itself where there is no file."""
    said = error.strerror or str(error)
    if error.filename is not None:
        return f"{os.fsdecode(error.filename) if _is_path(error) else error.filename}: {said}"
    if error.errno in TOO_MANY_FILES:
        return f"{said}: raise the limit of this process (ulimit -n)"
    if error.errno == errno.ENOENT and not _has_working_directory():
        return "the working directory is not there any more"
    innermost = traceback.extract_tb(error.__traceback__)[-1:]
    return "".join([said, *(f" (in {frame.name}, {frame.filename})" for frame in innermost)])


def _is_path(error: OSError) -> bool:
    return isinstance(error.filename, str | bytes)


def _has_working_directory() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - to know whether there is one
    except FileNotFoundError:
        return False
    return True


def _unwritten(error: OSError) -> int:
    """The exit code of ordinary programs where it was standard output that took nothing; else 0."""
    where = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    if where[-1:] != [click.echo.__code__]:
        return 0
    _drop_output()
    if isinstance(error, BrokenPipeError):
        return READER_LEFT
    _refused(f"standard output cannot be written: {error.strerror}")
    return NOT_WRITTEN


def _shortened(line: str) -> str:
    """A line of which the middle is left out where it is long: it says at either end what of."""
    half = LONGEST_SENTENCE // 2
    return line if len(line) <= LONGEST_SENTENCE else f"{line[:half]} … {line[-half:]}"


def _changed(error: DefinitionChanged) -> int:
    code = _refused(f"{error.sentence}:")
    lines = error.difference.splitlines()
    for line in lines[:MOST_LINES]:
        tell(_shortened(line), err=True)
    if len(lines) > MOST_LINES:
        tell(f"… and {len(lines) - MOST_LINES} more lines", err=True)
    return code


def _misused(error: click.UsageError) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":  # of click 8.2; the message is the help
        tell_document(f"{error.format_message()}\n", err=True)
        return BAD_INPUT
    where = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
    return _refused(f"{_lower(error)}{where}")


def _lower(error: click.ClickException) -> str:
    text = error.format_message()
    return f"{text[:1].lower()}{text[1:]}".rstrip(".")


def _reader_left() -> int:
    _drop_output()
    return READER_LEFT


def _drop_output() -> None:
    # As `| head` does: nobody reads on, and the interpreter must not complain when it flushes.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
