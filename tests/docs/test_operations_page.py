"""The page on operating: its commands and its program run, its tables are what the rules say."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from flowledger.engine.config import KNOWN
from flowledger.engine.domain.machine.decide_requests import ABOUT_STEPS, ABOUT_TASKS
from flowledger.engine.domain.machine.transitions import STEP_TRANSITIONS, StepState
from flowledger.engine.events.base import StepEvent
from support.cli import Command

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "operations.md").read_text("utf-8")
README = (DOCS.parent / "README.md").read_text("utf-8")


def block(text: str, language: str) -> str:
    """The first block of a language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def operator(command: Command) -> Command:
    """Someone who has the README's workflow, and can type `flowledger`."""
    command.write("orders.py", block(README, "python"))
    command.put_on_path()
    return command


def test_the_commands_run(operator: Command) -> None:
    out = operator.other("bash", "-euo", "pipefail", "-c", block(PAGE, "sh"))

    assert "submitted; a coordinator must run to take it on" in out
    assert "asked to do without step ship: collected in the shop  [ada]" in out
    assert "fulfilment/process_order@1.0.0: resumed" in out


def test_the_program_runs(operator: Command) -> None:
    out = operator.other(sys.executable, "-W", "error", "-c", block(PAGE, "python"))

    assert "the task has ended: it is complete" in out
    assert "'ship'" not in out


def rows(heading: str) -> dict[str, str]:
    """The table under a heading: its first column, and its second."""
    table = PAGE.split(f"| {heading} |")[1].split("\n\n")[0]
    lines = [line.split(" | ") for line in table.splitlines()[2:]]
    return {verb: when for verbs, when, *_ in lines for verb in re.findall(r"`(\w+)`", verbs)}


def test_the_page_says_in_which_states_a_step_can_be_asked_for_what() -> None:
    def states(kind: type[StepEvent]) -> set[StepState]:
        return {state for state, event in STEP_TRANSITIONS if event is kind}

    allowed = {
        kind.topic.split(".")[1].removesuffix("_requested"): states(decision)
        for kind, decision in ABOUT_STEPS.items()
    }
    allowed["cancel"].add(StepState.IN_PROGRESS)

    said = {verb: set(when.split(", ")) for verb, when in rows("of a step").items()}
    assert said == allowed


def test_the_page_names_everything_that_can_be_asked_of_a_task() -> None:
    verbs = {kind.topic.split(".")[1].removesuffix("_requested") for kind in ABOUT_TASKS}

    assert set(rows("of a task")) == verbs


def test_the_settings_that_are_named_exist() -> None:
    assert "request_timeout_seconds" in KNOWN["submit"]
    assert "`submit.request_timeout_seconds`" in PAGE
