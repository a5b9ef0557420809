"""What a host makes of the log: filters, batches, and every event exactly once."""

from __future__ import annotations

from typing import Any

import pytest

from flowledger.engine.events import Event, StepCompleted, StepEvent, StepStarted, TaskStarted
from flowledger.projections import Cursor, Projection, on, on_batch
from support.builders import WORKER, event
from support.engines import PATIENCE, EngineHarness
from support.projection_hosts import At, ProjectionHosts
from support.spend_projection import ADD, Spend, charged, fold, orders, record, rows, spending

SEEN = "create table {schema}.seen (place bigserial, kind text)"


def seeing(*decorators: Any) -> type[Projection]:
    """A projection that notes the kinds of events that it sees."""

    def see(self: Any, event: Event, cursor: Cursor) -> None:
        cursor.execute("insert into seen (kind) values (%s)", (type(event).__name__,))

    for decorator in decorators:
        decorator(see)
    return type("Seen", (Projection,), {"name": "s", "version": 1, "tables": SEEN, "see": see})


def seen(hosts: ProjectionHosts, projection: object) -> list[str]:
    hosts.host(projection).settle()
    return [kind for (kind,) in hosts.harness.rows("select kind from s.seen order by place")]


def test_the_rows_are_those_of_the_events_that_real_tasks_left(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    engine = hosts.engine(Spend)
    tasks = engine.submit_many(
        orders, [{"customer": f"c{number % 3}", "cents": number} for number in range(12)]
    )
    for task in tasks:
        task.result(PATIENCE)

    engine.projections.wait_for("money", timeout=PATIENCE)

    assert rows(harness) == fold(harness) == {"c0": 18, "c1": 22, "c2": 26}


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_batches_of_any_size_give_the_same_rows(
    harness: EngineHarness, hosts: ProjectionHosts, size: int
) -> None:
    record(harness, [charged(f"c{number % 2}", number) for number in range(7)])

    hosts.host(Spend, batch_size=size, cached_events=max(3, size)).settle()

    assert rows(harness) == fold(harness) == {"c0": 12, "c1": 9}


def test_a_kind_stands_for_all_that_are_derived_from_it(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    record(
        harness,
        [event(TaskStarted), event(StepStarted, 2, step="charge", worker=WORKER), charged("ann")],
    )

    assert seen(hosts, seeing(on(StepEvent))) == ["StepStarted", "StepCompleted"]


@pytest.mark.parametrize(
    ("filters", "kinds"),
    [
        ({"namespace": "shop"}, 1),
        ({"namespace": "bank"}, 0),
        ({"template": "order"}, 1),
        ({"template": "refund"}, 0),
        ({"step": "charge"}, 1),
        ({"step": "ship"}, 0),
        ({"namespace": "shop", "template": "order", "step": "charge"}, 1),
        ({"namespace": "shop", "template": "order", "step": "ship"}, 0),
    ],
)
def test_only_what_passes_every_filter_is_seen(
    harness: EngineHarness, hosts: ProjectionHosts, filters: dict[str, str], kinds: int
) -> None:
    last = record(harness, [charged("ann")])

    assert len(seen(hosts, seeing(on(StepCompleted, **filters)))) == kinds
    assert hosts.projections.status("s").position == last


def test_what_is_not_subscribed_to_is_passed_over(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    last = record(harness, [event(TaskStarted)])

    hosts.host(Spend).settle()

    assert hosts.projections.status("money").position == last
    assert hosts.standing() == "caught_up"


def test_a_batch_method_has_all_events_of_a_batch_at_once(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    places = [record(harness, [charged(name)]) for name in ("ann", "bob", "ann")]

    class Batches(Projection):
        name, version = "s", 1
        tables = "create table {schema}.seen (places bigint[], last bigint)"

        @on_batch(StepCompleted)
        def see(self, events: Any, cursor: Cursor) -> None:
            found = [recorded.position for recorded in events]
            cursor.execute("insert into seen values (%s, %s)", (found, cursor.position))

    hosts.host(Batches, batch_size=2).settle()

    assert (
        harness.rows("select * from s.seen order by 2")
        == [
            (places[:1], places[0]),  # a batch grows from one event
            (places[1:], places[2]),
        ]
    )


def test_the_cursor_knows_the_place_of_the_event(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    class Places(Projection):
        name, version = "s", 1
        tables = "create table {schema}.seen (place bigint, at timestamptz)"

        @on(StepCompleted)
        def see(self, event: StepCompleted, cursor: Cursor) -> None:
            values = (cursor.position, cursor.recorded_at)
            cursor.execute("insert into seen values (%s, %s)", values)

    record(harness, [charged("ann"), charged("bob")])
    hosts.host(Places).settle()

    log = "select notification_id, recorded_at from flowledger.event order by 1"
    assert harness.rows("select * from s.seen order by 1") == harness.rows(log)


def test_methods_are_called_in_the_order_of_their_definition(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    class Order(Projection):
        name, version = "s", 1
        tables = SEEN

        @on(StepCompleted)
        def second(self, event: StepCompleted, cursor: Cursor) -> None:
            cursor.execute("insert into seen (kind) values ('defined first')")

        @on(StepEvent)
        def first(self, event: StepEvent, cursor: Cursor) -> None:
            cursor.execute("insert into seen (kind) values ('defined second')")

    record(harness, [charged("ann")])

    assert seen(hosts, Order) == ["defined first", "defined second"]


@pytest.mark.parametrize("point", ["projecting", "projected"])
def test_a_host_that_crashes_around_the_commit_counts_everything_once(
    harness: EngineHarness, hosts: ProjectionHosts, point: str
) -> None:
    class Crash(BaseException):
        pass

    def crash() -> None:
        raise Crash

    record(harness, [charged(f"c{number % 3}", number) for number in range(10)])
    faults = At(point, crash, when=lambda visit: visit % 2 == 1)
    host = hosts.host(Spend, faults=faults, batch_size=3)
    for _ in range(20):
        try:
            host.settle()
            break
        except Crash:
            continue

    assert faults.visits >= 4
    assert rows(harness) == fold(harness)


def test_rows_that_break_a_rule_at_the_end_of_the_transaction_are_not_kept(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    tables = (
        "create table {schema}.spend (customer text, cents bigint,"
        " unique (customer) deferrable initially deferred)"
    )
    record(harness, [charged("ann"), charged("ann"), charged("bob")])
    hosts.host(
        spending(tables=tables, adds="insert into spend values (%s, %s)", on_error="park_event")
    ).settle()

    assert rows(harness) == {"ann": 1, "bob": 1}
    assert ["UniqueViolation" in one.error for one in hosts.projections.parked("money")] == [True]


def test_a_method_may_read_what_it_wrote(harness: EngineHarness, hosts: ProjectionHosts) -> None:
    class Reading(Spend):
        name, version = "money", 1

        @on(StepCompleted)
        def charged(self, event: StepCompleted, cursor: Cursor) -> None:
            row = cursor.execute("select count(*) from spend").fetchone() or (0,)
            cursor.execute(ADD, (event.result["customer"], row[0]))

    record(harness, [charged(name) for name in ("ann", "bob", "eve")])
    hosts.host(Reading).settle()

    assert rows(harness) == {"ann": 0, "bob": 1, "eve": 2}
