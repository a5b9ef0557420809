"""Transactional steps: what the handler writes is there exactly where its completion is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
from psycopg import Cursor, sql

from flowledger.engine import Engine, TaskNotCompleted, TaskState
from flowledger.engine.events.step import StepAttemptFailed
from flowledger.handlers import Retry, StepContext, Workflow
from support.engines import PATIENCE, EngineHarness, kinds, of_kind

ONCE = Retry(max_attempts=1)
AGAIN = Retry(max_attempts=2, backoff="none")
WRITE = "insert into written values (%s, %s)"
OPEN = (
    "select count(*) from pg_stat_activity"
    " where datname = current_database() and state = 'idle in transaction'"
)
SESSION = (
    "select current_setting('work_mem') = '1234kB', to_regclass('pg_temp.left_over'),"
    " (select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory')"
)

orders = Workflow("transactions", "orders", version="1")
failing = Workflow("transactions", "failing", version="1")
ending = Workflow("transactions", "ending", version="1")
slow = Workflow("transactions", "slow", version="1")
crowd = Workflow("transactions", "crowd", version="1")
untidy = Workflow("transactions", "untidy", version="1")
deferring = Workflow("transactions", "deferring", version="1")

entered: dict[int, Event] = defaultdict(Event)
released: dict[int, Event] = defaultdict(Event)
sessions: list[Any] = []


@orders.step(transactional=True)
def reserve(context: dict[str, Any], cursor: Cursor) -> int:
    cursor.execute(WRITE, (context["order"], "reserved"))
    with cursor.connection.transaction():
        cursor.execute(WRITE, (context["order"], "also"))
    cursor.execute("savepoint here")
    cursor.execute(WRITE, (context["order"], "not this"))
    cursor.execute("rollback to savepoint here")
    return context["order"] + 1


@orders.step(after=[reserve], transactional=True)
def ship(reserve: int, context: dict[str, Any], cursor: Cursor[Any], step: StepContext) -> int:
    cursor.execute(WRITE, (context["order"], step.step))
    return reserve + 1


@failing.step(transactional=True, retry=AGAIN)
def fails_once(context: dict[str, Any], cursor: Cursor, step: StepContext) -> None:
    cursor.execute(WRITE, (context["order"], f"attempt {step.attempt}"))
    if step.attempt == 1:
        raise ConnectionError("after it has written")


@failing.step(transactional=True, retry=ONCE)
def returns_no_json(context: dict[str, Any], cursor: Cursor) -> Any:
    cursor.execute(WRITE, (context["order"], "no json"))
    return object()


def commits(cursor: Cursor) -> None:
    cursor.connection.commit()


def rolls_back(cursor: Cursor) -> None:
    cursor.connection.rollback()


def executes_commit(cursor: Cursor) -> None:
    cursor.execute("-- now\n /* really */ commit")


def executes_composed_rollback(cursor: Cursor) -> None:
    cursor.execute(sql.SQL("rollback"))


def commits_behind_a_statement(cursor: Cursor) -> None:
    cursor.execute(b"select 1; commit; begin", prepare=False)


ENDINGS: dict[str, Callable[[Cursor], None]] = {
    end.__name__: end
    for end in (
        commits, rolls_back, executes_commit, executes_composed_rollback,
        commits_behind_a_statement,
    )
}  # fmt: skip


@ending.step(transactional=True, retry=AGAIN)
def ends_it(context: dict[str, Any], cursor: Cursor) -> None:
    cursor.execute("insert into written values (0, %s)", (context["how"],))
    ENDINGS[context["how"]](cursor)


@slow.step(transactional=True, timeout=60, retry=AGAIN)
def is_slow(context: dict[str, Any], cursor: Cursor, step: StepContext) -> int:
    cursor.execute(WRITE, (context["order"], f"attempt {step.attempt}"))
    entered[step.attempt].set()
    assert released[step.attempt].wait(PATIENCE)
    return step.attempt


@crowd.step(transactional=True, retry=ONCE)
def in_a_crowd(context: dict[str, Any], cursor: Cursor) -> None:
    cursor.execute(WRITE, (context["order"], "crowd"))


@untidy.step(transactional=True, retry=ONCE)
def leaves_things(cursor: Cursor) -> None:
    cursor.execute("set work_mem = '1234kB'")
    cursor.execute("create temp table left_over (number int)")
    cursor.execute("select pg_advisory_lock(7)")


@untidy.step(after=[leaves_things], transactional=True, retry=ONCE)
def finds_nothing(cursor: Cursor) -> None:
    sessions.append(cursor.execute(SESSION).fetchone())


@deferring.step(transactional=True, retry=ONCE)
def defers(context: dict[str, Any], cursor: Cursor) -> None:
    cursor.execute("insert into deferred values (%s)", (context["order"],))


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    shared_harness.rows("create table written (number int, what text)")
    flows = (orders, failing, ending, slow, crowd, untidy, deferring)
    return shared_harness.open(*flows, worker={"transactional_connections": 2})


@pytest.fixture
def written(shared_harness: EngineHarness, engine: Engine) -> Callable[[int], list[str]]:
    """What was written for an order."""
    query = "select what from written where number = %s"
    return lambda order: [what for (what,) in shared_harness.rows(query, order)]


def test_the_rows_are_committed_with_the_completion(
    engine: Engine, written: Callable[[int], list[str]]
) -> None:
    task = engine.submit(orders, {"order": 1})

    assert task.result(PATIENCE) == {"reserve": 2, "ship": 3}
    assert written(1) == ["reserved", "also", "ship"]
    assert kinds(task.history(), "reserve") == ["StepEnqueued", "StepStarted", "StepCompleted"]


def test_an_attempt_that_fails_leaves_no_row(
    engine: Engine, written: Callable[[int], list[str]]
) -> None:
    task = engine.submit(failing, {"order": 2})

    assert task.wait(PATIENCE) is TaskState.ERROR
    assert written(2) == ["attempt 2"]
    said = {event.step: event.error.message for event in of_kind(task.history(), StepAttemptFailed)}
    assert said["fails_once"] == "after it has written"
    assert "returns_no_json" in said["returns_no_json"]


@pytest.mark.parametrize("how", ENDINGS)
def test_a_handler_may_not_end_its_transaction(
    engine: Engine, written: Callable[[int], list[str]], how: str
) -> None:
    """Where it does so behind our back, its rows are there, and the step fails for good."""
    task = engine.submit(ending, {"how": how})

    with pytest.raises(
        TaskNotCompleted, match="the handler of step 'ends_it' ended the transaction"
    ):
        task.result(PATIENCE)

    (failed,) = of_kind(task.history(), StepAttemptFailed)
    assert (failed.error.error_class, failed.error.retryable) == ("TransactionEnded", False)
    assert (how in written(0)) is (how == "commits_behind_a_statement")


def test_an_attempt_that_was_given_up_commits_nothing(
    engine: Engine, shared_harness: EngineHarness, written: Callable[[int], list[str]]
) -> None:
    """The late attempt ends while the next one runs, in the same worker."""
    task = engine.submit(slow, {"order": 3})
    assert entered[1].wait(PATIENCE)
    timer = "select count(*) from flowledger.timer where task_id = %s"
    shared_harness.until(lambda: shared_harness.value(timer, task.id))
    shared_harness.move_clock("61 seconds")
    assert entered[2].wait(PATIENCE)
    shared_harness.until(lambda: shared_harness.value(OPEN) == 2)  # others may be just ending

    released[1].set()
    shared_harness.until(lambda: shared_harness.value(OPEN) == 1)
    released[2].set()

    assert task.result(PATIENCE) == {"is_slow": 2}
    assert written(3) == ["attempt 2"]
    assert kinds(task.history(), "is_slow").count("StepCompleted") == 1


def test_more_steps_than_connections_wait_for_their_turn(
    engine: Engine, written: Callable[[int], list[str]]
) -> None:
    tasks = engine.submit_many(crowd, [{"order": 100 + number} for number in range(40)])

    for number, task in enumerate(tasks):
        assert task.wait(PATIENCE) is TaskState.COMPLETE
        assert written(100 + number) == ["crowd"]


def test_a_session_is_clean_for_the_next_handler(harness: EngineHarness) -> None:
    engine = harness.open(untidy, worker={"transactional_connections": 1})

    assert engine.submit(untidy, {}).wait(PATIENCE) is TaskState.COMPLETE

    assert sessions == [(False, None, 0)]


def test_what_is_deferred_to_the_commit_runs_before_the_log_is_locked(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    """The trigger says whether somebody holds the log's lock; it would be this very session."""
    shared_harness.rows(
        "create table deferred (number int); create table locks (held bigint);"
        " create function look() returns trigger language plpgsql as"
        " $$ begin insert into locks select count(*) from pg_locks where pid = pg_backend_pid()"
        " and locktype = 'advisory'; return null; end $$;"
        " create constraint trigger later after insert on deferred deferrable initially deferred"
        " for each row execute function look()"
    )

    assert engine.submit(deferring, {"order": 1}).wait(PATIENCE) is TaskState.COMPLETE

    assert shared_harness.value("select held from locks") == 0


def test_a_deferred_constraint_that_does_not_hold_is_the_steps_error(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    shared_harness.rows(
        "alter table deferred add constraint one unique (number) deferrable initially deferred;"
        " insert into deferred values (9)"
    )
    task = engine.submit(deferring, {"order": 9})

    with pytest.raises(TaskNotCompleted, match="unique constraint"):
        task.result(PATIENCE)
