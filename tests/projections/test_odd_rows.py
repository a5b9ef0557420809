"""Rows about a projection that no engine writes: they stop no other, and what stands is told."""

from __future__ import annotations

import pytest

from support.engines import EngineHarness
from support.odd_rows import told
from support.projection_hosts import ProjectionHosts
from support.spend_projection import charged, fold, record, rows, spending
from support.unchecked_rows import DROP_CHECKS

MOST = "9223372036854775807"
ROWS = {
    "tasks": "insert into flowledger.projection_rebuild (name, asked_at, tasks, task_id)"
    " values ('money', now(), 9223372036854775807, gen_random_uuid())",
    "tasks below": "insert into flowledger.projection_rebuild (name, asked_at, tasks, task_id)"
    " values ('money', now(), -9223372036854775807, gen_random_uuid())",
    "epoch": "update flowledger.projection set epoch = 9223372036854775807, leader = null"
    " where name = 'money'",
    "failures": "update flowledger.projection set failures = 2147483647 where name = 'money'",
    "position": "update flowledger.projection set position = -9223372036854775807,"
    " started_from = -9223372036854775807"
    " where name = 'money'",
    "started": "update flowledger.projection set started_from = -9223372036854775807"
    " where name = 'money'",
}
OTHERS = {
    "lease": "update flowledger.projection set lease_until = '-infinity' where name = 'money'",
    "lease without an end": "update flowledger.projection set lease_until = 'infinity',"
    " lease_seconds = 'NaN', leader = gen_random_uuid() where name = 'money'",
    "parked": "insert into flowledger.parked_event (name, generation, position, task_id, error,"
    " parked_at, requested_action) values ('money', 1, 9223372036854775807,"
    " gen_random_uuid(), '', 'infinity', 'retry')",
    "parked below": "insert into flowledger.parked_event (name, generation, position, error,"
    " parked_at, requested_action) values ('money', 1, -9223372036854775807,"
    " '', '-infinity', 'drop')",
    "host": "insert into flowledger.projection_host (host_id, lease_until, started_at, host, pid,"
    " projection_versions, lease_seconds) values (gen_random_uuid(), 'infinity', '-infinity', '',"
    " -1, '', 'NaN')",
    "rebuild": "insert into flowledger.projection_rebuild (name, asked_at, ended_at, after_task)"
    " values ('money', 'infinity', '-infinity', gen_random_uuid())",
}
REFUSE = """
    create function flowledger.refuse() returns trigger language plpgsql as
    $$ begin raise exception 'no row of money'; end $$;
    create trigger refuse before update on flowledger.{table}
    for each row when (new.name = 'money') execute function flowledger.refuse()
"""


def two(harness: EngineHarness, hosts: ProjectionHosts, odd: str) -> None:
    """Two projections, a row about one of them, and events behind it: the other has them."""
    forgets = spending(forget=lambda *_: None)
    host = hosts.host(forgets, spending(name="other"))
    record(harness, [charged("ann", 5)])
    host.settle()
    harness.rows(odd)
    record(harness, [charged("bob", 7)])

    host.settle()

    assert rows(harness, "other") == fold(harness) != {}


@pytest.mark.parametrize("odd", [*ROWS.values(), *OTHERS.values()], ids=[*ROWS, *OTHERS])
def test_another_projection_goes_on_and_what_stands_can_be_told(
    harness: EngineHarness, hosts: ProjectionHosts, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    harness.rows(DROP_CHECKS)

    two(harness, hosts, odd)

    for command in ("health", ("projections", "list"), ("projections", "parked", "list", "money")):
        told(monkeypatch, harness.url, *([command] if isinstance(command, str) else command))


@pytest.mark.parametrize("name", ["tasks", "tasks below", "epoch", "failures", "started"])
def test_the_projection_itself_goes_on_from_what_can_be_counted_on_from(
    harness: EngineHarness, hosts: ProjectionHosts, name: str
) -> None:
    harness.rows(DROP_CHECKS)

    two(harness, hosts, ROWS[name])

    assert rows(harness) == fold(harness)
    assert hosts.standing() == "caught_up"
    asked = "select count(*) from flowledger.projection_rebuild where state = 'asked'"
    assert harness.value(asked) == 0


@pytest.mark.parametrize("table", ["projection_rebuild", "projection"])
def test_what_the_database_refuses_of_one_stops_no_other_and_is_told(
    harness: EngineHarness,
    hosts: ProjectionHosts,
    caplog: pytest.LogCaptureFixture,
    table: str,
) -> None:
    two(harness, hosts, ";".join((ROWS["tasks"].replace(MOST, "0"), REFUSE.format(table=table))))

    assert rows(harness) == {"ann": 5}
    harness.move_clock("61 seconds")
    assert hosts.standing() == ("event_failed" if table == "projection_rebuild" else "stalled")
    assert caplog.text.count("no row of money") == 1
