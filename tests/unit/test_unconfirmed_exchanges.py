"""Until when an exchange that was cut off may still arrive."""

from __future__ import annotations

import pytest

from flowledger.engine.runtime.worker.outbox import UnconfirmedExchanges


class Seconds:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.passed = 100.0

    def __call__(self) -> float:
        return self.passed


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def limbo(seconds: Seconds) -> UnconfirmedExchanges:
    return UnconfirmedExchanges(seconds, lasts_seconds=10, poll_seconds=4)


def asked_at(limbo: UnconfirmedExchanges, seconds: Seconds, until: int) -> list[int]:
    asked: list[int] = []
    for second in range(until):
        seconds.passed = 100.0 + second
        if limbo.is_due():
            asked.append(second)
    return asked


def test_while_nothing_was_cut_off_it_asks_now_and_then(
    limbo: UnconfirmedExchanges, seconds: Seconds
) -> None:
    assert asked_at(limbo, seconds, 35) == [10, 20, 30]


def test_it_asks_at_once_then_each_poll_until_all_should_have_arrived_and_goes_on(
    limbo: UnconfirmedExchanges, seconds: Seconds
) -> None:
    limbo.add()

    assert asked_at(limbo, seconds, 40) == [0, 4, 8, 12, 22, 32]


def test_another_one_that_is_cut_off_begins_it_anew(
    limbo: UnconfirmedExchanges, seconds: Seconds
) -> None:
    limbo.add()
    assert asked_at(limbo, seconds, 6) == [0, 4]
    limbo.add()

    seconds.passed = 200.0

    assert limbo.is_due()
    assert not limbo.is_due()
