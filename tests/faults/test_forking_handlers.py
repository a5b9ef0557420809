"""Steps that fork: the child ends where it leaves the handler, and the parent alone goes on."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import pytest
from psycopg import Cursor

from flowledger.engine.events.step import StepAttemptFailed, StepCompleted
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness, of_kind
from support.forks import Fork, fork

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")

forking = Workflow("forks", "forking", version="1")


def leave(fork: Fork, how: str) -> int:
    """The parent waits for the child, which leaves the handler."""
    if not fork.is_me:
        return fork.exit_code()
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stderr__.fileno() if sys.__stderr__ else 2)
    match how:
        case "returns":
            return 0
        case "raises":
            raise ValueError(how)
        case _:
            sys.exit(int(how))


@forking.step
def returns() -> int:
    return leave(fork(), "returns")


@forking.step
def raises() -> int:
    return leave(fork(), "raises")


@forking.step
def exits() -> int:
    return leave(fork(), "5")


@forking.step(transactional=True)
def in_transaction(cursor: Cursor[Any]) -> int:
    made = fork()
    if made.is_me:
        return 0
    code = made.exit_code()
    (number,) = cursor.execute("select 7").fetchone() or (0,)
    return code + int(number)


@forking.step
async def coroutine_returns() -> int:
    made = fork()
    return leave(made, "returns") if made.is_me else await asyncio.to_thread(made.exit_code)


@forking.step
async def coroutine_exits() -> int:
    made = fork()
    return leave(made, "6") if made.is_me else await asyncio.to_thread(made.exit_code)


@forking.step
async def coroutine_waits() -> int:
    never = asyncio.get_running_loop().create_future()
    made = fork()
    if made.is_me:
        await never
    return await asyncio.to_thread(made.exit_code)


CODES = {
    "returns": 0,
    "raises": 1,
    "exits": 5,
    "in_transaction": 7,
    "coroutine_returns": 0,
    "coroutine_exits": 6,
    "coroutine_waits": 1,
}


def test_a_fork_ends_with_the_handler_and_its_parent_goes_on(harness: EngineHarness) -> None:
    # One after the other: forks at the same time trip over locks of Python's own.
    engine = harness.open(forking, worker={"concurrency": 1, "event_loop_block_seconds": PATIENCE})

    task = engine.submit(forking, {})

    assert task.result(PATIENCE) == CODES
    assert len(of_kind(task.history(), StepCompleted)) == len(CODES)
    assert not of_kind(task.history(), StepAttemptFailed)
    assert engine.submit(forking, {}).result(PATIENCE) == CODES
