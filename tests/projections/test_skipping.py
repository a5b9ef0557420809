"""An operator has a projection pass over the event at which it stands."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from flowledger.engine.errors import InvalidRequest, ProjectionRefused, UnknownProjection
from flowledger.engine.events import ProjectionEventSkipped
from flowledger.engine.store.engine_action_log import EngineLog
from flowledger.projections import OnError
from support.cli import Command
from support.engines import EngineHarness
from support.projection_hosts import WORD, At, ProjectionHosts, Stepped
from support.spend_projection import Spend, charged, fold, record, rows, spending
from support.sql_calls import new_id

WHY = ("--reason", "ticket 7", "--actor", "ann")
ONE, TWO = new_id(), new_id()


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def command(harness: EngineHarness, tmp_path: Path) -> Generator[Command]:
    with ExitStack() as opened:
        yield Command(harness.url, tmp_path, opened)


def broken(on_error: OnError = "stop") -> type[Spend]:
    return spending(on_error=on_error, broken={"eve"}, forget=_forget)


def _forget(self: Spend, tasks: Any, cursor: Any) -> None:
    cursor.execute("delete from spend")


def standing(harness: EngineHarness, hosts: ProjectionHosts, money: type[Spend]) -> Stepped:
    """A host whose projection stands at the second of three events."""
    host = hosts.host(money, retry_initial_seconds=3600.0, retry_cap_seconds=3600.0)
    record(harness, [charged("ann", task=ONE)])
    record(harness, [charged("eve", task=TWO)])
    record(harness, [charged("bob", task=TWO)])
    host.settle()
    return host


def place_of(hosts: ProjectionHosts) -> int:
    place = hosts.projections.status("money").failed_position
    assert place is not None
    return place


def test_it_passes_over_the_event_and_no_other(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    host = standing(harness, hosts, broken())
    place = place_of(hosts)

    skipped = hosts.projections.skip("money", position=place, **WORD)
    host.settle()

    assert skipped == (1, TWO, "step.completed", "ValueError: eve is broken")
    assert rows(harness) == {"ann": 1, "bob": 1}
    status = hosts.projections.status("money")
    assert (status.standing, status.parked, status.skipped) == ("caught_up", 0, 1)
    (event,) = hosts.projections.parked("money")
    assert (event.position, event.task_id, event.error) == (place, TWO, skipped.error)
    assert event.skipped_at is not None


def test_the_next_event_that_fails_is_stood_at(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    host = standing(harness, hosts, broken())
    hosts.projections.skip("money", position=place_of(hosts), **WORD)
    place = record(harness, [charged("eve", task=ONE)])

    host.settle()

    assert (hosts.standing(), place_of(hosts)) == ("event_failed", place)


def test_it_is_an_event_with_who_did_it_and_why(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    standing(harness, hosts, broken())
    place = place_of(hosts)

    hosts.projections.skip("money", position=place, actor="ann", reason="never billed")

    (event,) = [one.event for one in EngineLog().events(hosts.pool())]
    assert isinstance(event, ProjectionEventSkipped)
    assert (event.actor, event.reason) == ("ann", "never billed")
    assert (event.projection, event.generation, event.position) == ("money", 1, place)
    assert (event.task, event.failure) == (TWO, "ValueError: eve is broken")


def test_where_it_stands_elsewhere_it_is_refused_and_nothing_is_recorded(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    standing(harness, hosts, broken())
    place = place_of(hosts)

    with pytest.raises(ProjectionRefused, match=f"generation 1 stands at {place}"):
        hosts.projections.skip("money", position=place + 1, **WORD)

    assert place_of(hosts) == place
    assert list(EngineLog().events(hosts.pool())) == []


@pytest.mark.parametrize("position", [0, -1, True, "7", 2**63, None])
def test_what_is_no_position_is_refused(hosts: ProjectionHosts, position: Any) -> None:
    hosts.host(Spend).settle()

    with pytest.raises(InvalidRequest, match="position should be a whole number"):
        hosts.projections.skip("money", position=position, **WORD)


def test_what_is_no_projection_is_refused(hosts: ProjectionHosts) -> None:
    with pytest.raises(UnknownProjection, match="no projection 'nobody'"):
        hosts.projections.skip("nobody", position=7, **WORD)


def test_who_says_nothing_changes_nothing(harness: EngineHarness, hosts: ProjectionHosts) -> None:
    standing(harness, hosts, broken())

    with pytest.raises(InvalidRequest, match="reason"):
        hosts.projections.skip("money", position=place_of(hosts), actor="ann", reason=" ")

    assert hosts.standing() == "event_failed"


def test_it_is_kept_when_all_processes_die(harness: EngineHarness, hosts: ProjectionHosts) -> None:
    standing(harness, hosts, broken())
    place = place_of(hosts)
    hosts.projections.skip("money", position=place, **WORD)
    harness.rows("update flowledger.projection set lease_until = '-infinity'")

    hosts.host(broken()).settle()

    assert rows(harness) == {"ann": 1, "bob": 1}
    assert [one.position for one in hosts.projections.parked("money")] == [place]


def test_who_applies_the_event_meanwhile_stores_nothing_of_it(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    money = broken()
    standing(harness, hosts, money).host.resign()
    place = place_of(hosts)
    money.broken.clear()
    skip = At(
        "projecting",
        lambda: hosts.projections.skip("money", position=place, **WORD),
        lambda visit: visit == 1,
    )

    hosts.host(money, faults=skip).settle()

    assert rows(harness) == {"ann": 1, "bob": 1}


def test_a_rebuild_tries_it_again_and_can_pass_over_it_again(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    host = standing(harness, hosts, broken())
    place = place_of(hosts)
    hosts.projections.skip("money", position=place, **WORD)
    host.settle()

    hosts.projections.rebuild("money", **WORD)
    host.settle()
    built = [one for one in hosts.projections.list() if one.state == "building"]
    assert [(one.standing, one.failed_position) for one in built] == [("event_failed", place)]
    assert hosts.standing() == "caught_up"
    assert hosts.projections.skip("money", position=place, **WORD).generation == 2
    host.settle()

    assert hosts.projections.status("money").generation == 2
    assert rows(harness) == {"ann": 1, "bob": 1}


def test_a_rebuild_has_it_where_it_can_be_taken_by_then(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    money = broken()
    host = standing(harness, hosts, money)
    hosts.projections.skip("money", position=place_of(hosts), **WORD)
    money.broken.clear()

    hosts.projections.rebuild("money", **WORD)
    host.settle()

    assert rows(harness) == fold(harness)
    assert hosts.projections.parked("money") == []


def test_it_can_be_retried_alone(harness: EngineHarness, hosts: ProjectionHosts) -> None:
    money = broken()
    host = standing(harness, hosts, money)
    place = place_of(hosts)
    hosts.projections.skip("money", position=place, **WORD)
    assert hosts.projections.retry_parked("money", **WORD) == 0

    assert hosts.projections.retry_parked("money", position=place, **WORD) == 1
    host.settle()
    assert hosts.projections.status("money").skipped == 1

    money.broken.clear()
    hosts.projections.retry_parked("money", position=place, **WORD)
    host.settle()
    assert rows(harness) == fold(harness)
    assert hosts.projections.parked("money") == []


def test_rows_of_tasks_that_are_made_anew_are_without_it(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    host = standing(harness, hosts, broken())
    hosts.projections.skip("money", position=place_of(hosts), **WORD)
    host.settle()

    rebuild = hosts.projections.rebuild("money", task=TWO, **WORD)
    host.settle()

    assert hosts.projections.wait_for_rebuild(rebuild, 0.0).state == "done"
    assert rows(harness) == {"bob": 1}


def test_of_one_that_parks_tasks_no_more_than_the_event_is_passed_over(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    """While it is built it waits for every event; what it is made to skip holds up no other."""
    money = broken("park_task")
    host = standing(harness, hosts, money)
    assert len(hosts.projections.parked("money")) == 2
    hosts.projections.rebuild("money", **WORD)
    host.settle()
    (built,) = [one for one in hosts.projections.list() if one.state == "building"]
    assert built.failed_position is not None

    hosts.projections.skip("money", position=built.failed_position, **WORD)
    host.settle()
    record(harness, [charged("bob", task=TWO)])
    host.settle()

    assert rows(harness) == {"ann": 1, "bob": 2}


def test_the_command_says_what_was_passed_over(
    harness: EngineHarness, hosts: ProjectionHosts, command: Command
) -> None:
    standing(harness, hosts, broken())
    place = place_of(hosts)

    elsewhere = command("projections", "skip", "money", "--position", "9999", *WHY)
    done = command("projections", "skip", "money", "--position", str(place), *WHY)

    assert elsewhere.code == 2
    assert elsewhere.error == (
        f"error: projection money does not stand at position 9999: generation 1 stands at {place}\n"
    )
    failure = "ValueError: eve is broken"
    assert done.out == f"money: passed over {place}: step.completed of task {TWO}: {failure}\n"
    listed = command("projections", "parked", "list", "money").out
    assert listed == f"{place}: step.completed of task {TWO} (skipped): {failure}\n"
    assert ", 1 skipped" in command("projections", "status", "money").out
    told = command("history", "--engine").out
    assert re.search(rf"projection money skipped {place}: {failure}: ticket 7  \[ann\]", told)


def test_the_command_says_it_to_programs(
    harness: EngineHarness, hosts: ProjectionHosts, command: Command
) -> None:
    standing(harness, hosts, broken())
    place = place_of(hosts)

    done = command("projections", "skip", "money", "--position", str(place), "--json", *WHY)

    assert done.value == {
        "name": "money",
        "position": place,
        "generation": 1,
        "task_id": str(TWO),
        "topic": "step.completed",
        "error": "ValueError: eve is broken",
    }
