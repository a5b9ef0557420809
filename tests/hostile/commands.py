"""The command, with arguments and consoles of every kind, in this process or in one of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any
from uuid import uuid4

from hostile import oddities
from hostile.draw import Draw, Oddities
from hostile.invariants import a_command_ends_as_commands_do, require
from hostile.stage import PATIENCE, ManualCoordinator, plain
from hostile.submissions import FAR
from hostile.surroundings import surrounded

from flowledger.engine.cli.program import run_program

MODULES = {
    "hostile_flow": "from flowledger.handlers import Workflow\n"
    "flow = Workflow('hostile', 'module', version='1')\n"
    "@flow.step\ndef say(context):\n    return context.get('say')\n",
    "hostile_exits": "import sys\nsys.exit(0)\n",
    "hostile_raises": "raise ValueError('\\x1b[2J\\nforged')\n",
    "hostile_broken": "def\n",
    "hostile_other": "flow = 7\n",
}
TARGETS: Oddities = {
    "a module that exits": lambda _: "hostile_exits:flow",
    "a module that raises": lambda _: "hostile_raises:flow",
    "a module that is broken": lambda _: "hostile_broken:flow",
    "a module of something else": lambda _: "hostile_other:flow",
    "a module that there is not": lambda _: "hostile_nowhere:flow",
    "a module without the name": lambda _: "hostile_flow:nope",
    "a folder": lambda _: ".",
    "a device": lambda _: "/dev/null",
    "a program's memory": lambda _: "/proc/self/mem",
}
TYPED: Oddities = {
    **{
        label: made
        for label, made in oddities.TEXTS.items()
        if "null" not in label
        and "pair" not in label
        and "garbled" not in label
        and "million" not in label
    },
    "bytes that are no text": lambda _: "\udcff",
    "an option that there is not": lambda _: "--nope",
    "an end of options": lambda _: "--",
    "a file that is not there": lambda _: "@/nowhere",
    "a folder as a file": lambda _: "@/",
    "a number beyond all": lambda _: "9" * 400,
    "no number at all": lambda draw: draw.one_of(["nan", "inf", "1e400", "-0"]),
    "deep JSON": lambda draw: "[" * draw.one_of([150, 5_000]),
    "closed deep JSON": lambda _: "[" * 150 + "]" * 150,
    "JSON with a null character": lambda _: '{"a": "\\u0000"}',
    "JSON with half of a pair": lambda _: '{"a": "\\ud800"}',
    "broken JSON": lambda _: '{"a": NaN}',
    "a key twice in JSON": lambda _: '{"a": 1, "a": 2}',
    "a huge integer in JSON": lambda _: f'{{"a": {2**70}}}',
}
CONSOLES = ("utf-8", "latin-1", "cp1252", "ascii", "utf-16")
ASKING = ("--reason", "strange", "--wait", "0")


def _arguments(task: str, odd: str, draw: Draw) -> Sequence[Sequence[str]]:
    """Commands with a strange argument somewhere; none that plays a role or waits."""
    verb = draw.one_of(["cancel", "pause", "resume", "resolve", "reset", "fail"])
    of_step = draw.one_of(["cancel", "reset", "resolve", "complete", "skip"])
    show = draw.one_of(["status", "result", "history", "explain", "replay"])
    return (
        (odd,),
        (show, odd),
        (show, task, odd),
        ("tasks", "list", draw.one_of(["--template", "--tag", "--correlation-id"]), odd),
        ("tasks", "list", draw.one_of(["--since", "--state", "--limit", "--after"]), odd),
        (show, task, *draw.one_of([("--json",), ("--verbose",), ("--nope",)])),
        ("explain", task, "--at", odd),
        (verb, task, "--reason", odd, "--wait", "0"),
        (verb, task, odd, *ASKING),
        (verb, draw.one_of(["--template", "--tag", "--correlation-id"]), odd, *ASKING, "--dry-run"),
        (verb, task, *ASKING, "--actor", odd),
        (verb, task, *ASKING, "--key", odd, "--json"),
        (verb, task, "--reason", "strange", "--wait", odd),
        ("step", of_step, task, odd, *ASKING),
        ("step", "complete", task, "do", "--result", odd, *ASKING),
        ("annotate", task, odd, "1"),
        ("annotate", task, "strange", odd),
        ("tag", task, odd),
        ("tag", task, "a", "--actor", odd),
        ("submit", odd),
        ("submit", "hostile_flow:flow", "--context", odd),
        ("submit", "hostile_flow:flow", "--priority", odd),
        ("submit", "hostile_flow:flow", "--key", odd),
        ("run", "hostile_flow:flow", "--context", odd),
        ("run", odd),
        ("templates", "validate", odd),
        ("templates", "show", odd),
        ("templates", "pause", odd, "--reason", odd),
        ("projections", draw.one_of(["pause", "rebuild", "status", "drop", "nope"]), odd),
        ("verify", odd),
        ("config", odd),
        ("db", odd),
        ("worker", odd),
        ("start", odd),
    )


def command(draw: Draw, stage: ManualCoordinator) -> None:
    """A command with something strange among its arguments."""
    _, odd = draw.odd_of({"typed": TYPED, "more typed": TYPED, "targets": TARGETS})
    task = str(strange_task(draw, stage))
    options = _arguments(task, odd, draw)
    if odd in {made(draw) for made in TARGETS.values()}:
        options = [("submit", odd), ("run", odd), ("worker", odd), ("templates", "validate", odd)]
    in_this_process(draw.one_of(options), draw, stage)


def program(draw: Draw, stage: ManualCoordinator) -> None:
    """The same in a process of its own, on a console of its own."""
    _, odd = draw.odd_of({"typed": TYPED, "targets": TARGETS})
    task = str(strange_task(draw, stage))
    in_another_process(draw.one_of(_arguments(task, odd, draw)), draw, stage)


def strange_task(draw: Draw, stage: ManualCoordinator) -> Any:
    """A task that waits, with strange words on it."""
    words = {
        name: draw.one_of([oddities.FORGED, f"{oddities.ESCAPES}", "☃\u202e", "coordinator"])
        for name in ("actor", "correlation_id")
    }
    task = stage.engine.submit(plain, {"case": words["actor"]}, start_at=FAR, **words)
    return task.id


def shown(draw: Draw, stage: ManualCoordinator) -> None:
    """What is shown of a task that has strange words everywhere: one line a record, as text."""
    odd = draw.odd(
        {
            label: made
            for label, made in oddities.TEXTS.items()
            if "null" not in label
            and "surrogate" not in label
            and "garbled" not in label
            and "million" not in label
        }
    )

    def handling(_: Any, step: Any) -> None:
        step.checkpoint({odd: odd})
        raise type("Strange\x1b[2J", (ValueError,), {})(odd)

    task = stage.planned(plain, str(draw.case), handling)
    task.wait(PATIENCE)
    for console in (draw.one_of(CONSOLES),):
        for show in ("history", "status", "result", "explain"):
            lines = in_this_process((show, str(task.id)), draw, stage, console).splitlines()
            if show == "history":
                found = stage.harness.value(
                    "select count(*) from flowledger.event where task_id = %s", task.id
                )
                require(len(lines) == found + 1, "history has one line for each event", lines[:40])
    said = in_this_process(("history", str(task.id), "--json"), draw, stage, "ascii")
    require([json.loads(line) for line in said.splitlines()], "history can be read by programs")


def in_this_process(
    arguments: Sequence[str], draw: Draw, stage: ManualCoordinator, console: str | None = None
) -> str:
    """Its output; what it prints and how it ends is looked at."""
    out, error = (
        io.TextIOWrapper(io.BytesIO(), console or draw.one_of(CONSOLES)) for _ in range(2)
    )
    before, code = sys.argv, object()
    sys.argv = ["flowledger", *arguments]
    try:
        with redirect_stdout(out), redirect_stderr(error), surrounded(_variables(stage)):
            run_program()
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = before
    texts = []
    for stream in (out, error):
        stream.flush()
        raw = stream.buffer
        assert isinstance(raw, io.BytesIO)
        texts.append(raw.getvalue().decode(encoding_of(stream.encoding)))
    a_command_ends_as_commands_do(code, texts[0], texts[1], draw)
    return texts[0]


def in_another_process(arguments: Sequence[str], draw: Draw, stage: ManualCoordinator) -> None:
    """The same in a process of its own."""
    console = draw.one_of([name for name in CONSOLES if name != "utf-16"])
    done = subprocess.run(  # noqa: S603 - the program under test
        [sys.executable, "-m", "flowledger.engine.cli", *arguments],
        cwd=stage.folder,
        env={**os.environ, **_variables(stage), "PYTHONIOENCODING": console},
        capture_output=True,
        timeout=3 * PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    out, error = (text.decode(encoding_of(console)) for text in (done.stdout, done.stderr))
    a_command_ends_as_commands_do(done.returncode, out, error, draw)


def encoding_of(console: str) -> str:
    """What is written to a console: click takes ASCII for a mistake, and writes UTF-8."""
    return "utf-8" if console == "ascii" else console


def _variables(stage: ManualCoordinator) -> dict[str, str]:
    return {
        "FLOWLEDGER_DATABASE__URL": stage.url,
        "FLOWLEDGER_SUBMIT__REQUEST_TIMEOUT_SECONDS": "5",
    }


def unknown_task(draw: Draw, stage: ManualCoordinator) -> None:
    """Commands about a task that there is not."""
    draw.odd({"a task that there is not": lambda _: None})
    show = draw.one_of(["status", "result", "history", "explain", "replay", "verify"])
    in_this_process((show, str(uuid4())), draw, stage)
