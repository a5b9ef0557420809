"""Connections that are cut: in the middle of a run, of a listener, and after a commit."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from time import monotonic
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from flowledger.engine import DatabaseUnavailable, Engine, TaskState
from flowledger.engine.bootstrap import engine_pool
from flowledger.engine.events.base import StepEvent
from flowledger.engine.ports.coordinator import Commit
from flowledger.engine.ports.worker import Claim, Exchange
from flowledger.engine.runtime.coordinator.coordinator import Coordinator
from flowledger.engine.runtime.worker.executor import HandlerExecutor
from flowledger.engine.runtime.worker.handler_table import HandlerTable
from flowledger.engine.runtime.worker.worker import Worker
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.coordinator_store import PostgresCoordinatorStore
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.notifications import ProcessWakeup
from flowledger.engine.store.transactional_steps import PostgresTransactions
from flowledger.engine.store.uuid_generator import Identifiers
from flowledger.engine.store.worker_store import PostgresWorkerStore
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness, assert_legal_order, completions, kinds

QUICK = {"reconnect_initial_seconds": 0.01, "reconnect_cap_seconds": 0.05}
CUT = (
    "select count(pg_terminate_backend(pid)) from pg_stat_activity"
    " where datname = current_database() and application_name = 'flowledger'"
)

flow = Workflow("cut", "flow", version="1")


@flow.step
def first(context: dict[str, Any]) -> int:
    return context["number"]


@flow.step(after=[first])
def second(first: int) -> int:
    return first + 1


def test_whenever_connections_are_cut_everything_completes_once(harness: EngineHarness) -> None:
    engine = harness.open(flow, database=QUICK, worker={"concurrency": 2})
    client = harness.open(roles=(), database={"application_name": "client"})
    tasks = client.submit_many(flow, [{"number": number} for number in range(100)])

    for enough in range(10, 200, 45):
        harness.until(lambda enough=enough: len(completions(harness)) >= enough)  # type: ignore[misc]
        harness.until(lambda: harness.value(CUT))  # it may be just about to connect again

    for number, task in enumerate(tasks):
        assert task.wait(PATIENCE) is TaskState.COMPLETE
        assert task.result()["second"] == number + 1
    assert set(completions(harness).values()) == {1}
    assert engine.submit(flow, {"number": 7}).result(PATIENCE)["second"] == 8


@pytest.fixture
def refuse_connections(harness: EngineHarness, server: str) -> Generator[Callable[[bool], None]]:
    """Lets nobody connect to this test's database any more; whoever is connected stays."""
    name = harness.value("select current_database()")

    def refuse(yes: bool) -> None:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f"alter database {name} allow_connections {not yes}".encode())

    yield refuse
    refuse(False)


def test_what_was_committed_while_nobody_could_listen_is_found_on_reconnecting(
    harness: EngineHarness, refuse_connections: Callable[[bool], None]
) -> None:
    """The poll is ten minutes: only the reconnected listener can have rung."""
    harness.open(
        flow,
        coordinator={"poll_seconds": 600.0, "lease_seconds": 36_000.0},
        worker={"poll_seconds": 600.0},
        database=QUICK,
    )
    client = harness.open(roles=(), database={"application_name": "client"})
    client.submit(flow, {"number": 1}).result(PATIENCE)
    refuse_connections(True)
    listeners = (
        "select count(pg_terminate_backend(pid)) from pg_stat_activity"
        " where datname = current_database() and application_name = 'flowledger'"
        " and query like 'listen%%'"
    )
    assert harness.value(listeners) > 0
    gone = listeners.replace("pg_terminate_backend(pid)", "*")
    while harness.value(gone):
        pass
    task = client.submit(flow, {"number": 2})
    assert kinds(task.history()) == ["TaskCreated"]

    refuse_connections(False)

    assert task.result(PATIENCE)["second"] == 3


def test_without_any_listener_no_task_waits_longer_than_the_poll(
    harness: EngineHarness, refuse_connections: Callable[[bool], None]
) -> None:
    harness.open(flow, coordinator={"poll_seconds": 0.1}, worker={"poll_seconds": 0.1})
    client = harness.open(roles=(), database={"application_name": "client"})
    client.submit(flow, {"number": 1}).result(PATIENCE)
    refuse_connections(True)
    harness.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and query like 'listen%%'"
    )

    task = client.submit(flow, {"number": 2})

    assert task.result(PATIENCE)["second"] == 3


class Answers:
    """Loses answers: what was asked for is done, and the caller hears that it was cut off."""

    def __init__(self) -> None:
        self.victim = ""
        self.losses = 0
        self._lost_last = False

    def lost(self, victim: str) -> bool:
        """Every other answer, so that the attempt after a lost one gets through."""
        self._lost_last = victim == self.victim and not self._lost_last
        self.losses += self._lost_last
        return self._lost_last


class ForgetfulLedger(PostgresCoordinatorStore):
    """Commits, and says that it was cut off."""

    answers: Answers

    def commit(self, commit: Commit) -> None:
        super().commit(commit)
        if self.answers.lost("coordinator"):
            raise DatabaseUnavailable("cut off after the commit")


