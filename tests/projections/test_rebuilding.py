"""A projection is built anew beside the one that serves, which goes on until they are swapped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from flowledger.engine.events import StepCompleted
from flowledger.projections import Cursor, Projection, on
from support.engines import PATIENCE, EngineHarness
from support.projection_hosts import WORD, ProjectionHosts
from support.spend_projection import ONCE, charged, fold, orders, record, rows, schemas, spending
from support.sql_calls import new_id

EUROS = {
    "version": 2,
    "tables": "create table {schema}.spend (customer text primary key, euros numeric not null)",
    "adds": (
        "insert into spend values (%s, %s / 100.0)"
        " on conflict (customer) do update set euros = spend.euros + excluded.euros"
    ),
}


def states(hosts: ProjectionHosts) -> list[tuple[int, str]]:
    return [(s.generation, s.state) for s in hosts.projections.list() if s.name == "money"]


def some(count: int = 6) -> list[StepCompleted]:
    return [charged(f"c{number % 3}", 100 * number) for number in range(count)]


def test_a_rebuild_takes_the_place_of_what_served_and_that_is_dropped(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    record(harness, some())
    host = hosts.host(spending(), batch_size=2)
    host.settle()

    assert hosts.projections.rebuild("money", **WORD).number == 2
    host.settle()
    host.settle()

    assert states(hosts) == [(2, "serving")]
    assert schemas(harness) == ["money", "money__2"]
    assert rows(harness) == fold(harness)


def test_a_rebuild_forgets_what_somebody_did_to_the_rows(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    record(harness, some())
    host = hosts.host(spending())
    host.settle()
    harness.rows("update money__1.spend set cents = 0")

    hosts.projections.rebuild("money", **WORD)
    host.settle()

    assert rows(harness) == fold(harness)


def test_what_serves_goes_on_and_is_seen_while_the_next_is_built(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    """Whatever the moment, the view shows all up to the position of what serves."""
    record(harness, some())
    host = hosts.host(spending(), batch_size=1)
    host.settle()
    hosts.projections.rebuild("money", **WORD)
    seen = []

    while states(hosts) != [(2, "serving")]:
        record(harness, [charged("ann")]) if len(seen) < 3 else None
        host.step()
        at = hosts.projections.status("money").position
        total = sum(event.result["cents"] for event in folded(harness, at))
        assert sum(rows(harness).values()) == total
        seen.append(at)

    host.settle()
    assert seen == sorted(seen)
    assert len(seen) > 6
    assert rows(harness) == fold(harness)


def folded(harness: EngineHarness, until: int) -> Sequence[StepCompleted]:
    from support.read_model_histories import log_of  # noqa: PLC0415

    found = [one.event for one in log_of(harness) if one.position <= until]
    return [event for event in found if isinstance(event, StepCompleted)]


def test_a_reader_in_a_transaction_sees_one_whole_state(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    record(harness, some())
    host = hosts.host(spending())
    host.settle()
    reader = harness.connect()
    query = b"select * from money__1.spend"
    reader.execute("set transaction isolation level repeatable read")
    before = dict(reader.execute(query).fetchall())
    reader.rollback()

    hosts.projections.rebuild("money", **WORD)
    host.settle()

    assert before == rows(harness) == fold(harness)


def test_a_new_version_with_other_columns_is_built_while_tasks_run(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    engine = hosts.engine(spending())
    contexts = [{"customer": f"c{number % 3}", "cents": 100} for number in range(12)]
    first = engine.submit_many(orders, contexts)
    for task in first[:4]:
        task.result(PATIENCE)

    newer = hosts.engine(spending(**EUROS), roles=["projector"])
    second = engine.submit_many(orders, contexts)
    for task in (*first, *second):
        task.result(PATIENCE)
    harness.until(lambda: states(hosts) == [(2, "serving")])
    newer.projections.wait_for("money", timeout=PATIENCE)

    assert hosts.projections.status("money").version == 2
    assert harness.rows("select customer, euros from money.spend order by 1") == [
        ("c0", 8), ("c1", 8), ("c2", 8),
    ]  # fmt: skip


def test_an_older_version_that_is_deployed_later_does_nothing(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    record(harness, some())
    newer, older = hosts.host(spending(**EUROS)), hosts.host(spending())
    newer.settle()

    older.settle()
    record(harness, some())
    older.settle()
    newer.settle()

    assert states(hosts) == [(1, "serving")]
    assert hosts.projections.status("money").version == 2
    assert sum(rows(harness).values()) * 100 == sum(fold(harness).values())


def test_an_older_version_serves_until_the_newer_one_has_come_as_far(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    record(harness, some())
    older, newer = hosts.host(spending()), hosts.host(spending(**EUROS), batch_size=1)
    older.settle()
    newer.step()
    record(harness, some())

    older.settle()

    assert [state for _, state in states(hosts)] == ["serving", "building"]
    assert rows(harness) == fold(harness)
    newer.settle()
    older.settle()
    newer.settle()
    assert states(hosts) == [(2, "serving")]


def test_a_new_version_whose_code_can_take_the_event_goes_past_it(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    record(harness, [charged("ann"), charged("eve"), charged("bob")])
    older = hosts.host(spending(broken={"eve"}))
    older.settle()
    assert hosts.standing() == "event_failed"

    hosts.host(spending(version=2)).settle()

    assert rows(harness) == fold(harness)
    assert hosts.standing() == "caught_up"


def test_a_rebuild_that_is_given_up_leaves_what_serves(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    record(harness, some())
    host = hosts.host(spending(), batch_size=1)
    host.settle()
    hosts.projections.rebuild("money", **WORD)
    host.step()

    assert hosts.projections.cancel_rebuild("money", **WORD) == 1
    record(harness, some())
    host.settle()

    assert states(hosts) == [(1, "serving")]
    assert schemas(harness) == ["money", "money__1"]
    assert rows(harness) == fold(harness)
    assert hosts.projections.rebuild("money", **WORD).number == 3


def test_a_rebuild_that_is_paused_goes_on_where_it_was(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    record(harness, some())
    host = hosts.host(spending(), batch_size=2)
    host.settle()
    hosts.projections.rebuild("money", **WORD)
    host.step()
    hosts.projections.pause("money", **WORD)
    host.settle()
    at = harness.value("select position from flowledger.projection where state = 'building'")
    assert 0 < at < hosts.projections.status("money").position

    hosts.projections.resume("money", **WORD)
    host.step()
    host.settle()

    assert states(hosts) == [(2, "serving")]
    assert rows(harness) == fold(harness)


def test_another_host_goes_on_with_a_rebuild(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    """The rows would not go in twice: their key refuses that."""
    record(harness, [charged(f"c{number}") for number in range(6)])
    money = spending(adds=ONCE)
    first = hosts.host(money, batch_size=2)
    first.settle()
    hosts.projections.rebuild("money", **WORD)
    first.step()
    first.host.resign()

    hosts.host(money).settle()

    assert states(hosts) == [(2, "serving")]
    assert rows(harness) == fold(harness)


def test_a_view_that_something_depends_on_is_told_and_what_serves_goes_on(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    record(harness, some())
    hosts.host(spending()).settle()
    harness.rows("create view report as select sum(cents) from money.spend")
    newer = hosts.host(spending(**EUROS))

    newer.settle()

    assert [state for _, state in states(hosts)] == ["serving", "building"]
    (building,) = [s for s in hosts.projections.list() if s.state == "building"]
    assert building.standing == "event_failed"
    assert "something depends on it" in str(building.failure)
    assert rows(harness) == fold(harness)

    harness.rows("drop view report")
    harness.move_clock("1 minute")
    newer.settle()
    assert states(hosts) == [(2, "serving")]
    assert hosts.standing() == "caught_up"


def test_a_reader_who_takes_long_does_not_stop_the_other_projections(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    """Neither the swap nor the end of the old tables can happen while somebody reads them."""
    record(harness, some())
    host = hosts.host(spending(), spending(name="others"), spending(name="a"))
    host.settle()
    reader = harness.connect()
    reader.execute("set lock_timeout = '1s'; select * from money.spend")
    hosts.projections.rebuild("money", **WORD)
    record(harness, some())

    for _ in range(3):
        try:
            host.step()
        except Exception:  # noqa: BLE001, S112 - a loop tries again
            continue

    assert rows(harness, "others") == rows(harness, "a") == fold(harness)


class PerTask(Projection):
    """Rows that can be told apart by task."""

    name, version = "money", 1
    tables = "create table {schema}.spend (task uuid, cents bigint)"

    @on(StepCompleted)
    def charged(self, event: StepCompleted, cursor: Cursor) -> None:
        values = (event.task_id, event.result["cents"])
        cursor.execute("insert into spend values (%s, %s)", values)

    def forget(self, tasks: Sequence[UUID], cursor: Cursor) -> None:
        cursor.execute("delete from spend where task = any (%s)", (list(tasks),))


def per_task(harness: EngineHarness) -> Any:
    return sorted(harness.rows("select task::text, cents from money.spend"))


def told(harness: EngineHarness) -> Any:
    return sorted((str(event.task_id), event.result["cents"]) for event in folded(harness, 1 << 60))


def test_the_rows_of_one_task_are_made_anew_in_place(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    one, two = new_id(), new_id()
    record(harness, [charged("ann", 5, one), charged("bob", 7, two), charged("ann", 9, one)])
    host = hosts.host(PerTask)
    host.settle()
    harness.rows("update money__1.spend set cents = 0")

    number = hosts.projections.rebuild("money", task=one, **WORD)
    host.settle()

    assert hosts.projections.wait_for_rebuild(number, 0.0) == ("done", 1, None)
    assert per_task(harness) == sorted([(str(one), 5), (str(one), 9), (str(two), 0)])
    assert states(hosts) == [(1, "serving")]


def test_the_rows_of_a_templates_tasks_are_made_anew_in_portions(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    engine = hosts.engine(roles=["coordinator", "worker"])
    for task in engine.submit_many(orders, [{"customer": "ann", "cents": n} for n in range(5)]):
        task.result(PATIENCE)
    record(harness, [charged("bob", 3)])
    host = hosts.host(PerTask, rebuild_tasks=2)
    host.settle()
    harness.rows("update money__1.spend set cents = 77")

    number = hosts.projections.rebuild("money", template="shop/order@1", **WORD)
    host.settle()

    assert hosts.projections.wait_for_rebuild(number, 0.0) == ("done", 5, None)
    assert sorted(cents for _, cents in per_task(harness)) == [0, 1, 2, 3, 4, 77]


def test_single_tasks_cannot_be_rebuilt_where_the_projection_cannot_forget(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    task = new_id()
    record(harness, [charged("ann", task=task)])
    host = hosts.host(spending())
    host.settle()

    number = hosts.projections.rebuild("money", task=task, **WORD)
    host.settle()

    state, tasks, error = hosts.projections.wait_for_rebuild(number, 0.0)
    assert (state, tasks) == ("failed", 0)
    assert "has no forget" in str(error)
    assert rows(harness) == fold(harness)


def test_a_rebuild_of_tasks_that_fails_leaves_their_rows(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    task = new_id()
    record(harness, [charged("ann", 5, task)])
    host = hosts.host(PerTask)
    host.settle()
    harness.rows("alter table money__1.spend add check (cents < 0) not valid")

    number = hosts.projections.rebuild("money", task=task, **WORD)
    host.settle()

    assert hosts.projections.wait_for_rebuild(number, 0.0)[0] == "failed"
    assert per_task(harness) == told(harness)


def test_a_rebuild_of_tasks_can_be_given_up(harness: EngineHarness, hosts: ProjectionHosts) -> None:
    hosts.host(PerTask).settle()
    number = hosts.projections.rebuild("money", task=new_id(), **WORD)

    assert hosts.projections.cancel_rebuild("money", **WORD) == 1
    assert hosts.projections.wait_for_rebuild(number, 0.0)[0] == "cancelled"


@pytest.mark.parametrize("ask", ["rebuild", "cancel_rebuild", "pause", "resume", "status"])
def test_what_is_asked_of_a_projection_that_is_not_there_is_refused(
    hosts: ProjectionHosts, ask: str
) -> None:
    word = {} if ask == "status" else WORD
    with pytest.raises(LookupError, match="no projection 'nobody'"):
        getattr(hosts.projections, ask)("nobody", **word)
