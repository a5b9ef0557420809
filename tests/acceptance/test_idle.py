"""While nothing happens, a role renews its leases and asks for nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from flowledger.engine.client.engine import Role
from flowledger.engine.store.connection.session import Session
from flowledger.handlers import Workflow
from flowledger.projections.builtin import BUILTIN
from support.engines import PATIENCE, EngineHarness

RENEWALS = 5
LEASES: dict[Role, str] = {
    "coordinator": "select max(lease_until) from flowledger.coordinator",
    "worker": "select max(lease_until) from flowledger.worker",
    "projector": "select max(lease_until) from flowledger.projection_host",
}
IN_A_RENEWAL: dict[Role, int] = {"coordinator": 6, "worker": 1, "projector": 5}
"""Statements, those that begin and end a transaction among them."""

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
    renewed(harness, role)
    renewed(harness, role)  # by then it has done what is done once
    before = asked[0]

    for _ in range(RENEWALS):
        renewed(harness, role)
    between = asked[0] - before

    # One renewal more may have begun.
    assert RENEWALS <= between <= (RENEWALS + 1) * IN_A_RENEWAL[role]
    assert harness.open(flow).submit(flow, {}).result(PATIENCE) == {"only": 1}
    assert all(one.ok for one in engine.health.values())


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
