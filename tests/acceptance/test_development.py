"""The development mode: a changed definition gets a version of its own, and the log stays true."""

from __future__ import annotations

import os
from typing import Any

import pytest

from flowledger.engine import DefinitionChanged, Engine, TaskState
from flowledger.engine.client.workflow_registration import LONGEST_VERSION, development_version
from flowledger.engine.errors import DefinitionInUse
from flowledger.engine.events.task import TaskCreated
from flowledger.handlers import Retry, Workflow
from support.builders import step, template
from support.cli import Command, command
from support.engines import PATIENCE, EngineHarness, harness, of_kind

__all__ = ["command", "harness"]

DEV = {"development": True}
VERSIONS = "select version from flowledger.template order by version"


def flow(result: str, *, attempts: int = 3, version: str = "1") -> Workflow[dict[str, Any]]:
    """The same workflow, whose definition is another one for other attempts."""
    made = Workflow("edited", "flow", version=version)

    @made.step(retry=Retry(max_attempts=attempts))
    def say() -> str:
        return result

    return made


def versions(harness: EngineHarness) -> list[str]:
    return [version for (version,) in harness.rows(VERSIONS)]


def changes(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of the warnings, and of no others."""
    found = [one for one in caplog.records if one.getMessage().startswith("template.changed ")]
    assert {one.levelname for one in found} <= {"WARNING"}
    return [vars(one)["flowledger"] for one in found]


def test_without_it_a_changed_definition_is_refused(harness: EngineHarness) -> None:
    harness.open(flow("old"), roles=()).close()

    with pytest.raises(DefinitionChanged):
        harness.open(flow("new", attempts=4))

    assert versions(harness) == ["1"]


def test_an_edit_is_run_as_a_version_of_its_own_and_says_so(
    harness: EngineHarness, caplog: pytest.LogCaptureFixture
) -> None:
    first = harness.open(flow("old"), templates=DEV)
    assert first.submit(flow("old"), {}).result(PATIENCE) == {"say": "old"}
    first.close()
    assert changes(caplog) == []

    edited = flow("new", attempts=4)
    with Engine.open(workflows=[edited], settings=harness.settings(), dev=True) as engine:
        task = engine.submit(edited, {})

        assert task.result(PATIENCE) == {"say": "new"}
        (created,) = of_kind(task.history(), TaskCreated)
    assert versions(harness) == ["1", created.version]
    assert created.version.startswith("1+dev.")
    assert {one["registered_as"] for one in changes(caplog)} == {f"edited/flow@{created.version}"}
    assert "max_attempts" in changes(caplog)[0]["difference"]


def test_the_same_edit_is_the_same_version_and_one_taken_back_is_the_first(
    harness: EngineHarness, caplog: pytest.LogCaptureFixture
) -> None:
    ran = []
    for attempts in (3, 4, 4, 3):
        with harness.open(flow("it", attempts=attempts), templates=DEV) as engine:
            task = engine.submit(flow("it", attempts=attempts), {})
            task.result(PATIENCE)
            ran.append(of_kind(task.history(), TaskCreated)[0].version)
        if attempts == 4:
            assert changes(caplog), "each process says so"
        caplog.clear()

    assert ran == ["1", ran[1], ran[1], "1"]
    assert versions(harness) == ["1", ran[1]]
    assert changes(caplog) == []


def test_a_task_of_the_earlier_definition_keeps_it_and_waits(harness: EngineHarness) -> None:
    before = harness.open(flow("old"), roles=["coordinator"]).submit(flow("old"), {})
    engine = harness.open(flow("new", attempts=4), templates=DEV)

    after = engine.submit(flow("new", attempts=4), {})

    assert after.result(PATIENCE) == {"say": "new"}
    assert engine.task(before.id).state is TaskState.IN_PROGRESS
    assert engine.task(before.id).steps()["say"].state == "enqueued"
    harness.open(flow("old"), roles=["worker"])
    assert before.result(PATIENCE) == {"say": "old"}


def test_what_others_run_as_it_was_is_not_changed_under_them(harness: EngineHarness) -> None:
    harness.open(flow("old"))

    with pytest.raises(DefinitionInUse, match=f"process {os.getpid()} on host") as refused:
        harness.open(flow("new", attempts=4), templates=DEV)

    assert refused.value.template == "edited/flow@1"
    assert versions(harness) == ["1"]


@pytest.mark.parametrize("version", ["1", "v" * LONGEST_VERSION])
def test_a_version_that_was_made_names_the_whole_definition(version: str) -> None:
    made = development_version(template(step("a"), version=version))
    other = development_version(template(step("b"), version=version))

    assert made.version != other.version
    assert len(made.version) <= LONGEST_VERSION
    assert made.template_id != template(step("a"), version=version).template_id
    assert type(made).model_validate(made.model_dump()) == made


FILE = 'namespace: n\nname: w\nversion: "1"\nsteps: [{name: act, retry: {max_attempts: %d}}]\n'


def test_the_command_takes_an_edit_over_where_it_is_told_to(command: Command) -> None:
    command.write("hands.py", "def act() -> int:\n    return 1\n")
    run = ("run", command.write("w.yaml", FILE % 3), "--handlers", "hands")
    assert command(*run).code == 0
    command.write("w.yaml", FILE % 4)

    refused, taken = command(*run), command(*run, "--dev", "--json")
    beside = command(*run, "--dev", "--processes", "1", "--json")
    submitted = command("submit", *run[1:], "--dev")

    assert (refused.code, "give the change a new version" in refused.error) == (2, True)
    assert taken.value["state"] == "complete"
    assert beside.value["state"] == "complete"
    for done in (taken, beside, submitted):
        assert "template.changed" in done.error
        assert "n/w@1+dev." in done.error


def test_start_takes_an_edit_over_and_says_so(command: Command) -> None:
    command.write("hands.py", "def act() -> int:\n    return 1\n")
    arguments = (command.write("w.yaml", FILE % 3), "--handlers", "hands")
    assert command("run", *arguments).code == 0
    command.write("w.yaml", FILE % 4)

    process = command.start("start", *arguments, "--dev")

    assert process.stderr is not None
    assert any("template.changed" in line for line in process.stderr)
