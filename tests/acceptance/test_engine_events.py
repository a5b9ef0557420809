"""What operators do to the engine itself is in the log, with who did it and why."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from flowledger.engine.errors import InvalidRequest, ProjectionRefused
from flowledger.engine.events import EngineAction
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.engine_action_log import EngineLog
from flowledger.engine.store.shard_membership_store import PostgresShardStore
from flowledger.projections.builtin.audit import Audit
from support.cli import Command
from support.engines import PATIENCE, EngineHarness
from support.projection_hosts import WORD, ProjectionHosts, hosts_on
from support.spend_projection import Spend, charged, record, spending

ACTIONS = (
    "select action, subject, actor, reason from flowledger_v1.operator_actions order by position"
)
WAITING = (
    "select count(*) from pg_stat_activity"
    " where datname = current_database() and wait_event_type = 'Lock'"
)


@pytest.fixture
def hosts(harness: EngineHarness) -> Generator[ProjectionHosts]:
    with hosts_on(harness) as found:
        yield found


@pytest.fixture
def command(harness: EngineHarness, tmp_path: Path) -> Generator[Command]:
    with ExitStack() as opened:
        yield Command(harness.url, tmp_path, opened)


def done(hosts: ProjectionHosts) -> list[tuple[str, str, str | None]]:
    """Kind, actor and reason of all that was done to the engine."""
    events = [one.event for one in EngineLog().events(hosts.pool())]
    assert all(event.originator_version == 1 for event in events)
    return [
        (event.topic, event.actor, event.reason)
        for event in events
        if isinstance(event, EngineAction)
    ]


def kinds(hosts: ProjectionHosts) -> list[str]:
    return [kind for kind, *_ in done(hosts)]


def test_whoever_stops_and_starts_a_projection_is_named(hosts: ProjectionHosts) -> None:
    hosts.host(Spend).settle()

    hosts.projections.pause("money", actor="ann", reason="the bank sends nonsense")
    hosts.projections.resume("money", actor="bob", reason="it does not any more")

    assert done(hosts) == [
        ("projection.paused", "ann", "the bank sends nonsense"),
        ("projection.resumed", "bob", "it does not any more"),
    ]


def test_what_changes_nothing_is_no_event(hosts: ProjectionHosts) -> None:
    hosts.host(Spend).settle()

    hosts.projections.resume("money", **WORD)
    hosts.projections.pause("money", **WORD)
    hosts.projections.pause("money", **WORD)
    hosts.projections.cancel_rebuild("money", **WORD)
    hosts.projections.retry_parked("money", **WORD)

    assert kinds(hosts) == ["projection.paused"]


def test_a_rebuild_its_end_and_the_rebuild_of_some_tasks_are_told(hosts: ProjectionHosts) -> None:
    hosts.host(spending(forget=lambda *_: None)).settle()

    hosts.projections.rebuild("money", **WORD)
    hosts.projections.rebuild("money", **WORD)
    hosts.projections.cancel_rebuild("money", **WORD)
    hosts.projections.rebuild("money", template="shop/order@1", **WORD)

    assert kinds(hosts) == [
        "projection.rebuild_requested",
        "projection.rebuild_cancelled",
        "projection.tasks_rebuild_requested",
    ]


def test_what_is_wanted_of_parked_events_is_told(
    hosts: ProjectionHosts, harness: EngineHarness
) -> None:
    record(harness, [charged("ann"), charged("bob")])
    hosts.host(spending(on_error="park_event", broken={"ann", "bob"})).settle()
    first, second = (one.position for one in hosts.projections.parked("money"))

    hosts.projections.retry_parked("money", position=first, **WORD)
    hosts.projections.drop_parked("money", position=second, **WORD)

    assert kinds(hosts) == ["projection.parked_retry_requested", "projection.parked_drop_requested"]


def test_a_removal_that_is_refused_is_no_event_and_one_that_is_not_is(
    hosts: ProjectionHosts,
) -> None:
    host = hosts.host(Spend)
    host.settle()
    with pytest.raises(ProjectionRefused):
        hosts.projections.remove("money", **WORD)
    host.host.resign()

    hosts.projections.remove("money", **WORD)

    assert kinds(hosts) == ["projection.removed"]


def test_another_number_of_shards_is_told_once(hosts: ProjectionHosts) -> None:
    roster = PostgresShardStore(hosts.pool(), DatabaseClock())

    roster.resize(3, actor="ann", reason="load")
    roster.resize(3, actor="ann", reason="load")

    assert done(hosts) == [("shards.changed", "ann", "load")]


def test_of_operators_who_ask_for_the_same_number_at_once_one_changes_it(
    hosts: ProjectionHosts, harness: EngineHarness
) -> None:
    roster = PostgresShardStore(hosts.pool(), DatabaseClock())
    with harness.connect() as holding, ThreadPoolExecutor(2) as threads:
        holding.execute("lock table flowledger.shard in share update exclusive mode")
        asked = [
            threads.submit(roster.resize, 2, actor=actor, reason="load") for actor in ("ann", "bob")
        ]
        harness.until(lambda: harness.value(WAITING) == 2)
        holding.commit()
        for one in asked:
            one.result(PATIENCE)

    assert kinds(hosts) == ["shards.changed"]


def test_who_wants_more_shards_never_makes_those_fewer_that_another_made_meanwhile(
    hosts: ProjectionHosts, harness: EngineHarness
) -> None:
    roster = PostgresShardStore(hosts.pool(), DatabaseClock())
    with harness.connect() as holding, ThreadPoolExecutor(2) as threads:
        holding.execute("lock table flowledger.shard in share update exclusive mode")
        four = threads.submit(roster.resize, 4, actor="ann", reason="load")
        harness.until(lambda: harness.value(WAITING) == 1)
        two = threads.submit(roster.have_at_least, 2, actor="bob", reason="load")
        harness.until(lambda: harness.value(WAITING) == 2)
        holding.commit()
        four.result(PATIENCE)

        assert two.result(PATIENCE) is False
    assert roster.have_at_least(3, actor="bob", reason="load") is False
    assert harness.value("select count(*) from flowledger.shard") == 4
    assert done(hosts) == [("shards.changed", "ann", "load")]
    assert roster.have_at_least(5, actor="bob", reason="load") is True


@pytest.mark.parametrize("word", [{"actor": " "}, {"reason": ""}, {"reason": "\0"}])
def test_who_does_not_say_who_and_why_changes_nothing(hosts: ProjectionHosts, word: Any) -> None:
    hosts.host(Spend).settle()

    with pytest.raises(InvalidRequest, match=r"projection.paused: (actor|reason)"):
        hosts.projections.pause("money", **{**WORD, **word})

    assert hosts.standing() == "caught_up"
    assert done(hosts) == []


def test_it_is_among_what_operators_did_and_verifies(
    hosts: ProjectionHosts, harness: EngineHarness
) -> None:
    engine = hosts.engine(Spend, builtin=True)
    engine.projections.pause("money", **WORD)
    engine.projections.wait_for(Audit.name, timeout=PATIENCE)

    assert harness.rows(ACTIONS) == [("projection.pause", "money", "ann", "ticket 7")]
    assert list(engine.verify()) == []


def test_it_is_told_by_the_history_of_the_engine(hosts: ProjectionHosts, command: Command) -> None:
    hosts.host(Spend).settle()
    assert command("history", "--engine").out == "nothing was done to the engine yet\n"

    command("projections", "pause", "money", "--reason", "a\nb", "--actor", "ann")
    command("db", "shards", "2", "--reason", "load")

    said = command("history", "--engine").out.splitlines()
    assert len(said) == 3
    assert said[1].endswith("projection money paused: a b  [ann]")
    assert "2 shards instead of 1: load" in said[2]
    lines = command("history", "--engine", "--json").lines
    assert [(line["type"], line["task"]) for line in lines] == [
        ("ProjectionPaused", None),
        ("ShardsChanged", None),
    ]


def test_one_that_cannot_be_read_hides_nothing_else(
    harness: EngineHarness, hosts: ProjectionHosts, command: Command
) -> None:
    hosts.host(Spend).settle()
    harness.rows(
        "insert into flowledger.event (originator_id, originator_version, topic, state, encoding)"
        " values (gen_random_uuid(), 1, 'rights.granted', '', 0)"
    )
    command("projections", "pause", "money", "--reason", "ticket 7", "--actor", "ann")

    told = command("history", "--engine")

    assert told.code == 0, told.error
    assert "unreadable" in told.out
    assert "projection money paused: ticket 7  [ann]" in told.out
    assert [line["type"] for line in command("history", "--engine", "--json").lines] == [
        "UnreadableEvent",
        "ProjectionPaused",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("projections", "pause", "money"),
        ("projections", "resume", "money"),
        ("projections", "rebuild", "money"),
        ("projections", "remove", "money"),
        ("projections", "skip", "money", "--position", "7"),
        ("projections", "parked", "retry", "money", "--all"),
        ("projections", "parked", "drop", "money", "--all"),
        ("parked", "retry"),
        ("db", "shards", "2"),
        ("db", "grants", "reader", "--apply"),
    ],
)
def test_no_command_changes_the_engine_without_a_reason(
    command: Command, words: tuple[str, ...]
) -> None:
    refused = command(*words)

    assert refused.code == 2
    assert "--reason" in refused.error
