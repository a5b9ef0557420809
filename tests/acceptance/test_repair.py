"""What was tampered with is named, and nothing else; of rows it is made again from the log."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from flowledger.engine import AsyncEngine
from flowledger.engine.domain.verify.replay_and_compare_rows import Difference
from flowledger.engine.errors import InvalidRequest, UnknownTask
from flowledger.engine.events.engine_actions import EngineRepaired
from flowledger.engine.events.notes import TaskRepaired
from flowledger.handlers import Workflow
from support.cli import Command
from support.engines import PATIENCE, EngineHarness
from support.planted import APART, EVENTS, PLANTED, ROWS, changed
from support.tampered_database import TamperedDatabase, halfway

WHY = {"actor": "ann", "reason": "ticket 7"}
IN_THE_LOG = {
    "a log of a task whose beginning is lost",
    "a clock that was moved",
    "a public view that says something else",
    "a public function that says something else",
    "a function that says something else",
    "a function that sets something",
    "a function that calls for others",
    "a function, a trigger and a rule that nobody knows",
    "a trigger that is off",
    "tables that are not as they were made",
    "a view of a projection that leaves rows out",
    "a right to write what a projection writes",
    "a right too many",
    "a time of recording before the one in front of it",
    "a time of recording that is yet to come",
    "a payload that is said to be encoded",
}
MENDED = [*ROWS, *(name for name in APART if name not in IN_THE_LOG)]


def events_of(standing: TamperedDatabase, topic: str) -> int:
    count: int = standing.harness.value(
        "select count(*) from flowledger.event where topic = %s", topic
    )
    return count


@pytest.mark.parametrize("case", MENDED)
def test_what_was_planted_in_rows_is_named_and_mended_and_the_tasks_complete(
    standing: TamperedDatabase, case: str
) -> None:
    found, before = standing.planted(case), standing.harness.contents()
    dry = standing.engine.repair(dry_run=True, **WHY)
    assert standing.harness.contents() == before

    done = standing.engine.repair(**WHY)

    assert said(done.repaired) == said(found) == said(dry.repaired)
    assert done.left == []
    assert standing.differences() == []
    assert events_of(standing, "task.repaired") + events_of(standing, "engine.repaired") > 0
    assert_they_complete(standing)


def test_a_row_of_the_queue_that_is_mended_keeps_its_turn(standing: TamperedDatabase) -> None:
    turn = "select sort_key, exclusive from flowledger.queue where step_id = %s"
    step = standing.names["queued"]
    (before,) = standing.harness.rows(turn, step)
    standing.plant("update flowledger.queue set attempt = 7 where step_id = '{queued}'")

    standing.engine.repair(**WHY)

    assert standing.harness.rows(turn, step) == [before]
    assert standing.differences() == []


def said(found: Iterable[Difference]) -> list[str]:
    """The differences as people are told them, each as often as it is told."""
    return sorted(map(str, found))


def assert_they_complete(standing: TamperedDatabase) -> None:
    """With an engine, whose worker is another, after the pause of the retry."""
    harness, (one, two) = standing.harness, (standing.names[name] for name in ("one", "two"))
    harness.rows("update flowledger.worker set lease_until = flowledger.clock() - interval '1 s'")
    harness.rows("update flowledger.shard set leader = null")
    harness.move_clock("61 minutes")
    harness.open(halfway)
    done = (
        "select count(*) = 2 from flowledger.task"
        " where task_id in (%s, %s) and ended_at is not null"
    )
    harness.until(lambda: harness.value(done, one, two))
    assert {one.place for one in standing.differences()} == {"flowledger.clock_offset"}


@pytest.mark.parametrize(
    ("case", "advice"),
    [
        ("a time of recording that is yet to come", "it is over when that time has come"),
        ("a time of recording before the one in front of it", "clock was set back there"),
    ],
)
def test_of_times_that_a_wrong_clock_explains_nothing_is_to_be_done(
    standing: TamperedDatabase, case: str, advice: str
) -> None:
    standing.planted(case)

    repair = standing.harness.open(roles=()).repair(dry_run=True, **WHY)

    (left,) = repair.left
    assert advice in left.why
    assert "nothing is to be done" in left.why


@pytest.mark.parametrize("case", [*EVENTS, *sorted(IN_THE_LOG)])
def test_what_the_log_itself_says_wrongly_is_left_and_said(
    standing: TamperedDatabase, case: str
) -> None:
    found = standing.planted(case)

    done = standing.engine.repair(**WHY)

    left = [one.difference for one in done.left]
    assert said(found) == said([*done.repaired, *left])
    assert sorted(map(str, standing.differences())) == sorted(map(str, left))
    assert all(one.why for one in done.left)


def test_what_the_database_does_not_take_of_one_task_is_left_and_the_others_are_mended(
    standing: TamperedDatabase,
) -> None:
    one, two = standing.names["one"], standing.names["two"]
    said = '"correlation_id":"\\u0000"'
    begin, only = (text.encode().hex() for text in (f'{{{said},"', f"{{{said}}}"))
    place = r"position('\x7b22'::bytea in state)"
    standing.plant(
        "update flowledger.event set state = case"  # noqa: S608
        rf" when {place} > 0 then overlay(state placing '\x{begin}' from {place} for 2)"
        rf" else state || '\x{only}' end where task_id = '{{one}}'"
    )
    standing.plant(PLANTED["a held step that is lost"][0])

    done = standing.engine.repair(**WHY)

    assert {left.difference.task_id for left in done.left} == {one}
    assert any("cannot be stored" in left.why for left in done.left)
    assert [mended.task_id for mended in done.repaired] == [two]
    assert {each.task_id for each in standing.differences()} == {one}


def test_nothing_differs_where_nothing_was_planted(standing: TamperedDatabase) -> None:
    run = standing.engine.verify()

    assert list(run) == []
    assert (run.tasks, run.found) == (2, 0)
    assert run.events == standing.harness.value(
        "select count(*) from flowledger.event where task_id is not null"
    )


def test_where_nothing_differs_nothing_is_changed(standing: TamperedDatabase) -> None:
    before = standing.harness.contents()

    done = standing.engine.repair(**WHY)

    assert (done.repaired, done.left) == ([], [])
    assert standing.harness.contents() == before


def test_it_is_recorded_who_repaired_a_task_why_and_what(standing: TamperedDatabase) -> None:
    one = standing.names["one"]
    standing.plant("update flowledger.step set attempt = 0 where step = 'first'")

    done = standing.engine.repair(one, **WHY)

    (event,) = [
        recorded.event
        for recorded in standing.engine.task(one).history()
        if isinstance(recorded.event, TaskRepaired)
    ]
    assert (event.actor, event.reason, event.more) == ("ann", "ticket 7", 0)
    assert event.changes == tuple(map(str, done.repaired))
    assert event.changes == ("step 'first': attempt is 0 in the row, and 1 by the log",)
    assert {found.task_id for found in standing.differences()} == {standing.names["two"]}


def test_an_unknown_task_and_a_missing_reason_are_refused(standing: TamperedDatabase) -> None:
    unknown = UUID("019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6099")
    with pytest.raises(UnknownTask):
        standing.engine.repair(unknown, **WHY)
    with pytest.raises(InvalidRequest):
        standing.engine.repair(actor="ann", reason=" ")


@pytest.mark.parametrize("dry_run", ["no", "false", None, 1])
async def test_what_is_neither_a_dry_run_nor_none_repairs_nothing(
    standing: TamperedDatabase, dry_run: Any
) -> None:
    told = r"dry_run should be True or False, got .* \((str|int|NoneType)\)"
    before = standing.harness.contents()

    with pytest.raises(InvalidRequest, match=told):
        standing.engine.repair(dry_run=dry_run, **WHY)
    with pytest.raises(InvalidRequest, match=told):
        await AsyncEngine(standing.engine).repair(dry_run=dry_run, **WHY)

    assert standing.harness.contents() == before


def test_an_id_beside_that_of_a_task_is_unknown(standing: TamperedDatabase) -> None:
    """The events of the steps of both would lie in one range of the log."""
    known = standing.names["two"]
    mistyped = UUID(int=known.int ^ 1)
    for asked in (
        lambda: list(standing.engine.verify(mistyped)),
        lambda: standing.engine.repair(mistyped, **WHY),
    ):
        with pytest.raises(UnknownTask):
            asked()
    assert list(standing.engine.verify(known)) == []


def test_rows_that_are_no_tasks_are_recorded_too(standing: TamperedDatabase) -> None:
    standing.plant("update flowledger.template set paused = true")

    standing.engine.repair(**WHY)

    assert events_of(standing, EngineRepaired.topic) == 1
    assert list(standing.engine.verify()) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param('"definition_hash":"v1:sha256:', '"definition_hash":"v1:sha256:0', id="hash"),
        pytest.param('"on_failure":"fail"', '"on_failure":"block"', id="definition"),
    ],
)
def test_rows_of_a_template_whose_event_contradicts_itself_stay_as_they_are(
    standing: TamperedDatabase, old: str, new: str
) -> None:
    rows = "select definition_hash, definition from flowledger.template"
    before = standing.harness.rows(rows)
    standing.plant(changed("template", 1, old, new))
    found = said(standing.differences())

    done = standing.engine.repair(**WHY)

    assert done.repaired == []
    assert said(one.difference for one in done.left) == said(standing.differences()) == found
    assert any("definition_hash" in one and "by the definition" in one for one in found)
    assert standing.harness.rows(rows) == before


act_now = threading.Event()
flow = Workflow("shop", "flow", version="1")


@flow.step
def before() -> int:
    """Waits for the test."""
    assert act_now.wait(PATIENCE)
    return 1


@flow.step(after=[before])
def behind(before: int) -> int:
    """Goes on with what came before."""
    return before + 1


def test_tasks_go_on_beside_an_engine_that_runs(harness: EngineHarness) -> None:
    act_now.clear()
    engine = harness.open(flow)
    task = engine.submit(flow, {})
    claimed = "select count(*) from flowledger.queue where worker_id is not null"
    harness.until(lambda: harness.value(claimed))
    harness.rows("delete from flowledger.step; delete from flowledger.task")
    harness.rows("update flowledger.queue set stream_version = 7")

    done = engine.repair(**WHY)

    places = {found.place for found in done.repaired}
    assert places == {"the row", "flowledger.queue", "flowledger.state_count"}
    assert done.left == []
    act_now.set()
    task.wait(timeout=PATIENCE)
    assert task.result()["behind"] == 2
    assert list(engine.verify()) == []


def test_open_tasks_go_on_after_their_template_was_deleted(harness: EngineHarness) -> None:
    act_now.set()
    client = harness.open(flow, roles=())
    task = client.submit(flow, {})  # which would put back what was deleted before it
    engine = harness.open(roles=("coordinator",))
    harness.until(lambda: harness.value("select count(*) from flowledger.queue"))
    harness.rows("delete from flowledger.template; delete from flowledger.template_step")

    done = engine.repair(**WHY)

    assert {found.place for found in done.repaired} >= {"flowledger.template"}
    harness.open(flow, roles=("worker",))
    task.wait(timeout=PATIENCE)
    assert list(engine.verify()) == []


def test_killed_in_the_middle_it_has_repaired_some_tasks_wholly(
    harness: EngineHarness, tmp_path: Path
) -> None:
    client = harness.open(flow, roles=())
    tasks = sorted(task.id for task in client.submit_many(flow, [{}] * 5))
    harness.open(roles=("coordinator",))
    harness.until(lambda: harness.value("select count(*) = 5 from flowledger.queue"))
    harness.rows("update flowledger.task set priority = 7")
    harness.rows("update flowledger.queue set attempt = 9")
    with ExitStack() as opened:
        program = Command(harness.url, tmp_path, opened)
        holder = harness.connect()
        holder.execute("select from flowledger.queue where task_id = %s for update", (tasks[3],))
        process = program.start("repair", "--all", "--reason", "ticket 7")
        recorded = "select count(*) from flowledger.event where topic = 'task.repaired'"
        harness.until(lambda: harness.value(recorded) == 3)
        process.kill()
        process.wait(PATIENCE)
        holder.rollback()

    found = list(client.verify())

    assert {one.task_id for one in found} == set(tasks[3:])
    assert len(client.repair(**WHY).repaired) == len(found) == 4
    assert list(client.verify()) == []


def test_the_command_says_what_it_would_do_and_does_it(
    harness: EngineHarness, tmp_path: Path
) -> None:
    client = harness.open(flow, roles=())
    task = client.submit(flow, {})
    harness.open(roles=("coordinator",))
    harness.until(lambda: harness.value("select count(*) from flowledger.queue"))
    harness.rows("update flowledger.task set priority = 7")
    with ExitStack() as opened:
        program = Command(harness.url, tmp_path, opened)
        line = f"task {task.id}: priority is 7 in the row, and 0 by the log"

        dry = program("repair", "--all", "--dry-run", "--reason", "ticket 7")
        done = program("repair", str(task.id), "--reason", "ticket 7", "--actor", "ann", "--json")
        again = program("repair", "--all", "--reason", "ticket 7")
        bad = program("repair", "--reason", "ticket 7")
        history = program("history", str(task.id)).out

    assert dry.out == f"would be repaired: {line}\n1 would be repaired, 0 left\n"
    assert done.lines[0]["repaired"] is True
    assert done.lines[1] == {"repaired": 1, "left": 0, "dry_run": False, "differences": 1}
    assert (again.code, again.out) == (0, "nothing differs\n")
    assert (bad.code, bad.out) == (2, "")
    assert "made again from the log: task: priority is 7 in the row" in history
    assert "ticket 7  [ann]" in history
