"""The page on the life cycles says what the tables, the finaliser, the grants and the words do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from flowledger.engine.domain.execution_status_from_counts import (
    ACTIONS,
    Counts,
    ExecutionStatus,
    HealthStatus,
    summary_of,
)
from flowledger.engine.domain.machine.decide_requests import ABOUT_STEPS, TO_REOPEN
from flowledger.engine.domain.machine.transitions import (
    STEP_ENDS,
    STEP_TRANSITIONS,
    TASK_ENDS,
    TASK_TRANSITIONS,
    StepState,
    TaskState,
)
from flowledger.engine.events import registry as happened
from flowledger.engine.events.requests import (
    StepCancelRequested,
    StepResolveRequested,
    StepSkipRequested,
)
from flowledger.engine.events.step import StepCancelSignalled
from flowledger.engine.events.task import (
    TaskCancelled,
    TaskPaused,
    TaskReopened,
    TaskResolvedManually,
    TaskResumed,
)
from flowledger.handlers import Workflow
from support.builders import Story, step, template
from support.engines import PATIENCE, EngineHarness

PAGE = (Path(__file__).parents[2] / "docs" / "states.md").read_text("utf-8")
ENDS = TASK_ENDS | STEP_ENDS


def drawing(transitions: Mapping[tuple[Any, type[Any]], Any]) -> str:
    """A table of transitions as a Mermaid diagram."""
    sources = [source for source, _ in transitions]
    ends = [state for state in type(sources[0]) if state in ENDS]
    return "\n".join(
        [
            "stateDiagram-v2",
            f"    [*] --> {sources[0]}",
            *(
                f"    {source} --> {state}: {event.__name__}"
                for (source, event), state in transitions.items()
            ),
            *(f"    {state} --> [*]" for state in ends),
        ]
    )


def table(heading: str) -> list[list[str]]:
    """The rows of the table whose first column has that heading, without it."""
    _, _, after = PAGE.partition(f"\n| {heading} |")
    _, _, *rows = after.partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def states(cell: str) -> list[str]:
    return re.findall("`([a-z_]+)`", cell)


@pytest.mark.parametrize(
    ("place", "transitions"), [(0, TASK_TRANSITIONS), (1, STEP_TRANSITIONS)], ids=["task", "step"]
)
def test_a_drawing_is_its_table(
    place: int, transitions: Mapping[tuple[Any, type[Any]], Any]
) -> None:
    drawn = re.findall(r"^```mermaid\n(.*?)\n?^```$", PAGE, re.M | re.S)

    assert len(drawn) == 2
    assert drawn[place] == drawing(transitions)


def test_every_event_has_its_guard_and_its_writer() -> None:
    rows = table("event")
    moved = {kind for _, kind in (*TASK_TRANSITIONS, *STEP_TRANSITIONS)}

    assert sorted(event for event, *_ in rows) == sorted(f"`{kind.__name__}`" for kind in moved)
    for event, writer, guard in rows:
        decided = getattr(happened, event.strip("`")) in happened.DECISIONS
        assert writer.startswith("the coordinator" if decided else ("the worker", "a caller"))
        assert guard


# -- what a parent's state means to its children


def parent_in(state: StepState, when_skipped: str = "continue") -> Story:
    """`child` depends on `parent`, which is in the state; `beside` keeps the task open."""
    parent = step("parent", when_skipped=when_skipped)
    found = Story(template(parent, step("child", "parent"), step("beside")))
    if state is not StepState.PENDING:
        found.decided()
    if state in {
        StepState.IN_PROGRESS,
        StepState.COMPLETE,
        StepState.WAITING_FOR_RETRY,
        StepState.ERROR,
    }:
        found.begin("parent")
    match state:
        case StepState.COMPLETE:
            found.complete("parent")
        case StepState.WAITING_FOR_RETRY:
            found.fail("parent")
        case StepState.ERROR:
            found.fail("parent", retryable=False)
        case StepState.CANCELLED:
            found.ask(StepCancelRequested, "parent")
        case StepState.RESOLVED_MANUALLY:
            found.ask(StepResolveRequested, "parent")
        case StepState.SKIPPED:
            found.ask(StepSkipRequested, "parent")
        case _:
            return found
    found.decided()
    return found


def may_run(found: Story) -> bool:
    child = found.plan.numbers["child"]
    return child in found.run.ready or found.run.step("child").state is StepState.ENQUEUED


@pytest.mark.parametrize(("cell", "satisfies"), table("state of the dependency"))
def test_a_dependency_satisfies_as_the_table_says(cell: str, satisfies: str) -> None:
    (name,) = states(cell)
    state = StepState(name)

    found = parent_in(state)

    assert found.run.step("parent").state is state
    assert may_run(found) is satisfies.startswith("yes")
    assert may_run(parent_in(state, when_skipped="stop")) is (satisfies == "yes")


def test_every_state_of_a_dependency_is_in_the_table() -> None:
    assert [states(cell) for cell, _ in table("state of the dependency")] == [
        [state] for state in StepState
    ]


# -- how a task ends


MIXES = [
    {"a": first, "b": second, "c": third}
    for first in ("complete", "error", "cancelled")
    for second in ("resolved_manually", "skipped", "error", "cancelled")
    for third in ("complete", "error")
]


def expected_end(mix: Mapping[str, str], on_failure: str) -> str:
    """The first line of the table that fits."""
    for some, word, becomes in table("some step is"):
        if (set(states(some)) & set(mix.values()) or not states(some)) and (
            not word or word == f"`on_failure: {on_failure}`"
        ):
            return states(becomes)[0]
    raise AssertionError(mix)


@pytest.mark.parametrize("on_failure", ["fail", "block"])
@pytest.mark.parametrize("mix", MIXES, ids=lambda mix: "-".join(mix.values()))
def test_a_task_ends_as_the_table_says(mix: Mapping[str, str], on_failure: str) -> None:
    found = Story(template(*(step(name) for name in mix), on_failure=on_failure))
    found.decided()
    asked = {
        "cancelled": StepCancelRequested,
        "resolved_manually": StepResolveRequested,
        "skipped": StepSkipRequested,
    }
    for name, state in mix.items():
        assert not found.run.ended
        if state in asked:
            found.asked(asked[state], name)
        else:
            found.begin(name)
            found.complete(name) if state == "complete" else found.fail(name, retryable=False)
            found.decided()

    assert {name: found.run.step(name).state for name in mix} == mix
    assert found.run.task.state == expected_end(mix, on_failure)


def test_every_line_on_the_end_of_a_task_is_needed() -> None:
    ends = {expected_end(mix, word) for mix in MIXES for word in ("fail", "block")}

    assert ends == {"error", "blocked", "cancelled", "complete"}


# -- what operators may ask for


TASK_GRANTS = {
    "cancel": TaskCancelled,
    "pause": TaskPaused,
    "resume": TaskResumed,
    "resolve": TaskResolvedManually,
    "reset": TaskReopened,
}


@pytest.mark.parametrize(("verb", "cell"), [row[:2] for row in table("asked of a task")])
def test_what_is_granted_of_a_task_is_what_its_table_allows(verb: str, cell: str) -> None:
    if verb == "fail":
        allowed = {TaskState.BLOCKED}
    else:
        allowed = {s for s, event in TASK_TRANSITIONS if event is TASK_GRANTS[verb]}

    assert set(states(cell)) == allowed
    assert verb != "reset" or allowed == TO_REOPEN


@pytest.mark.parametrize(("verb", "cell"), [row[:2] for row in table("asked of a step")])
def test_what_is_granted_of_a_step_is_what_its_table_allows(verb: str, cell: str) -> None:
    kinds = {kind.topic: event for kind, event in ABOUT_STEPS.items()}
    kind = kinds[f"step.{verb}_requested"]
    signals = {StepCancelSignalled} if verb == "cancel" else set[type[Any]]()

    assert set(states(cell)) == {s for s, event in STEP_TRANSITIONS if event in {kind, *signals}}
    assert len(table("asked of a step")) == len(kinds)


# -- the words


CASES = {
    "is `complete`, `cancelled` or `resolved_manually`": [
        Counts(task=state, steps={StepState.COMPLETE: 1, StepState.ERROR: 1})
        for state in (TaskState.COMPLETE, TaskState.CANCELLED, TaskState.RESOLVED_MANUALLY)
    ],
    "is `error`": [Counts(task=TaskState.ERROR, steps={StepState.PENDING: 1}, ready=1)],
    "has steps that are ready or `enqueued`": [
        Counts(task=TaskState.IN_PROGRESS, steps={StepState.PENDING: 1}, ready=1),
        Counts(task=TaskState.IN_PROGRESS, steps={StepState.ENQUEUED: 1, StepState.IN_PROGRESS: 1}),
    ],
    "has steps `in_progress`": [
        Counts(
            task=TaskState.IN_PROGRESS,
            steps={StepState.IN_PROGRESS: 1, StepState.WAITING_FOR_RETRY: 1},
        )
    ],
    "has steps that are held or `waiting_for_retry`": [
        Counts(task=TaskState.WAITING, steps={StepState.PENDING: 1, StepState.ERROR: 1}, waiting=1),
        Counts(task=TaskState.WAITING, steps={StepState.WAITING_FOR_RETRY: 1, StepState.ERROR: 1}),
    ],
    "has steps in `error`": [
        Counts(task=TaskState.BLOCKED, steps={StepState.ERROR: 1, StepState.PENDING: 3})
    ],
    "is not known to a coordinator yet": [Counts(task=TaskState.SUBMITTED)],
    "has nothing left to do": [
        Counts(task=TaskState.IN_PROGRESS, steps={StepState.CANCELLED: 1, StepState.COMPLETE: 1})
    ],
}
HEALTH = {
    "is not known to a coordinator yet": [Counts(task=TaskState.SUBMITTED)],
    "is `complete`, `cancelled` or `resolved_manually`": CASES[
        "is `complete`, `cancelled` or `resolved_manually`"
    ],
    "is `error` or `blocked`, or has steps in `error`": [
        Counts(task=TaskState.ERROR, steps={StepState.CANCELLED: 1}),
        Counts(task=TaskState.BLOCKED, steps={StepState.ERROR: 1}),
        Counts(
            task=TaskState.IN_PROGRESS,
            steps={StepState.ERROR: 1, StepState.WAITING_FOR_RETRY: 1},
        ),
    ],
    "has steps `waiting_for_retry`": [
        Counts(task=TaskState.WAITING, steps={StepState.WAITING_FOR_RETRY: 1})
    ],
    "is anything else": [Counts(task=TaskState.IN_PROGRESS, steps={StepState.IN_PROGRESS: 1})],
}


def test_the_words_are_those_of_their_tables() -> None:
    *statuses, healths = re.findall(r"^\| the task \|.*\n(?:\|.*\n)*", PAGE, re.M)
    rows = [line.strip("|\n").split("|") for line in statuses[0].splitlines()[2:]]

    said = [tuple(cell.strip() for cell in row) for row in rows]
    assert [case for case, *_ in said] == list(CASES)
    for case, status, action in said:
        for counts in CASES[case]:
            found = summary_of(counts)
            assert [found.execution_status] == states(status)
            assert [found.recommended_action] == states(action)
    assert {states(status)[0] for _, status, _ in said} == set(ExecutionStatus)
    assert {states(action)[0] for *_, action in said} == set(ACTIONS.values())

    healthy = [line.strip("|\n").split("|") for line in healths.splitlines()[2:]]
    assert [case.strip() for case, _ in healthy] == list(HEALTH)
    for case, health in healthy:
        for counts in HEALTH[case.strip()]:
            assert [summary_of(counts).health_status] == states(health)
    assert {states(health)[0] for _, health in healthy} == set(HealthStatus)


# -- Tasker's states


@pytest.mark.parametrize(
    ("heading", "kind", "known"),
    [
        ("Tasker's task, then", TaskState, 6),
        ("Tasker's task, today", TaskState, 12),
        ("Tasker's step, then", StepState, 6),
        ("Tasker's step, today", StepState, 10),
    ],
)
def test_each_state_of_tasker_has_its_counterpart(heading: str, kind: Any, known: int) -> None:
    theirs = [states(theirs)[0] for theirs, _ in table(heading)]
    ours = {state for _, ours in table(heading) for state in states(ours)}

    assert len(set(theirs)) == len(theirs) == known
    assert ours <= set(kind)
    assert set(kind) - ours <= {StepState.SKIPPED}


# -- the states of one task


def test_the_example_prints_each_state_of_a_task(
    harness: EngineHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    flow = Workflow("states", "flow", version="1")
    flow.step(name="only")(lambda: 1)
    task = harness.open(flow).submit(flow, {})
    task.wait(PATIENCE)
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)

    exec(example, {"task": task})  # noqa: S102 - what a reader would run

    *frames, differences = capsys.readouterr().out.splitlines()
    assert [frame.split()[1:] for frame in frames] == [
        ["TaskCreated", "pending", "0"],
        ["TaskStarted", "in_progress", "0"],
        ["StepEnqueued", "enqueued", "0"],
        ["StepStarted", "in_progress", "0"],
        ["StepCompleted", "complete", "1"],
        ["TaskCompleted", "complete", "1"],
    ]
    assert differences == "[]"
