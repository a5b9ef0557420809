"""A database that says nothing and does not hang up: every call of a client ends in time.

All calls of one kind are made at once, each in a thread and on a session of its own that was open
before, and what became of each is looked at afterwards.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest

from flowledger.engine import AsyncEngine, AsyncTaskHandle, Engine, TaskHandle
from flowledger.engine.errors import DatabaseSilent, MaybeStored, TaskUnfinished
from flowledger.engine.ports.patience import GRACE_SECONDS
from flowledger.engine.ports.projection_admin import Rebuild
from flowledger.handlers import Workflow
from support.background_load import BackgroundLoad
from support.cli import Command
from support.engines import PATIENCE, EngineHarness, harness_on
from support.postgres_server import PostgresServer, copied_server

ANSWER, TIMEOUT, SPARE = 1.0, 3.0, 2.0
"""Seconds: the limit of an answer, what callers give, and for a busy machine."""
HANGS = 20.0
"""Seconds after which the server goes on, so that what would wait for ever ends too."""
NAME = "silenced"
REQUESTS = "select count(*) from flowledger.event where topic = 'task.cancel_requested'"
WAITS = "select count(*) from pg_locks where not granted"
WORD = {"actor": "ada", "reason": "why"}

flow = Workflow("silent", "flow", version="1")


@flow.step
def only(context: dict[str, Any]) -> int:
    return context["number"]


unknown = Workflow("silent", "unknown", version="1")
unknown.step(only)


@dataclass(frozen=True)
class Client:
    """An engine without a role, and a task of it."""

    engine: Engine
    task: TaskHandle

    @property
    def asyncio(self) -> AsyncEngine:
        return AsyncEngine(self.engine)

    def awaited(self, of: Callable[[AsyncTaskHandle], Awaitable[Any]]) -> Any:
        async def call() -> Any:
            return await of(self.asyncio.task(self.task.id))

        return asyncio.run(call())


@dataclass(frozen=True)
class Outcome:
    seconds: float
    error: Exception | None


Call = Callable[[Client], object]

PLAIN: Mapping[str, Call] = MappingProxyType(
    {
        "state": lambda client: client.task.state,
        "paused": lambda client: client.task.paused,
        "wait for ever": lambda client: client.task.wait(),
        "history": lambda client: client.task.history(),
        "steps": lambda client: client.task.steps(),
        "step status": lambda client: client.task.step("only").status,
        "progress": lambda client: client.task.progress(),
        "explain": lambda client: client.task.explain(),
        "tasks": lambda client: client.engine.tasks(),
        "health_report": lambda client: client.engine.health_report(),
        "register": lambda client: client.engine.register(unknown),
        "pause_template": lambda client: client.engine.pause_template("silent/flow@1", **WORD),
        "annotate": lambda client: client.task.annotate("kind", 1, actor="ada"),
        "tag": lambda client: client.task.tag("red", actor="ada"),
        "cancel without waiting": lambda client: client.task.cancel(timeout=0, **WORD),
        "projections": lambda client: client.engine.projections.list(),
        "projection status": lambda client: client.engine.projections.status("one"),
        "projection pause": lambda client: client.engine.projections.pause("one", **WORD),
        "projection head": lambda client: client.engine.projections.wait_for("one"),
        "awaited state": lambda client: client.awaited(lambda task: task.state()),
        "awaited history": lambda client: client.awaited(lambda task: task.history()),
    }
)
WRITES: Mapping[str, Call] = MappingProxyType(
    {
        "submit": lambda client: client.engine.submit(flow, {"number": 2}),
        "submit_many": lambda client: client.engine.submit_many(flow, [{"number": 3}] * 2),
        "awaited submit": lambda client: asyncio.run(client.asyncio.submit(flow, {"number": 4})),
    }
)
TIMED: Mapping[str, Call] = MappingProxyType(
    {
        "wait": lambda client: client.task.wait(TIMEOUT),
        "result": lambda client: client.task.result(TIMEOUT),
        "cancel": lambda client: client.task.cancel(timeout=TIMEOUT, **WORD),
        "cancel_many": lambda client: client.engine.cancel_many(
            [client.task.id], timeout=TIMEOUT, **WORD
        ),
        "skip": lambda client: client.task.step("only").skip(timeout=TIMEOUT, **WORD),
        "wait_for": lambda client: client.engine.projections.wait_for("one", timeout=TIMEOUT),
        "wait_for_rebuild": lambda client: client.engine.projections.wait_for_rebuild(
            Rebuild("one", "generation", 2), TIMEOUT
        ),
        "awaited wait": lambda client: client.awaited(lambda task: task.wait(TIMEOUT)),
        "awaited result": lambda client: client.awaited(lambda task: task.result(TIMEOUT)),
        "awaited cancel": lambda client: client.awaited(
            lambda task: task.cancel(timeout=TIMEOUT, **WORD)
        ),
        "awaited wait_for": lambda client: asyncio.run(
            client.asyncio.projections.wait_for("one", timeout=TIMEOUT)
        ),
    }
)
AT_ONCE: Mapping[str, Call] = MappingProxyType(
    {
        "wait(0)": lambda client: client.task.wait(0),
        "result(0)": lambda client: client.task.result(0),
        "awaited wait(0)": lambda client: client.awaited(lambda task: task.wait(0)),
    }
)


def client_of(harness: EngineHarness, sessions: int, **database: Any) -> Client:
    """A client that has so many sessions open."""
    sizes = {"pool_min_size": sessions, "pool_max_size": sessions}
    engine = harness.open(roles=(), database={**sizes, "connect_timeout_seconds": 2.0, **database})
    return Client(engine, engine.submit(flow, {"number": 1}))


@contextmanager
def silence(server: PostgresServer) -> Generator[None]:
    """Within the block the server says nothing."""
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


def outcome_of(call: Call, client: Client) -> Outcome:
    began, error = monotonic(), None
    try:
        call(client)
    except Exception as raised:  # noqa: BLE001 - it is looked at later
        error = raised
    return Outcome(monotonic() - began, error)


@dataclass(frozen=True)
class Silenced:
    """What became of calls to a server that said nothing, and the lab on it, which goes on."""

    harness: EngineHarness
    clients: tuple[Client, Client]
    outcomes: Mapping[str, Outcome]
    threads_left: list[str]


@pytest.fixture(scope="module")
def silenced(migrated_home: Path) -> Generator[Silenced]:
    with copied_server(migrated_home) as server, harness_on(server.url) as harness:
        names = {"application_name": NAME}
        short = client_of(harness, len(PLAIN) + len(WRITES), answer_timeout_seconds=ANSWER, **names)
        asked = client_of(harness, len(TIMED) + len(AT_ONCE), **names)
        calls = [(PLAIN, short), (WRITES, short), (TIMED, asked), (AT_ONCE, asked)]
        before = set(threading.enumerate())
        with ThreadPoolExecutor(sum(len(kind) for kind, _ in calls)) as threads:
            with silence(server):
                futures = {
                    name: threads.submit(outcome_of, call, client)
                    for kind, client in calls
                    for name, call in kind.items()
                }
                hanging = wait(futures.values(), HANGS).not_done
            for client in (short, asked) if hanging else ():
                client.engine.close()
        outcomes = {name: future.result() for name, future in futures.items()}
        left = [thread.name for thread in threading.enumerate() if thread not in before]
        yield Silenced(harness, (short, asked), outcomes, left)


@pytest.mark.parametrize("name", PLAIN)
def test_a_question_ends_with_the_limit_of_an_answer(silenced: Silenced, name: str) -> None:
    outcome = silenced.outcomes[name]

    assert isinstance(outcome.error, DatabaseSilent), outcome
    assert outcome.seconds < ANSWER + SPARE, outcome


@pytest.mark.parametrize("name", WRITES)
def test_a_submission_ends_with_it_and_says_how_to_ask_again(silenced: Silenced, name: str) -> None:
    outcome = silenced.outcomes[name]

    assert isinstance(outcome.error, MaybeStored), outcome
    assert "has not answered for" in str(outcome.error)
    assert outcome.seconds < ANSWER + SPARE, outcome


@pytest.mark.parametrize("name", TIMED)
def test_a_call_with_a_timeout_ends_with_it(silenced: Silenced, name: str) -> None:
    outcome = silenced.outcomes[name]

    assert isinstance(outcome.error, DatabaseSilent), outcome
    assert isinstance(outcome.error, TimeoutError)
    assert TIMEOUT - 0.1 < outcome.seconds < TIMEOUT + SPARE, outcome


@pytest.mark.parametrize("name", AT_ONCE)
def test_a_call_that_must_not_wait_gives_the_answer_its_grace(
    silenced: Silenced, name: str
) -> None:
    outcome = silenced.outcomes[name]

    assert isinstance(outcome.error, DatabaseSilent), outcome
    assert outcome.seconds < GRACE_SECONDS + SPARE, outcome


def test_the_same_engine_goes_on_and_what_may_be_stored_is_stored_once(silenced: Silenced) -> None:
    client, harness = silenced.clients[0], silenced.harness
    error = silenced.outcomes["submit_many"].error
    assert isinstance(error, MaybeStored)

    tasks = client.engine.submit_many(flow, [{"number": 3}] * 2, task_ids=error.task_ids)
    harness.open(flow)

    assert [task.result(PATIENCE)["only"] for task in tasks] == [3, 3]
    assert client.task.result(PATIENCE)["only"] == 1
    ids = list(error.task_ids)
    created = "select count(*) from flowledger.event where topic = 'task.created'"
    assert harness.value(f"{created} and task_id = any(%s)", ids) == len(ids)


def test_no_thread_is_left_and_no_session_of_an_engine_that_is_closed(silenced: Silenced) -> None:
    """The last of those that share the server."""
    sessions = "select count(*) from pg_stat_activity where application_name = %s"
    assert silenced.threads_left == []

    for client in silenced.clients:
        client.engine.close()

    silenced.harness.until(lambda: silenced.harness.value(sessions, NAME) == 0)


def test_who_waited_already_ends_in_time_or_is_told_when_the_server_goes_on(
    postgres_server: PostgresServer,
) -> None:
    with harness_on(postgres_server.url) as harness, ThreadPoolExecutor() as threads:
        client = client_of(harness, 2, answer_timeout_seconds=ANSWER)
        ended = threading.Event()
        with client.task.on_end(ended.set):
            waiting = threads.submit(outcome_of, lambda it: it.task.wait(TIMEOUT), client)
            harness.until(lambda: sum(map(len, client.engine._endings._waiting.values())) == 2)
            with silence(postgres_server):
                outcome = waiting.result(HANGS)
            assert not client.engine.health["endings"].ok
            harness.open(flow)

            assert ended.wait(PATIENCE)
        assert isinstance(outcome.error, TaskUnfinished)
        assert outcome.seconds < TIMEOUT + SPARE


@pytest.mark.parametrize("awaited", [False, True], ids=["plain", "awaited"])
def test_who_has_asked_and_cannot_look_for_the_answer_is_told_how_to_ask_again(
    postgres_server: PostgresServer, *, awaited: bool
) -> None:
    with harness_on(postgres_server.url) as harness, ThreadPoolExecutor() as threads:
        client = client_of(harness, 2)
        with harness.open(flow):
            client.task.wait(PATIENCE)
        call = TIMED["awaited cancel"] if awaited else TIMED["cancel"]
        asked = threads.submit(outcome_of, call, client)
        harness.until(lambda: harness.value(REQUESTS) == 1)
        harness.until(lambda: client.engine._endings._waiting)
        with silence(postgres_server):
            outcome = asked.result(HANGS)
        assert isinstance(outcome.error, MaybeStored), outcome
        assert outcome.seconds < TIMEOUT + GRACE_SECONDS + SPARE

        again = client.task.cancel(timeout=0, key=outcome.error.key, **WORD)

        assert again.key == outcome.error.key
        assert harness.value(REQUESTS) == 1


def test_loops_that_a_silent_server_held_go_on_without_it_and_lose_nothing(
    postgres_server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    with harness_on(postgres_server.url) as harness:
        limits = {"statement_timeout_seconds": 1.0, "connect_timeout_seconds": 2.0}
        load = BackgroundLoad(harness, caplog, **limits)
        with silence(postgres_server), load.under_fault(attempts=1):
            pass

        load.assert_everything_ends_once()


def test_verify_has_the_time_that_a_question_has_not(harness: EngineHarness) -> None:
    client = client_of(harness, 2, answer_timeout_seconds=0.2)
    blocker = harness.connect()
    blocker.execute("lock table flowledger.event, flowledger.task in access exclusive mode")
    with ThreadPoolExecutor() as threads:
        verified = threads.submit(lambda: list(client.engine.verify(client.task.id)))
        harness.until(lambda: harness.value(WAITS) > 0)
        with pytest.raises(DatabaseSilent):
            _ = client.task.state
        assert not verified.done()

        blocker.rollback()

        assert verified.result(PATIENCE) == []


@pytest.fixture
def frozen(postgres_server: PostgresServer, tmp_path: Path) -> Generator[Command]:
    """The command, on a server that says nothing."""
    with ExitStack() as opened:
        command = Command(postgres_server.url, tmp_path, opened)
        command.environment["FLOWLEDGER_DATABASE__CONNECT_TIMEOUT_SECONDS"] = "2"
        opened.enter_context(silence(postgres_server))
        yield command


@pytest.mark.parametrize(
    "arguments",
    [
        ("health",),
        ("status", str(UUID(int=1))),
        ("tasks", "list"),
        ("db", "check"),
        ("verify", "--all"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_ends_with_a_sentence(frozen: Command, arguments: tuple[str, ...]) -> None:
    began = monotonic()

    done = frozen(*arguments)

    assert done.code == 2
    assert re.fullmatch(r"error: .* cannot be reached: .*timeout.*\n", done.error)
    assert monotonic() - began < 2 + 2 * SPARE
