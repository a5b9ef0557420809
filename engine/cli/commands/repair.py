"""`flowledger repair`: make what was made from the log again, where it differs from it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any
from uuid import UUID

import click
from rich.text import Text

from flowledger.engine.cli.command_setup import client
from flowledger.engine.cli.commands.verify import sentence
from flowledger.engine.cli.options import json_option, optional_task_argument, word_options
from flowledger.engine.cli.output import say, tell_json
from flowledger.engine.client.repair_rows_from_log import Repair
from flowledger.engine.domain.verify.replay_and_compare_rows import Difference

LEFT = 1


@click.command("repair")
@optional_task_argument
@click.option("--all", "everything", is_flag=True, help="All tasks, and what is no task's.")
@click.option("--dry-run", is_flag=True, help="Change nothing: say what would be changed.")
@word_options
@json_option("Print one JSON object a line; the last one is the summary.")
def repair(  # noqa: PLR0913 - its options
    task_id: UUID | None,
    *,
    everything: bool,
    dry_run: bool,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """Make rows again from the log, wherever `flowledger verify` finds a difference.

    Coordinators and workers may run. What is changed is recorded in the log, with who and why.
    Exit code 1 where something is left that cannot be made from the log.

    \b
    Example: flowledger repair --all --dry-run --reason 'ticket 7'
    """
    if (task_id is None) is not everything:
        raise click.UsageError("say which TASK, or --all of them")
    with client() as engine:
        done = engine.repair(task_id, dry_run=dry_run, actor=actor, reason=reason)
    if as_json:
        _tell_json(done)
    else:
        say(_lines(done))
    if done.left:
        sys.exit(LEFT)


def _lines(done: Repair) -> list[Text]:
    word = "would be repaired" if done.dry_run else "repaired"
    lines = [Text(f"{word}: {sentence(found)}") for found in done.repaired]
    lines += [Text(f"left: {sentence(one.difference)} ({one.why})", "yellow") for one in done.left]
    if not lines:
        return [Text("nothing differs", "bold green")]
    counts = f"{len(done.repaired):,} {word}, {len(done.left):,} left"
    return [*lines, Text(counts, "bold yellow" if done.left else "bold green")]


def _tell_json(done: Repair) -> None:
    for found in done.repaired:
        tell_json({"repaired": not done.dry_run, **_facts(found)})
    for one in done.left:
        tell_json({"repaired": False, **_facts(one.difference), "left": one.why})
    counts = {"repaired": 0 if done.dry_run else len(done.repaired), "left": len(done.left)}
    tell_json({**counts, "dry_run": done.dry_run, "differences": len(done.repaired)})


def _facts(found: Difference) -> dict[str, Any]:
    facts = asdict(found)
    return {"task": facts.pop("task_id"), **facts}
