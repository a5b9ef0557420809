"""Hosts share projections, take over from one another, and of two leaders one commits."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, ClassVar

import psycopg
import pytest

from flowledger.engine.errors import EngineError
from flowledger.engine.events import StepCompleted
from flowledger.projections import Cursor, Projection, on
from flowledger.projections.host.log_reader import LogReader
from support.engines import EngineHarness
from support.projection_hosts import WORD, ProjectionHosts
from support.spend_projection import ADD, charged, fold, record, rows, spending

NAMES = ("a", "b", "c", "d")
SLOWLY = "insert into spend select %s, %s from slow"


def leaders(harness: EngineHarness) -> dict[str, Any]:
    return dict(
        harness.rows(
            "select name, leader from flowledger.projection where name = any (%s)"
            " and state <> 'retired'",
            list(NAMES),
        )
    )


def epochs(harness: EngineHarness) -> list[Any]:
    return harness.rows("select name, epoch from flowledger.projection order by 1")


def four() -> list[type[Projection]]:
    return [spending(name=name) for name in NAMES]


def test_two_hosts_share_the_projections(harness: EngineHarness, hosts: ProjectionHosts) -> None:
    first, second = hosts.host(*four()), hosts.host(*four())
    for _ in range(3):
        first.settle()
        second.settle()

    found = list(leaders(harness).values())
    assert sorted(found.count(leader) for leader in set(found)) == [2, 2]
    record(harness, [charged("ann")])
    first.settle()
    second.settle()
    assert [rows(harness, name) for name in NAMES] == [fold(harness)] * 4


def test_a_host_that_leaves_is_replaced_at_once(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    first, second = hosts.host(*four()), hosts.host(*four())
    first.settle()
    first.host.resign()
    record(harness, [charged("ann")])

    second.settle()

    assert [rows(harness, name) for name in NAMES] == [fold(harness)] * 4


def test_a_host_that_falls_silent_is_replaced_when_its_leases_ran_out(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    keys = {"lease_seconds": 10.0}
    first, second = hosts.host(*four(), **keys), hosts.host(*four(), **keys)
    first.settle()
    record(harness, [charged("ann")])
    second.settle()
    assert [rows(harness, name) for name in NAMES] == [{}] * 4

    harness.move_clock("20 seconds")
    second.settle()

    assert [rows(harness, name) for name in NAMES] == [fold(harness)] * 4


def test_hosts_with_different_code_run_what_each_of_them_has(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    """Nobody gives up what nobody else can run."""
    first = hosts.host(*four()[:2], lease_seconds=10.0)
    second = hosts.host(*four()[2:], lease_seconds=10.0)
    for _ in range(3):
        first.settle()
        second.settle()
        harness.move_clock("4 seconds")
    before = epochs(harness)
    assert None not in leaders(harness).values()

    for _ in range(6):
        first.settle()
        second.settle()
        harness.move_clock("4 seconds")
        assert None not in leaders(harness).values()

    assert epochs(harness) == before


def test_a_projection_that_waits_for_a_lock_does_not_stop_the_others(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    host = hosts.host(*four(), lock_timeout_seconds=0.05)
    host.settle()
    blocker = harness.connect()
    blocker.execute("lock table a__1.spend")
    record(harness, [charged("ann")])

    for _ in range(4):
        with suppress(EngineError, psycopg.Error):
            host.step()

    assert [rows(harness, name) for name in NAMES[1:]] == [fold(harness)] * 3
    blocker.rollback()
    harness.move_clock("1 minute")
    host.settle()
    assert rows(harness, "a") == fold(harness)


class Posting(Projection):
    """Sends letters: what it does outside of its tables."""

    name, version = "post", 1
    tables = "create table {schema}.spend (customer text primary key, cents bigint not null)"
    sent: ClassVar[list[str]] = []

    @on(StepCompleted)
    def counts(self, event: StepCompleted, cursor: Cursor) -> None:
        cursor.execute(ADD, (event.result["customer"], 1))

    @on(StepCompleted, effect=True)
    def sends(self, event: StepCompleted, cursor: Cursor) -> None:
        self.sent.append(event.result["customer"])


@pytest.fixture
def posting() -> type[Posting]:
    Posting.sent.clear()
    return Posting


def test_effects_are_silent_about_what_was_there_at_first(
    harness: EngineHarness, hosts: ProjectionHosts, posting: type[Posting]
) -> None:
    record(harness, [charged("ann"), charged("bob")])
    host = hosts.host(posting)
    host.settle()
    record(harness, [charged("eve")])

    host.settle()

    assert posting.sent == ["eve"]
    assert rows(harness, "post") == fold(harness)


def test_effects_are_silent_during_a_rebuild_and_go_on_after_it(
    harness: EngineHarness, hosts: ProjectionHosts, posting: type[Posting]
) -> None:
    host = hosts.host(posting, batch_size=1)
    host.settle()
    record(harness, [charged("ann"), charged("bob")])
    host.settle()
    hosts.projections.rebuild("post", **WORD)
    host.settle()
    record(harness, [charged("eve")])

    host.settle()

    assert hosts.projections.status("post").generation == 2
    assert posting.sent == ["ann", "bob", "eve"]
    assert rows(harness, "post") == fold(harness)


def test_effects_of_events_that_came_during_a_rebuild_happen_once(
    harness: EngineHarness, hosts: ProjectionHosts, posting: type[Posting]
) -> None:
    host = hosts.host(posting, batch_size=1)
    host.settle()
    expected = []
    hosts.projections.rebuild("post", **WORD)
    for number in range(5):
        record(harness, [charged(f"c{number}")])
        expected.append(f"c{number}")
        host.step()

    host.settle()
    host.settle()

    assert hosts.projections.status("post").generation == 2
    assert posting.sent == expected


def test_a_message_of_the_operator_wakes_the_hosts_of_other_processes(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    hosts.engine(spending(), poll_seconds=600.0)
    record(harness, [charged("ann")])
    harness.rows("select pg_notify('flowledger.projection', 'money')")
    harness.until(lambda: rows(harness) == fold(harness))

    hosts.projections.rebuild("money", **WORD)

    harness.until(lambda: hosts.projections.status("money").generation == 2)


def test_batches_that_would_take_longer_than_the_lease_come_to_an_end(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    """Each of two hosts would have lost the lease to the other before its commit."""
    slow = spending(adds=f"with slow as materialized (select pg_sleep(0.02)) {SLOWLY}")
    keys = {"lease_seconds": 0.6, "poll_seconds": 0.2}
    record(harness, [charged(f"c{number}") for number in range(100)])

    for _ in range(2):
        hosts.engine(slow, roles=["projector"], **keys)

    harness.until(lambda: hosts.standing() == "caught_up")
    assert rows(harness) == fold(harness)


def test_one_whose_clock_is_put_back_in_the_middle_of_a_step_does_not_wait_for_the_hour(
    harness: EngineHarness, hosts: ProjectionHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = hosts.host(spending(), poll_seconds=0.2)
    host.settle()
    look = LogReader.look

    def put_back(log: LogReader) -> int:
        host.pass_time(-3_600)
        return look(log)

    monkeypatch.setattr(LogReader, "look", put_back)

    assert host.step() <= 0.2
