"""What is parked is told wherever somebody may look, and is tried again when they ask for it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from flowledger.engine.cli.program import program
from flowledger.engine.errors import RequestUnanswered, TaskNotCreated
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness

good = Workflow("told", "good", version="1")
bad = Workflow("told", "bad", version="1")


@good.step
def fine() -> int:
    return 1


@bad.step
def only() -> int:
    return 2


@pytest.fixture
def asked(harness: EngineHarness, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", harness.url)
    return CliRunner()


def lose_template(harness: EngineHarness) -> tuple[bytes, ...]:
    harness.rows("alter table flowledger.event disable trigger user")
    (row,) = harness.rows(
        "delete from flowledger.event where originator_id = %s returning topic, state",
        bad.template.template_id,
    )
    harness.rows("alter table flowledger.event enable trigger user")
    return row


def test_tasks_whose_template_is_gone_are_parked_and_told_and_go_on_when_it_is_back(
    harness: EngineHarness, asked: CliRunner
) -> None:
    client = harness.open(good, bad, roles=())
    topic, state = lose_template(harness)
    tasks = client.submit_many(bad, [{}] * 30)
    engine = harness.open(good)
    assert client.submit(good, {}).result(PATIENCE) == {"fine": 1}
    harness.until(lambda: harness.value("select count(*) from flowledger_v1.parked_tasks") == 30)

    assert harness.value("select epoch from flowledger.shard") == 1
    assert engine.health["coordinator"].ok
    assert "30 parked" in str(engine.health["parked"].error)
    assert harness.value("select parked_tasks from flowledger_v1.system_health()") == 30
    explained = tasks[0].explain()
    assert explained.kinds == ("parked",)
    assert "no template" in explained.reasons[0].sentence
    status = asked.invoke(program, ["status", str(tasks[0].id)])
    assert "parked for" in status.output
    listed = asked.invoke(program, ["parked", "--json"], catch_exceptions=False)
    assert {json.loads(line)["task"] for line in listed.output.splitlines()} == {
        str(task.id) for task in tasks
    }

    harness.rows(
        "select flowledger.append_events(array[%s], array[1::bigint], array[%s], array[%s],"
        " array[null::uuid], array[0::bigint])",
        *(bad.template.template_id, topic, state),
    )
    harness.open(good, bad, roles=["worker"])
    retried = asked.invoke(
        program, ["parked", "retry", "--reason", "mended"], catch_exceptions=False
    )

    assert retried.output == "30 parked tasks are tried again\n"
    assert [task.result(PATIENCE) for task in tasks] == [{"only": 2}] * 30
    harness.until(lambda: not harness.rows("select task_id from flowledger.parked_task"))
    assert engine.health["parked"].ok


def test_a_template_row_that_is_gone_stops_the_steps_of_its_tasks_only(
    harness: EngineHarness,
) -> None:
    client = harness.open(good, bad, roles=())
    harness.rows("delete from flowledger.template where name = 'bad'")
    client.submit(bad, {})
    harness.open(bad, roles=()).submit(bad, {})  # which registers it, as the log already has it

    engine = harness.open(good, roles=())
    for roles in (["coordinator"], ["worker"]):
        engine = harness.open(good, roles=roles)
    assert client.submit(good, {}).result(PATIENCE) == {"fine": 1}
    assert all(one.ok for one in engine.health.values())


def test_a_submission_that_cannot_be_read_is_told_until_it_can(
    harness: EngineHarness, asked: CliRunner
) -> None:
    client = harness.open(good, roles=())
    with harness.connect() as connection:
        task = client.submit(good, {}, connection=connection)
        connection.commit()
    ((state,),) = harness.rows("select state from flowledger.submission")
    harness.rows("update flowledger.submission set state = 'no JSON'")
    engine = harness.open(good)
    harness.until(lambda: harness.rows("select task_id from flowledger.parked_task"))
    assert "its submission cannot be read" in task.explain().reasons[0].sentence

    harness.rows("update flowledger.submission set state = %s", state)
    engine.close()
    harness.open(good)

    assert task.result(PATIENCE) == {"fine": 1}
    assert asked.invoke(program, ["parked"]).output == "nothing is parked\n"


def test_it_is_the_reason_that_its_steps_stay_queued_and_a_new_worker_mends_it(
    harness: EngineHarness,
) -> None:
    engine = harness.open(bad, roles=["coordinator"])
    worker = harness.open(bad, roles=["worker"])
    worker.close()
    task = engine.submit(bad, {})
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == 1)
    harness.rows("delete from flowledger.template where name = 'bad'")

    (reason,) = task.explain("only").reasons

    assert "told/bad@1 has no row in flowledger.template any more" in reason.sentence
    assert reason.command is not None
    (found,) = [one for one in engine.health_report().findings if one.kind == "queue_unserved"]
    assert "of a template that is not registered any more" in found.sentence
    harness.open(bad, roles=["worker"])
    assert task.result(PATIENCE) == {"only": 2}


def test_what_is_asked_of_what_is_parked_says_so(harness: EngineHarness) -> None:
    client = harness.open(good, bad, roles=())
    lose_template(harness)
    begun = client.submit(bad, {})
    with harness.connect() as connection:
        left = client.submit(bad, {}, connection=connection)
        connection.commit()
    harness.open(good)
    harness.until(lambda: harness.value("select count(*) from flowledger_v1.parked_tasks") == 2)

    for task, kind in ((begun, RequestUnanswered), (left, TaskNotCreated)):
        with pytest.raises(kind, match=r"is parked.*no template") as refused:
            task.cancel(reason="ticket 7", actor="ada", timeout=0.1)
        assert f"`flowledger parked retry {task.id} --reason WHY`" in str(refused.value)
