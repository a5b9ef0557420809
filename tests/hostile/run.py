"""A process that tries cases on an engine of its own: `python -m hostile.run SERVER FILE`.

FILE has a case a line. A line of JSON is printed for each thing that goes wrong, and one at the
end. A process of its own: a case may freeze it, or end it, and the tests go on.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from time import monotonic

from hostile.commands import MODULES
from hostile.draw import Case, Draw
from hostile.invariants import (
    AFTERWARDS,
    Broken,
    a_refusal_is_one_short_sentence_that_names_the_place,
    nothing_is_stored_for_what_is_refused,
    require,
)
from hostile.stage import PATIENCE, ManualCoordinator, stage_on
from hostile.surfaces import SURFACES

from flowledger.engine import EngineError, TaskUnfinished
from flowledger.engine.errors import ProjectionBehind, RequestDenied

BATCH = 50
"""Cases between two looks at whether everything still works."""

LONGEST_CASE = 4 * PATIENCE


def tried(case: Case, stage: ManualCoordinator) -> Sequence[str]:
    """Try a case. Returns what it chose; raises where something is wrong."""
    draw = Draw(case)
    stage.mark()
    try:
        SURFACES[case.kind][1](draw, stage)
    except (TaskUnfinished, ProjectionBehind) as error:
        raise Broken(f"everything ends in time: {error}") from error
    except EngineError as refusal:
        a_refusal_is_one_short_sentence_that_names_the_place(refusal, draw)
        if not isinstance(refusal, RequestDenied):  # which was stored, and then answered
            nothing_is_stored_for_what_is_refused(stage)
    except TypeError as error:
        if "required" not in str(error) or "argument" not in str(error):
            raise
    require(case.only is None or case.only in draw.chosen, "the case is what it has to be")
    return draw.chosen


def afterwards(stage: ManualCoordinator) -> None:
    """What holds after each batch."""
    for sentence in AFTERWARDS:
        sentence(stage)


def batches(found: Sequence[Case]) -> Iterable[list[Case]]:
    """The cases, some at a time."""
    left = iter(found)
    while batch := list(islice(left, BATCH)):
        yield batch


def tell(**said: object) -> None:
    """A line for the tests."""
    print(json.dumps(said), flush=True)  # noqa: T201 - its output is read by the tests


def wrong(subject: str, error: BaseException) -> None:
    """Tell what went wrong, and where."""
    lines = traceback.format_exception(error, limit=-4)
    tell(
        wrong=subject,
        error=f"{type(error).__name__}: {error!s:.1500}",
        trace="".join(lines)[-3000:],
    )


def run(stage: ManualCoordinator, found: Sequence[Case]) -> int:
    """Try all; returns how many were tried."""
    done = 0
    for batch in batches(found):
        for case in batch:
            tell(at=str(case))
            faulthandler.dump_traceback_later(LONGEST_CASE, exit=True, file=sys.__stderr__)
            started = monotonic()
            try:
                tried(case, stage)
            except Exception as error:  # noqa: BLE001 - all of it is what is looked for
                wrong(str(case), error)
            done += 1
            if os.environ.get("HOSTILE_TIMES"):
                tell(took=round(monotonic() - started, 3), case=str(case))
        faulthandler.dump_traceback_later(LONGEST_CASE, exit=True, file=sys.__stderr__)
        tell(at=f"after {batch[-1]}")
        try:
            afterwards(stage)
        except Exception as error:  # noqa: BLE001 - as above
            wrong(f"after {' '.join(map(str, batch))}", error)
            break
    faulthandler.cancel_dump_traceback_later()
    return done


def main(server: str, file: str) -> None:
    """Try the cases of a file."""
    warnings.simplefilter("ignore")  # of coroutines that nobody awaits, of forks beside threads
    logging.disable(logging.CRITICAL)
    found = [Case.parse(line) for line in Path(file).read_text("utf-8").splitlines()]
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        folder = Path(name)
        for module, text in MODULES.items():
            (folder / f"{module}.py").write_text(text, "utf-8")
        os.chdir(folder)
        with stage_on(server, folder) as stage:
            done = run(stage, found)
            tell(at="closing")
    tell(done=done)


if __name__ == "__main__":
    main(*sys.argv[1:])
