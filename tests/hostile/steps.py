"""What handlers do: results, checkpoints, heartbeats, exceptions, and what they leave behind."""

from __future__ import annotations

import asyncio
import contextvars
import decimal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
import psycopg
from hostile import oddities
from hostile.draw import Draw, Oddities
from hostile.invariants import require
from hostile.stage import PATIENCE, ManualCoordinator, awaited, ordinary, plain, stored
from psycopg.rows import dict_row

from flowledger.engine import InvalidResult, StepState, TaskHandle, TaskState
from flowledger.engine.client.step_results_and_errors import errors_in
from flowledger.handlers import StepContext

ENDS = {TaskState.COMPLETE, TaskState.ERROR}
_variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def ended(task: TaskHandle, draw: Draw, stage: ManualCoordinator) -> TaskState:
    """The task ends, in error at most, with an attempt or two; what is stored of it can be read."""
    state = task.wait(PATIENCE)
    require(state in ENDS, "a strange task ends", state)
    for name, step in task.steps().items():
        require(step.attempts <= 2, f"{name} is tried as often as its policy says", step)
    if all(
        step.state is not StepState.ERROR for name, step in task.steps().items() if name != "use"
    ):
        require(state is TaskState.COMPLETE, "what a step leaves can be read by the next", state)
    can_be_read(task, stage)
    return state


def can_be_read(task: TaskHandle, stage: ManualCoordinator) -> None:
    """By every function of the public schema that is asked about a task, and as JSON."""
    for function in ("task_events", "timeline", "task_summary", "task_execution_context"):
        query = f"select to_jsonb(t)::text from flowledger_v1.{function}(%s) t"  # noqa: S608
        for (text,) in stage.harness.rows(query, task.id):
            orjson.loads(text)


BEATS = 20
UNSTORABLE = frozenset(
    {
        "a null character",
        "half of a surrogate pair",
        "keys with a null character",
        "keys with half of a surrogate pair",
        "more levels than any reader takes",
    }
)
"""What no heartbeat may have in it."""

SAYING = ("result", "checkpoint", "heartbeat")


def said(draw: Draw, stage: ManualCoordinator) -> None:
    """A handler returns something, or says it in a checkpoint or a heartbeat."""
    value = oddities.json_like(draw)
    ways = [way for way in SAYING if draw.chance(0.5)] or ["result"]
    if draw.case.only:
        ways = list(SAYING)

    def handling(_: Any, step: StepContext) -> Any:
        refused: Exception | None = None
        for way in ways:
            try:
                if way != "result":
                    getattr(step, way)(value)
            except Exception as error:  # noqa: BLE001 - raised again, when all was said
                refused = error
        if "result" not in ways and refused is not None:
            raise refused
        return value if "result" in ways else None

    task = stage.planned(plain, str(draw.case), handling)
    if ended(task, draw, stage) is TaskState.ERROR:
        said = errors_in(task.history())["do"]
        require(
            said.startswith("InvalidResult: "), "what cannot be stored is refused as that", said
        )
        require(any(way in said for way in ways), "the refusal names where it was said", said)


def beats(draw: Draw, stage: ManualCoordinator) -> None:
    """A handler that goes on beating with something strange, and does not listen."""
    value = draw.odd({**oddities.TEXTS, **oddities.OBJECTS})

    refused: list[Exception] = []

    def handling(_: Any, step: StepContext) -> None:
        for _ in range(BEATS):
            try:
                step.heartbeat(value)
            except Exception as error:  # noqa: BLE001 - it does not listen
                refused.append(error)

    ended(stage.planned(plain, str(draw.case), handling), draw, stage)
    if draw.chosen[0] in UNSTORABLE:
        named = [error for error in refused if isinstance(error, InvalidResult)]
        require(len(named) == BEATS, "each beat that cannot be stored is refused", refused[:1])