class ForgetfulBoard(PostgresWorkerStore):
    """Exchanges, and says that it was cut off; `late`, it exchanges when it is told to `arrive`."""

    answers: Answers
    arrive: Callable[[], Exchange] | None = None

    def exchange(
        self,
        worker: Any,
        facts: Sequence[StepEvent],
        templates: Any,
        limit: int,
        **how: Any,
    ) -> Exchange:
        exchange = partial(super().exchange, worker, facts, templates, limit, **how)
        if self.answers.victim == "late" and self.arrive is None:
            self.arrive = exchange
            raise DatabaseUnavailable("cut off, and still on its way")
        found = exchange()
        if (facts or found.claims) and self.answers.lost("worker"):
            raise DatabaseUnavailable("cut off after the commit")
        return found

    def claims_of(self, worker: Any) -> Sequence[Claim]:
        if self.answers.victim == "look":
            raise DatabaseUnavailable("cut off")
        return super().claims_of(worker)


class Loops:
    """A coordinator and a worker, stepped by hand, whose store loses answers."""

    def __init__(
        self,
        harness: EngineHarness,
        opened: ExitStack,
        elapsed: Callable[[], float] = monotonic,
        **worker: Any,
    ) -> None:
        settings = harness.settings(worker=worker)
        pool = opened.enter_context(engine_pool(harness.url, settings))
        mapper, clock = EventMapper(), DatabaseClock()
        self.answers = Answers()
        ledger = ForgetfulLedger(pool, mapper, clock, 60)
        self.board = board = ForgetfulBoard(pool, mapper, clock)
        ledger.answers = board.answers = self.answers
        self.wakeup = ProcessWakeup()
        transactions = PostgresTransactions(harness.url, pool, mapper, settings)
        opened.callback(transactions.close)
        self.coordinator = Coordinator(
            store=ledger,
            clock=clock,
            notify=lambda _: None,
            identity=uuid4(),
            settings=settings.coordinator,
        )
        self.worker = Worker(
            store=board,
            handlers=HandlerTable([flow]),
            executor=partial(HandlerExecutor, transactions=transactions),
            clock=clock,
            new_id=Identifiers().new,
            wakeup=self.wakeup,
            notify=lambda _: None,
            settings=settings.worker,
            limbo_seconds=60.0,
            elapsed=elapsed,
        )
        opened.callback(self.worker.close)

    def run(self, ended: Callable[[], bool]) -> None:
        self.worker.renew()
        until = monotonic() + PATIENCE
        while not ended():
            assert monotonic() < until, "it did not come to its end"
            for loop in (self.coordinator, self.worker):
                with suppress(DatabaseUnavailable):
                    loop.step()
            if self.worker.busy:
                self.wakeup.wait(0.1)


@pytest.fixture
def loops(harness: EngineHarness) -> Generator[Loops]:
    with ExitStack() as opened:
        yield Loops(harness, opened)


@pytest.fixture
def client(harness: EngineHarness) -> Engine:
    return harness.open(flow, roles=())


@pytest.mark.parametrize("victim", ["coordinator", "worker"])
def test_what_was_committed_before_the_connection_was_cut_is_not_done_twice(
    harness: EngineHarness, client: Engine, loops: Loops, victim: str
) -> None:
    """Every other answer is lost; each loss is found out, and nothing is doubled."""
    loops.answers.victim = victim
    tasks = client.submit_many(flow, [{"number": number} for number in range(5)])

    loops.run(lambda: all(task.state is TaskState.COMPLETE for task in tasks))

    assert loops.answers.losses >= 2
    assert set(completions(harness).values()) == {1}
    for task in tasks:
        assert_legal_order(task.history(), flow.template)
        assert kinds(task.history(), "second") == ["StepEnqueued", "StepStarted", "StepCompleted"]


def cut_off(
    harness: EngineHarness, client: Engine, loops: Loops, meanwhile: Callable[[], object]
) -> list[Any]:
    """Two tasks; an exchange for one is cut off, and arrives after the other was claimed."""
    tasks = client.submit_many(flow, [{"number": number} for number in range(2)])
    loops.coordinator.step()
    loops.worker.renew()
    loops.answers.victim = "late"
    with pytest.raises(DatabaseUnavailable):
        loops.worker.step()
    meanwhile()
    loops.worker.renew()
    loops.worker.step()
    assert loops.board.arrive
    assert loops.board.arrive().claims
    return tasks


def test_claims_that_arrive_late_are_run_also_when_the_clock_was_moved_meanwhile(
    harness: EngineHarness, client: Engine
) -> None:
    with ExitStack() as opened:
        loops = Loops(harness, opened, concurrency=1, poll_seconds=0.05)
        tasks = cut_off(harness, client, loops, lambda: harness.move_clock("2 minutes"))

        loops.run(lambda: all(task.state is TaskState.COMPLETE for task in tasks))

    assert set(completions(harness).values()) == {1}


def test_the_last_look_for_late_claims_is_made_again_where_it_fails(
    harness: EngineHarness, client: Engine
) -> None:
    with ExitStack() as opened:
        seconds = [0.0]
        loops = Loops(harness, opened, lambda: seconds[0], concurrency=1)
        tasks = cut_off(harness, client, loops, lambda: None)
        seconds[0] = 61.0
        loops.answers.victim = "look"
        with pytest.raises(DatabaseUnavailable):
            loops.worker.step()
        loops.answers.victim = ""

        loops.run(lambda: all(task.state is TaskState.COMPLETE for task in tasks))

    assert set(completions(harness).values()) == {1}
