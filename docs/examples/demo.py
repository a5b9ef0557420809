"""`make demo`: run an order, then read its history, then fold the history again.

It calls what the commands call; each heading is the command that does the same.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from uuid import UUID

from orders import orders
from rich.console import Console
from rich.text import Text

from flowledger.engine.cli.command_setup import program_settings, stored_tasks
from flowledger.engine.cli.commands.replay import told_lines
from flowledger.engine.cli.commands.run_workflow import Wanted, run_to_end
from flowledger.engine.cli.output import say, tell, tell_document
from flowledger.engine.cli.program import interrupted
from flowledger.engine.cli.task_progress import view_for
from flowledger.engine.cli.timeline import timeline
from flowledger.engine.client.replay import replayed
from flowledger.engine.config import Settings
from flowledger.engine.domain.machine.transitions import TaskState
from flowledger.engine.domain.templates.compiled_template import compile_plan
from flowledger.engine.errors import EngineError
from flowledger.engine.store.embedded.server import home_of

ORDER = json.loads(Path(__file__).with_name("order.json").read_text("utf-8"))
INTRODUCTION = """\
An order is validated; then its pieces are reserved while the card is charged;
then it is shipped, and the customer is told. The bank will not answer twice.
All of it is in docs/examples/orders.py, and runs on {database}.
"""
NEXT = """
What to look at next:
  {program} status {task}
  {program} history {task}
  {program} explain {task}
  {program} tasks list
"""


def main() -> int:
    """Run, tell, replay. Returns 0 where the order arrived and the replay found no difference."""
    program = command()
    os.chdir(Path(__file__).parent)
    console = Console(highlight=False)
    settings = program_settings(quiet=True)
    database = (
        "an embedded Postgres" if settings.database.url is None else "the configured database"
    )
    console.print(INTRODUCTION.format(database=database))

    heading(console, "flowledger run orders:orders --context @order.json")
    view = view_for(console, settings.cli.refresh_per_second, as_json=False)
    outcome = run_to_end(Wanted(orders, ORDER), settings, None, view)
    for line in outcome.as_text():
        tell(line)

    task_id = UUID(outcome.task)
    with stored_tasks(settings) as tasks:
        heading(console, f"flowledger history {task_id} --timeline")
        history = tasks.history(task_id)
        say(timeline(history, compile_plan(orders.template)))

        heading(console, f"flowledger replay {task_id}")
        told = replayed(tasks, task_id)
        say(told_lines(told))
    tell_document(NEXT.format(program=program, task=task_id))
    for line in where_it_is(settings, program):
        tell(line)
    return int(outcome.state is not TaskState.COMPLETE or bool(told.differences))


def command() -> str:
    """The command as it can be typed here: by its name, where the shell finds it."""
    found = Path(sys.executable).with_name("flowledger")
    if shutil.which("flowledger") or not found.exists():
        return "flowledger"
    here = Path.cwd()
    return str(found.relative_to(here) if found.is_relative_to(here) else found)


def where_it_is(settings: Settings, program: str) -> list[str]:
    """Where the order is stored, and what goes on running."""
    if settings.database.url is not None:
        return ["The order is in the configured database."]
    folder = home_of(settings.embedded.home).expanduser().resolve() / "postgres"
    return [
        f"The order is in {folder}.",
        f"Its Postgres goes on running, for these commands; `{program} db stop` stops it.",
    ]


def heading(console: Console, command: str) -> None:
    """The command that does what follows."""
    console.print()
    console.print(Text.assemble(("$ ", "dim"), (command, "bold")))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EngineError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(interrupted())
