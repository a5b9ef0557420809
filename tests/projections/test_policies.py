"""An event that a projection cannot take: it stops, or puts aside the event or its task."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from flowledger.engine.events import StepCompleted, StepStarted
from flowledger.engine.events.base import Recorded
from flowledger.projections import Cursor, OnError, Projection, on_batch
from support.engines import EngineHarness
from support.projection_hosts import WORD, ProjectionHosts
from support.spend_projection import Spend, charged, fold, record, rows, spending
from support.sql_calls import new_id


def parked(hosts: ProjectionHosts) -> list[int]:
    return [one.position for one in hosts.projections.parked("money")]


def recorded(harness: EngineHarness, *charges: tuple[str, UUID]) -> list[int]:
    """Positions of events, each by which a customer spent a cent in a task."""
    return [record(harness, [charged(customer, task=task)]) for customer, task in charges]


def policy(on_error: OnError, *broken: str) -> type[Spend]:
    return spending(on_error=on_error, broken=set(broken))


ONE, TWO = new_id(), new_id()


def test_a_projection_stops_at_the_event_and_has_all_before_it(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    places = recorded(harness, ("ann", ONE), ("bob", ONE), ("eve", TWO), ("ann", TWO))
    money = policy("stop", "eve")

    hosts.host(money).settle()

    status = hosts.projections.status("money")
    assert rows(harness) == {"ann": 1, "bob": 1}
    assert (status.standing, status.failed_position) == ("event_failed", places[2])
    assert places[1] <= status.position < places[2]
    assert status.failure == "ValueError: eve is broken"


def test_a_projection_that_stopped_goes_on_when_the_event_can_be_taken(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    recorded(harness, ("ann", ONE), ("eve", TWO), ("ann", TWO))
    money = policy("stop", "eve")
    host = hosts.host(money, retry_initial_seconds=20.0)
    host.settle()

    money.broken.clear()
    harness.move_clock("21 seconds")
    host.settle()

    assert rows(harness) == fold(harness)
    assert hosts.standing() == "caught_up"


def test_a_projection_that_is_resumed_tries_its_event_at_once(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    recorded(harness, ("eve", TWO))
    money = policy("stop", "eve")
    host = hosts.host(money, retry_initial_seconds=3600.0, retry_cap_seconds=3600.0)
    host.settle()
    money.broken.clear()
    host.settle()
    assert hosts.standing() == "event_failed"

    hosts.projections.resume("money", **WORD)
    host.settle()

    assert rows(harness) == fold(harness)


def test_one_that_stopped_does_not_stop_the_others(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    recorded(harness, ("eve", TWO), ("ann", TWO))

    hosts.host(policy("stop", "eve"), spending(name="others")).settle()

    assert rows(harness, "others") == fold(harness)


def test_an_event_is_put_aside_and_the_next_is_taken(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    places = recorded(harness, ("ann", ONE), ("eve", TWO), ("bob", TWO))

    hosts.host(policy("park_event", "eve")).settle()

    (event,) = hosts.projections.parked("money")
    assert rows(harness) == {"ann": 1, "bob": 1}
    assert (event.position, event.task_id, event.topic) == (places[1], TWO, "step.completed")
    assert event.error == "ValueError: eve is broken"
    assert hosts.projections.status("money").parked == 1
    assert hosts.standing() == "caught_up"


def test_all_that_follows_of_a_task_is_put_aside_in_order(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    places = recorded(
        harness, ("ann", TWO), ("eve", TWO), ("bob", TWO), ("ann", ONE), ("bob", ONE), ("eve", TWO)
    )
    host = hosts.host(policy("park_task", "eve"))
    host.settle()
    places += recorded(harness, ("ann", TWO), ("bob", ONE))

    host.settle()

    assert rows(harness) == {"ann": 2, "bob": 2}
    assert parked(hosts) == [places[1], places[2], places[5], places[6]]


def test_the_next_leader_knows_which_tasks_are_put_aside(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    money = policy("park_task", "eve")
    first = hosts.host(money)
    places = recorded(harness, ("eve", TWO))
    first.settle()
    first.host.resign()
    places += recorded(harness, ("bob", TWO))

    hosts.host(money).settle()

    assert parked(hosts) == places


def test_events_that_the_projection_does_not_want_are_not_put_aside(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    places = recorded(harness, ("eve", TWO))
    record(harness, [charged("ann", task=TWO, step="ship")])

    hosts.host(policy("park_task", "eve")).settle()

    assert parked(hosts) == places


@pytest.mark.parametrize("on_error", ["park_event", "park_task"])
def test_what_was_put_aside_is_applied_when_that_is_asked(
    harness: EngineHarness, hosts: ProjectionHosts, on_error: OnError
) -> None:
    recorded(harness, ("eve", TWO), ("bob", TWO), ("eve", ONE), ("ann", ONE))
    money = policy(on_error, "eve")
    host = hosts.host(money)
    host.settle()
    money.broken.clear()

    hosts.projections.retry_parked("money", **WORD)
    host.settle()

    assert parked(hosts) == []
    assert rows(harness) == fold(harness)


def test_after_a_task_is_through_its_next_events_are_applied(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    recorded(harness, ("eve", TWO), ("bob", TWO))
    money = policy("park_task", "eve")
    host = hosts.host(money)
    host.settle()
    money.broken.clear()
    hosts.projections.retry_parked("money", task=TWO, **WORD)
    host.settle()

    recorded(harness, ("ann", TWO))
    host.settle()

    assert rows(harness) == fold(harness)
    assert parked(hosts) == []


def test_where_the_first_fails_again_those_behind_it_wait_on(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    places = recorded(harness, ("eve", TWO), ("bob", TWO), ("eve", ONE), ("ann", ONE))
    money = policy("park_task", "eve")
    host = hosts.host(money)
    host.settle()

    hosts.projections.retry_parked("money", task=TWO, **WORD)
    host.settle()

    assert parked(hosts) == places
    assert rows(harness) == {}
    first = hosts.projections.parked("money")[0]
    assert (first.requested_action, first.error) == (None, "ValueError: eve is broken")


def test_of_a_task_nothing_is_applied_before_what_is_ahead_of_it(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    places = recorded(harness, ("eve", TWO), ("bob", TWO))
    host = hosts.host(policy("park_task", "eve"))
    host.settle()

    hosts.projections.retry_parked("money", position=places[1], **WORD)
    host.settle()

    assert parked(hosts) == places
    assert rows(harness) == {}


def test_single_events_are_applied_without_the_ones_ahead(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    places = recorded(harness, ("eve", TWO), ("bob", TWO))
    money = policy("park_event", "eve", "bob")
    host = hosts.host(money)
    host.settle()
    money.broken.remove("bob")

    hosts.projections.retry_parked("money", position=places[1], **WORD)
    host.settle()

    assert parked(hosts) == places[:1]
    assert rows(harness) == {"bob": 1}


def test_what_is_dropped_is_never_applied_and_frees_what_is_behind_it(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    places = recorded(harness, ("eve", TWO), ("bob", TWO), ("ann", TWO))
    host = hosts.host(policy("park_task", "eve"))
    host.settle()

    assert hosts.projections.drop_parked("money", position=places[0], **WORD) == 1
    assert hosts.projections.retry_parked("money", position=places[1], **WORD) == 1
    host.settle()

    assert parked(hosts) == places[2:]
    assert rows(harness) == {"bob": 1}


def test_what_is_asked_of_a_projection_that_is_not_there_is_refused(hosts: ProjectionHosts) -> None:
    for ask in (hosts.projections.retry_parked, hosts.projections.drop_parked):
        with pytest.raises(LookupError, match="no projection 'nobody'"):
            ask("nobody")


def test_an_event_that_cannot_be_read_is_one_that_cannot_be_taken(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    recorded(harness, ("ann", ONE), ("bob", TWO), ("eve", TWO))
    harness.rows("alter table flowledger.event disable trigger user")
    harness.rows("update flowledger.event set state = '{' where task_id = %s", ONE)

    hosts.host(policy("stop"), spending(name="others", on_error="park_event")).settle()

    status = hosts.projections.status("money")
    assert (status.standing, status.position) == ("event_failed", 0)
    assert "LogCorrupt" in str(status.failure)
    assert rows(harness, "others") == {"bob": 1, "eve": 1}
    assert hosts.projections.status("others").parked == 1


def test_a_projection_that_does_not_want_the_event_does_not_read_it(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    recorded(harness, ("ann", ONE))
    harness.rows("alter table flowledger.event disable trigger user")
    harness.rows("update flowledger.event set state = '{', topic = 'step.unheard_of'")

    hosts.host(policy("stop")).settle()

    assert hosts.standing() == "caught_up"


class Greedy(Projection):
    """It wants what it cannot take."""

    name, version, on_error = "money", 1, "park_event"

    @on_batch(StepCompleted)
    def completed(self, events: Sequence[Recorded], cursor: Cursor) -> None:
        raise ValueError("no")


class Modest(Projection):
    """The same, when it wants that no more."""

    name, version, on_error = "money", 1, "park_event"

    @on_batch(StepStarted)
    def started(self, events: Sequence[Recorded], cursor: Cursor) -> None:
        assert all(isinstance(one.event, StepStarted) for one in events)


def test_a_parked_event_that_is_not_wanted_any_more_is_done_with(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    places = recorded(harness, ("ann", ONE))
    before = hosts.host(Greedy)
    before.settle()
    assert parked(hosts) == places
    before.host.resign()

    hosts.projections.retry_parked("money", **WORD)
    hosts.host(Modest).settle()

    assert parked(hosts) == []


def test_during_a_rebuild_no_event_is_put_aside(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    recorded(harness, ("eve", TWO), ("ann", ONE))
    money = policy("park_event")
    host = hosts.host(money)
    host.settle()
    money.broken.add("eve")

    hosts.projections.rebuild("money", **WORD)
    host.settle()

    serving, building = [one for one in hosts.projections.list() if one.name == "money"]
    assert (serving.state, building.state) == ("serving", "building")
    assert (building.standing, building.parked) == ("event_failed", 0)
    assert rows(harness) == fold(harness)


def test_a_task_of_which_an_event_is_put_aside_keeps_its_other_rows_when_it_is_rebuilt(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    class Tasks(Spend):
        name, version = "money", 1
        on_error = "park_task"
        broken = {"eve"}  # noqa: RUF012
        tables = "create table {schema}.spend (customer text, cents bigint, task uuid)"
        adds = "insert into spend values (%s, %s)"

        def forget(self, tasks: object, cursor: object) -> None:
            cursor.execute("delete from spend")  # type: ignore[attr-defined]

    recorded(harness, ("ann", TWO), ("eve", TWO), ("bob", TWO))
    host = hosts.host(Tasks)
    host.settle()
    harness.rows("alter view money.spend rename column task to ignored")

    number = hosts.projections.rebuild("money", task=TWO, **WORD)
    host.settle()

    assert hosts.projections.wait_for_rebuild(number, 0.0)[0] == "done"
    assert harness.rows("select customer, cents from money.spend") == [("ann", 1)]


def test_an_event_that_is_put_aside_is_not_counted_twice_by_a_rebuild_and_a_retry(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    broken = {"eve"}

    class Tasks(Spend):
        name, version = "money", 1
        on_error = "park_event"
        tables = "create table {schema}.spend (customer text, cents bigint)"
        adds = "insert into spend values (%s, %s)"

        def forget(self, tasks: object, cursor: object) -> None:
            cursor.execute("delete from spend")  # type: ignore[attr-defined]

    Tasks.broken = broken
    recorded(harness, ("ann", TWO), ("eve", TWO))
    host = hosts.host(Tasks)
    host.settle()
    broken.clear()

    hosts.projections.rebuild("money", task=TWO, **WORD)
    host.settle()
    hosts.projections.retry_parked("money", **WORD)
    host.settle()

    found = harness.rows("select customer, cents from money.spend order by 1")
    assert found == [("ann", 1), ("eve", 1)]
