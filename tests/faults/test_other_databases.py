"""A caller's connection that is to another database than the engine's, or to an older one."""

from __future__ import annotations

from collections.abc import Generator

import psycopg
import pytest

from flowledger.engine.errors import InvalidSubmission
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness, harness_on

flow = Workflow("elsewhere", "flow", version="1")
known = Workflow("elsewhere", "known", version="1")


@flow.step
def only() -> int:
    return 1


@known.step
def also() -> int:
    return 2


@pytest.fixture
def other(empty_database: str) -> Generator[EngineHarness]:
    with harness_on(empty_database) as found:
        yield found


@pytest.mark.parametrize("has_an_engine", [True, False])
def test_a_connection_to_another_database_is_refused(
    harness: EngineHarness, other: EngineHarness, has_an_engine: bool
) -> None:
    engine = harness.open(flow, roles=())
    if has_an_engine:
        other.open(flow, roles=())
    with other.connect() as connection:
        connection.execute("create table mine (n int)")

        with pytest.raises(InvalidSubmission, match="the connection is to another database"):
            engine.submit(flow, {}, connection=connection)

        connection.commit()
    assert other.value("select count(*) from mine") == 0
    if has_an_engine:
        assert other.value("select count(*) from flowledger.submission") == 0


def test_where_the_template_was_lost_its_tasks_are_parked_and_no_other(
    harness: EngineHarness,
) -> None:
    """The database was restored to before the template was registered."""
    engine = harness.open(flow, known, roles=())
    with psycopg.connect(harness.url) as connection:
        late = engine.submit(flow, {}, connection=connection)
    plain = engine.submit(flow, {})
    harness.rows("alter table flowledger.event disable trigger user")
    for table in ("template", "template_step"):
        harness.rows(
            f"delete from flowledger.{table} where template_id = %s",  # noqa: S608
            flow.template.template_id,
        )
    harness.rows("delete from flowledger.event where originator_id = %s", flow.template.template_id)
    harness.rows("alter table flowledger.event enable trigger user")
    harness.open(known)

    assert engine.submit(known, {}).result(PATIENCE) == {"also": 2}
    told = "select task_id, reason from flowledger_v1.parked_tasks"
    harness.until(lambda: len(harness.rows(told)) > 1)
    rows = harness.rows(told)
    assert {task for task, _ in rows} == {late.id, plain.id}
    assert all("no template" in reason for _, reason in rows)

    harness.open(flow, roles=())
    harness.value("select count(*) from flowledger.request_parked_retry()")
    harness.open(flow, roles=["worker"])
    assert [task.result(PATIENCE) for task in (late, plain)] == [{"only": 1}] * 2
    harness.until(lambda: not harness.rows(told))
