"""A database that is read-only for a while is an outage, and no projection's fault."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from flowledger.engine.errors import DatabaseBusy
from flowledger.engine.events import StepCompleted
from flowledger.projections import Cursor, on
from support.engines import EngineHarness
from support.projection_hosts import ProjectionHosts
from support.spend_projection import Spend, charged, fold, record, rows, spending

CUT = (
    "select count(pg_terminate_backend(pid)) from pg_stat_activity"
    " where datname = current_database() and application_name = 'flowledger'"
)


@contextmanager
def spell(harness: EngineHarness) -> Generator[None]:
    """Within the block, sessions that are made are read-only for as long as they live."""
    name: Any = harness.value("select current_database()")
    harness.rows(f"alter database {name} set default_transaction_read_only = on")
    try:
        yield
    finally:
        harness.rows(f"alter database {name} reset default_transaction_read_only")


def test_projections_go_on_by_themselves_after_it(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    engine = hosts.engine(spending(), roles=["projector"])
    harness.until(lambda: hosts.standing() == "caught_up")
    with spell(harness):
        harness.rows(CUT)
        record(harness, [charged("ann", number) for number in range(5)])
        harness.until(lambda: engine.health["projector"].sqlstate == "25006")

    harness.until(lambda: hosts.standing() == "caught_up")

    harness.until(lambda: engine.health["projector"].ok)
    assert rows(harness) == fold(harness)


def test_sessions_of_batches_made_during_it_are_made_anew(
    harness: EngineHarness, hosts: ProjectionHosts, caplog: pytest.LogCaptureFixture
) -> None:
    host = hosts.host(spending())
    host.settle()
    with spell(harness):
        host.host.close()  # its own sessions only: the pool's are those from before
        record(harness, [charged("ann", 3)])
        with pytest.raises(DatabaseBusy, match="read-only"):
            host.settle()

    host.settle()

    assert rows(harness) == fold(harness)
    assert hosts.standing() == "caught_up"
    assert "projection.refused" not in caplog.text


def test_a_session_that_became_read_only_is_no_refusal_of_the_projection(
    harness: EngineHarness, hosts: ProjectionHosts, caplog: pytest.LogCaptureFixture
) -> None:
    host = hosts.host(Stiff)
    host.settle()
    record(harness, [charged("ann")])
    host.settle()
    record(harness, [charged("bob")])
    with pytest.raises(DatabaseBusy) as caught:
        host.step()
    assert caught.value.sqlstate == "25006"

    host.settle()

    assert rows(harness) == fold(harness) == {"ann": 1, "bob": 1}
    assert "projection.refused" not in caplog.text


class Stiff(Spend):
    """Leaves its session read-only, as a server does whose setting is changed."""

    @on(StepCompleted, template="order", step="charge")
    def charged(self, event: StepCompleted, cursor: Cursor) -> None:
        super().charged(event, cursor)
        if event.result["customer"] == "ann":
            cursor.execute("set default_transaction_read_only = on")
