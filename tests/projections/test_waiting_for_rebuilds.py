"""A rebuild is waited for by what asked for it: all of a projection, or some tasks' rows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flowledger.engine.client.async_projections import AsyncProjections
from flowledger.engine.errors import InvalidRequest, UnknownProjection, UnknownRebuild
from flowledger.engine.ports.projection_admin import Rebuild
from support.engines import PATIENCE, EngineHarness
from support.projection_hosts import WORD, ProjectionHosts
from support.spend_projection import charged, fold, record, rows, spending
from support.sql_calls import new_id


def test_who_waits_for_a_rebuild_of_the_whole_goes_on_when_it_serves(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    record(harness, [charged("ann")])
    engine = hosts.engine(spending())
    engine.projections.wait_for("money", timeout=PATIENCE)
    harness.rows("update money__1.spend set cents = 0")

    rebuild = engine.projections.rebuild("money", **WORD)
    done = engine.projections.wait_for_rebuild(rebuild, PATIENCE)

    assert rebuild == Rebuild("money", "generation", 2)
    assert done == ("done", 0, None)
    assert engine.projections.status("money").generation == 2
    assert rows(harness) == fold(harness)


async def test_an_event_loop_waits_for_it_too(hosts: ProjectionHosts) -> None:
    engine = hosts.engine(spending())
    projections = AsyncProjections(engine.projections)

    rebuild = await projections.rebuild("money", **WORD)

    assert (await projections.wait_for_rebuild(rebuild, PATIENCE)).state == "done"
    with pytest.raises(InvalidRequest, match="rebuild should be what"):
        await projections.wait_for_rebuild(rebuild.number)  # type: ignore[arg-type]
    with pytest.raises(UnknownRebuild):
        await projections.wait_for_rebuild(Rebuild("money", "generation", 9))


def test_until_then_it_is_asked_for_and_says_why_it_waits(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    record(harness, [charged("ann")])
    host = hosts.host(spending())
    host.settle()
    rebuild = hosts.projections.rebuild("money", **WORD)

    assert hosts.projections.wait_for_rebuild(rebuild, 0.0) == ("asked", 0, None)
    harness.rows("update flowledger.projection set failure = 'no' where generation = 2")
    assert hosts.projections.wait_for_rebuild(rebuild, 0.0) == ("asked", 0, "no")


def test_what_is_given_up_is_cancelled_for_who_waits(hosts: ProjectionHosts) -> None:
    hosts.host(spending()).settle()
    rebuild = hosts.projections.rebuild("money", **WORD)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(hosts.projections.wait_for_rebuild, rebuild, PATIENCE)
        assert hosts.projections.cancel_rebuild("money", **WORD) == 1

        assert waiting.result(PATIENCE).state == "cancelled"


def test_a_number_of_the_other_kind_is_nobodys(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    """Both are counted: number 2 of the one says nothing of number 2 of the other."""
    record(harness, [charged("ann")])
    host = hosts.host(spending(forget=lambda *_: None))
    host.settle()
    of_tasks = [hosts.projections.rebuild("money", task=new_id(), **WORD) for _ in range(2)][-1]
    host.settle()
    whole = hosts.projections.rebuild("money", **WORD)

    assert (whole.number, of_tasks.number) == (2, 2)
    assert whole != of_tasks
    assert hosts.projections.wait_for_rebuild(of_tasks, 0.0).state == "done"
    assert hosts.projections.wait_for_rebuild(whole, 0.0).state == "asked"


@pytest.mark.parametrize("kind", ["generation", "tasks"])
def test_a_rebuild_that_there_never_was_is_refused(hosts: ProjectionHosts, kind: Any) -> None:
    hosts.host(spending()).settle()

    with pytest.raises(UnknownRebuild, match=r"'money' has no .* 9 that was asked for"):
        hosts.projections.wait_for_rebuild(Rebuild("money", kind, 9))
    with pytest.raises(UnknownProjection, match="no projection 'nobody'"):
        hosts.projections.wait_for_rebuild(Rebuild("nobody", kind, 9))


def test_a_rebuild_of_another_projection_is_not_taken_for_ones_own(hosts: ProjectionHosts) -> None:
    hosts.host(spending(), spending(name="other")).settle()
    rebuild = hosts.projections.rebuild("money", task=new_id(), **WORD)

    with pytest.raises(UnknownRebuild):
        hosts.projections.wait_for_rebuild(Rebuild("other", "tasks", rebuild.number))


WRONG: list[Any] = ["outcomes", 3.5, None, 1, True, [2], Rebuild("money", "tasks", 0)]
WRONG += [Rebuild("money", "all", 1), Rebuild("money", "tasks", "x")]  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_what_is_no_rebuild_is_refused_in_one_sentence(hosts: ProjectionHosts, wrong: Any) -> None:
    for ask in (hosts.projections.wait_for_rebuild, hosts.projections.rebuild_state):
        with pytest.raises(InvalidRequest, match="rebuild"):
            ask(wrong)
