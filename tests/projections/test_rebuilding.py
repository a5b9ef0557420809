"""A projection is built anew beside the one that serves, which goes on until they are swapped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from flowledger.engine.events import StepCompleted
from flowledger.projections import Cursor, Projection, on
from support.engines import PATIENCE, Lab
from support.projection_hosts import Hosts
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


def states(hosts: Hosts) -> list[tuple[int, str]]:
    return [(s.generation, s.state) for s in hosts.projections.list() if s.name == "money"]


def some(count: int = 6) -> list[StepCompleted]:
    return [charged(f"c{number % 3}", 100 * number) for number in range(count)]


def test_a_rebuild_takes_the_place_of_what_served_and_that_is_dropped(
    lab: Lab, hosts: Hosts
) -> None:
    record(lab, some())
    host = hosts.host(spending(), batch_size=2)
    host.settle()

    assert hosts.projections.rebuild("money") == 2
    host.settle()
    host.settle()

    assert states(hosts) == [(2, "serving")]
    assert schemas(lab) == ["money", "money__2"]
    assert rows(lab) == fold(lab)


def test_a_rebuild_forgets_what_somebody_did_to_the_rows(lab: Lab, hosts: Hosts) -> None:
    record(lab, some())
    host = hosts.host(spending())
    host.settle()
    lab.rows("update money__1.spend set cents = 0")

    hosts.projections.rebuild("money")
    host.settle()

    assert rows(lab) == fold(lab)


def test_what_serves_goes_on_and_is_seen_while_the_next_is_built(lab: Lab, hosts: Hosts) -> None:
    """Whatever the moment, the view shows all up to the position of what serves."""
    record(lab, some())
    host = hosts.host(spending(), batch_size=1)
    host.settle()
    hosts.projections.rebuild("money")
    seen = []

    while states(hosts) != [(2, "serving")]:
        record(lab, [charged("ann")]) if len(seen) < 3 else None
        host.step()
        at = hosts.projections.status("money").position
        total = sum(event.result["cents"] for event in folded(lab, at))
        assert sum(rows(lab).values()) == total
        seen.append(at)

    host.settle()
    assert seen == sorted(seen)
    assert len(seen) > 6
    assert rows(lab) == fold(lab)


def folded(lab: Lab, until: int) -> Sequence[StepCompleted]:
    from support.read_model_histories import log_of  # noqa: PLC0415

    found = [one.event for one in log_of(lab) if one.position <= until]
    return [event for event in found if isinstance(event, StepCompleted)]


def test_a_reader_in_a_transaction_sees_one_whole_state(lab: Lab, hosts: Hosts) -> None:
    record(lab, some())
    host = hosts.host(spending())
    host.settle()
    reader = lab.connect()
    query = b"select * from money__1.spend"
    reader.execute("set transaction isolation level repeatable read")
    before = dict(reader.execute(query).fetchall())
    reader.rollback()

    hosts.projections.rebuild("money")
    host.settle()

    assert before == rows(lab) == fold(lab)


def test_a_new_version_with_other_columns_is_built_while_tasks_run(lab: Lab, hosts: Hosts) -> None:
    engine = hosts.engine(spending())
    contexts = [{"customer": f"c{number % 3}", "cents": 100} for number in range(12)]
    first = engine.submit_many(orders, contexts)
    for task in first[:4]:
        task.result(PATIENCE)

    newer = hosts.engine(spending(**EUROS), roles=["projector"])
    second = engine.submit_many(orders, contexts)
    for task in (*first, *second):
        task.result(PATIENCE)
    lab.until(lambda: states(hosts) == [(2, "serving")])
    newer.projections.wait_for("money", timeout=PATIENCE)

    assert hosts.projections.status("money").version == 2
    assert lab.rows("select customer, euros from money.spend order by 1") == [
        ("c0", 8), ("c1", 8), ("c2", 8),
    ]  # fmt: skip


def test_an_older_version_that_is_deployed_later_does_nothing(lab: Lab, hosts: Hosts) -> None:
    record(lab, some())
    newer, older = hosts.host(spending(**EUROS)), hosts.host(spending())
    newer.settle()

    older.settle()
    record(lab, some())
    older.settle()
    newer.settle()

    assert states(hosts) == [(1, "serving")]
    assert hosts.projections.status("money").version == 2
    assert sum(rows(lab).values()) * 100 == sum(fold(lab).values())


def test_an_older_version_serves_until_the_newer_one_has_come_as_far(
    lab: Lab, hosts: Hosts
) -> None:
    record(lab, some())
    older, newer = hosts.host(spending()), hosts.host(spending(**EUROS), batch_size=1)
    older.settle()
    newer.step()
    record(lab, some())

    older.settle()

    assert [state for _, state in states(hosts)] == ["serving", "building"]
    assert rows(lab) == fold(lab)
    newer.settle()
    older.settle()
    newer.settle()
    assert states(hosts) == [(2, "serving")]


def test_a_new_version_whose_code_can_take_the_event_goes_past_it(lab: Lab, hosts: Hosts) -> None:
    record(lab, [charged("ann"), charged("eve"), charged("bob")])
    older = hosts.host(spending(broken={"eve"}))
    older.settle()
    assert hosts.standing() == "event_failed"

    hosts.host(spending(version=2)).settle()

    assert rows(lab) == fold(lab)
    assert hosts.standing() == "caught_up"


def test_a_rebuild_that_is_given_up_leaves_what_serves(lab: Lab, hosts: Hosts) -> None:
    record(lab, some())
    host = hosts.host(spending(), batch_size=1)
    host.settle()
    hosts.projections.rebuild("money")
    host.step()

    assert hosts.projections.cancel_rebuild("money") == 1
    record(lab, some())
    host.settle()

    assert states(hosts) == [(1, "serving")]
    assert schemas(lab) == ["money", "money__1"]
    assert rows(lab) == fold(lab)
    assert hosts.projections.rebuild("money") == 3


def test_a_rebuild_that_is_paused_goes_on_where_it_was(lab: Lab, hosts: Hosts) -> None:
    record(lab, some())
    host = hosts.host(spending(), batch_size=2)
    host.settle()
    hosts.projections.rebuild("money")
    host.step()
    hosts.projections.pause("money")
    host.settle()
    at = lab.value("select position from flowledger.projection where state = 'building'")
    assert 0 < at < hosts.projections.status("money").position

    hosts.projections.resume("money")
    host.step()
    host.settle()

    assert states(hosts) == [(2, "serving")]
    assert rows(lab) == fold(lab)


def test_another_host_goes_on_with_a_rebuild(lab: Lab, hosts: Hosts) -> None:
    """The rows would not go in twice: their key refuses that."""
    record(lab, [charged(f"c{number}") for number in range(6)])
    money = spending(adds=ONCE)
    first = hosts.host(money, batch_size=2)
    first.settle()
    hosts.projections.rebuild("money")
    first.step()
    first.host.resign()

    hosts.host(money).settle()

    assert states(hosts) == [(2, "serving")]
    assert rows(lab) == fold(lab)


def test_a_view_that_something_depends_on_is_told_and_what_serves_goes_on(
    lab: Lab, hosts: Hosts
) -> None:
    record(lab, some())
    hosts.host(spending()).settle()
    lab.rows("create view report as select sum(cents) from money.spend")
    newer = hosts.host(spending(**EUROS))

    newer.settle()

    assert [state for _, state in states(hosts)] == ["serving", "building"]
    (building,) = [s for s in hosts.projections.list() if s.state == "building"]
    assert building.standing == "event_failed"
    assert "something depends on it" in str(building.failure)
    assert rows(lab) == fold(lab)

    lab.rows("drop view report")
    lab.move_clock("1 minute")
    newer.settle()
    assert states(hosts) == [(2, "serving")]
    assert hosts.standing() == "caught_up"


def test_a_reader_who_takes_long_does_not_stop_the_other_projections(
    lab: Lab, hosts: Hosts
) -> None:
    """Neither the swap nor the end of the old tables can happen while somebody reads them."""
    record(lab, some())
    host = hosts.host(spending(), spending(name="others"), spending(name="a"))
    host.settle()
    reader = lab.connect()
    reader.execute("set lock_timeout = '1s'; select * from money.spend")
    hosts.projections.rebuild("money")
    record(lab, some())

    for _ in range(3):
        try:
            host.step()
        except Exception:  # noqa: BLE001, S112 - a loop tries again
            continue

    assert rows(lab, "others") == rows(lab, "a") == fold(lab)


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


def per_task(lab: Lab) -> Any:
    return sorted(lab.rows("select task::text, cents from money.spend"))


def told(lab: Lab) -> Any:
    return sorted((str(event.task_id), event.result["cents"]) for event in folded(lab, 1 << 60))


def test_the_rows_of_one_task_are_made_anew_in_place(lab: Lab, hosts: Hosts) -> None:
    one, two = new_id(), new_id()
    record(lab, [charged("ann", 5, one), charged("bob", 7, two), charged("ann", 9, one)])
    host = hosts.host(PerTask)
    host.settle()
    lab.rows("update money__1.spend set cents = 0")

    number = hosts.projections.rebuild("money", task=one)
    host.settle()

    assert hosts.projections.wait_for_rebuild(number, 0.0) == ("done", 1, None)
    assert per_task(lab) == sorted([(str(one), 5), (str(one), 9), (str(two), 0)])
    assert states(hosts) == [(1, "serving")]


def test_the_rows_of_a_templates_tasks_are_made_anew_in_portions(lab: Lab, hosts: Hosts) -> None:
    engine = hosts.engine(roles=["coordinator", "worker"])
    for task in engine.submit_many(orders, [{"customer": "ann", "cents": n} for n in range(5)]):
        task.result(PATIENCE)
    record(lab, [charged("bob", 3)])
    host = hosts.host(PerTask, rebuild_tasks=2)
    host.settle()
    lab.rows("update money__1.spend set cents = 77")

    number = hosts.projections.rebuild("money", template="shop/order@1")
    host.settle()

    assert hosts.projections.wait_for_rebuild(number, 0.0) == ("done", 5, None)
    assert sorted(cents for _, cents in per_task(lab)) == [0, 1, 2, 3, 4, 77]


def test_single_tasks_cannot_be_rebuilt_where_the_projection_cannot_forget(
    lab: Lab, hosts: Hosts
) -> None:
    task = new_id()
    record(lab, [charged("ann", task=task)])
    host = hosts.host(spending())
    host.settle()

    number = hosts.projections.rebuild("money", task=task)
    host.settle()

    state, tasks, error = hosts.projections.wait_for_rebuild(number, 0.0)
    assert (state, tasks) == ("failed", 0)
    assert "has no forget" in str(error)
    assert rows(lab) == fold(lab)


def test_a_rebuild_of_tasks_that_fails_leaves_their_rows(lab: Lab, hosts: Hosts) -> None:
    task = new_id()
    record(lab, [charged("ann", 5, task)])
    host = hosts.host(PerTask)
    host.settle()
    lab.rows("alter table money__1.spend add check (cents < 0) not valid")

    number = hosts.projections.rebuild("money", task=task)
    host.settle()

    assert hosts.projections.wait_for_rebuild(number, 0.0)[0] == "failed"
    assert per_task(lab) == told(lab)


def test_a_rebuild_of_tasks_can_be_given_up(lab: Lab, hosts: Hosts) -> None:
    hosts.host(PerTask).settle()
    number = hosts.projections.rebuild("money", task=new_id())

    assert hosts.projections.cancel_rebuild("money") == 1
    assert hosts.projections.wait_for_rebuild(number, 0.0)[0] == "cancelled"


@pytest.mark.parametrize("ask", ["rebuild", "cancel_rebuild", "pause", "resume", "status"])
def test_what_is_asked_of_a_projection_that_is_not_there_is_refused(hosts: Hosts, ask: str) -> None:
    with pytest.raises(LookupError, match="no projection 'nobody'"):
        getattr(hosts.projections, ask)("nobody")
