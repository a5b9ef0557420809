"""The live display: a line a step, in the columns there are, and coloured only by failures."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Literal

import pytest
from rich.console import Console

from flowledger.engine.cli.step_lines import StepLine, StepLines, middle, most_telling
from flowledger.engine.cli.task_progress import Lines, Look, painted
from flowledger.engine.domain.machine.transitions import StepState
from flowledger.engine.domain.templates.retry_and_limit_policies import Retry
from flowledger.engine.events.base import Recorded, StepEvent
from flowledger.engine.events.step import (
    StepAttemptFailed,
    StepCompleted,
    StepEnqueued,
    StepError,
    StepFailed,
    StepRetryScheduled,
    StepStarted,
)
from support.builders import NOON, WORKER, Story, event, step, template

TASK = Story(template(step("a"))).run.task_id
REFUSED = StepError(
    error_class="HTTPError", message="503\nbusy", category="unavailable", retryable=True
)
COLUMNS = 80
RED, YELLOW = "31m", "33m"


class Told:
    """The steps of one template, as they are told after some events and seconds."""

    def __init__(self) -> None:
        flow = template(step("a", retry=Retry(max_attempts=6)), step("b", "a"))
        self.now = 100.0
        self.lines = StepLines(flow, lambda: self.now)
        self.history: list[Recorded] = []

    def then(self, *events: StepEvent) -> str:
        """What is said of step a."""
        self.history += [Recorded(n, NOON, one) for n, one in enumerate(events)]
        return self.lines.look(self.history)[0].words


def begin(version: int, attempt: int) -> tuple[StepEvent, StepEvent]:
    queued = event(StepEnqueued, version, step="a", attempt=attempt)
    return queued, event(StepStarted, version + 1, step="a", attempt=attempt, worker=WORKER)


def test_a_retry_is_told_with_its_number_the_time_that_is_left_and_the_reason() -> None:
    told = Told()
    failed = event(StepAttemptFailed, 3, step="a", attempt=1, error=REFUSED)
    later = event(StepRetryScheduled, 4, step="a", attempt=1, due_at=NOON + timedelta(seconds=14))

    assert told.then(*begin(1, 1), failed, later) == "retry 1 of 5 in 14 s: HTTPError: 503 busy"
    told.now += 2.0
    assert told.then() == "retry 1 of 5 in 12 s: HTTPError: 503 busy"
    told.now += 90.0
    assert told.then() == "retry 1 of 5 in 0.0 s: HTTPError: 503 busy"


def test_a_step_that_runs_says_for_how_long_and_one_that_is_complete_how_long_it_took() -> None:
    told = Told()

    assert told.then() == "pending"
    told.then(*begin(1, 1))
    told.now += 3.25
    assert told.then() == "running, 3.2 s"
    done = event(StepCompleted, 3, step="a", result=1)
    assert told.then(done.model_copy(update={"occurred_at": NOON + timedelta(seconds=7)})) == (
        "complete, 7.0 s"
    )


def test_a_step_in_error_says_why() -> None:
    told = Told()
    failed = event(StepAttemptFailed, 3, step="a", attempt=1, error=REFUSED)
    given_up = event(StepFailed, 4, step="a", reason="permanent", message="it was refused")

    assert told.then(*begin(1, 1), failed, given_up) == "in error: it was refused"


LONG = "a_very_long_name_of_a_step_that_says_which_warehouse_it_is_about_and_which_shelf"


def shown(look: Look, columns: int = COLUMNS, *, colours: bool = False) -> str:
    system: Literal["standard"] | None = "standard" if colours else None
    console = Console(width=columns, force_terminal=colours, color_system=system)
    with console.capture() as captured:
        console.print(painted(look, columns))
    return captured.get()


def look(*lines: StepLine, running: tuple[str, ...] = ()) -> Look:
    counts: dict[StepState, int] = {}
    for line in lines:
        counts[line.state] = counts.get(line.state, 0) + 1
    return Look(f"{LONG}/{LONG}@1", TASK, len(lines) or 400, counts, running, 2.0, lines)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_no_line_is_longer_than_the_terminal_is_wide(columns: int) -> None:
    line = StepLine(LONG, 5, StepState.WAITING_FOR_RETRY, 2, "Error: " + "no " * 100, 12.0)

    text = shown(look(line, replace(line, name="b")), columns)

    assert max(len(each) for each in text.splitlines()) <= columns
    assert "a_very" in text
    assert "retry 2 of 5" in text


def test_long_names_lose_their_middle_and_not_what_tells_them_apart() -> None:
    ends = [StepLine(f"{LONG}_{n}", 5, StepState.COMPLETE) for n in (1, 2)]

    text = shown(look(*ends))

    assert "shelf_1  complete" in text
    assert "shelf_2  complete" in text
    assert "…" in text
    assert f"task {TASK}" in text


def test_names_of_a_large_task_fit_on_one_line() -> None:
    running = tuple(f"{LONG}_{n}" for n in range(6))
    large = replace(look(running=running), steps={StepState.IN_PROGRESS: 300})

    (line,) = (each for each in shown(large).splitlines() if each.startswith("running"))

    assert len(line) <= COLUMNS
    assert line.endswith("shelf_0 and 299 more")


def test_colour_tells_of_failures_and_of_nothing_else() -> None:
    well = [StepLine("a", 5, state) for state in StepState]
    well = [one for one in well if one.state not in {StepState.ERROR, StepState.WAITING_FOR_RETRY}]

    text = shown(look(*well), colours=True)
    retrying = shown(look(StepLine("b", 5, StepState.WAITING_FOR_RETRY)), colours=True)
    failed = shown(look(StepLine("b", 5, StepState.ERROR)), colours=True)

    assert not [code for code in (RED, YELLOW, "32m", "34m", "35m", "36m") if code in text]
    assert (YELLOW in retrying, RED in retrying) == (True, False)
    assert RED in failed


def test_of_many_steps_those_are_listed_that_fail_or_are_at_work() -> None:
    lines = [StepLine(str(n), 5, StepState.COMPLETE) for n in range(50)]
    lines[40].state, lines[41].state = StepState.IN_PROGRESS, StepState.ERROR

    assert [line.name for line in most_telling(lines)] == ["41", "40"]
    assert "and 48 more steps" in shown(look(*lines))


def test_what_a_stranger_wrote_is_shown_and_not_obeyed() -> None:
    line = StepLine("a\x1b[31m", 5, StepState.ERROR, 1, "\x1b]0;title\x07")

    assert "\x1b" not in shown(look(line))


def test_without_a_terminal_each_failure_is_one_plain_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = StepLine("a", 5, StepState.WAITING_FOR_RETRY, 1, "HTTPError: 503", 12.0)
    with Lines() as lines:
        for seconds in (12.0, 11.0):
            lines.show(look(replace(line, seconds=seconds)))
        lines.show(look(replace(line, state=StepState.IN_PROGRESS, failures=2)))

    told = [text.strip() for text in capsys.readouterr().out.splitlines()]
    assert [text for text in told if "retry " in text and "HTTP" in text] == [
        "2.0 s  a: retry 1 of 5 in 12 s: HTTPError: 503",
        "2.0 s  a: retry 2 of 5: HTTPError: 503",
    ]


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [("abcdef", 6, "abcdef"), ("abcdefg", 6, "abc…fg"), ("abcdefg", 2, "a…"), ("abc", 1, "…")],
)
def test_a_text_loses_its_middle(text: str, width: int, cut: str) -> None:
    assert middle(text, width) == cut
