"""A database that answers and refuses: each loop says so once, tries again, and loses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from flowledger.engine.errors import DatabaseBusy, DatabaseUnavailable, StatementRefused
from support.background_load import BACK, BUSY, LOST, REFUSED, BackgroundLoad, flow
from support.engines import EngineHarness

SWITCH = """
create table public.fault (state text);
create function public.refuse() returns trigger language plpgsql as $$
declare
    v_state text := (select f.state from public.fault as f);
begin
    if v_state is not null and current_setting('application_name') = 'flowledger' then
        raise exception 'as the test wants it' using errcode = v_state;
    end if;
    return null;
end $$;
"""
CUT = (
    "select count(pg_terminate_backend(pid)) from pg_stat_activity"
    " where datname = current_database() and application_name = 'flowledger'"
)
BLOCKED = (
    "select count(*) from pg_stat_activity where datname = current_database()"
    " and wait_event_type = 'Lock' and application_name = 'flowledger'"
)
WRITTEN = ("event", "queue", "shard", "worker")


class Refusals:
    """While it is on, whatever the engine writes is refused with one code."""

    def __init__(self, harness: EngineHarness, written: Sequence[str] = WRITTEN) -> None:
        self._harness = harness
        harness.rows(SWITCH)
        for name in written:
            harness.rows(
                f"create trigger refuse after insert or update or delete on flowledger.{name}"
                " for each statement execute function public.refuse()"
            )

    def on(self, state: str) -> None:
        self._harness.rows("insert into public.fault values (%s)", state)

    def off(self) -> None:
        self._harness.rows("delete from public.fault")


@pytest.fixture
def refusals(harness: EngineHarness) -> Refusals:
    return Refusals(harness)


@pytest.fixture
def load(harness: EngineHarness, caplog: pytest.LogCaptureFixture) -> BackgroundLoad:
    return BackgroundLoad(harness, caplog)


@pytest.mark.parametrize(
    ("state", "meaning"),
    [
        ("40001", BUSY),
        ("40P01", BUSY),
        ("53100", BUSY),
        ("53200", BUSY),
        ("25006", BUSY),
        ("58030", BUSY),
        ("25P03", LOST),
        ("57P01", LOST),
        ("42501", REFUSED),
        ("P0001", REFUSED),
        ("23514", REFUSED),
        ("23P01", REFUSED),
    ],
)
def test_each_loop_says_once_that_it_is_refused_and_once_that_it_is_not(
    refusals: Refusals, load: BackgroundLoad, state: str, meaning: str
) -> None:
    with load.under_fault():
        refusals.on(state)
        load.submit(3)
    assert load.engine.health["worker"].sqlstate == state

    refusals.off()

    load.assert_everything_ends_once()
    for loop in ("coordinator", "worker"):
        assert load.told(loop) == [meaning, BACK]
        assert load.states(loop) == {state}


@pytest.mark.parametrize("table", ["event", "queue"])
def test_a_rule_of_a_table_that_nothing_passes_parks_no_sound_task(
    harness: EngineHarness, load: BackgroundLoad, table: str
) -> None:
    """That one task is refused alone proves nothing: all of them may be."""
    refusals = Refusals(harness, [table])
    with load.under_fault(attempts=0):
        refusals.on("23514")
        load.submit(4)
    load.until_failing("coordinator", attempts=4)
    health = load.engine.health["coordinator"]
    assert (health.sqlstate, "as the test wants it" in str(health.error)) == ("23514", True)

    refusals.off()

    load.assert_everything_ends_once()
    harness.until(lambda: not harness.rows("select from flowledger.parked_task"))
    assert load.told("coordinator") == [REFUSED, BACK]


@pytest.mark.parametrize(
    ("state", "error"),
    [("53100", DatabaseBusy), ("57P01", DatabaseUnavailable), ("42501", StatementRefused)],
)
def test_who_submits_gets_one_clear_error_and_nothing_is_stored(
    harness: EngineHarness,
    refusals: Refusals,
    load: BackgroundLoad,
    state: str,
    error: type[Exception],
) -> None:
    refusals.on(state)
    before = harness.value("select count(*) from flowledger.event where topic = 'task.created'")

    with pytest.raises(error, match=rf"as the test wants it \(SQLSTATE {state}\)"):
        load.engine.submit(flow, {"number": 1})

    after = harness.value("select count(*) from flowledger.event where topic = 'task.created'")
    assert after == before
    refusals.off()
    load.submit(1)
    with load.under_fault(attempts=0):
        pass
    load.assert_everything_ends_once()


def test_a_lease_that_cannot_be_renewed_is_told_once_and_renewed_again(
    harness: EngineHarness, refusals: Refusals, caplog: pytest.LogCaptureFixture
) -> None:
    load = BackgroundLoad(harness, caplog)
    refusals.on("53100")
    worker = load.engine._service._worker
    assert worker is not None
    for _ in range(3):
        with pytest.raises(DatabaseBusy):
            worker[0].renew()
    refusals.off()
    assert worker[0].renew() > 0
    with load.under_fault(attempts=0):
        pass
    load.assert_everything_ends_once()


@pytest.mark.parametrize(
    ("limit", "state"),
    [
        ({"statement_timeout_seconds": 0.1}, "57014"),
        ({"lock_timeout_seconds": 0.1}, "55P03"),
    ],
    ids=["statement_timeout", "lock_timeout"],
)
def test_a_statement_that_waits_too_long_for_the_log_is_given_up_and_made_again(
    harness: EngineHarness, caplog: pytest.LogCaptureFixture, limit: dict[str, float], state: str
) -> None:
    load = BackgroundLoad(harness, caplog, **limit)
    with harness.connect() as holder, harness.connect() as application:
        with load.under_fault(attempts=2):
            holder.execute("select flowledger.lock_log()")
            load.submit(3, connection=application)
            application.commit()
        holder.rollback()

    load.assert_everything_ends_once()
    for loop in ("coordinator", "worker"):
        assert load.told(loop) == [BUSY, BACK]
        assert load.states(loop) == {state}


def test_of_a_deadlock_the_worker_is_the_victim_and_reports_again(
    harness: EngineHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody takes the locks in the wrong order: the log first, and then queue rows."""
    load = BackgroundLoad(harness, caplog)
    with harness.connect() as other:
        other.execute("set deadlock_timeout = '1 min'")
        with load.under_fault(attempts=0):
            other.execute("select flowledger.lock_log()")
        harness.until(lambda: harness.value(BLOCKED))
        other.execute("select from flowledger.queue for update")
        other.rollback()

    load.assert_everything_ends_once()
    assert load.told("worker") == [BUSY, BACK]
    assert load.states("worker") == {"40P01"}


def test_a_database_that_is_read_only_for_a_while_is_found_writable_again(
    harness: EngineHarness, load: BackgroundLoad
) -> None:
    """Sessions that were made meanwhile stay read-only for ever, and are not kept."""
    name: Any = harness.value("select current_database()")
    with load.under_fault():
        harness.rows(f"alter database {name} set default_transaction_read_only = on")
        harness.rows(CUT)
    assert load.engine.health["worker"].sqlstate == "25006"

    harness.rows(f"alter database {name} reset default_transaction_read_only")

    load.client = load.another("writer")
    load.tasks = [load.client.task(task.id) for task in load.tasks]
    load.assert_everything_ends_once()
    # A session that was cut while it was at work tells of that first.
    assert [told for told in load.told("worker") if told != LOST] == [BUSY, BACK]
