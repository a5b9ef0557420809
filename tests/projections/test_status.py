"""Why a projection stands still, whether it is well, and waiting until it has come far enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hostile.oddities import Raising

from flowledger.engine.client.projections import Projections
from flowledger.engine.errors import ProjectionBehind, UnknownProjection
from support.engines import PATIENCE, EngineHarness
from support.projection_hosts import WORD, ProjectionHosts
from support.spend_projection import charged, fold, orders, record, rows, spending

CUSTOMER = {"customer": "ann", "cents": 5}


def standing(hosts: ProjectionHosts, generation: int = 1) -> tuple[str, bool]:
    (found,) = [
        (s.standing, s.healthy)
        for s in hosts.projections.list()
        if (s.name, s.generation) == ("money", generation)
    ]
    return found


def test_one_that_has_seen_everything_is_caught_up(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    record(harness, [charged("ann")])
    hosts.host(spending()).settle()

    assert standing(hosts) == ("caught_up", True)


def test_one_that_is_behind_and_moves_runs_and_is_well(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    record(harness, [charged("ann") for _ in range(5)])
    hosts.host(spending(), batch_size=1).step()

    assert standing(hosts) == ("running", True)
    status = hosts.projections.status("money")
    assert 0 < status.behind < status.head


def test_the_same_lag_for_longer_than_the_patience_is_not_well(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    record(harness, [charged("ann") for _ in range(5)])
    host = hosts.host(spending(), batch_size=1)
    host.step()
    harness.move_clock("61 seconds")
    assert standing(hosts) == ("stalled", False)

    host.step()

    assert standing(hosts) == ("running", True)


def test_one_that_is_built_is_rebuilding(harness: EngineHarness, hosts: ProjectionHosts) -> None:
    record(harness, [charged("ann") for _ in range(5)])
    host = hosts.host(spending(), batch_size=1)
    host.settle()
    hosts.projections.rebuild("money", **WORD)
    host.step()

    assert standing(hosts) == ("caught_up", True)
    assert standing(hosts, 2) == ("rebuilding", True)


def test_one_that_is_paused_says_so_and_takes_nothing(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    host = hosts.host(spending())
    host.settle()
    hosts.projections.pause("money", **WORD)
    record(harness, [charged("ann")])
    host.settle()
    assert standing(hosts) == ("paused", False)
    assert rows(harness) == {}

    hosts.projections.resume("money", **WORD)
    host.settle()

    assert standing(hosts) == ("caught_up", True)
    assert rows(harness) == fold(harness)


def test_one_that_cannot_take_an_event_says_which_and_why(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    last = record(harness, [charged("ann"), charged("eve")])
    hosts.host(spending(broken={"eve"})).settle()

    status = hosts.projections.status("money")
    assert standing(hosts) == ("event_failed", False)
    assert (status.failed_position, status.failure, status.failures) == (
        last,
        "ValueError: eve is broken",
        1,
    )


def test_one_that_no_host_runs_says_so(harness: EngineHarness, hosts: ProjectionHosts) -> None:
    host = hosts.host(spending())
    host.settle()
    host.host.resign()
    record(harness, [charged("ann")])

    assert standing(hosts) == ("no_host", True)
    harness.move_clock("61 seconds")
    assert standing(hosts) == ("no_host", False)


def test_the_models_that_are_written_with_decisions_stand_too(hosts: ProjectionHosts) -> None:
    inline = hosts.projections.status("step_readiness")

    assert (inline.state, inline.generation, inline.standing) == ("inline", 0, "no_host")


def test_who_may_only_read_is_told_how_all_of_them_stand(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    hosts.host(spending()).settle()
    record(harness, [charged("ann")])
    told = "select name, standing, behind from flowledger_v1.projection_status() order by name"

    with harness.connect() as connection:
        connection.execute("set role flowledger_reader")
        rows = connection.execute(told.encode()).fetchall()

    seen = hosts.projections.list()
    assert {"money", "step_readiness"} <= {row[0] for row in rows}
    assert rows == sorted((row.name, row.standing, row.behind) for row in seen)


def test_what_was_submitted_is_in_the_rows_after_waiting(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    engine = hosts.engine(spending())
    for number in range(1, 4):
        engine.submit(orders, CUSTOMER).result(PATIENCE)

        reached = engine.projections.wait_for("money", timeout=PATIENCE)

        assert rows(harness) == {"ann": 5 * number}
        assert reached <= harness.value("select flowledger.last_position()")


def test_waiting_ends_in_another_process_too(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    hosts.engine(spending())
    last = record(harness, [charged("ann")])
    harness.rows("select pg_notify('flowledger.fact', '')")

    assert hosts.projections.wait_for("money", last, PATIENCE) >= last


def test_the_models_that_are_written_with_decisions_can_be_waited_for(
    hosts: ProjectionHosts,
) -> None:
    engine = hosts.engine(roles=["coordinator", "worker"])
    engine.submit(orders, CUSTOMER).result(PATIENCE)

    assert engine.projections.wait_for("step_readiness", timeout=PATIENCE) > 0


def test_who_waited_in_vain_is_told_how_it_stands(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    host = hosts.host(spending())
    host.settle()
    hosts.projections.pause("money", **WORD)
    last = record(harness, [charged("ann")])
    host.settle()

    with pytest.raises(ProjectionBehind, match="paused") as caught:
        hosts.projections.wait_for("money", timeout=0.0)

    error: Any = caught.value
    assert (error.reached, error.wanted) == (0, last)
    assert isinstance(error, TimeoutError)


def test_who_waited_in_vain_is_told_what_failed(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    host = hosts.host(spending(broken={"ann"}))
    record(harness, [charged("ann")])
    host.settle()

    with pytest.raises(ProjectionBehind, match="event_failed: ") as caught:
        hosts.projections.wait_for("money", timeout=0.0)

    error: Any = caught.value
    assert "ann" in error.failure
    assert str(error).endswith(f": {error.failure}")


def test_nobody_waits_for_what_is_not_there(hosts: ProjectionHosts) -> None:
    with pytest.raises(UnknownProjection, match="no projection 'nobody'"):
        hosts.projections.wait_for("nobody", timeout=PATIENCE)


@pytest.mark.parametrize(
    "asked",
    [
        lambda projections, name: projections.status(name),
        lambda projections, name: projections.reached(name),
        lambda projections, name: projections.pause(name, **WORD),
        lambda projections, name: projections.resume(name, **WORD),
        lambda projections, name: projections.rebuild(name, **WORD),
        lambda projections, name: projections.rebuild(name, template="a/b@1", **WORD),
        lambda projections, name: projections.cancel_rebuild(name, **WORD),
        lambda projections, name: projections.remove(name, **WORD),
        lambda projections, name: projections.skip(name, position=1, **WORD),
        lambda projections, name: projections.parked(name),
        lambda projections, name: projections.traceback(name, generation=1, position=1),
        lambda projections, name: projections.retry_parked(name, **WORD),
        lambda projections, name: projections.drop_parked(name, **WORD),
    ],
)
def test_a_name_that_cannot_even_be_compared_is_refused_as_any_other(
    hosts: ProjectionHosts, asked: Callable[[Projections, object], object]
) -> None:
    hosts.host(spending()).settle()

    with pytest.raises(UnknownProjection, match="no projection of a Raising"):
        asked(hosts.projections, Raising())


def test_no_projection_takes_the_name_of_a_model_that_is_written_with_decisions() -> None:
    with pytest.raises(ValueError, match="step_readiness"):
        spending(name="step_readiness")
