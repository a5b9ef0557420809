"""What operators ask of tasks and steps, and what people note about them."""

from __future__ import annotations

from functools import partial
from typing import Any, Unpack
from uuid import UUID

import click

from flowledger.engine.cli.command_setup import client
from flowledger.engine.cli.many_tasks import ask_tasks
from flowledger.engine.cli.options import (
    asking_of_many_options,
    asking_options,
    json_option,
    json_value,
    noting_options,
    task_argument,
)
from flowledger.engine.cli.output import tell_either
from flowledger.engine.cli.request_answers import (
    about_task,
    asked,
    tell_answer,
    telling_why_it_waits,
)
from flowledger.engine.cli.task_filter import filter_options
from flowledger.engine.client.operator_requests import NoteOptions, RequestOptions

EXAMPLE_TASK = "019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071"
OF_MANY = (
    "Each TASK is asked by itself, or each that the options find: without --state, of those in"
    " states in which it can be granted. Exit code 1 where one was not."
)


def _task_verb(name: str, text: str) -> click.Command:
    example = (
        f"\b\nExample: flowledger {name} {EXAMPLE_TASK} --reason 'ticket 7'"
        f"\n         flowledger {name} --template shop/order --dry-run"
    )

    @click.argument("tasks", metavar="[TASK]...", nargs=-1)
    @filter_options
    @click.option("--limit", type=click.IntRange(1), metavar="N", help="So many at most.")
    @click.option("--dry-run", is_flag=True, help="Say which tasks it would be; ask nothing.")
    @click.option("--yes", is_flag=True, help="Do not ask whether those found are meant.")
    @asking_of_many_options
    @json_option("Print one JSON object a task.")
    def command(tasks: tuple[str, ...], **options: Any) -> None:
        ask_tasks(name, tasks, options)

    return click.command(name, help=f"{text} {OF_MANY}\n\n{example}")(command)


cancel = _task_verb(
    "cancel", "End a task: nothing more of it starts, and steps that run are told to stop."
)
pause = _task_verb("pause", "Start nothing of a task until it is resumed. Steps that run go on.")
resume = _task_verb("resume", "Let a paused task go on.")
reset = _task_verb(
    "reset", "Try anew, with all their attempts, the steps of a task that failed or is blocked."
)
resolve = _task_verb(
    "resolve",
    "Say that a task was settled elsewhere: it counts as done, and nothing more of it starts.",
)
fail = _task_verb("fail", "Give up a blocked task: it ends in error.")


@click.group()
def step() -> None:
    """Cancel, reset, resolve, complete or skip a step of a task.

    \b
    Example: flowledger step skip 019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071 charge --reason 'in cash'
    """


def _ask_step(task_id: UUID, name: str, verb: str, asking: RequestOptions, **options: Any) -> None:
    as_json: bool = options.pop("as_json")
    with client() as engine:
        task = engine.task(task_id)
        with telling_why_it_waits(engine, task_id, asking):
            answer = asked(partial(getattr(task.step(name), verb), **options), asking)
        steps = task.steps()
        about = {**about_task(task), "step": name}
        if name in steps:
            about["step_state"] = steps[name].state.value
    tell_answer(answer, about, as_json=as_json)


def _step_verb(name: str, text: str) -> None:
    example = f"\b\nExample: flowledger step {name} {EXAMPLE_TASK} charge --reason 'ticket 7'"

    @task_argument
    @click.argument("step_name", metavar="STEP")
    @asking_options
    @json_option("Print one JSON object.")
    def command(
        task_id: UUID, step_name: str, *, as_json: bool, **asking: Unpack[RequestOptions]
    ) -> None:
        _ask_step(task_id, step_name, name, asking, as_json=as_json)

    step.command(name, help=f"{text}\n\n{example}")(command)


_step_verb("cancel", "Do not do a step, nor what depends on it. If it runs, it is told to stop.")
_step_verb("reset", "Try a step anew, with all its attempts and a new idempotency key.")
_step_verb("resolve", "Say that a step was settled elsewhere; the others go on without its result.")
_step_verb("skip", "Do without a step; what depends on it goes on, or not, by its template.")


@step.command("complete")
@task_argument
@click.argument("step_name", metavar="STEP")
@click.option(
    "--result",
    callback=json_value,
    metavar="JSON|@FILE",
    default="null",
    help="What the step would have returned. Default: null.",
)
@asking_options
@json_option("Print one JSON object.")
def complete(
    task_id: UUID, step_name: str, result: Any, *, as_json: bool, **asking: Unpack[RequestOptions]
) -> None:
    """Say that a step was done elsewhere, with this result.

    \b
    Example: flowledger step complete 019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071 charge \\
      --result '{"receipt": 12}' --reason 'paid in cash'
    """
    _ask_step(task_id, step_name, "complete", asking, result=result, as_json=as_json)


@click.command("annotate")
@task_argument
@click.argument("kind")
@click.argument("value", metavar="JSON|@FILE", callback=json_value)
@noting_options
@json_option("Print one JSON object.")
def annotate(
    task_id: UUID, kind: str, value: Any, *, as_json: bool, **noting: Unpack[NoteOptions]
) -> None:
    """Attach a JSON value of some kind to a task; its history shows it, and nothing changes.

    \b
    Example: flowledger annotate 019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071 comment '"call them"'
    """
    with client() as engine:
        engine.task(task_id).annotate(kind, value, **noting)
    _tell({"task": str(task_id), "kind": kind}, f"noted: {kind}", as_json=as_json)


@click.command("tag")
@task_argument
@click.argument("tags", metavar="TAG...", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take the tags from the task.")
@noting_options
@json_option("Print one JSON object.")
def tag(
    task_id: UUID,
    tags: tuple[str, ...],
    *,
    remove: bool,
    as_json: bool,
    **noting: Unpack[NoteOptions],
) -> None:
    """Give a task tags, beside those that it has, or take them from it.

    \b
    Example: flowledger tag 019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071 urgent vip
    """
    with client() as engine:
        task = engine.task(task_id)
        (task.untag if remove else task.tag)(*tags, **noting)
    words = "no longer tagged" if remove else "tagged"
    key = "untagged" if remove else "tagged"
    _tell({"task": str(task_id), key: tags}, f"{words}: {', '.join(tags)}", as_json=as_json)


def _tell(found: dict[str, Any], said: str, *, as_json: bool) -> None:
    tell_either(found, said, as_json=as_json)
