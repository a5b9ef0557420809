"""A projector that stops in the middle of a batch, and wakes up when another has taken over."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Timer

import pytest

from flowledger.engine import DatabaseUnavailable
from support.cli import command, read_until
from support.engines import PATIENCE, EngineHarness
from support.projection_hosts import At, ProjectionHosts
from support.projector_processes import Projectors, projectors, tally
from support.spend_projection import charged, fold, orders, record, rows, spending

__all__ = ["command", "projectors", "tally"]

PLACE = "select epoch, position from flowledger.projection where name = %s"


@pytest.fixture
def places(harness: EngineHarness) -> list[int]:
    """Tasks have run that no projector has seen; the places of their steps' events."""
    with harness.open(orders, roles=["coordinator", "worker"]) as engine:
        for task in engine.submit_many(orders, [{"customer": "ann", "cents": 1}] * 20):
            task.result(PATIENCE)
    found = harness.rows(
        "select position from flowledger_v1.events where step is not null order by 1"
    )
    return [place for (place,) in found]


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        pytest.param(("STOPS_BEFORE", 0), "projection.lost", id="before anything is written"),
        pytest.param(("STOPS_AFTER", 30), "database.unreachable", id="while its rows are locked"),
    ],
)
def test_one_that_was_stopped_in_a_batch_holds_nobody_up_and_stores_nothing_when_it_wakes_up(
    harness: EngineHarness,
    projectors: Projectors,
    places: list[int],
    moment: tuple[str, int],
    told: str,
) -> None:
    variable, at = moment
    sleeper = projectors.start("Tally", **{variable: str(places[at])})
    sleeper.until_stopped(PATIENCE)
    ((epoch, position),) = harness.rows(PLACE, "tally")
    assert position < places[at]

    projectors.start("Tally", FLOWLEDGER_PROJECTIONS__LOCK_TIMEOUT_SECONDS="600")
    head = harness.value("select max(position) from flowledger_v1.events")
    projectors.until(1, head)
    assert projectors.different(1) == []
    assert harness.rows(PLACE, "tally") == [(epoch + 1, head)]

    sleeper.send_signal(signal.SIGCONT)
    patience = Timer(PATIENCE, sleeper.kill)
    patience.start()
    assert read_until(sleeper, told)
    patience.cancel()
    assert projectors.different(1) == []
    assert projectors.position(1) == head


@pytest.mark.parametrize("moved", [0, 3], ids=["but did nothing", "and went on"])
def test_one_that_does_not_know_yet_that_another_took_over_stores_nothing(
    harness: EngineHarness, hosts: ProjectionHosts, moved: int
) -> None:
    """Its own clock stood still, so it does not look who leads before its next batch."""
    first = hosts.host(spending(), lease_seconds=10.0)
    second = hosts.host(spending(), lease_seconds=10.0, batch_size=1)
    record(harness, [charged("ann")])
    first.settle()
    harness.move_clock("20 seconds")
    second.step()
    record(harness, [charged(f"c{number}", 5) for number in range(6)])
    for _ in range(moved):
        second.step()
    before = harness.rows(PLACE, "money")
    assert before[0][0] == 2
    seen = rows(harness)

    first.read()

    assert rows(harness) == seen
    assert len(seen) == 1 + moved
    assert harness.rows(PLACE, "money") == before
    second.settle()
    first.settle()
    assert rows(harness) == fold(harness)


def test_one_that_begins_a_batch_after_that_and_stops_in_it_is_ended_when_the_other_has_to_wait(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    stuck, go = Event(), Event()

    def stop() -> None:
        stuck.set()
        assert go.wait(PATIENCE)

    first = hosts.host(spending(), lease_seconds=10.0, faults=At("projecting", stop))
    second = hosts.host(spending(), lease_seconds=10.0, lock_timeout_seconds=0.1)
    first.settle()
    harness.move_clock("20 seconds")
    second.settle()
    record(harness, [charged("ann")])
    with ThreadPoolExecutor() as threads:
        batch = threads.submit(first.read)
        assert stuck.wait(PATIENCE)

        second.step()

        harness.move_clock("1 minute")
        second.settle()
        assert rows(harness) == fold(harness)
        go.set()
        with pytest.raises(DatabaseUnavailable):
            batch.result(PATIENCE)
    assert rows(harness) == fold(harness)