class Odd(Exception):
    """An exception whose text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Sly(BaseException):
    """No Exception."""


def _chained(draw: Draw) -> BaseException:
    error: BaseException = ValueError("the last")
    for number in range(draw.one_of([10, 300])):
        later = ValueError(number)
        later.__cause__ = error
        error = later
    return error


EXCEPTIONS: Oddities = {
    "an exception with escape sequences": lambda _: ValueError(f"{oddities.ESCAPES}\nforged"),
    "an exception with a strange text": lambda draw: ValueError(draw.odd(oddities.TEXTS)),
    "an exception with a strange class": lambda draw: type(
        draw.one_of(["\x1b[31m", "a" * 5_000, "☃", "a\nb"]), (Exception,), {}
    )("no"),
    "an exception without a text": lambda _: Odd(),
    "an exception with an object": lambda _: KeyError(oddities.Raising()),
    "an exit": lambda draw: draw.one_of([SystemExit(0), SystemExit("\x1b"), KeyboardInterrupt()]),
    "an exception that is none": lambda draw: draw.one_of(
        [Sly(), GeneratorExit(), StopIteration()]
    ),
    "a group of exceptions": lambda _: ExceptionGroup(
        "two\n", [ValueError("\0"), TypeError("\x1b")]
    ),
    "a long chain of exceptions": _chained,
    "a cancellation": lambda _: asyncio.CancelledError(),
    "no memory": lambda _: MemoryError(),
    "no recursion": lambda _: RecursionError("maximum recursion depth exceeded"),
    "an exception with a password": lambda draw: ConnectionError(
        f"postgresql://ada:{draw.password()}@db/x"
    ),
    "an exception with attributes of other errors": lambda _: _with_response(),
}


def _with_response() -> Exception:
    error = ValueError("429")
    error.response = type("R", (), {"status_code": "\x1b", "headers": {"Retry-After": "-1e400"}})()  # type: ignore[attr-defined]
    error.retry_after = float("nan")  # type: ignore[attr-defined]
    return error


def raised(draw: Draw, stage: ManualCoordinator) -> None:
    """A handler raises something."""
    error = draw.odd(EXCEPTIONS)

    def handling(_: Any, __: Any) -> None:
        raise error

    async def coroutine(_: Any, __: Any) -> None:
        raise error

    if draw.chance(0.3):
        task = stage.planned(awaited, str(draw.case), coroutine)
    else:
        task = stage.planned(plain, str(draw.case), handling)
    state = ended(task, draw, stage)
    require(state is TaskState.ERROR, "what raises does not complete", state)


async def _exits(*_: Any) -> None:
    async def inner() -> None:
        await asyncio.sleep(0)
        sys.exit(1)

    await asyncio.ensure_future(inner())


async def _stops(*_: Any) -> None:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0)


async def _cancels(*_: Any) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def _leaves(*_: Any) -> None:
    asyncio.get_running_loop().create_task(_exits()).add_done_callback(lambda done: done.result())


async def _sets(*_: Any) -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0
    loop.set_exception_handler(lambda *_: sys.exit(1))
    loop.set_task_factory(None)


async def _closes(*_: Any) -> None:
    asyncio.get_running_loop().close()


COROUTINES: Oddities = {
    "a subtask that exits": lambda _: _exits,
    "a coroutine that stops the event loop": lambda _: _stops,
    "a coroutine that cancels itself": lambda _: _cancels,
    "a subtask that is left behind": lambda _: _leaves,
    "a coroutine that sets up the event loop": lambda _: _sets,
    "a coroutine that closes the event loop": lambda _: _closes,
}


def coroutine(draw: Draw, stage: ManualCoordinator) -> None:
    """A coroutine that harms its event loop harms itself only."""
    handling: Callable[..., Coroutine[Any, Any, Any]] = draw.odd(COROUTINES)
    neighbour = stage.engine.submit(ordinary, {"number": 1})
    ended(stage.planned(awaited, str(draw.case), handling), draw, stage)
    require(neighbour.wait(PATIENCE) is TaskState.COMPLETE, "its neighbours go on")


def _ends_session(_: Any, cursor: psycopg.Cursor[Any]) -> None:
    cursor.execute("select pg_terminate_backend(pg_backend_pid())")


def _closes_connection(_: Any, cursor: psycopg.Cursor[Any]) -> None:
    cursor.connection.close()


def _commits(_: Any, cursor: psycopg.Cursor[Any]) -> None:
    cursor.connection.commit()


def _breaks(_: Any, cursor: psycopg.Cursor[Any]) -> None:
    cursor.execute("select 1/0")


def _swallows(_: Any, cursor: psycopg.Cursor[Any]) -> None:
    try:
        cursor.execute("select 1/0")
    except psycopg.Error:
        return


def _leaves_settings(_: Any, cursor: psycopg.Cursor[Any]) -> None:
    cursor.connection.row_factory = dict_row
    cursor.connection.prepare_threshold = 0
    cursor.connection.adapters.register_loader("int4", psycopg.types.string.TextLoader)
    cursor.execute("set session statement_timeout = 1")


def _stores_null(_: Any, cursor: psycopg.Cursor[Any]) -> None:
    cursor.execute("select %s::text", ("a\0",))


TRANSACTIONS: Oddities = {
    "a transaction whose session ends": lambda _: _ends_session,
    "a transaction whose connection is closed": lambda _: _closes_connection,
    "a transaction that is committed": lambda _: _commits,
    "a statement that fails": lambda _: _breaks,
    "a statement that fails unseen": lambda _: _swallows,
    "settings left on a connection": lambda _: _leaves_settings,
    "a null character in a statement": lambda _: _stores_null,
}


def transaction(draw: Draw, stage: ManualCoordinator) -> None:
    """A transactional step that harms its transaction; the next one finds everything in order."""
    ended(stage.planned(stored, str(draw.case), draw.odd(TRANSACTIONS)), draw, stage)

    def looks(_: Any, cursor: psycopg.Cursor[Any]) -> list[Any]:
        (one,) = cursor.execute("select 1").fetchone() or (None,)
        (timeout,) = cursor.execute("show statement_timeout").fetchone() or (None,)
        return [one, timeout != "1ms"]

    after = stage.planned(stored, f"{draw.case} after", looks).result(PATIENCE)
    require(after == {"store": [1, True]}, "nothing is left for the next transaction", after)


def _own_variable(_: Any, __: Any) -> str:
    found = _variable.get()
    _variable.set("left behind")
    return found


def _own_precision(_: Any, __: Any) -> int:
    found = decimal.getcontext().prec
    decimal.getcontext().prec = 3
    return found


def _own_context(context: dict[str, Any], _: Any) -> bool:
    changed = "changed" in context
    context["changed"] = True
    if not changed and not context["case"].endswith("once"):
        raise ValueError("again")
    return changed


def _own_configuration(_: Any, step: StepContext) -> Any:
    headers: Any = step.config["headers"]
    found, headers["token"] = headers["token"], "mine"
    return found


REMNANTS: dict[str, tuple[Callable[..., Any], Any]] = {
    "a context variable left behind": (_own_variable, "unset"),
    "a decimal precision left behind": (_own_precision, 28),
    "a configuration that is changed": (_own_configuration, "none"),
}


def remnant(draw: Draw, stage: ManualCoordinator) -> None:
    """What a call changes is not there in the next: of another task, or of another attempt."""
    pool: Oddities = {label: lambda _, found=found: found for label, found in REMNANTS.items()}
    pool = {**pool, "a context that is changed": lambda _: (_own_context, None)}
    handling, fresh = draw.odd(pool)
    for sort_key in ("first", "second"):
        task = stage.planned(plain, f"{draw.case} {sort_key}", handling)
        if fresh is None:
            require(ended(task, draw, stage) is TaskState.ERROR, "an attempt has its own context")
        else:
            found = task.result(PATIENCE)
            require(found == {"do": fresh, "use": None}, "nothing is left by another call", found)


def waits_for_another(draw: Draw, stage: ManualCoordinator) -> None:
    """A handler submits a task to its own engine, and waits for it."""
    draw.odd({"a step that waits for a task": lambda _: None})

    def handling(_: Any, __: Any) -> Any:
        return dict(stage.engine.submit(ordinary, {"number": 1}).result(PATIENCE))

    state = ended(stage.planned(plain, str(draw.case), handling), draw, stage)
    require(state is TaskState.COMPLETE, "a step may wait for a task", state)
