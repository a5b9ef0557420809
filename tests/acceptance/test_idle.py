"""While nothing happens, a role renews its leases and asks for nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from psycopg import Cursor

from flowledger.engine.client.engine import Role
from flowledger.engine.runtime.worker.worker import SOON_SECONDS
from flowledger.engine.store.connection.session import Session
from flowledger.engine.store.notifications import ProcessWakeup
from flowledger.handlers import Workflow
from flowledger.projections.builtin import BUILTIN
from support.engines import PATIENCE, EngineHarness
from support.periodic_questions import functions, periodic_functions

RENEWALS = 5
LEASES: dict[Role, str] = {
    "coordinator": "select max(lease_until) from flowledger.coordinator",
    "worker": "select max(lease_until) from flowledger.worker",
    "projector": "select max(lease_until) from flowledger.projection_host",
}
IN_A_RENEWAL: dict[Role, int] = {"coordinator": 7, "worker": 3, "projector": 6}
"""Statements, those that begin and end a transaction among them: it is one."""

WRITERS = """
    select
        (select xmin::text from flowledger.coordinator),
        (select xmin::text from flowledger.worker),
        (select xmin::text from flowledger.projection_host)
"""
"""The transactions that have last renewed each role."""

ASKED = (
    "select query_start from pg_stat_activity"
    " where datname = current_database() and query = 'select'"
)

flow = Workflow("idle", "flow", version="1")


@flow.step
def only() -> int:
    return 1


@pytest.mark.parametrize("role", LEASES)
def test_a_role_that_has_nothing_to_do_only_renews_its_leases(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch, role: Role
) -> None:
    asked = counted(monkeypatch)
    seldom = {"poll_seconds": 600.0, "lease_seconds": 1.5}
    engine = harness.open(
        flow,
        roles=[role],
        projections=BUILTIN,
        coordinator=seldom,
        worker={**seldom, "lease_margin_seconds": 0.1},
    )
    for _ in range(RENEWALS):
        renewed(harness, role)  # by then it has done what is done once, a second after it listens
    before = asked[0]

    for _ in range(RENEWALS):
        renewed(harness, role)
    between = asked[0] - before

    # One renewal more may have begun.
    assert RENEWALS <= between <= (RENEWALS + 1) * IN_A_RENEWAL[role]
    assert harness.open(flow).submit(flow, {}).result(PATIENCE) == {"only": 1}
    assert all(one.ok for one in engine.health.values())


def test_roles_of_one_process_renew_their_leases_in_one_transaction(
    harness: EngineHarness,
) -> None:
    leases = {"lease_seconds": 3.0}
    slow = {"lease_seconds": 4.0, "lease_margin_seconds": 1.0}
    harness.open(flow, coordinator=leases, worker=slow, projections=BUILTIN)
    seen = set[tuple[str, ...]]()

    def together() -> bool:
        seen.add(tuple(harness.rows(WRITERS)[0]))
        by_each = [{one[n] for one in seen} for n in range(3)]
        return bool(by_each[0] & by_each[1]) and bool(by_each[0] & by_each[2])

    harness.until(together)


def test_the_session_that_hears_notifications_is_asked_only_after_a_silence(
    harness: EngineHarness,
) -> None:
    """Whether it is there: one question for each process, whatever its roles."""
    seldom = {"poll_seconds": 600.0, "lease_seconds": 36_000.0}
    silence = {"listener_silence_seconds": 0.5}
    harness.open(flow, database=silence, coordinator=seldom, worker=seldom, projections=[])
    questions: list[datetime] = []

    def four() -> bool:
        for (at,) in harness.rows(ASKED):
            if at not in questions:
                questions.append(at)
        return len(questions) > 3

    harness.until(four)
    pauses = [later - sooner for sooner, later in pairwise(questions)]
    assert min(pauses).total_seconds() >= silence["listener_silence_seconds"]


def rests(asked: Sequence[int]) -> bool:
    """Whether nothing is asked for longer than between two looks for what nobody tells."""
    before = asked[0]
    ProcessWakeup().wait(1.2 * SOON_SECONDS)
    return asked[0] == before


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often sessions of the engine have asked the server something."""
    asked, wait = [0], Session.wait

    def counts(self: Session, *arguments: Any, **options: Any) -> Any:
        asked[0] += 1
        return wait(self, *arguments, **options)

    monkeypatch.setattr(Session, "wait", counts)
    return asked


def renewed(harness: EngineHarness, role: Role) -> None:
    """Wait until the lease is renewed once more."""
    lease = harness.value(LEASES[role])
    harness.until(lambda: harness.value(LEASES[role]) != lease)


def test_all_that_is_asked_again_and_again_is_in_the_table_of_the_documentation(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = harness.open(
        flow,
        coordinator={"lease_seconds": 1.0, "reconcile_seconds": 1.0},
        worker={"lease_seconds": 1.0, "lease_margin_seconds": 0.1},
        projections=BUILTIN,
    )
    engine.submit(flow, {}).result(PATIENCE)
    for role in LEASES:
        renewed(harness, role)
    asked, execute = list[str](), Cursor.execute

    def noted(self: Cursor[Any], query: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(self.connection, Session):
            asked.append(query if isinstance(query, str) else query.decode())
        return execute(self, query, *arguments, **options)

    monkeypatch.setattr(Cursor, "execute", noted)
    for role in LEASES:
        renewed(harness, role)
    for name in ("missing_queue_rows", "templates_without_worker", "report_and_claim"):
        harness.until(lambda name=name: name in " ".join(asked))

    assert functions(" ".join(asked)) <= periodic_functions()


def test_who_repairs_wakes_the_worker_of_the_same_process(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server tells all others; a process is not told by it of what it has done itself."""
    asked = counted(monkeypatch)
    seldom = {"poll_seconds": 600.0, "lease_seconds": 36_000.0}
    coordinator = harness.open(
        flow, roles=["coordinator"], coordinator={**seldom, "reconcile_seconds": 600.0}
    )
    lost = coordinator.submit(flow, {})
    harness.until(lambda: harness.value("select count(*) from flowledger.queue") == 1)
    harness.rows("delete from flowledger.queue")
    worker = harness.open(flow, roles=["worker"], worker=seldom)
    assert coordinator.submit(flow, {}).result(PATIENCE)
    harness.until(lambda: rests(asked))
    coordinator.close()

    worker.repair(lost.id, actor="ann", reason="ticket 7")

    started = "select count(*) from flowledger.event where task_id = %s and topic = 'step.started'"
    harness.until(lambda: harness.value(started, lost.id) == 1)
