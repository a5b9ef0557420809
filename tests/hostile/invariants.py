"""What must hold whatever the input was: each sentence is a check."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from time import monotonic

from hostile.draw import Draw
from hostile.stage import PATIENCE, ManualCoordinator, ordinary

from flowledger.engine import EngineError
from flowledger.engine.errors import DefinitionChanged

LONGEST_SENTENCE = 2_000
OBEYED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
JOINERS = "\u200c\u200d"


class Broken(AssertionError):
    """A sentence does not hold."""


def require(holds: object, sentence: str, found: object = "") -> None:
    """Raise where it does not hold."""
    if not holds:
        raise Broken(f"{sentence}: {found!r:.600}" if found != "" else sentence)


def a_refusal_is_one_short_sentence_that_names_the_place(error: EngineError, draw: Draw) -> None:
    """Also: it holds nothing that a terminal would obey, and no secret."""
    said = str(error)
    kind = type(error).__name__
    if isinstance(error, DefinitionChanged):  # its lines are the difference of two definitions
        said = said.splitlines()[0]
    require(said.strip(), f"{kind} says something", said)
    nothing_is_obeyed(said, kind)
    require(len(said) <= LONGEST_SENTENCE, f"{kind} is short", f"{len(said)}: {said[:200]}")
    named = not draw.places or any(place in said for place in draw.places)
    require(named, f"{kind} names one of {draw.places}", said)
    no_secret_is_told(said, draw)


def nothing_is_obeyed(line: str, what: str) -> None:
    """A line of text has nothing in it that a terminal obeys, or that begins another line."""
    found = [
        letter
        for letter in line
        if unicodedata.category(letter) in OBEYED and letter not in JOINERS
    ]
    require(not found, f"{what} has nothing that a terminal obeys", (found[:3], line[:300]))


def no_secret_is_told(said: str, draw: Draw) -> None:
    """No password of the case stands in what is raised or printed."""
    for secret in draw.secrets:
        require(secret not in said, "no secret is told", said.replace(secret, "<the secret>"))


def nothing_is_stored_for_what_is_refused(stage: ManualCoordinator) -> None:
    """Callers' events since the mark."""
    found = stage.stored_by_callers()
    require(not found, "nothing is stored for what is refused", found)


def a_command_ends_as_commands_do(code: object, out: str, error: str, draw: Draw) -> None:
    """With 0, 1 or 2, no traceback, nothing that a terminal obeys; bad input is one line."""
    require(code in {0, 1, 2}, "a command ends with 0, 1 or 2", (code, error[-600:]))
    require("Traceback (most" not in error, "a command shows no traceback", error[-600:])
    for line in re.split(r"\n|\t", out + "\n" + error):
        nothing_is_obeyed(line, "a line of a command")
    if code == 2:
        lines = error.splitlines()
        one = len(lines) == 1 and lines[0].startswith("error: ")
        require(one or "Usage:" in error, "bad input is told in one line", error[:600])
        # On a console that lacks characters each of them may take six.
        require(len(error) <= 7 * LONGEST_SENTENCE, "that line is short", error[:200])
    no_secret_is_told(out + error, draw)


def what_is_left_can_be_cancelled(stage: ManualCoordinator) -> None:
    """Every task that the batch left open."""
    stage.harness.until(
        lambda: not stage.harness.value("select count(*) from flowledger.submission")
    )
    left = stage.harness.rows("select task_id from flowledger.task where ended_at is null")
    asked = {"reason": "the batch is over", "actor": "hostile", "timeout": PATIENCE}
    for request in stage.engine.cancel_many([task for (task,) in left], **asked):
        refusal = request.refusal or "it has ended"
        require("has ended" in refusal, "what is left can be cancelled", refusal)


def the_next_ordinary_task_still_runs(stage: ManualCoordinator) -> None:
    """A task of two steps, one of them a coroutine, of the same engine."""
    started = monotonic()
    result = stage.engine.submit(ordinary, {"number": 20}).result(timeout=PATIENCE)
    require(result == {"add": 21, "double": 42}, "the next ordinary task still runs", result)
    require(monotonic() - started < PATIENCE / 2, "it runs at once", monotonic() - started)


def verify_is_clean(stage: ManualCoordinator) -> None:
    """Nothing that was made from the log differs from it."""
    deadline = monotonic() + PATIENCE
    while (found := differences(stage)) and monotonic() < deadline:
        stage.harness.value("select flowledger.clock()")  # what was just stored may be under way
    require(not found, "verify is clean", found[:3])


def differences(stage: ManualCoordinator) -> Sequence[str]:
    """What `verify` finds, as texts."""
    return [str(one) for one in stage.engine.verify()]


def health_is_well(stage: ManualCoordinator) -> None:
    """Of every loop of the process."""
    found = {name: one.error for name, one in stage.engine.health.items() if not one.ok}
    require(not found, "health is well", found)


def nothing_is_parked(stage: ManualCoordinator) -> None:
    """No task, and no event of any read model; the read models have seen the whole log."""
    tasks = stage.harness.rows("select * from flowledger_v1.parked_tasks")
    require(not tasks, "no task is parked", tasks)
    for model in stage.engine.projections.list():
        stage.engine.projections.wait_for(model.name, timeout=PATIENCE)
        events = stage.engine.projections.parked(model.name)
        require(not events, f"no event of {model.name} is parked", events)


AFTERWARDS = (
    what_is_left_can_be_cancelled,
    the_next_ordinary_task_still_runs,
    nothing_is_parked,
    verify_is_clean,
    health_is_well,
)
"""What holds after every batch of cases."""
