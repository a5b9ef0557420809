"""What the roles of a process renew shares a transaction, and costs none of them its leases."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import psycopg
import pytest

from flowledger.engine.errors import StatementRefused
from flowledger.engine.store.connection.pool import open_pool
from flowledger.engine.store.connection.pulse import APART_SECONDS, Pulse
from flowledger.engine.store.connection.session import Session

Ask = Callable[[Session], int]
SELDOM, OFTEN = 10.0, 2.0


def transaction(session: Session) -> int:
    """Which transaction it is."""
    ((number,),) = session.execute("select txid_current()").fetchall()
    return int(number)


def odd(session: Session) -> int:
    """What the server refuses."""
    return len(session.execute("select 1 / 0").fetchall())


class Process:
    """Roles that ask by a clock that the test moves; each is asked for as often as it says."""

    def __init__(self, lend: Any) -> None:
        self.now = 0.0
        self.pulse = Pulse(lend, lambda: self.now)

    def often(self, ask: Ask = transaction) -> tuple[int, float]:
        return self.pulse.beat("often", ask, OFTEN, rides=False)

    def seldom(self, ask: Ask = transaction, *, fresh: bool = False) -> tuple[int, float]:
        return self.pulse.beat("seldom", ask, SELDOM, fresh=fresh)


@pytest.fixture
def process(database: str) -> Generator[Process]:
    with open_pool(database, min_size=1, max_size=2, timeout_seconds=10) as pool:
        yield Process(pool.connection)


def test_what_another_would_ask_before_ones_next_time_is_taken_along(process: Process) -> None:
    first, _ = process.seldom()
    process.now = 7.0
    early, _ = process.often()
    process.now = 9.0
    late, _ = process.often()
    process.now = 10.0

    assert process.seldom() == (late, 1.0)
    assert len({first, early, late}) == 3


def test_who_wants_to_know_how_it_stands_now_asks(process: Process) -> None:
    process.seldom()
    process.now = 9.0
    taken, _ = process.often()

    answer, age = process.seldom(fresh=True)

    assert answer != taken
    assert age == 0


def test_a_role_whose_thread_hangs_is_taken_along_once(process: Process) -> None:
    renewed = list[int]()

    def renew(session: Session) -> int:
        renewed.append(transaction(session))
        return renewed[-1]

    process.seldom(renew)
    for _ in range(20):
        process.now += OFTEN
        process.often()

    assert len(renewed) == 2
    answer, age = process.seldom(renew)
    assert (answer, age) == (renewed[-1], 0.0)  # it was too old
    assert len(renewed) == 3


def test_one_that_is_never_taken_along_is_not(process: Process) -> None:
    process.often()
    process.now = 5.0
    process.seldom()

    assert process.often()[1] == 0


def test_one_that_has_left_is_not_taken_along(process: Process) -> None:
    asked = list[int]()

    def ask(session: Session) -> int:
        asked.append(transaction(session))
        return asked[-1]

    process.seldom(ask)
    process.pulse.leave("seldom")
    process.now = SELDOM
    process.often()

    assert len(asked) == 1


def test_what_the_server_refuses_of_one_costs_the_other_nothing(process: Process) -> None:
    with pytest.raises(StatementRefused):
        process.seldom(odd)
    process.now = SELDOM
    assert process.often()[0] > 0

    process.now += APART_SECONDS - 1
    with pytest.raises(StatementRefused):
        process.seldom(odd)
    assert process.often()[0] > 0


def test_a_lock_that_one_waits_for_holds_up_the_other_for_a_moment_only(
    database: str, process: Process
) -> None:
    def locked(session: Session) -> int:
        return len(session.execute("delete from flowledger.worker returning 1").fetchall())

    process.seldom(locked)
    process.now = SELDOM
    with psycopg.connect(database) as other:
        other.execute("lock table flowledger.worker")

        assert process.often()[0] > 0  # else it would wait for ever
