"""`flowledger verify`: hold everything that was made from the log against it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any
from uuid import UUID

import click
from rich.console import Console
from rich.text import Text

from flowledger.engine.cli.command_setup import client
from flowledger.engine.cli.options import json_option, optional_task_argument
from flowledger.engine.cli.output import say, tell, tell_json
from flowledger.engine.client.verification import Verification
from flowledger.engine.domain.verify.replay_and_compare_rows import Difference
from flowledger.engine.ports.verification import NotCompared, VerifyProgress

DIFFERS = 1


@dataclass(frozen=True, slots=True)
class Screen:
    """Where it is told: lines that stay, and how far it is, which does not."""

    line: Callable[[str], object]
    far: Callable[[str], object]


@click.command("verify")
@optional_task_argument
@click.option("--all", "everything", is_flag=True, help="All tasks, and what is no task's.")
@json_option("Print one JSON object a line; the last one is the summary.")
def verify(task_id: UUID | None, *, everything: bool, as_json: bool) -> None:
    """Fold the log, and name every place where it is not whole or something differs from the fold.

    Engines may run meanwhile. Exit code 1 where there is a difference.

    \b
    Example: flowledger verify --all
    """
    if (task_id is None) is not everything:
        raise click.UsageError("say which TASK, or --all of them")
    began = monotonic()
    with client() as engine, _screen(as_json=as_json) as screen:
        run = engine.verify(task_id)
        _report(run, began, screen, as_json=as_json)
    _conclude(run, monotonic() - began, as_json=as_json)
    if run.found:
        sys.exit(DIFFERS)


def _report(run: Verification, began: float, screen: Screen, *, as_json: bool) -> None:
    for check, found in run.look():
        if isinstance(found, NotCompared):
            continue  # it is told with what was
        if isinstance(found, VerifyProgress):
            rate = run.tasks / (monotonic() - began)
            screen.far(
                f"{check}: {run.tasks:,} tasks, {rate:,.0f} tasks/s, {run.found:,} differences"
            )
        elif as_json:
            tell_json(_facts(check, found))
        else:
            screen.line(sentence(found))


def sentence(found: Difference) -> str:
    """A difference, with the task that it is about."""
    if found.task_id is None:
        return str(found)
    return f"task {found.task_id}: {str(found).removeprefix('task: ')}"


def _facts(check: str, found: Difference) -> dict[str, Any]:
    facts = asdict(found)
    return {"check": check, "task": facts.pop("task_id"), **facts}


def _conclude(run: Verification, seconds: float, *, as_json: bool) -> None:
    rate = run.tasks / seconds
    if as_json:
        facts = {"tasks": run.tasks, "events": run.events, "differences": run.found}
        times = {"seconds": round(seconds, 3), "tasks_s": round(rate, 1)}
        tell_json({**facts, **times, "not_compared": run.not_compared})
        return
    tasks = f"{run.tasks:,} task{'' if run.tasks == 1 else 's'}"
    looked = f"{tasks} with {run.events:,} events in {seconds:.1f} s ({rate:,.0f} tasks/s)"
    if run.found:
        many = f"{run.found:,} difference{'' if run.found == 1 else 's'}"
        say([Text(f"{looked}: {many}", "bold red")])
    else:
        say([Text(f"{looked}: nothing differs", "bold green")])
    for name, why in run.not_compared.items():
        named = name if name.startswith("the ") else f"projection {name}"
        say([Text(f"not compared: {named}, as {why}", "yellow")])


@contextmanager
def _screen(*, as_json: bool) -> Generator[Screen]:
    """On a terminal in colour, with how far it is; elsewhere lines, and nothing between them."""
    console = Console(highlight=False)
    if as_json or not console.is_terminal:
        yield Screen(tell, lambda _: None)
        return
    with console.status("verifying") as status:
        yield Screen(lambda text: say([Text(text, "red")]), status.update)
